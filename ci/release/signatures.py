"""Reads what is in a registry about an image besides its attestations: who has signed it, by the word of a certificate.

Nothing is verified here: that takes the authorities of the signer, as `cosign verify` and `gh attestation verify` have.
Source of the shapes: sigstore, specs/BUNDLE_SPEC.md (cosign) and protobuf-specs; X.509, RFC 5280, section 4.2.1.6.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any  # documents of others

from ci.core.certificates import SEQUENCE, read_extensions, read_parts
from ci.registry import RegistryClient
from ci.release.inspected import Signature
from ci.release.referrers import list_referrers, read_bundles

_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_MAX_BUNDLE = 20 * 1024 * 1024  # bytes
_MOST = 50  # of what is about one digest
_ALTERNATIVE_NAME = bytes.fromhex("551d11")  # the identifier of the extension, 2.5.29.17
_EMAIL, _ADDRESS = 0x81, 0x86
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


async def read_signatures(client: RegistryClient, name: str, digest: str) -> tuple[Signature, ...]:
    """List the signatures of a manifest: by the registry's list, or by the tags that are made of its digest.

    Raises:
        RegistryError: the registry refuses to say.

    """
    found: list[Signature] = []
    for entry in (await list_referrers(client, name, digest))[:_MOST]:
        found += [
            Signature(about=digest, kind=bundle.kind, signers=signers_of_bundle(bundle.body))
            async for bundle in read_bundles(client, name, entry.digest, limit=_MAX_BUNDLE)
        ]
    old = f"{digest.replace(':', '-')}.sig"
    if await client.resolve(name, old):
        for layer in (await client.get_manifest(name, old)).image.layers:
            if layer.media_type == _SIMPLE:
                signers = signers_of_pem(layer.annotations.get(_CERTIFICATE, ""))
                found.append(Signature(about=digest, kind="signature", signers=signers))
    return tuple(found)


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
    """Read whom a certificate (DER) names, as addresses and e-mail addresses."""
    try:
        ((_, names),) = read_parts(read_extensions(certificate)[_ALTERNATIVE_NAME], SEQUENCE)
        return tuple(name.decode("ascii", "replace") for kind, name in read_parts(names) if kind in {_EMAIL, _ADDRESS})
    except (ValueError, KeyError):
        return ()
