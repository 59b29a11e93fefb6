"""Asks the libraries that know cryptography. What imports this file waits for them: 300 ms.

Source of what a valid bundle is: sigstore, specs on the client's verification; of the envelope: DSSE, protocol.md.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509 import Certificate
from sigstore.errors import CertValidationError, VerificationError
from sigstore.models import Bundle as Parsed
from sigstore.models import TrustedRoot
from sigstore.verify import Verifier

from ci.core.errors import DrydockError
from ci.core.text import clean
from ci.release.bundles import Bundle

_SHOWN = 200  # characters of what the library says
_FORGED = "its signature is wrong: what it says was changed, or it was signed by another key"
_ELSEWHERE = "its entry in the transparency log is about something else"
_EXPIRED = "its certificate was not valid when it was signed"
_OLD_ENTRY = "its entry in the transparency log is of a kind that is not verified here"
CERTAIN = (_FORGED, _ELSEWHERE, _EXPIRED, _OLD_ENTRY)  # whoever else is trusted
_UNKNOWN = "no authority that is trusted has issued its certificate"
# What the library says of a fault, as it begins.
_SENTENCES = {
    "DSSE: invalid signature": _FORGED,
    "not enough sources of verified time": "nothing that is trusted says when it was signed",
    "failed to verify SCT": "no log that is trusted knows of its certificate",
    "invalid log entry": "its entry in the transparency log is not of a log that is trusted, or was changed",
    "log entry": _ELSEWHERE,
    "transparency log entry is inconsistent": _ELSEWHERE,
    "Integrated time only supported": _OLD_ENTRY,
    "Unsupported DSSE log entry type": _OLD_ENTRY,
}
_UNUSABLE = (
    "require: signed: key: the file holds no public key that can be used; give one of ECDSA, Ed25519 or RSA as PEM, as "
    "cosign generate-key-pair writes it to cosign.pub"
)
_P256, _P384 = 256, 384  # bits of a curve

# It warns of a trusted root that is not fetched anew, which is said where it matters.
logging.getLogger("sigstore").addHandler(logging.NullHandler())
logging.getLogger("sigstore").propagate = False


def read_root(text: str) -> Verifier:
    """Trust the authorities of a trusted_root.json.

    Raises:
        DrydockError: it is none.

    """
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(text)
            file.flush()
            return Verifier(trusted_root=TrustedRoot.from_file(file.name))
    except Exception as error:  # noqa: BLE001  # the library has no error of its own for what a user wrote
        raise DrydockError(
            f"trusted-root: the file cannot be used: {_shown(error)}; give a trusted_root.json, as "
            "cosign trusted-root create writes it"
        ) from None


def fetch_root() -> Verifier | None:
    """Ask the public Sigstore whom it trusts now; None where it does not say so."""
    try:
        return Verifier.production()
    except Exception:  # noqa: BLE001  # whatever it is, there are those that came with the library
        return None


def shipped_root() -> Verifier:
    """Trust whom the public Sigstore trusted when the library was made.

    Raises:
        DrydockError: the library has nowhere to put that.

    """
    try:
        return Verifier.production(offline=True)
    except OSError as error:
        raise DrydockError(f"whom Sigstore trusts cannot be kept in the home folder: {_shown(error)}") from None


@dataclass(frozen=True, slots=True)
class _Same:
    """Has the library verify the certificate whose names were read, and no other."""

    certificate: bytes

    def verify(self, cert: Certificate) -> None:
        """Refuse another one."""
        if cert.public_bytes(Encoding.DER) != self.certificate:
            raise VerificationError("it holds two certificates")


def verify(verifier: Verifier, bundle: Bundle) -> str:
    """Say why a bundle is not proven to be signed by whom its certificate names; "" where it is."""
    try:
        kind, payload = verifier.verify_dsse(Parsed.from_json(bundle.text), _Same(bundle.certificate))
    except CertValidationError as error:
        return _EXPIRED if "not valid at validation time" in str(error) else _UNKNOWN
    except Exception as error:  # noqa: BLE001  # whatever the library makes of what anybody wrote, it is no proof
        text = str(error)
        told = next((sentence for begin, sentence in _SENTENCES.items() if text.startswith(begin)), "")
        return told or f"it cannot be verified: {_shown(error)}"
    if (kind, payload) != (bundle.payload_type, bundle.payload):
        return "what is signed is not what was read"
    return ""


def check_key(bundle: Bundle, key: str) -> str:
    """Say why a bundle is not signed with a key; "" where it is.

    Args:
        bundle: any.
        key: public, as PEM: ECDSA, Ed25519 or RSA.

    Raises:
        DrydockError: it is no such key.

    """
    try:
        public = load_pem_public_key(key.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise DrydockError(_UNUSABLE) from None
    body = bundle.payload
    signed = f"DSSEv1 {len(bundle.payload_type)} {bundle.payload_type} {len(body)} ".encode() + body
    for signature in bundle.signatures:
        try:
            if isinstance(public, ec.EllipticCurvePublicKey):
                size = public.curve.key_size
                digest = hashes.SHA256() if size <= _P256 else hashes.SHA384() if size <= _P384 else hashes.SHA512()
                public.verify(signature, signed, ec.ECDSA(digest))
            elif isinstance(public, rsa.RSAPublicKey):
                public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            elif isinstance(public, ed25519.Ed25519PublicKey):
                public.verify(signature, signed)
            else:
                raise DrydockError(_UNUSABLE)
        except InvalidSignature:
            continue
        return ""
    return "the key of the configuration has not signed it, or it was changed"


def _shown(error: Exception) -> str:
    return " ".join(clean(str(error)[:_SHOWN]).split()).rstrip(".") or type(error).__name__
