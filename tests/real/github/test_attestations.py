"""GitHub asked for its attestations over a real connection, in the shapes that its documentation has."""

import json
from collections.abc import Iterator

import anyio
import pytest

from ci.github.attestations import GitHub
from ci.release import PROVENANCE, Judge, Registries, Signers, Trust, find_missing
from tests.support.attestations import Answer, Api, pack
from tests.support.sigstore import AUTHORITY, ISSUER, SHOP, Authority

bundle = AUTHORITY.bundle

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
TOKEN = "planted-token-8123"


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as running:
        yield running


def ask(api: Api, *digests: str, waits: tuple[float, ...] = (), private: bool = False) -> dict[str, str]:
    github = GitHub(repository="acme/shop", api=f"http://127.0.0.1:{api.port}", token=TOKEN)

    async def run() -> dict[str, str]:
        trust = Trust(root=AUTHORITY.trusted_root())
        judge = Judge(signers=Signers(repository=SHOP), kinds=(PROVENANCE,), trust=trust, by_word=private)
        nowhere = Registries(clients={})
        found = await find_missing(nowhere, dict.fromkeys(digests, ()), judge, store=github, waits=waits)
        assert judge.taken == (set(digests) - {*found} if private else set())
        return dict(found)

    return anyio.run(run)


def test_what_is_attested_is_found_by_its_digest(api: Api) -> None:
    api.attest([ONE, TWO])
    assert ask(api, ONE, TWO) == {}
    assert set(api.asked) == {(f"/repos/acme/shop/attestations/{digest}", f"Bearer {TOKEN}") for digest in (ONE, TWO)}


def test_what_is_not_attested_is_named_with_what_github_says(api: Api) -> None:
    api.attest([ONE])
    assert ask(api, ONE, TWO) == {TWO: "GitHub has no attestation of it in acme/shop (404: Not Found)"}


def test_what_is_listed_a_moment_later_is_found(api: Api) -> None:
    api.attest([ONE])
    api.answer = lambda _path, count: (200, {"attestations": []}) if count < 2 else None
    assert ask(api, ONE, waits=(0.0, 0.0)) == {}
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    ("answer", "why", "asked"),
    [
        ((403, {"message": "Feature not available\x1b[31m"}), "GitHub answered 403: Feature not available", 1),
        ((401, {"message": "Bad credentials"}), "GitHub answered 401: Bad credentials", 1),
        ((301, {}), "GitHub answered 301", 1),
        ((500, b"\xff"), "GitHub answered 500", 2),
        ((429, {"message": "slow"}), "GitHub answered 429: slow", 2),
        ((200, {"attestations": []}), "GitHub has no attestation of it in acme/shop", 2),
        ((200, []), "GitHub's answer cannot be read", 2),
        ((200, {"attestations": [1]}), "GitHub's answer cannot be read", 2),
        ((200, b"{"), "GitHub's answer cannot be read", 2),
        ((200, b"[" * 100_000), "GitHub's answer cannot be read", 2),
        ((200, {"attestations": [{}]}), "the bundle cannot be read: TypeError", 2),
        ((200, {"attestations": [{"bundle": {}}]}), "the bundle cannot be read: KeyError", 2),
        ((200, {"attestations": [{"bundle": bundle(TWO)}]}), "it is about another digest", 2),
        (
            (200, {"attestations": [{"bundle": bundle(ONE, predicate="https://spdx.dev/Document")}]}),
            "its type is https://spdx.dev/Document, and not https://slsa.dev/provenance/v1",
            2,
        ),
        (
            (200, {"attestations": [{"bundle": bundle(ONE, repository="https://github.com/acme/shop2")}] * 2}),
            "it was signed by a workflow of https://github.com/acme/shop2, and not of https://github.com/acme/shop",
            2,
        ),
        (
            (200, {"attestations": [{"bundle": bundle(ONE, issuer="https://accounts.example.com")}]}),
            f"it was signed for an identity of https://accounts.example.com, and not of {ISSUER}",
            2,
        ),
    ],
)
def test_nothing_else_is_taken_for_an_attestation(api: Api, answer: Answer, why: str, asked: int) -> None:
    api.answer = lambda _path, _count: answer
    assert ask(api, ONE, waits=(0.0,)) == {ONE: why}
    assert len(api.asked) == asked


def test_a_forged_one_is_none_though_github_lists_it(api: Api) -> None:
    api.bundles.append(Authority().bundle(ONE))
    assert ask(api, ONE) == {ONE: "no authority that is trusted has issued its certificate"}
    api.bundles.append(bundle(ONE, change=lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AAAA")))
    assert "; its signature is wrong: what it says was changed" in ask(api, ONE)[ONE]
    api.attest([ONE])
    assert ask(api, ONE) == {}


def test_what_githubs_own_authority_has_signed_counts_in_a_private_repository_alone(api: Api) -> None:
    api.bundles.append(bundle(ONE, logged=False))
    assert ask(api, ONE, private=True) == {}
    why = "no entry of a transparency log comes with it: GitHub signs so for private repositories"
    assert ask(api, ONE) == {ONE: why}
    api.bundles = [bundle(ONE, logged=False, repository="https://github.com/acme/other")]
    assert "signed by a workflow of https://github.com/acme/other" in ask(api, ONE, private=True)[ONE]


def test_one_that_fits_is_enough(api: Api) -> None:
    others = [{"bundle": bundle(TWO)}, {"bundle": {}}, {"bundle": bundle(ONE)}]
    api.answer = lambda _path, _count: (200, {"attestations": others})
    assert ask(api, ONE) == {}


def test_a_bundle_at_an_address_is_fetched_without_the_token(api: Api) -> None:
    def answer(path: str, _count: int) -> Answer:
        if path == "/bundle":
            return (200, pack(json.dumps(bundle(ONE)).encode()))
        return (200, {"attestations": [{"bundle": None, "bundle_url": f"http://127.0.0.1:{api.port}/bundle?sig=1"}]})

    api.answer = answer
    assert ask(api, ONE) == {}
    assert api.asked[-1] == ("/bundle", "")
    api.answer = lambda path, count: answer(path, count) if path != "/bundle" else (403, {})
    assert ask(api, ONE) == {ONE: "its bundle cannot be fetched: 403"}


def test_nobody_answers() -> None:
    with Api() as gone:
        pass
    assert "GitHub did not answer" in ask(gone, ONE)[ONE]
