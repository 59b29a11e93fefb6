"""Reads what a Sigstore bundle says: what it attests, as what, and which repository's workflow signed it.

No signature is verified here, and no log is asked: `gh attestation verify` does that.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any  # a JSON document

from ci.core.attestations import IN_TOTO
from ci.core.certificates import read_extensions, read_parts

PROVENANCE = "https://slsa.dev/provenance/v1"  # what actions/attest says of a build
# What is read of a statement is the same in both; cosign attest writes the older one.
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
# Extensions of Fulcio's certificates: 1.3.6.1.4.1.57264.1.N, each an UTF8String.
_FULCIO = bytes.fromhex("2b0601040183bf3001")
_ISSUER, _REPOSITORY = _FULCIO + b"\x08", _FULCIO + b"\x0c"
_UTF8 = 0x0C  # a tag of DER


class BundleError(Exception):
    """It is no bundle that can be read; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attested:
    """What a bundle says."""

    digests: frozenset[str]  # such as "sha256:…"
    predicate: str  # its type
    issuer: str  # of the identity that signed
    repository: str  # the address of the source repository that the identity names


def read_bundle(bundle: object) -> Attested:
    """Read a bundle.

    Args:
        bundle: as GitHub lists it; or its bytes, as a registry has it.

    Raises:
        BundleError: it cannot be read.

    """
    try:
        return _read(bundle)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BundleError(f"the bundle cannot be read: {type(error).__name__}") from None


def fault_of(attested: Attested, digest: str, *, repository: str, server: str) -> str:
    """Say why a bundle does not attest that a workflow of a repository built a digest; "" where it does.

    Args:
        attested: what the bundle says.
        digest: of a manifest.
        repository: on GitHub, as OWNER/NAME.
        server: GitHub's address.

    """
    source = f"{server}/{repository}"
    if digest not in attested.digests:
        return "it is about another digest"
    if attested.predicate != PROVENANCE:
        return f"its type is {attested.predicate}, and not {PROVENANCE}"
    # An enterprise may have an issuer of its own, which is its name behind GitHub's.
    if not f"{attested.issuer}/".startswith(f"{_issuer(server)}/"):
        return f"it was signed for an identity of {attested.issuer}, and not of {_issuer(server)}"
    if attested.repository.lower() != source.lower():
        return f"it was signed by a workflow of {attested.repository}, and not of {source}"
    return ""


def _issuer(server: str) -> str:
    """Name who tells the identities of GitHub's runs: on github.com, or on a host of its own."""
    host = server.partition("://")[2]
    return f"https://token.actions.{'githubusercontent.com' if host == 'github.com' else host}"


def _read(bundle: Any) -> Attested:  # noqa: ANN401
    if isinstance(bundle, bytes):
        bundle = json.loads(bundle)
    envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
    statement = json.loads(_decode(envelope["payload"]))
    if envelope["payloadType"] != IN_TOTO or statement["_type"] not in _STATEMENTS:
        raise ValueError
    single = material.get("certificate") or material["x509CertificateChain"]["certificates"][0]
    extensions = read_extensions(_decode(single["rawBytes"]))
    return Attested(
        digests=frozenset(
            f"{algorithm}:{value}" for subject in statement["subject"] for algorithm, value in _digests(subject)
        ),
        predicate=str(statement["predicateType"]),
        issuer=_text(extensions[_ISSUER]),
        repository=_text(extensions[_REPOSITORY]),
    )


def _digests(subject: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from subject["digest"].items()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None


def _text(value: bytes) -> str:
    ((_, text),) = read_parts(value, _UTF8)
    return text.decode()
