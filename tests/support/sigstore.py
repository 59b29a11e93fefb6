"""A Sigstore of the tests' own: an authority, its logs, the trusted root that names them, and bundles signed by it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PROVENANCE = "https://slsa.dev/provenance/v1"
SIGNED = "https://sigstore.dev/cosign/sign/v1"
ISSUER = "https://token.actions.githubusercontent.com"
SHOP = "https://github.com/acme/shop"
IN_TOTO = "application/vnd.in-toto+json"
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_FULCIO = "1.3.6.1.4.1.57264.1"
_NOW = datetime.now(UTC).replace(microsecond=0)

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def public_der(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_pem(key: Key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(key: Key, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def statement(*digests: str, predicate: str = PROVENANCE, version: str = "v1") -> bytes:
    document = {
        "_type": f"https://in-toto.io/Statement/{version}",
        "subject": [
            {"name": "ghcr.io/acme/app", "digest": {digest.partition(":")[0]: digest.partition(":")[2]}}
            for digest in digests
        ],
        "predicateType": predicate,
        "predicate": {},
    }
    return json.dumps(document).encode()


def envelope(payload: bytes, key: Key) -> dict[str, Any]:
    """Sign a statement as DSSE has it."""
    signature = sign(key, f"DSSEv1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} ".encode() + payload)
    return {"payload": encoded(payload), "payloadType": IN_TOTO, "signatures": [{"sig": encoded(signature)}]}


def key_bundle(key: Key, *digests: str, predicate: str = SIGNED) -> dict[str, Any]:
    """Make what cosign sign --key writes."""
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": encoded(sha256(public_der(key)).digest())}, "tlogEntries": []},
        "dsseEnvelope": envelope(statement(*digests, predicate=predicate), key),
    }


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Whom a certificate is made for, and when."""

    identity: str = f"{SHOP}/.github/workflows/images.yml@refs/heads/main"
    repository: str = SHOP
    issuer: str = ISSUER
    valid_from: datetime = _NOW - timedelta(minutes=5)
    minutes: int = 10
    signed_at: datetime = _NOW


