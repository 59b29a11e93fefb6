"""Unpacks Snappy's block format, in which GitHub keeps the bundles of attestations."""

from __future__ import annotations

_LITERAL, _NEAR, _FAR = 0, 1, 2  # kinds of a piece, in its two lowest bits; 3 is a copy from further still
_SHORT = 60  # a literal of so many bytes or fewer says it in its first byte


def unpack(data: bytes, *, limit: int) -> bytes:
    """Unpack a block.

    Args:
        data: the block.
        limit: bytes that it may come to.

    Raises:
        ValueError: it is no such block, or comes to more.

    """
    size, at = _size(data)
    if size > limit:
        raise ValueError("the block comes to more than is read")
    out = bytearray()
    while at < len(data):
        kind, high = data[at] & 3, data[at] >> 2
        at += 1
        if kind == _LITERAL:
            width = max(0, high - _SHORT + 1)
            length = (int.from_bytes(data[at : at + width], "little") if width else high) + 1
            at += width
            out += data[at : at + length]
            at += length
        else:
            width = kind if kind < _FAR + 1 else 4
            offset = int.from_bytes(data[at : at + width], "little") | ((high >> 3) << 8 if kind == _NEAR else 0)
            length = (high & 7) + 4 if kind == _NEAR else high + 1
            at += width
            if at > len(data) or not 0 < offset <= len(out):
                raise ValueError("the block refers to what is not there")
            for _ in range(length):  # it may reach into what it writes
                out.append(out[-offset])
        if len(out) > size:
            raise ValueError("the block is longer than it says")
    if len(out) != size:
        raise ValueError("the block is shorter than it says")
    return bytes(out)


def _size(data: bytes) -> tuple[int, int]:
    """Read how many bytes it comes to, and where the pieces begin."""
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:  # noqa: PLR2004
            return size, at + 1
    raise ValueError("the block says no size")
