"""Reads what is in a registry about an image besides its attestations: who has signed it, by the word of a certificate.

Nothing is verified here: that takes the authorities of the signer, as `cosign verify` and `gh attestation verify` have.
Source of the shapes: sigstore, specs/BUNDLE_SPEC.md (cosign) and protobuf-specs; X.509, RFC 5280, section 4.2.1.6.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any  # documents of others

from ci.core.errors import DrydockError
from ci.core.oci import Descriptor
from ci.registry import RegistryClient
from ci.release.inspected import Signature

_BUNDLE = "application/vnd.dev.sigstore.bundle"
_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_KIND = "dev.sigstore.bundle.predicateType"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_MAX_BUNDLE = 20 * 1024 * 1024  # bytes
_MOST = 50  # of what is about one digest
_ALTERNATIVE_NAME = bytes.fromhex("0603551d11")  # the identifier of the extension, 2.5.29.17
_EMAIL, _ADDRESS = 0x81, 0x86
_OCTETS, _SEQUENCE, _BOOLEAN = 0x04, 0x30, 0x01
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


async def read_signatures(client: RegistryClient, name: str, digest: str) -> tuple[Signature, ...]:
    """List the signatures of a manifest: by the registry's list, or by the tags that are made of its digest.

    Raises:
        RegistryError: the registry refuses to say.

    """
    found = [*(await _listed(client, name, digest))]
    old = f"{digest.replace(':', '-')}.sig"
    if await client.resolve(name, old):
        for layer in (await client.get_manifest(name, old)).image.layers:
            if layer.media_type == _SIMPLE:
                signers = signers_of_pem(layer.annotations.get(_CERTIFICATE, ""))
                found.append(Signature(about=digest, kind="signature", signers=signers))
    return tuple(found)


async def _listed(client: RegistryClient, name: str, digest: str) -> list[Signature]:
    entries = await client.referrers(name, digest)
    if entries is None:
        tag = digest.replace(":", "-")
        if not await client.resolve(name, tag):
            return []
        named = await client.get_manifest(name, tag)
        entries = named.listed if named.is_index else ()
    found: list[Signature] = []
    for entry in entries[:_MOST]:
        # What the list says of an entry, old clients have written wrongly; the manifest says it itself.
        found += await _read(client, name, digest, entry)
    return found


async def _read(client: RegistryClient, name: str, digest: str, entry: Descriptor) -> list[Signature]:
    manifest = await client.get_manifest(name, entry.digest)
    kind = manifest.annotations.get(_KIND, "signature")
    found = []
    for layer in manifest.image.layers:
        if layer.media_type.startswith(_BUNDLE) and layer.size <= _MAX_BUNDLE:
            body = await client.get_blob(name, layer.digest, limit=layer.size)
            found.append(Signature(about=digest, kind=kind, signers=signers_of_bundle(body)))
    return found


def signers_of_bundle(body: bytes) -> tuple[str, ...]:
    """Read who a bundle of sigstore says has signed; nothing where it holds no certificate, but a key's name."""
    try:
        material: Mapping[str, Any] = json.loads(body)["verificationMaterial"]
        chain = material.get("x509CertificateChain") or {}
        held = [material.get("certificate") or {}, *(chain.get("certificates") or ())]
        first = next((each["rawBytes"] for each in held if each.get("rawBytes")), "")
        return signers_of(base64.b64decode(first)) if first else ()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()


def signers_of_pem(text: str) -> tuple[str, ...]:
    """Read whom the first of some certificates names."""
    found = _PEM.search(text)
    try:
        return signers_of(base64.b64decode(found[1])) if found else ()
    except ValueError:
        return ()


def signers_of(certificate: bytes) -> tuple[str, ...]:
    """Read whom a certificate (DER) names, as addresses and e-mail addresses.

    Of the structure only the extension with the alternative names is looked for, by its identifier.
    """
    place = certificate.find(_ALTERNATIVE_NAME)
    if place < 0:
        return ()
    try:
        kind, value, rest = _part(certificate[place + len(_ALTERNATIVE_NAME) :])
        if kind == _BOOLEAN:  # whether the extension is critical
            kind, value, _ = _part(rest)
        names = _part(value)[1] if kind == _OCTETS and value[:1] == bytes([_SEQUENCE]) else b""
        return tuple(_names(names))
    except (IndexError, DrydockError):
        return ()


def _names(value: bytes) -> Iterator[str]:
    while value:
        kind, name, value = _part(value)
        if kind in {_EMAIL, _ADDRESS}:
            yield name.decode("ascii", "replace")


def _part(data: bytes) -> tuple[int, bytes, bytes]:
    """Split DER into the kind and the value of its first part, and what follows."""
    kind, length, start = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if start + length > len(data):
        raise DrydockError("the certificate is cut")
    return kind, data[start : start + length], data[start + length :]
