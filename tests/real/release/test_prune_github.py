"""A clean-up by GitHub's packages API: a server that speaks as it is documented, before a real registry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ci.registry import Credentials, Packages
from ci.registry.retry import RetryPolicy
from ci.release.keeping import parse_keep
from ci.release.prune import prune
from ci.release.pruned import Cleaning
from tests.support.packages import PackagesApi
from tests.support.proxy import Fault, FaultProxy, Kind, always
from tests.support.servers import PASSWORD, Registry, Reply, Request, run_registry

from .conftest import connect
from .test_prune import NOW, _shelves, fill, fill_again, manifests_of, pull, sha, target_of

pytestmark = pytest.mark.timeout(600)
UNSUPPORTED = Fault(kind=Kind.STATUS, status=405, body=b'{"errors":[{"code":"UNSUPPORTED"}]}')
QUICK = RetryPolicy(attempts=2, base=0.01, deadline=15.0)
assert _shelves


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with run_registry(tmp_path_factory.mktemp("ghcr") / "registry") as running:
        yield running


@pytest.fixture
def ghcr(registry: Registry) -> Iterator[FaultProxy]:
    """A registry that deletes nothing, as ghcr.io."""
    with FaultProxy(registry.port, rule=always(UNSUPPORTED, "DELETE")) as proxy:
        yield proxy


@pytest.fixture
def api(registry: Registry) -> Iterator[PackagesApi]:
    with PackagesApi(registry) as running:
        yield running


async def clean(host: str, api: PackagesApi, name: str, *keep: str, token: str = PASSWORD) -> Cleaning:
    login = Credentials(username="ada", password=token)
    async with connect(host) as registries, Packages(api.url, login, policy=QUICK) as packages:
        targets = [target_of(host, name)]
        known = {host: packages}
        return await prune(registries, targets, parse_keep(keep), packages=known, delete=True, now=NOW)


async def test_versions_go_and_untagged_ones_too(ghcr: FaultProxy, api: PackagesApi, registry: Registry) -> None:
    name = "acme/shop/app"
    shelf, made = fill(registry, name, releases=9)
    orphan = shelf.variant("linux/amd64", b"pushed long ago, and named by nothing")
    record = shelf.signature(made[sha(8)]["variants"][0], "under no tag, about what stays")
    dead = shelf.signature(made[sha(0)], "under no tag, about what goes")
    fresh = shelf.variant("linux/amd64", b"pushed a moment ago: a release may be about to name it")
    api.late[fresh["digest"]] = NOW - timedelta(hours=1)
    done = await clean(ghcr.host, api, name, "2")
    assert done.ok, done.problems
    kept = {sha(number) for number in (3, 4, 7, 8)}
    assert {tag for tag in shelf.tags() if tag.startswith("sha-")} == kept
    assert {each for each in manifests_of(made) if shelf.has(each)} == manifests_of({tag: made[tag] for tag in kept})
    assert shelf.has(record["digest"])
    assert shelf.has(fresh["digest"])
    assert not shelf.has(orphan["digest"])
    assert not shelf.has(dead["digest"])
    for tag in ("latest", "stable", "v1.0.0", *kept):
        pull(registry, name, tag)
    assert not any(seen.method == "DELETE" for seen in ghcr.seen), "the registry itself was not asked to"


async def test_the_list_of_versions_is_read_to_its_end(
    registry: Registry, api: PackagesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.kind = "User"
    fill_again(registry, "acme/long", releases=6)
    monkeypatch.setattr("ci.registry.packages._PAGE", 7)
    async with Packages(api.url, Credentials(username="ada", password=PASSWORD)) as packages:
        found = await packages.list("acme/long")
        assert await packages.list("acme/unknown") == ()
    assert len(found) == len({one.digest for one in found}) > 21
    assert {tag for one in found for tag in one.tags} >= {"latest", sha(0), "cache-app-linux-amd64"}


async def test_a_version_that_gets_another_tag_is_not_deleted(
    ghcr: FaultProxy, api: PackagesApi, registry: Registry
) -> None:
    """The registry's list of tags may be old: GitHub is asked for the version itself, before it is deleted."""
    name = "acme/late"
    shelf, made = fill_again(registry, name, releases=6)
    answer = api.answer

    def late(request: Request) -> Reply:
        reply = answer(request)
        if request.path.endswith(f"/versions/{int(made[sha(0)]['digest'][7:17], 16)}"):
            return Reply(headers=reply.headers, body=reply.body.replace(b'"sha-0000000"', b'"sha-0000000", "v9"'))
        return reply

    api.answer = late
    done = await clean(ghcr.host, api, name, "1")
    assert "GitHub says that v9 names it too" in done.problems[0]
    assert shelf.has(sha(0))
    assert api.deleted == []


async def test_github_and_its_registry_have_to_agree(ghcr: FaultProxy, api: PackagesApi, registry: Registry) -> None:
    name = "acme/apart"
    shelf, made = fill_again(registry, name, releases=6)
    api.hidden.add(made[sha(5)]["digest"])
    done = await clean(ghcr.host, api, name, "1")
    assert "is at the registry, and not in GitHub's list of versions" in done.problems[0]
    assert shelf.has(sha(0))
    assert api.deleted == []


async def test_a_version_that_cannot_be_deleted_ends_it(ghcr: FaultProxy, api: PackagesApi, registry: Registry) -> None:
    name = "acme/popular"
    shelf, made = fill_again(registry, name, releases=6)
    api.popular.add(made[sha(1)]["digest"])
    done = await clean(ghcr.host, api, name, "1")
    assert "more than 5000 downloads" in done.problems[0]
    assert made[sha(1)]["digest"] not in api.deleted
    assert shelf.has(sha(2))
    for tag in ("latest", "stable", "v1.0.0", sha(1), sha(2)):
        pull(registry, name, tag)


async def test_a_wrong_token_says_what_is_needed(ghcr: FaultProxy, api: PackagesApi, registry: Registry) -> None:
    fill_again(registry, "acme/denied", releases=6)
    done = await clean(ghcr.host, api, "acme/denied", "1", token="planted-wrong-token")
    assert "delete:packages" in done.problems[0]
    assert "planted-wrong-token" not in done.problems[0]
    assert api.deleted == []


def test_an_address_without_tls_is_refused(tmp_path: Path) -> None:
    del tmp_path
    with pytest.raises(Exception, match="without TLS"):
        Packages("http://github.example.com/api/v3", None)
