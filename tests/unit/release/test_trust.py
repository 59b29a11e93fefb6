"""Signatures are verified: by an authority of the tests' own, made as Sigstore's is, and by keys."""

import base64
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ci.core.errors import DrydockError
from ci.release import proof
from ci.release.bundles import BundleError, read_bundle
from ci.release.trust import Trust
from tests.support.sigstore import (
    AUTHORITY,
    IN_TOTO,
    SHOP,
    Authority,
    encoded,
    key_bundle,
    new_key,
    public_pem,
    sign,
    statement,
)

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
NOW = datetime.now(UTC)
Bundle = dict[str, Any]
WRONG = "its signature is wrong: what it says was changed, or it was signed by another key"
LOG = "its entry in the transparency log is not of a log that is trusted, or was changed"
EXPIRED = "its certificate was not valid when it was signed"
ELSEWHERE = "its entry in the transparency log is about something else"


async def fault(bundle: object, key: str = "", root: str = "") -> str:
    return await Trust(root=root or AUTHORITY.trusted_root()).fault_of(read_bundle(bundle), key)


async def test_what_the_authority_has_signed_is_verified() -> None:
    trust = Trust(root=AUTHORITY.trusted_root())
    for one in (AUTHORITY.bundle(ONE), AUTHORITY.bundle(ONE, TWO, version="v0.1"), AUTHORITY.bundle(TWO)):
        assert await trust.fault_of(read_bundle(one)) == ""


def entry(bundle: Bundle) -> Bundle:
    (found,) = bundle["verificationMaterial"]["tlogEntries"]
    assert isinstance(found, dict)
    return found


def other_payload(bundle: Bundle) -> None:
    bundle["dsseEnvelope"]["payload"] = encoded(statement(ONE, TWO))


def other_signature(bundle: Bundle) -> None:
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = encoded(sign(new_key(), b"anything"))


def other_certificate(bundle: Bundle) -> None:
    bundle["verificationMaterial"]["certificate"] = AUTHORITY.bundle(ONE)["verificationMaterial"]["certificate"]


def other_entry(bundle: Bundle) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = AUTHORITY.bundle(ONE)["verificationMaterial"]["tlogEntries"]


def other_time(bundle: Bundle) -> None:
    entry(bundle)["integratedTime"] = str(int(entry(bundle)["integratedTime"]) + 1)


def other_log(bundle: Bundle) -> None:
    entry(bundle)["inclusionProof"] = entry(Authority().bundle(ONE))["inclusionProof"]


def no_time(bundle: Bundle) -> None:
    del entry(bundle)["inclusionPromise"]


def two_entries(bundle: Bundle) -> None:
    bundle["verificationMaterial"]["tlogEntries"] *= 2


def nonsense(bundle: Bundle) -> None:
    entry(bundle)["inclusionProof"]["treeSize"] = "-9" * 40


def old_entry(bundle: Bundle) -> None:
    entry(bundle)["kindVersion"] = {"kind": "intoto", "version": "0.0.2"}


def huge_time(bundle: Bundle) -> None:
    entry(bundle)["integratedTime"] = "9" * 18


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other_payload, WRONG),
        (other_signature, WRONG),
        (other_certificate, WRONG),
        (other_entry, ELSEWHERE),
        (other_time, LOG),
        (other_log, LOG),
        (no_time, "it cannot be verified: bundle must contain an inclusion promise"),
        (two_entries, "it cannot be verified: expected exactly one log entry"),
        (nonsense, "it cannot be verified: "),
        (old_entry, "its entry in the transparency log is of a kind that is not verified here"),
        (huge_time, "it cannot be verified: "),
        (lambda b: b.update(mediaType="application/json"), "it cannot be verified: "),
        (lambda b: b["dsseEnvelope"]["signatures"].clear(), "it cannot be verified: envelope must contain exactly one"),
    ],
)
async def test_what_was_changed_afterwards_is_not(change: Callable[[Bundle], object], why: str) -> None:
    said = await fault(AUTHORITY.bundle(ONE, change=change))
    assert said.startswith(why)
    assert len(said) < 300
    assert said.isprintable()


async def test_when_it_was_signed_the_certificate_was_valid() -> None:
    for moved in (timedelta(hours=1), -timedelta(hours=1)):
        assert await fault(AUTHORITY.bundle(ONE, signed_at=NOW + moved)) == EXPIRED
    then = NOW - timedelta(days=2)
    old = AUTHORITY.bundle(ONE, valid_from=then, signed_at=then + timedelta(minutes=1))
    assert await fault(old) == ""  # it has expired since


