"""A clean-up at real registries: what goes, and that all that stays can still be pulled, by another program."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ci.core.model import Image
from ci.release.keeping import parse_keep
from ci.release.prune import prune
from ci.release.pruned import Cleaning
from ci.release.request import Target
from tests.support.programs import find_program, run_crane
from tests.support.proxy import Fault, FaultProxy, Kind, Rule, Seen, always
from tests.support.releases import INDEX, PLATFORMS, Shelf
from tests.support.servers import Registry, registry_binary, run_registry

from .conftest import connect

# Where no earlier run has compiled the programs.
pytestmark = pytest.mark.timeout(1500)

RELEASES = 30
DENIED = Fault(kind=Kind.STATUS, status=403, body=b'{"errors":[{"code":"DENIED","message":"injected"}]}')
DOWN = Fault(kind=Kind.STATUS, status=503)
FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = FIRST + timedelta(days=RELEASES)


def sha(number: int) -> str:
    return f"sha-{number:07x}"


@dataclass(frozen=True)
class Program:
    registry: Registry
    collect: tuple[str, ...] = ()  # what frees the space of deleted manifests
    old_caches: bool = True  # whether it takes an index of layers, as layer caches once were


OPEN: list[Shelf] = []


@pytest.fixture(autouse=True)
def _shelves() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().http.close()


def free_space(program: Program) -> None:
    if program.collect:
        subprocess.run(program.collect, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module", params=["Debian's", "distribution 3", "go-containerregistry"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder: Path = tmp_path_factory.mktemp("prune") / "registry"
    with ExitStack() as stack:
        if request.param == "go-containerregistry":
            yield Program(stack.enter_context(run_crane(folder)))
            return
        binary = find_program("registry") if "3" in request.param else registry_binary()
        assert binary
        registry = stack.enter_context(run_registry(folder, program=binary))
        collect = (str(binary), "garbage-collect", str(folder / "config.yml"))
        yield Program(registry, collect, old_caches="3" not in request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with run_registry(tmp_path_factory.mktemp("plain") / "registry") as registry:
        yield registry


def fill(
    registry: Registry, name: str, *, releases: int = RELEASES, old_caches: bool = True
) -> tuple[Shelf, dict[str, Any]]:
    """Put releases into a repository, of which every third changed nothing but the index, and what hangs on them."""
    shelf = Shelf(f"http://{registry.host}", name)
    OPEN.append(shelf)
    made: dict[str, Any] = {}
    for number in range(releases):
        time = (FIRST + timedelta(days=number)).isoformat()
        content = f"app {number - number % 3}".encode()  # three releases share their variants
        attest = f"built {number - number % 2}" if number % 5 else ""  # and others what attests these
        made[sha(number)] = shelf.release((sha(number),), content, time, attest=attest, revision=f"{number:07x}" * 5)
        if number % 4 == 0:
            shelf.fallback(made[sha(number)], shelf.signature(made[sha(number)], f"index {number}"))
    shelf.tag(made[sha(releases - 1)]["digest"], "latest")
    shelf.tag(made[sha(4)]["digest"], "v1.0.0")
    shelf.tag(made[sha(3)]["digest"], "stable")
    variant = made[sha(0)]["variants"][0]
    shelf.fallback(variant, shelf.signature(variant, "a variant that three releases have"))
    shelf.cache("cache-app-linux-amd64", "stages")
    shelf.cache("cache-app-linux-arm64", "stages", as_index=old_caches)
    return shelf, made


_FILLED: dict[tuple[int, int], dict[str, Any]] = {}


def fill_again(registry: Registry, name: str, *, releases: int) -> tuple[Shelf, dict[str, Any]]:
    """Fill a repository of Debian's registry by copying one that was filled before."""
    template = f"template-{releases}"
    if (registry.port, releases) not in _FILLED:
        _FILLED[registry.port, releases] = fill(registry, f"{template}/app", releases=releases)[1]
    registry.copy(f"{template}/app", name)
    OPEN.append(Shelf(f"http://{registry.host}", name))
    return OPEN[-1], _FILLED[registry.port, releases]


def target_of(host: str, name: str) -> Target:
    image = Image(name="app", dockerfile="Dockerfile", context=".", platforms=PLATFORMS)
    return Target(image=image, repository=f"{host}/{name}", name=name, variants=(), labels={})


async def clean(host: str, name: str, *keep: str, delete: bool = True) -> Cleaning:
    async with connect(host) as registries:
        targets = [target_of(host, name)]
        return await prune(registries, targets, parse_keep(keep), packages={}, delete=delete, now=NOW)


def pull(registry: Registry, name: str, tag: str) -> None:
    """Have crane read every manifest, configuration and layer of both platforms, and hold it against its digest."""
    reference = f"{registry.host}/{name}:{tag}"
    for platform in PLATFORMS:
        command = [str(find_program("crane")), "validate", "--insecure", "--platform", platform, "--remote", reference]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (tag, platform, done.stdout, done.stderr)


