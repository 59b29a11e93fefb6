"""Reads what a certificate says: its extensions, by their identifiers; nothing of it is verified.

Source of the shapes: X.509, RFC 5280, section 4.1; DER, X.690.
"""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE, OCTETS = 0x30, 0x04  # tags of DER
_EXTENSIONS = 0xA3  # the tag that a certificate has its extensions under
_LONG = 0x80  # a length of its own bytes follows


def read_extensions(certificate: bytes) -> dict[bytes, bytes]:
    """Read the extensions of a certificate (DER): the value of each, by its identifier.

    Raises:
        ValueError: it is no certificate, or it is cut.

    """
    found: dict[bytes, bytes] = {}
    ((_, whole),) = read_parts(certificate, SEQUENCE)
    signed, *_ = read_parts(whole)
    for tag, value in read_parts(signed[1]):
        if tag == _EXTENSIONS:
            ((_, listed),) = read_parts(value, SEQUENCE)
            for _, extension in read_parts(listed, SEQUENCE):
                (_, name), *rest = read_parts(extension)
                # Between the two stands whether it is critical, or nothing.
                found[name], *_ = (content for kind, content in rest if kind == OCTETS)
    return found


def read_parts(data: bytes, wanted: int | None = None) -> Iterator[tuple[int, bytes]]:
    """List the values of a DER encoding, each with its tag; all have to be of the wanted one.

    Raises:
        ValueError: one is of another tag, or it is cut.

    """
    at = 0
    while at < len(data):
        if at + 1 == len(data):
            raise ValueError
        tag, length = data[at], data[at + 1]
        at += 2
        if length & _LONG:
            width = length & ~_LONG
            length = int.from_bytes(data[at : at + width], "big")
            at += width
        if at + length > len(data) or (wanted is not None and tag != wanted):
            raise ValueError
        yield tag, data[at : at + length]
        at += length