async def test_a_certificate_of_another_authority_is_none_whatever_it_names() -> None:
    unknown = "no authority that is trusted has issued its certificate"
    forger = Authority(log=AUTHORITY.log, certificate_log=AUTHORITY.certificate_log)
    bundle = forger.bundle(ONE)
    assert str(read_bundle(bundle).identity).startswith(SHOP)
    assert await fault(bundle) == unknown
    assert forger.certificate.subject == AUTHORITY.certificate.subject
    assert await fault(Authority(root=AUTHORITY.root, log=AUTHORITY.log).bundle(ONE)) == (
        "no log that is trusted knows of its certificate"
    )
    other_log = Authority(root=AUTHORITY.root, certificate_log=AUTHORITY.certificate_log)
    assert await fault(other_log.bundle(ONE)) == LOG
    assert (await fault(AUTHORITY.bundle(ONE, logged=False))).startswith("no entry of a transparency log comes with it")


@pytest.mark.parametrize("root", ["{", "{}", "[]", "\x00", '{"mediaType": "x"}'])
async def test_a_trusted_root_that_is_none_is_the_users_mistake(root: str) -> None:
    with pytest.raises(DrydockError, match=r"trusted-root: the file cannot be used: .*; give a trusted_root\.json"):
        await fault(AUTHORITY.bundle(ONE), root=root)


def test_keys_of_any_kind_verify() -> None:
    bundle = key_bundle(new_key(), ONE)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    signed = f"DSSEv1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} ".encode() + payload
    small, large = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1())
    edwards, old = ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
    made: list[tuple[Any, bytes]] = [
        (small.public_key(), small.sign(signed, ec.ECDSA(hashes.SHA384()))),
        (large.public_key(), large.sign(signed, ec.ECDSA(hashes.SHA512()))),
        (edwards.public_key(), edwards.sign(signed)),
        (old.public_key(), old.sign(signed, padding.PKCS1v15(), hashes.SHA256())),
    ]
    for public, signature in made:
        one = copy.deepcopy(bundle)
        one["dsseEnvelope"]["signatures"] = [{"sig": encoded(signature)}]
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        assert proof.check_key(read_bundle(one), pem) == ""
        one["dsseEnvelope"]["payload"] = encoded(payload + b" ")
        assert proof.check_key(read_bundle(one), pem).startswith("the key of the configuration has not signed it")


async def test_a_key_verifies_what_it_has_signed_and_nothing_else() -> None:
    key = new_key()
    assert await fault(key_bundle(key, ONE), public_pem(key)) == ""
    said = "the key of the configuration has not signed it, or it was changed"
    assert await fault(key_bundle(new_key(), ONE), public_pem(key)) == said
    changed = key_bundle(key, ONE)
    changed["dsseEnvelope"]["payload"] = encoded(statement(TWO))
    assert await fault(changed, public_pem(key)) == said
    unsigned = key_bundle(key, ONE)
    unsigned["dsseEnvelope"]["signatures"] = []
    assert await fault(unsigned, public_pem(key)) == said
    assert await fault(key_bundle(key, ONE)) == "it is signed with a key, and says nothing of whose"
    with pytest.raises(DrydockError, match="the file holds no public key that can be used; give one of ECDSA"):
        await fault(key_bundle(key, ONE), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")


PUBLIC = proof.read_root(AUTHORITY.trusted_root())
TEXT = json.dumps(AUTHORITY.bundle(ONE)).encode()


@given(st.data())
def test_whatever_is_changed_in_a_bundle_is_refused_or_changes_nothing(data: st.DataObject) -> None:
    text = bytearray(TEXT)
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b'AZaz09+/=-,:{}[]" \xff'))
    try:
        bundle = read_bundle(bytes(text))
    except BundleError:
        return
    if proof.verify(PUBLIC, bundle) == "":
        whole = read_bundle(TEXT)
        assert (bundle.payload, bundle.certificate) == (whole.payload, whole.certificate)


def test_a_bundle_is_read_once() -> None:
    """What a second reader would take otherwise is written anew: of two keys of one name, one is left."""
    bundle = AUTHORITY.bundle(ONE)
    text = json.dumps(bundle).replace('{"mediaType"', '{"dsseEnvelope": {}, "mediaType"', 1).encode()
    assert read_bundle(text).text.count("dsseEnvelope") == 1
