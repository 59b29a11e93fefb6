"""What is read of a bundle of Sigstore: what it attests, as what, and which repository's workflow signed it."""

import base64
import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.github.bundles import BundleError, fault_of, read_bundle
from ci.github.snappy import unpack
from tests.support.attestations import bundle, der, pack

ONE = f"sha256:{'1' * 64}"
GITHUB, TENANT = "https://github.com", "https://acme.ghe.com"
# Made by Google's own encoder for Go, of the text below.
TEXT = b'{"a": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b": "{\\"a\\": \\"aaaa"}' * 3
PACKED = bytes.fromhex("f0011c7b2261223a202261ba010010222c2022620139207b5c22615c223a205c054304227dfe5000fe50007e5000")


@pytest.mark.parametrize(
    ("server", "issuer", "repository", "ok"),
    [
        ("https://github.com", "https://token.actions.githubusercontent.com", "https://github.com/Acme/Shop", True),
        (
            "https://github.com",
            "https://token.actions.githubusercontent.com/acme",
            "https://github.com/acme/shop",
            True,
        ),
        (
            "https://github.com",
            "https://token.actions.githubusercontent.com.evil",
            "https://github.com/acme/shop",
            False,
        ),
        ("https://acme.ghe.com", "https://token.actions.acme.ghe.com", "https://acme.ghe.com/acme/shop", True),
        (
            "https://acme.ghe.com",
            "https://token.actions.githubusercontent.com",
            "https://acme.ghe.com/acme/shop",
            False,
        ),
        ("https://github.com", "https://token.actions.githubusercontent.com", "https://github.com/acme/shop/x", False),
    ],
)
def test_who_signed(server: str, issuer: str, repository: str, ok: bool) -> None:
    attested = read_bundle(bundle(ONE, issuer=issuer, repository=repository))
    assert (fault_of(attested, ONE, repository="acme/shop", server=server) == "") is ok


def test_bundles_of_version_1_have_a_chain() -> None:
    older = bundle(ONE)
    material = older["verificationMaterial"]
    material["x509CertificateChain"] = {"certificates": [material.pop("certificate"), {"rawBytes": "AAAA"}]}
    assert fault_of(read_bundle(older), ONE, repository="acme/shop", server=GITHUB) == ""


def test_statements_have_two_versions() -> None:
    for version in ("v1", "v0.1"):
        assert fault_of(read_bundle(bundle(ONE, version=version)), ONE, repository="acme/shop", server=GITHUB) == ""
    with pytest.raises(BundleError):
        read_bundle(bundle(ONE, version="v2"))


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    changed = copy.deepcopy(bundle(ONE))
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
        edited(lambda b: b["dsseEnvelope"].update(payload=base64.b64encode(b"[]").decode())),
        edited(lambda b: b["dsseEnvelope"].update(payloadType="application/json")),
        edited(lambda b: b["verificationMaterial"]["certificate"].update(rawBytes="AAAA")),
        edited(lambda b: b["verificationMaterial"].update(certificate=None)),
    ],
)
def test_what_is_no_bundle_is_none(bad: object) -> None:
    with pytest.raises(BundleError, match="the bundle cannot be read"):
        read_bundle(bad)


@given(st.data())
def test_a_certificate_that_is_cut_or_changed_is_read_or_refused(data: st.DataObject) -> None:
    whole = bundle(ONE)
    raw = bytearray(base64.b64decode(whole["verificationMaterial"]["certificate"]["rawBytes"]))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    whole["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(cut).decode()
    with suppress(BundleError):
        assert read_bundle(whole).digests == {ONE}


@pytest.mark.parametrize(
    "raw",
    [
        der(0x30, b""),  # nothing that is signed
        der(0x30, der(0x30, der(0xA3, der(0x30, der(0x30, der(0x06, b"\x55")))))),  # an extension without a value
        b"\x30",
    ],
)
def test_a_certificate_without_what_it_has_to_have_is_refused(raw: bytes) -> None:
    whole = bundle(ONE)
    whole["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(raw).decode()
    with pytest.raises(BundleError, match="the bundle cannot be read"):
        read_bundle(whole)


def test_what_snappy_packed_is_unpacked() -> None:
    assert unpack(PACKED, limit=1000) == TEXT
    assert unpack(pack(TEXT), limit=1000) == TEXT
    for bad in (b"", b"\xff" * 6, PACKED[:-1], PACKED + b"\x00a", b"\x05\x01\x05"):
        with pytest.raises(ValueError, match="the block"):
            unpack(bad, limit=1000)
    with pytest.raises(ValueError, match="more than is read"):
        unpack(PACKED, limit=100)


@given(st.binary(max_size=60))
def test_whatever_comes_as_a_block_is_unpacked_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert len(unpack(data, limit=1 << 16)) <= 1 << 16