def manifests_of(made: dict[str, Any]) -> set[str]:
    return {each["digest"] for release in made.values() for each in (release, *release["variants"])}


async def test_thirty_releases_and_every_kept_tag_still_pulls(program: Program) -> None:
    registry, name = program.registry, "many/app"
    shelf, made = fill(registry, name, old_caches=program.old_caches)
    before = shelf.tags()
    dry = await clean(registry.host, name, "5", sha(12), delete=False)
    assert dry.ok, dry.problems
    assert dry.dry
    assert shelf.tags() == before
    done = await clean(registry.host, name, "5", sha(12))
    assert done.ok, done.problems
    (one,) = done.repositories
    assert [each.digest for each in one.doomed] == [each.digest for each in dry.repositories[0].doomed]
    assert all(each.deleted for each in one.doomed)
    kept = {*map(sha, (3, 4, 12, *range(25, 30)))}
    others = {"latest", "v1.0.0", "stable", "cache-app-linux-amd64", "cache-app-linux-arm64"}
    signed = {made[sha(number)]["digest"].replace(":", "-") for number in (4, 12, 28)}
    assert shelf.tags() == kept | others | signed
    needed = manifests_of({tag: made[tag] for tag in kept})
    assert {digest for digest in manifests_of(made) if shelf.has(digest)} == needed
    free_space(program)
    for tag in sorted(kept | {"latest", "v1.0.0", "stable"}):
        pull(registry, name, tag)
    again = await clean(registry.host, name, "5", sha(12))
    assert again.ok
    assert again.repositories[0].doomed == ()


async def test_what_goes_and_why_something_stays(plain: Registry) -> None:
    fill_again(plain, "why/app", releases=10)
    done = await clean(plain.host, "why/app", "3", delete=False)
    (one,) = done.repositories
    assert dict(one.kept) == {
        **{sha(number): "another tag, or what stays, names it" for number in (3, 4)},
        **{sha(number): "one of the 3 newest releases" for number in (7, 8, 9)},
    }
    gone = [tag for each in one.doomed for tag in each.tags if tag.startswith("sha-")]
    assert gone == [sha(number) for number in (0, 1, 2, 5, 6)], "the oldest first"
    assert one.freed > 0


@pytest.mark.parametrize("position", [1, 2, 5])
async def test_a_delete_that_fails_leaves_every_kept_tag_whole(plain: Registry, position: int) -> None:
    name = f"half-{position}/app"
    shelf, _ = fill_again(plain, name, releases=6)
    deletes = 0

    def spoil(seen: Seen) -> Fault | None:
        nonlocal deletes
        deletes += seen.method == "DELETE" and "/manifests/sha256:" in seen.path
        return DENIED if seen.method == "DELETE" and deletes == position else None

    with FaultProxy(plain.port, rule=spoil) as proxy:
        done = await clean(proxy.host, name, "1")
    count = sum(each.deleted for each in done.repositories[0].doomed)
    assert done.ok == (deletes < position)
    assert done.ok or count == position - 1
    for tag in shelf.tags():
        if tag.startswith(("sha-", "latest", "v1", "stable")):
            pull(plain, name, tag)
    assert {"latest", "v1.0.0", sha(4), sha(5)} <= shelf.tags()
    # What was left under a tag goes the next time.
    assert (await clean(plain.host, name, "1")).ok
    assert {tag for tag in shelf.tags() if tag.startswith("sha-")} == {sha(3), sha(4), sha(5)}


def on_get(path: str, fault: Fault) -> Rule:
    return lambda seen: fault if seen.method in {"GET", "HEAD"} and path in seen.path else None


@pytest.mark.parametrize("fault", [DENIED, DOWN], ids=["refused", "down"])
@pytest.mark.parametrize("what", ["index", "variant", "tags", "a tag"])
async def test_what_cannot_be_read_has_nothing_deleted(plain: Registry, what: str, fault: Fault) -> None:
    name = f"unread-{what.replace(' ', '')}-{fault.status}/app"
    shelf, made = fill_again(plain, name, releases=6)
    paths = {
        "index": f"manifests/{made[sha(2)]['digest']}",
        "variant": f"manifests/{made[sha(0)]['variants'][1]['digest']}",
        "tags": "tags/list",
        "a tag": "manifests/v1.0.0",
    }
    before = shelf.tags()
    with FaultProxy(plain.port, rule=on_get(paths[what], fault)) as proxy:
        done = await clean(proxy.host, name, "1")
        assert not any(seen.method == "DELETE" for seen in proxy.seen)
    assert not done.ok
    assert shelf.tags() == before


