"""A release to other registry programs than Debian's: the third distribution, and go-containerregistry's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.release.outcome import Change
from ci.release.promotion import promote
from ci.release.registries import Registries
from ci.release.verification import verify
from tests.support.programs import find_program, run_crane
from tests.support.proxy import Fault, FaultProxy, Kind, always
from tests.support.servers import Registry, run_registry

from .conftest import Commit, client, live
from .conftest import publish as publish_built
from .test_reuse import FILES, FIRST, SECOND, THIRD, changed, commit_of, publish, reused

# The larger one is compiled where no earlier run has.
pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(1500)]

DENIED = Fault(kind=Kind.STATUS, status=403, body=b'{"errors":[{"code":"DENIED","message":"injected"}]}')


@pytest.fixture(scope="module", params=["distribution 3", "go-containerregistry"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder: Path = tmp_path_factory.mktemp("other") / "registry"
    started = run_registry(folder, program=find_program("registry")) if "3" in request.param else run_crane(folder)
    with started as registry:
        yield registry


async def test_published_reused_verified_promoted_and_rolled_back(other: Registry) -> None:
    host, prefix = other.host, "chain"
    first = await publish(FILES, FIRST, host, prefix)
    assert first.ok, first.released
    again = await publish(FILES, SECOND, host, prefix)
    assert again.ok, again.released
    assert set(reused(again).values()) == {"sha-1111111"}
    mixed = changed("beta/hello.txt", "hello", "hello\n")
    third = await publish(mixed, THIRD, host, prefix)
    assert third.ok, third.released
    assert reused(third)["beta@linux/amd64"] == ""
    commit = await commit_of(mixed, THIRD, host, prefix)
    async with client(host) as registry:
        told = await verify(Registries(clients={host: registry}), commit.moving("latest"), THIRD)
        assert told.ok, told.problems
        back = await promote(Registries(clients={host: registry}), commit.moving("latest"), "sha-1111111")
        assert back.ok, back.problems
        assert await live(host, prefix) == await live(host, prefix, "sha-1111111")
        for tag in ("stable", "latest"):
            assert (await promote(Registries(clients={host: registry}), commit.moving(tag), "sha-3333333")).ok
        assert await registry.list_tags(f"{prefix}/alpha") == {
            *("latest", "stable", "sha-1111111", "sha-2222222", "sha-3333333"),
        }
    assert await live(host, prefix, "stable") == await live(host, prefix) == await live(host, prefix, "sha-3333333")
    assert registry.effort.retries == 0


async def test_a_refused_move_is_taken_back(other: Registry, old: Commit, new: Commit) -> None:
    assert (await publish_built(old, other.host, "refused")).ok
    before = await live(other.host, "refused")
    with FaultProxy(other.port, rule=always(DENIED, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish_built(new, proxy.host, "refused")
    assert not done.ok
    assert {outcome.change for outcome in done.tags if outcome.tag == "latest"} == {
        Change.RESTORED,
        Change.NOT_WRITTEN,
    }
    assert await live(other.host, "refused") == before


async def test_a_refused_first_release_leaves_no_tag(other: Registry, new: Commit) -> None:
    """Both delete tags, which Debian's and ghcr.io do not."""
    with FaultProxy(other.port, rule=always(DENIED, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish_built(new, proxy.host, "first")
    assert not done.ok
    assert {outcome.change for outcome in done.tags if outcome.tag == "latest"} == {
        Change.RESTORED,
        Change.NOT_WRITTEN,
    }
    assert await live(other.host, "first") == {"alpha": "", "beta": ""}
    assert (await publish_built(new, other.host, "first")).ok
