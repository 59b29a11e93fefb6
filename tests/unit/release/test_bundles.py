"""What is read of a bundle of Sigstore: what it is about, as what, and by whom; and whose signature counts."""

import base64
import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.core.supply import Signed
from ci.release.bundles import BundleError, Identity, read_bundle
from ci.release.signers import Signers
from tests.support.sigstore import AUTHORITY, ISSUER, SHOP, key_bundle, new_key

ONE = f"sha256:{'1' * 64}"
WORKFLOW = f"{SHOP}/.github/workflows/images.yml@refs/heads/main"
TENANT = "https://token.actions.acme.ghe.com"


@pytest.mark.parametrize(
    ("source", "issuer", "repository", "ok"),
    [
        (SHOP, ISSUER, "https://github.com/Acme/Shop", True),
        (SHOP, f"{ISSUER}/acme", SHOP, True),
        (SHOP, f"{ISSUER}.evil", SHOP, False),
        ("https://acme.ghe.com/acme/shop", TENANT, "https://acme.ghe.com/acme/shop", True),
        ("https://acme.ghe.com/acme/shop", ISSUER, "https://acme.ghe.com/acme/shop", False),
        (SHOP, ISSUER, f"{SHOP}/x", False),
        (SHOP, ISSUER, "", False),
    ],
)
def test_a_workflow_of_the_repository_counts(source: str, issuer: str, repository: str, ok: bool) -> None:
    found = read_bundle(AUTHORITY.bundle(ONE, issuer=issuer, repository=repository))
    assert (Signers(repository=source).fault_of(found.identity) == "") is ok


@pytest.mark.parametrize(
    ("by", "issuer", "why"),
    [
        ((f"{SHOP}/.github/workflows/*",), ISSUER, ""),
        (("ada@acme.test", WORKFLOW), ISSUER, ""),
        ((f"{SHOP}/.github/workflows/",), ISSUER, f"it was signed by {WORKFLOW}, and not by {SHOP}/.github/workflows/"),
        ((f"{SHOP}/.github/workflows/release.yml*",), ISSUER, f"it was signed by {WORKFLOW}, and not by"),
        (("*",), "https://accounts.google.com", f"it was signed for an identity of {ISSUER}, and not of https://acc"),
    ],
)
def test_an_identity_that_a_pattern_fits_counts(by: tuple[str, ...], issuer: str, why: str) -> None:
    said = Signers(signed=Signed(by=by, issuer=issuer)).fault_of(read_bundle(AUTHORITY.bundle(ONE)).identity)
    assert said.startswith(why)
    assert bool(said) is bool(why)


def test_a_person_is_known_by_an_address() -> None:
    issuer = "https://accounts.google.com"
    found = read_bundle(AUTHORITY.bundle(ONE, identity="ada@acme.test", repository="", issuer=issuer))
    assert found.identity == Identity(names=("ada@acme.test",), issuer=issuer)
    assert Signers(signed=Signed(by=("*@acme.test",), issuer=issuer)).fault_of(found.identity) == ""


def test_a_key_and_an_identity_do_not_stand_for_each_other() -> None:
    by_key = read_bundle(key_bundle(new_key(), ONE))
    assert by_key.identity is None
    assert "signed with a key, and not by an identity" in Signers(repository=SHOP).fault_of(by_key.identity)
    by_workflow = read_bundle(AUTHORITY.bundle(ONE))
    said = Signers(signed=Signed(key="PEM")).fault_of(by_workflow.identity)
    assert said == f"it was signed by {WORKFLOW}, and not with the key of the configuration"


def test_bundles_of_version_1_have_a_chain() -> None:
    older = AUTHORITY.bundle(ONE)
    material = older["verificationMaterial"]
    material["x509CertificateChain"] = {"certificates": [material.pop("certificate"), {"rawBytes": "AAAA"}]}
    assert str(read_bundle(older).identity) == WORKFLOW


def test_statements_have_two_versions() -> None:
    for version in ("v1", "v0.1"):
        assert read_bundle(AUTHORITY.bundle(ONE, version=version)).digests == {ONE}
    with pytest.raises(BundleError):
        read_bundle(AUTHORITY.bundle(ONE, version="v2"))


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    changed = copy.deepcopy(AUTHORITY.bundle(ONE))
    edit(changed)
    return changed


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        "x",
        b"\xff",
        b"{",
        b"[" * 100_000,
        edited(lambda b: b.pop("dsseEnvelope")),
        edited(lambda b: b["dsseEnvelope"].update(payload="?")),
        edited(lambda b: b["dsseEnvelope"].update(signatures="?")),
        edited(lambda b: b["dsseEnvelope"].update(payload=base64.b64encode(b"[]").decode())),
        edited(lambda b: b["dsseEnvelope"].update(payloadType="application/json")),
        edited(lambda b: b["verificationMaterial"]["certificate"].update(rawBytes="AAAA")),
        edited(lambda b: b["verificationMaterial"].update(certificate=1)),
    ],
)
def test_what_is_no_bundle_is_none(bad: object) -> None:
    with pytest.raises(BundleError, match="the bundle cannot be read"):
        read_bundle(bad)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(BundleError, match="it names neither a certificate nor a key"):
        read_bundle(edited(lambda b: b["verificationMaterial"].update(certificate=None)))
    with pytest.raises(BundleError, match="it is the signature of a file, and says nothing of an image"):
        read_bundle({"messageSignature": {"signature": "AAAA"}, "verificationMaterial": {}})


@given(st.data())
def test_a_certificate_that_is_cut_or_changed_is_read_or_refused(data: st.DataObject) -> None:
    whole = copy.deepcopy(WHOLE)
    raw = bytearray(base64.b64decode(whole["verificationMaterial"]["certificate"]["rawBytes"]))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    whole["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(cut).decode()
    with suppress(BundleError):
        assert read_bundle(whole).digests == {ONE}


WHOLE = AUTHORITY.bundle(ONE)