async def test_an_index_that_lacks_a_variant_has_nothing_deleted(plain: Registry) -> None:
    shelf, made = fill_again(plain, "broken/app", releases=6)
    lost = made[sha(5)]["variants"][0]["digest"]
    assert shelf.http.delete(f"{shelf.url}/v2/{shelf.name}/manifests/{lost}").status_code == 202
    done = await clean(plain.host, "broken/app", "1")
    assert not done.ok
    assert f"names {lost}, which is not there" in done.problems[0]
    assert shelf.has(sha(0))


async def test_a_tag_that_moves_meanwhile_keeps_what_it_names(plain: Registry) -> None:
    """Somebody rolls back to an old release while the clean-up is at work."""
    name = "moved/app"
    shelf, made = fill_again(plain, name, releases=10)
    asked = 0

    def move() -> None:
        shelf.tag(made[sha(6)]["digest"], "latest")

    def rule(seen: Seen) -> Fault | None:
        nonlocal asked
        asked += seen.method == "DELETE" and "manifests/sha256:" in seen.path
        if seen.method == "DELETE" and "manifests/sha256:" in seen.path and asked == 2:
            return Fault(kind=Kind.WITHOUT, run=move)
        return None

    with FaultProxy(plain.port, rule=rule) as proxy:
        done = await clean(proxy.host, name, "2")
    assert done.ok, done.problems
    left = {each.digest: each.note for each in done.repositories[0].doomed if not each.deleted}
    assert made[sha(6)]["digest"] in left
    assert "latest was given meanwhile" in left[made[sha(6)]["digest"]]
    pull(plain, name, "latest")
    pull(plain, name, sha(6))


async def test_what_a_registry_lists_about_a_manifest_goes_with_it(plain: Registry) -> None:
    """No registry here has such a list, so that the proxy answers for it: what is about a manifest has no tag then."""
    name = "listed/app"
    shelf, made = fill_again(plain, name, releases=6)
    about = {
        made[sha(0)]["digest"]: shelf.signature(made[sha(0)], "of what goes"),
        made[sha(5)]["variants"][0]["digest"]: shelf.signature(made[sha(5)]["variants"][0], "of what stays"),
    }

    def listing(seen: Seen) -> Fault | None:
        _, found, digest = seen.path.partition("/referrers/")
        listed = [about[digest]] if digest in about else []
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
        return Fault(kind=Kind.STATUS, status=200, body=body) if found else None

    with FaultProxy(plain.port, rule=listing) as proxy:
        done = await clean(proxy.host, name, "1")
    assert done.ok, done.problems
    assert [shelf.has(each["digest"]) for each in about.values()] == [False, True]


@pytest.mark.parametrize("body", [b"[]", b'{"manifests": 1}', b'{"manifests": [{"digest": "sha256:1"}]}'])
async def test_a_list_that_is_none_has_nothing_deleted(plain: Registry, body: bytes) -> None:
    name = f"nolist-{len(body)}/app"
    shelf, _ = fill_again(plain, name, releases=6)
    wrong = Fault(kind=Kind.STATUS, status=200, body=body)
    with FaultProxy(plain.port, rule=always(wrong, "GET", "/referrers/")) as proxy:
        done = await clean(proxy.host, name, "1")
    assert "no list of referrers" in done.problems[0]
    assert shelf.has(sha(0))


async def test_a_registry_that_deletes_nothing_says_so(tmp_path: Path) -> None:
    with run_registry(tmp_path / "registry", deletes=False) as registry:
        shelf, _ = fill(registry, "kept/app", releases=6)
        before = shelf.tags()
        done = await clean(registry.host, "kept/app", "1")
        assert "the registry deletes no manifests" in done.problems[0]
        assert shelf.tags() == before


async def test_a_slip_in_a_pattern_has_nothing_deleted(plain: Registry) -> None:
    shelf, _ = fill_again(plain, "slip/app", releases=6)
    done = await clean(plain.host, "slip/app", "1", "sha-00000o4")
    assert done.problems == ("--keep sha-00000o4 matches no tag of any image",)
    assert shelf.has(sha(0))


async def test_what_another_run_has_pushed_and_not_named_keeps_what_is_about_it(plain: Registry) -> None:
    """A release pushes variants, and what attests them, before anything names them."""
    shelf, _ = fill_again(plain, "staged/app", releases=6)
    variant = shelf.variant("linux/amd64", b"not named yet")
    shelf.fallback(variant, shelf.signature(variant, "of a run"))
    lost = shelf.variant("linux/amd64", b"gone")
    shelf.fallback(lost, shelf.signature(lost, "of nothing"))
    shelf.http.delete(f"{shelf.url}/v2/{shelf.name}/manifests/{lost['digest']}")
    done = await clean(plain.host, "staged/app", "1")
    assert done.ok, done.problems
    assert shelf.has(variant["digest"].replace(":", "-"))
    assert not shelf.has(lost["digest"].replace(":", "-")), "what it was about is gone"
