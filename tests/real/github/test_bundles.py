"""Where GitHub has no attestation of a digest, a bundle that refers to it in a real registry counts as one."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ci.core.model import Image
from ci.core.oci import Manifest
from ci.github.attestations import GitHub
from ci.registry import RegistryAddress, RegistryClient, RetryPolicy
from ci.release import PROVENANCE, Judge, Registries, Signers, Staged, Trust, find_missing
from ci.release.request import Target
from tests.support.attestations import Answer, Api
from tests.support.proxy import Fault, FaultProxy, Kind, Seen
from tests.support.releases import BUNDLE, INDEX, Shelf
from tests.support.servers import Registry, run_registry
from tests.support.sigstore import AUTHORITY, ISSUER, SHOP, Authority

bundle = AUTHORITY.bundle
OTHER = f"sha256:{'2' * 64}"
EMPTY = "application/vnd.oci.empty.v1+json"
GITHUB_SAYS = "GitHub has no attestation of it in acme/shop (404: Not Found)"
QUICK = RetryPolicy(attempts=2, base=0.01, deadline=5.0, longest=0.1)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry without a list of referrers, as ghcr.io is: a tag names them."""
    with run_registry(tmp_path_factory.mktemp("bundles") / "registry") as running:
        yield running


@pytest.fixture
def shelf(registry: Registry) -> Iterator[Shelf]:
    made = Shelf(f"http://{registry.host}", f"{uuid.uuid4().hex}/app")
    yield made
    made.http.close()


@pytest.fixture
def image(shelf: Shelf) -> dict[str, Any]:
    return shelf.variant("linux/amd64", b"released")


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as running:
        yield running


def find(api: Api, digest: str, *shelves: Shelf, private: bool = False) -> str:
    """Look for what attests a digest that is in some repositories; return what is said where nothing does."""
    app = Image(name="app", dockerfile="D", context=".", platforms=("linux/amd64",))
    index = Manifest(body=b"", media_type=INDEX, digest=digest)
    staged = [
        Staged(target=Target(image=app, repository=place_of(each), name=each.name, variants=(), labels={}), index=index)
        for each in shelves
    ]
    github = GitHub(repository="acme/shop", api=f"http://127.0.0.1:{api.port}")

    async def run() -> str:
        (host,) = {one.target.host for one in staged}
        address = RegistryAddress(host=host, plain_http=True)
        async with RegistryClient(address, policy=QUICK, timeout=5.0) as client:
            trust = Trust(root=AUTHORITY.trusted_root())
            judge = Judge(signers=Signers(repository=SHOP), kinds=(PROVENANCE,), trust=trust, by_word=private)
            registries = Registries(clients={host: client})
            found = await find_missing(registries, {digest: staged}, judge, store=github, waits=())
        return found.get(digest, "")

    return anyio.run(run)


def place_of(shelf: Shelf) -> str:
    return f"{shelf.url.removeprefix('http://')}/{shelf.name}"


