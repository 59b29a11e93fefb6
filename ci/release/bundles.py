"""Reads what a Sigstore bundle says: what it is about, as what, and who has signed it. Nothing is verified here.

Source of the shapes: sigstore, protobuf-specs; Fulcio, docs/oid-info.md; in-toto, Statement.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # a JSON document

from ci.core.attestations import IN_TOTO

PROVENANCE = "https://slsa.dev/provenance/v1"  # what actions/attest says of a build
# What is read of a statement is the same in both; cosign attest writes the older one.
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
# Extensions of Fulcio's certificates, each an UTF8String.
_ISSUER, _REPOSITORY = "1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.12"


class BundleError(Exception):
    """It is no bundle that can be read; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Whom a certificate names."""

    names: tuple[str, ...] = ()  # addresses, such as that of a workflow, and e-mail addresses
    issuer: str = ""  # who vouches for them; "" where nobody says so
    repository: str = ""  # the address of the source repository, where it is a workflow's

    def __str__(self) -> str:
        return ", ".join(self.names) or "nobody that its certificate names"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What a bundle says."""

    digests: frozenset[str]  # such as "sha256:…"
    predicate: str  # its type
    certificate: bytes = b""  # DER; nothing where it was signed with a key that is known otherwise
    identity: Identity | None = None  # as the certificate says; None where there is none
    logged: bool = False  # whether it comes with an entry of a transparency log
    payload: bytes = b""  # what was signed, as its envelope has it
    payload_type: str = IN_TOTO
    signatures: tuple[bytes, ...] = ()
    text: str = ""  # all of it, as JSON


def read_bundle(bundle: object) -> Bundle:
    """Read a bundle.

    Args:
        bundle: as GitHub lists it; or its bytes, as a registry has it.

    Raises:
        BundleError: it cannot be read.

    """
    try:
        return _read(bundle)
    except BundleError:
        raise
    except Exception as error:  # noqa: BLE001  # anybody may have written it
        raise BundleError(f"the bundle cannot be read: {type(error).__name__}") from None


def read_identity(certificate: bytes) -> Identity:
    """Read whom a certificate names.

    Args:
        certificate: as DER, or as PEM.

    Raises:
        Exception: it is none, or it is cut.

    """
    # Takes 50 ms, and only releases that are signed need it.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat import asn1  # noqa: PLC0415

    load = x509.load_pem_x509_certificate if certificate.startswith(b"-----") else x509.load_der_x509_certificate
    extensions = load(certificate).extensions
    texts = {
        one.oid.dotted_string: asn1.decode_der(str, one.value.value)
        for one in extensions
        if isinstance(one.value, x509.UnrecognizedExtension) and one.oid.dotted_string in {_ISSUER, _REPOSITORY}
    }
    try:
        named = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        named = x509.SubjectAlternativeName([])
    return Identity(
        names=(
            *named.get_values_for_type(x509.UniformResourceIdentifier),
            *named.get_values_for_type(x509.RFC822Name),
        ),
        issuer=texts.get(_ISSUER, ""),
        repository=texts.get(_REPOSITORY, ""),
    )


def _read(bundle: Any) -> Bundle:  # noqa: ANN401
    if isinstance(bundle, bytes):
        bundle = json.loads(bundle)
    if "messageSignature" in bundle:
        raise BundleError("it is the signature of a file, and says nothing of an image")
    envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
    payload = base64.b64decode(envelope["payload"], validate=True)
    statement = json.loads(payload)
    if envelope["payloadType"] != IN_TOTO or statement["_type"] not in _STATEMENTS:
        raise ValueError
    certificate = b""
    if "publicKey" not in material:
        chain = (material.get("x509CertificateChain") or {}).get("certificates") or ()
        held = [*filter(None, (material.get("certificate"), *chain))]
        if not held:
            raise BundleError("it names neither a certificate nor a key")
        certificate = base64.b64decode(held[0]["rawBytes"], validate=True)
    return Bundle(
        digests=frozenset(digest for subject in statement["subject"] for digest in _digests(subject)),
        predicate=str(statement["predicateType"]),
        certificate=certificate,
        identity=read_identity(certificate) if certificate else None,
        logged=bool(material.get("tlogEntries")),
        payload=payload,
        signatures=tuple(base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]),
        # Written anew, so that whoever reads it next meets each key once.
        text=json.dumps(bundle),
    )


def _digests(subject: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{algorithm}:{value}" for algorithm, value in subject["digest"].items())
