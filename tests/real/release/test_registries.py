"""A release to two registries: in both or in none, each layer sent once, and the same bytes in each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ci.release.outcome import Change, Release
from ci.release.preview import read_tags
from ci.release.promotion import promote
from ci.release.report import render_table
from ci.release.verification import verify
from tests.support.proxy import Fault, FaultProxy, Kind, Seen, always
from tests.support.servers import PASSWORD, USER, Registry, TokenServer, make_certificate, run_registry

from .conftest import Commit, connect, live, publish

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

DENIED = Fault(kind=Kind.STATUS, status=403, body=b'{"errors":[{"code":"DENIED","message":"injected"}]}')
DOWN = Fault(kind=Kind.RESET)


def told(done: Release, tag: str) -> dict[str, Change]:
    """Say what became of a tag, by host and image."""
    parts = ((o.repository.split("/"), o.change) for o in done.tags if o.tag == tag)
    return {f"{host}/{name}": change for (host, _, name), change in parts}


def blobs(commit: Commit) -> set[str]:
    """List the blobs of its variants, and of what is attested of them."""
    made = [each.documents for each in commit.images.values()]
    images = [manifest.image for each in made for manifest in (each.manifest, each.attestation) if manifest]
    return {blob.digest for image in images for blob in (*image.layers, image.config)}


def uploads(proxy: FaultProxy) -> int:
    return sum(seen.method == "PUT" and "/blobs/uploads/" in seen.path for seen in proxy.seen)


async def test_both_registries_get_the_same_bytes_and_each_layer_once(
    new: Commit, plain: Registry, other: Registry
) -> None:
    with FaultProxy(plain.port) as first, FaultProxy(other.port) as second:
        hosts = first.host, second.host
        done = await publish(new, hosts, "twice")
    assert done.ok, done.problems
    assert [image.repository for image in done.images] == [
        f"{host}/twice/{name}" for name in ("alpha", "beta") for host in hosts
    ]
    for tag in ("latest", new.tag):
        assert await live(plain.host, "twice", tag) == await live(other.host, "twice", tag)
    for proxy in (first, second):
        # A layer that both images have is mounted for the second one.
        assert uploads(proxy) == len(blobs(new))
        assert sum(seen.method == "POST" for seen in proxy.seen) > uploads(proxy)


async def test_layers_are_mounted_with_tokens_too(new: Commit, tmp_path: Path) -> None:
    """The token needs two scopes: of the repository that has the layer, and of the one that gets it."""
    with (
        TokenServer(make_certificate(tmp_path)) as tokens,
        run_registry(tmp_path / "r", token=tokens) as guarded,
        FaultProxy(guarded.port) as proxy,
    ):
        done = await publish(new, proxy.host, "acme", login=(USER, PASSWORD))
        assert done.ok, done.problems
        asked = [request.query.get("scope", []) for request in tokens.requests]
    assert any(len(scopes) == 2 for scopes in asked), asked
    assert uploads(proxy) == len(blobs(new))


async def test_a_registry_that_mounts_nothing_gets_the_layers(new: Commit, plain: Registry) -> None:
    refused = Fault(kind=Kind.STATUS, status=405, body=b'{"errors":[{"code":"UNSUPPORTED"}]}')
    first: list[int] = []

    def rule(seen: Seen) -> Fault | None:
        """Refuse the first start of an upload of beta, which is a mount."""
        if seen.method == "POST" and "beta" in seen.path and not first:
            first.append(seen.number)
            return refused
        return None

    with FaultProxy(plain.port, rule=rule) as proxy:
        done = await publish(new, proxy.host, "unmounted")
    assert first
    assert done.ok, done.problems


async def test_what_one_registry_refuses_is_in_neither(
    old: Commit, new: Commit, plain: Registry, other: Registry
) -> None:
    both = plain.host, other.host
    assert (await publish(old, both, "acme")).ok
    before = await live(plain.host, "acme")
    with FaultProxy(other.port, rule=always(DENIED, "PUT", "beta/manifests/latest")) as proxy:
        hosts = plain.host, proxy.host
        done = await publish(new, hosts, "acme")
    assert not done.ok
    assert told(done, "latest") == {
        f"{plain.host}/alpha": Change.RESTORED,
        f"{proxy.host}/alpha": Change.RESTORED,
        f"{plain.host}/beta": Change.RESTORED,
        f"{proxy.host}/beta": Change.NOT_WRITTEN,
    }
    assert await live(plain.host, "acme") == await live(other.host, "acme") == before
    # The commit is named all the same, in both: all of its images are there and were verified.
    assert await live(plain.host, "acme", new.tag) == await live(other.host, "acme", new.tag)
    with FaultProxy(other.port, rule=always(DENIED, "POST")) as proxy:
        pushed = await publish(new, (plain.host, proxy.host), "unpushed")
    assert [problem.partition(": PUT")[0] for problem in pushed.problems] == [
        f"{proxy.host}/unpushed/{name}: push" for name in ("alpha", "beta")
    ]
    assert await live(plain.host, "unpushed", new.tag) == {"alpha": "", "beta": ""}


async def test_a_registry_that_goes_down_holds_up_no_other(
    old: Commit, new: Commit, plain: Registry, other: Registry
) -> None:
    both = plain.host, other.host
    assert (await publish(old, both, "gone")).ok
    before = await live(plain.host, "gone")
    dead: list[int] = []

    def rule(seen: Seen) -> Fault | None:
        if dead or (seen.method == "PUT" and seen.path.endswith("alpha/manifests/latest")):
            dead.append(seen.number)
            return Fault(kind=Kind.RESET, after=len(dead) == 1)  # it is written, and nobody is told
        return None

    with FaultProxy(other.port, rule=rule) as proxy:
        done = await publish(new, (plain.host, proxy.host), "gone")
    assert not done.ok
    assert await live(plain.host, "gone") == before
    now = await live(other.host, "gone")
    assert now["alpha"] != before["alpha"]
    found = told(done, "latest")
    assert {found[f"{plain.host}/alpha"], found[f"{plain.host}/beta"]} <= {Change.RESTORED, Change.NOT_WRITTEN}
    assert found[f"{proxy.host}/alpha"] is Change.UNKNOWN
    assert f"Not every tag at {proxy.host} is, or is known to be, what it was" in done.next
    assert f"dagger call promote --from {old.tag} --tag latest" in done.next
    assert render_table(done).count(f"{proxy.host}/gone/alpha:latest") >= 1
    async with connect(both) as registries:
        back = await promote(registries, old.at(both, "gone", "latest"), old.tag)
    assert back.ok, back.problems
    assert await live(plain.host, "gone") == await live(other.host, "gone") == before
    assert (await publish(new, both, "gone")).ok


async def test_verify_preview_and_promotion_by_registry(
    old: Commit, new: Commit, plain: Registry, other: Registry
) -> None:
    both = plain.host, other.host
    for commit in (old, new):
        assert (await publish(commit, both, "seen")).ok
    async with connect(both) as registries:
        targets = new.at(both, "seen", "latest")
        assert (await verify(registries, targets, new.revision)).ok
        found = await registries.clients[other.host].get_manifest("seen/beta", old.tag)
        await registries.clients[other.host].put_manifest("seen/beta", "latest", found.body, found.media_type)
        spoilt = await verify(registries, targets, new.revision)
        assert [problem.partition(" names ")[0] for problem in spoilt.problems] == [f"{other.host}/seen/beta:latest"]
        rows = await read_tags(registries, targets, "")
        revisions = {row.repository: row.revision for row in rows if row.tag == "latest"}
        assert revisions[f"{other.host}/seen/beta"] == old.revision
        # Of the same commit, and another image: as another build of it would have left it.
        index = json.loads((await registries.clients[other.host].get_manifest("seen/beta", new.tag)).body)
        body = json.dumps({**index, "annotations": {**index["annotations"], "x": "y"}}).encode()
        await registries.clients[other.host].put_manifest("seen/beta", new.tag, body, index["mediaType"])
        differs = await verify(registries, new.at(both, "seen"), new.revision)
        assert any("beta is not the same everywhere" in problem for problem in differs.problems), differs.problems
        refused = await promote(registries, targets, new.tag)
        assert any("beta is not the same everywhere" in problem for problem in refused.problems)
        assert (await promote(registries, targets, old.tag)).ok
    assert await live(plain.host, "seen") == await live(other.host, "seen") == await live(plain.host, "seen", old.tag)