@dataclass(frozen=True, kw_only=True)
class Authority:
    """What issues certificates as Fulcio does, and logs what is signed as Rekor does."""

    root: Key = field(default_factory=new_key)
    log: Key = field(default_factory=new_key)
    certificate_log: Key = field(default_factory=new_key)

    @cached_property
    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sigstore.test")])
        return (
            x509.CertificateBuilder(subject_name=name, issuer_name=name, serial_number=1)
            .public_key(self.root.public_key())
            .not_valid_before(_NOW - timedelta(days=30))
            .not_valid_after(_NOW + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.root.public_key()), critical=False)
            .sign(self.root, hashes.SHA256())
        )

    def trusted_root(self) -> str:
        """Name all of it, as a trusted_root.json."""
        since = {"start": (_NOW - timedelta(days=30)).isoformat().replace("+00:00", "Z")}

        def log(key: Key) -> dict[str, Any]:
            details = {"rawBytes": encoded(public_der(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since}
            identity = {"keyId": encoded(sha256(public_der(key)).digest())}
            return {
                "baseUrl": "https://log.test",
                "hashAlgorithm": "SHA2_256",
                "publicKey": details,
                "logId": identity,
            }

        authority = {
            "subject": {"organization": "sigstore.test", "commonName": "sigstore"},
            "uri": "https://fulcio.test",
            "certChain": {"certificates": [{"rawBytes": encoded(self.certificate.public_bytes(Encoding.DER))}]},
            "validFor": since,
        }
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [log(self.log)],
                "certificateAuthorities": [authority],
                "ctlogs": [log(self.certificate_log)],
                "timestampAuthorities": [],
            }
        )

    def issue(self, key: Key, signer: Signer) -> x509.Certificate:
        """Make a certificate of a few minutes, which a log knows of."""
        plain = self._leaf(key, signer)
        moment = int(signer.valid_from.timestamp() * 1000)
        issuer = sha256(public_der(self.root)).digest()
        body = plain.sign(self.root, hashes.SHA256()).tbs_certificate_bytes
        head = b"\x00\x00" + moment.to_bytes(8, "big") + b"\x00\x01"
        signature = sign(self.certificate_log, head + issuer + len(body).to_bytes(3, "big") + body + b"\x00\x00")
        log_id = sha256(public_der(self.certificate_log)).digest()
        told = b"\x00" + log_id + moment.to_bytes(8, "big") + b"\x00\x00\x04\x03" + _sized(signature)
        value = asn1.encode_der(_sized(_sized(told)))
        return plain.add_extension(x509.UnrecognizedExtension(_SCTS, value), critical=False).sign(
            self.root, hashes.SHA256()
        )

    def _leaf(self, key: Key, signer: Signer) -> x509.CertificateBuilder:
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .serial_number(1000)
            .public_key(key.public_key())
            .not_valid_before(signer.valid_from)
            .not_valid_after(signer.valid_from + timedelta(minutes=signer.minutes))
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root.public_key()), critical=False)
        )
        name = x509.RFC822Name if "@" in signer.identity.partition("/")[0] else x509.UniformResourceIdentifier
        made = made.add_extension(x509.SubjectAlternativeName([name(signer.identity)]), critical=True)
        for number, text in {8: signer.issuer, 12: signer.repository}.items():
            if text:
                oid = x509.ObjectIdentifier(f"{_FULCIO}.{number}")
                made = made.add_extension(x509.UnrecognizedExtension(oid, asn1.encode_der(text)), critical=False)
        return made

    def bundle(
        self,
        *digests: str,
        predicate: str = PROVENANCE,
        version: str = "v1",
        logged: bool = True,
        change: Callable[[dict[str, Any]], object] | None = None,
        **signer: Any,  # noqa: ANN401  # the fields of one
    ) -> dict[str, Any]:
        """Make a bundle of version 0.3 about some digests, as actions/attest does; `change` spoils it afterwards."""
        made = replace(Signer(), **signer)
        key = new_key()
        certificate = self.issue(key, made)
        signed = envelope(statement(*digests, predicate=predicate, version=version), key)
        entries = [self._entry(signed, certificate, made)] if logged else []
        raw = encoded(certificate.public_bytes(Encoding.DER))
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"certificate": {"rawBytes": raw}, "tlogEntries": entries},
            "dsseEnvelope": signed,
        }
        if change:
            change(bundle)
        return bundle

    def _entry(self, signed: dict[str, Any], certificate: x509.Certificate, signer: Signer) -> dict[str, Any]:
        payload = base64.b64decode(signed["payload"])
        verifier = encoded(certificate.public_bytes(Encoding.PEM))
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": sha256(json.dumps(signed).encode()).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": sha256(payload).hexdigest()},
            "signatures": [{"signature": signed["signatures"][0]["sig"], "verifier": verifier}],
        }
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}).encode()
        log_id, moment = sha256(public_der(self.log)).digest(), int(signer.signed_at.timestamp())
        promise = {"body": encoded(body), "integratedTime": moment, "logID": log_id.hex(), "logIndex": 0}
        canonical = json.dumps(promise, sort_keys=True, separators=(",", ":")).encode()
        root = sha256(b"\x00" + body).digest()
        note = f"log.test\n1\n{encoded(root)}\n"
        seal = encoded(log_id[:4] + sign(self.log, note.encode()))
        return {
            "logIndex": "0",
            "logId": {"keyId": encoded(log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(moment),
            "inclusionPromise": {"signedEntryTimestamp": encoded(sign(self.log, canonical))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": encoded(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\u2014 log.test {seal}\n"},
            },
            "canonicalizedBody": encoded(body),
        }


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signs,
        crl_sign=not signs,
        encipher_only=False,
        decipher_only=False,
    )


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


AUTHORITY = Authority()