def written(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def test_what_a_tag_names_counts(api: Api, shelf: Shelf, image: dict[str, Any]) -> None:
    digest = image["digest"]
    assert find(api, digest, shelf) == f"{GITHUB_SAYS}; no bundle of Sigstore refers to it in {place_of(shelf)}"
    shelf.fallback(image, shelf.bundle(image, written(bundle(digest))))
    assert find(api, digest, shelf) == ""


def test_what_a_registry_lists_counts(api: Api, registry: Registry, shelf: Shelf, image: dict[str, Any]) -> None:
    """No registry here has such a list, so that the proxy answers for it; what refers to the digest has no tag then."""
    digest = image["digest"]
    listed = [shelf.bundle(image, written(bundle(OTHER)))]

    def listing(seen: Seen) -> Fault | None:
        body = written({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
        return Fault(kind=Kind.STATUS, status=200, body=body) if seen.path.endswith(f"/referrers/{digest}") else None

    with FaultProxy(registry.port, rule=listing) as proxy:
        through = Shelf(f"http://{proxy.host}", shelf.name)
        assert "counts: it is about another digest" in find(api, digest, through)
        listed.append({**shelf.bundle(image, written(bundle(digest))), "artifactType": BUNDLE})
        assert find(api, digest, through) == ""
        through.http.close()


@pytest.mark.parametrize("answer", [(403, {"message": "Not available"}), (200, {"attestations": []}), (500, {})])
def test_whatever_github_says_instead(api: Api, shelf: Shelf, image: dict[str, Any], answer: Answer) -> None:
    api.answer = lambda _path, _count: answer
    assert find(api, image["digest"], shelf).endswith(f"; no bundle of Sigstore refers to it in {place_of(shelf)}")
    shelf.fallback(image, shelf.bundle(image, written(bundle(image["digest"]))))
    assert find(api, image["digest"], shelf) == ""


def test_one_repository_of_several_is_enough(api: Api, registry: Registry, shelf: Shelf, image: dict[str, Any]) -> None:
    digest = image["digest"]
    second = Shelf(f"http://{registry.host}", f"{shelf.name}-two")
    why = find(api, digest, second, shelf)
    assert why.count("no bundle of Sigstore refers to it in") == 2
    assert why.index(f"{place_of(shelf)}-two") < why.rindex(place_of(shelf))
    shelf.fallback(image, shelf.bundle(image, written(bundle(digest))))
    assert find(api, digest, second, shelf) == ""
    second.http.close()


def test_the_manifest_says_what_it_is_and_not_the_list(api: Api, shelf: Shelf, image: dict[str, Any]) -> None:
    digest = image["digest"]
    report = shelf.bundle(image, b"{}", kind="application/vnd.example.report")
    shelf.fallback(image, {**report, "artifactType": BUNDLE})
    assert find(api, digest, shelf).endswith(f"no bundle of Sigstore refers to it in {place_of(shelf)}")
    held = shelf.bundle(image, written(bundle(digest)))
    shelf.fallback(image, report, {**held, "artifactType": EMPTY})
    assert find(api, digest, shelf) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"repository": "https://github.com/acme/shop2"},
            "it was signed by a workflow of https://github.com/acme/shop2, and not of https://github.com/acme/shop",
        ),
        (
            {"issuer": "https://accounts.example.com"},
            f"it was signed for an identity of https://accounts.example.com, and not of {ISSUER}",
        ),
        (
            {"predicate": "https://spdx.dev/Document\x1b[31m" + "x" * 100_000},
            "its type is https://spdx.dev/Documentx",
        ),
    ],
)
def test_nothing_else_is_taken_for_an_attestation(
    api: Api, shelf: Shelf, image: dict[str, Any], change: dict[str, Any], why: str
) -> None:
    digest = image["digest"]
    shelf.fallback(image, shelf.bundle(image, written(bundle(digest, **change))))
    said = find(api, digest, shelf)
    assert f"none of the bundles that refer to it in {place_of(shelf)} counts: {why}" in said
    assert len(said) < 1000
    assert said.isprintable()


def test_whoever_can_write_to_the_registry_cannot_forge_one(api: Api, shelf: Shelf, image: dict[str, Any]) -> None:
    digest = image["digest"]
    shelf.fallback(image, shelf.bundle(image, written(Authority().bundle(digest))))
    assert find(api, digest, shelf).endswith("counts: no authority that is trusted has issued its certificate")
    # In a private repository GitHub's word counts, and not the registry's.
    shelf.fallback(image, shelf.bundle(image, written(bundle(digest, logged=False))))
    assert "counts: no entry of a transparency log comes with it" in find(api, digest, shelf, private=True)


def test_one_that_fits_is_found_among_what_cannot_be_read(api: Api, shelf: Shelf, image: dict[str, Any]) -> None:
    digest = image["digest"]
    bad = [
        shelf.bundle(image, b"\xff"),
        shelf.bundle(image, b"[" * 100_000),
        shelf.bundle(image, b"{" + b" " * (4 << 20) + written(bundle(digest))[1:]),  # larger than what is read
        shelf.bundle(image, *(written(bundle(OTHER, issuer=str(number))) for number in range(5))),
        shelf.fallback({"digest": OTHER}),
        shelf.manifest({"mediaType": image["mediaType"], "config": shelf.blob(b"{}", EMPTY), "layers": []}),
    ]
    shelf.fallback(image, *bad)
    said = find(api, digest, shelf)
    assert "UnicodeDecodeError; the bundle cannot be read: RecursionError; the bundle has 4.2 MB, and no more" in said
    shelf.fallback(image, *bad, shelf.bundle(image, written(bundle(digest))))
    assert find(api, digest, shelf) == ""


def test_no_more_than_fifty_are_read(api: Api, shelf: Shelf, image: dict[str, Any]) -> None:
    digest = image["digest"]
    other, right = (shelf.bundle(image, written(bundle(one))) for one in (OTHER, digest))
    shelf.fallback(image, *[other] * 49, right)
    assert find(api, digest, shelf) == ""
    shelf.fallback(image, *[other] * 50, right)
    assert find(api, digest, shelf).endswith("it is about another digest; 1 of its 51 referrers were not read")


def test_a_tag_that_is_no_list_is_none(api: Api, shelf: Shelf, image: dict[str, Any]) -> None:
    held = shelf.bundle(image, written(bundle(image["digest"])))
    shelf.tag(held["digest"], image["digest"].replace(":", "-"))
    assert find(api, image["digest"], shelf).endswith(f"no bundle of Sigstore refers to it in {place_of(shelf)}")


def test_a_registry_that_does_not_answer_is_said(api: Api, tmp_path: Path) -> None:
    with run_registry(tmp_path / "gone") as running:
        gone = Shelf(f"http://{running.host}", "acme/app")
    assert f"; what refers to it in {place_of(gone)} cannot be read: GET the referrers of" in find(api, OTHER, gone)
    gone.http.close()
