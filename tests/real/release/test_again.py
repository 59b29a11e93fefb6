"""A commit that is released again, and comes out different: what a schedule names, and what stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ci.release.deliver import deliver
from ci.release.outcome import Change, Delivery
from ci.release.promotion import promote
from ci.release.registries import Registries
from ci.release.request import ReleaseRequest, parse_created
from ci.release.verification import verify
from tests.support.proxy import FaultProxy
from tests.support.servers import Registry

from .conftest import client, live
from .test_reuse import FILES, FIRST, NOW, SECOND, WHEN, Files, changed, commit_of, reused, variants

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

# What stands for a base that has moved: the images of the same commit come out different.
MOVED = changed("beta/hello.txt", "hello", "hello\n")
MOVED_AGAIN = changed("beta/hello.txt", "hello", "hello\n\n")
BOTH = ("alpha", "beta")


def run_at(minute: int) -> datetime:
    return NOW - timedelta(hours=1) + timedelta(minutes=minute)


async def run(
    files: Files,
    host: str,
    prefix: str,
    *tags: str,
    began: datetime | None = None,
    revision: str = FIRST,
    version: str | None = None,
) -> Delivery:
    """Release a commit as a run on GitHub does; `began` is a scheduled one's time."""
    commit = await commit_of(files, revision, host, prefix)
    request = ReleaseRequest(
        revision=revision,
        created=parse_created(WHEN[revision]),
        version=version,
        tags=dict.fromkeys(BOTH, tags),
        once=began is None,
        began=began,
    )
    return await deliver(commit.plan, request, commit.builder, commit.destination)


def stamp(began: datetime) -> str:
    return f"sha-{FIRST[:7]}-{began:%Y%m%d-%H%M}"


async def tags_of(host: str, prefix: str, *tags: str) -> dict[str, Mapping[str, str]]:
    return {tag: await live(host, prefix, tag) for tag in tags}


async def test_a_schedule_names_anew_what_has_changed_and_the_commits_own_tag_stays(plain: Registry) -> None:
    host, prefix, own, newest = plain.host, "scheduled", f"sha-{FIRST[:7]}", f"sha-{FIRST[:7]}-rebuilt"
    assert (await run(FILES, host, prefix, "latest")).ok
    released = await live(host, prefix)

    # Nothing has changed: nothing is built, nothing is named, and a dated tag names what is there.
    with FaultProxy(plain.port) as proxy:
        same = await run(FILES, proxy.host, prefix, "nightly-1", "latest", began=run_at(1))
        written = [seen.path for seen in proxy.seen if seen.method not in {"GET", "HEAD"}]
    assert same.ok, same
    assert set(reused(same).values()) == {own}
    assert sorted(written) == sorted(f"/v2/{prefix}/{name}/manifests/nightly-1" for name in BOTH)
    assert set(map(str, (await tags_of(host, prefix, own, "latest", "nightly-1")).values())) == {str(released)}

    # One image has changed: it alone is built, and both have the names of the run.
    began = run_at(2)
    moved = await run(MOVED, host, prefix, "nightly-2", "latest", began=began)
    assert moved.ok, moved
    assert {name: bool(tag) for name, tag in reused(moved).items()} == {
        "alpha@linux/amd64": True,
        "alpha@linux/arm64": True,
        "beta@linux/amd64": False,
    }
    renewed = await live(host, prefix)
    assert renewed["alpha"] == released["alpha"]
    assert renewed["beta"] != released["beta"]
    assert await live(host, prefix, own) == released
    for tag in (stamp(began), newest, "nightly-2"):
        assert await live(host, prefix, tag) == renewed

    # The next run finds what the last one has built, also where only dated tags were given.
    assert set(reused(await run(MOVED, host, prefix, "nightly-3", began=run_at(3))).values()) == {own}
    assert await live(host, prefix, "nightly-3") == renewed
    assert await live(host, prefix, stamp(run_at(3))) == {"alpha": "", "beta": ""}

    # It moves once more.
    later = run_at(4)
    assert (await run(MOVED_AGAIN, host, prefix, "latest", began=later)).ok
    last = await live(host, prefix)
    assert len({tuple(each.items()) for each in (released, renewed, last)}) == 3
    assert await live(host, prefix, newest) == await live(host, prefix, stamp(later)) == last
    assert await live(host, prefix, stamp(began)) == renewed
    assert await live(host, prefix, own) == released

    commit = await commit_of(FILES, FIRST, host, prefix)
    async with client(host) as registry:
        # What is live is the commit's, though its own tag names something else.
        assert (await verify(Registries(clients={host: registry}), commit.moving("latest"), FIRST)).ok
        assert not (
            await verify(Registries(clients={host: registry}), commit.moving(stamp(began)), FIRST)
        ).ok  # neither the first nor the last
        # Back to an earlier run, to the first release, and by a digest to the last.
        for source, wanted in ((stamp(began), renewed), (own, released), (last["beta"], last)):
            assert (await promote(Registries(clients={host: registry}), commit.moving("latest"), source)).ok
            assert await live(host, prefix) == wanted


async def test_a_tag_of_a_rebuilt_commit_names_what_was_built_last(plain: Registry) -> None:
    host, prefix = plain.host, "rebuilt"
    assert (await run(FILES, host, prefix, "latest")).ok
    assert (await run(MOVED, host, prefix, "latest", began=run_at(1))).ok
    newest = await variants(host, prefix, "latest")
    done = await run(FILES, host, prefix, "1.0.0", "latest", version="1.0.0")
    assert done.ok, done
    assert done.built is None
    assert await variants(host, prefix, "1.0.0") == await variants(host, prefix, "latest") == newest


async def test_a_schedule_may_be_a_commits_first_release(plain: Registry) -> None:
    host, prefix, began = plain.host, "unreleased", run_at(1)
    assert (await run(FILES, host, prefix, "nightly", began=began)).ok
    assert await live(host, prefix, f"sha-{FIRST[:7]}") == await live(host, prefix, "nightly")
    assert await live(host, prefix, stamp(began)) == {"alpha": "", "beta": ""}


async def test_a_schedule_builds_a_version_again_as_that_version(plain: Registry) -> None:
    host, prefix = plain.host, "versioned"
    assert (await run(FILES, host, prefix, "1.0.0", version="1.0.0")).ok
    assert set(reused(await run(FILES, host, prefix, "nightly", began=run_at(1))).values()) == {f"sha-{FIRST[:7]}"}
    assert (await run(MOVED, host, prefix, "nightly", began=run_at(2))).ok
    async with client(host) as registry:
        index = await registry.get_manifest(f"{prefix}/beta", "nightly")
        assert index.annotations["org.opencontainers.image.version"] == "1.0.0"


async def test_time_alone_is_no_reason_for_a_schedule_and_what_it_built_is_as_old_as_its_build(
    plain: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, prefix, own = plain.host, "age", f"sha-{FIRST[:7]}"
    monkeypatch.setitem(WHEN, FIRST, (NOW - timedelta(days=8)).isoformat())
    assert (await run(FILES, host, prefix, "latest")).ok
    assert set(reused(await run(FILES, host, prefix, "latest", began=run_at(1))).values()) == {own}
    assert (await run(MOVED, host, prefix, "latest", began=run_at(2))).ok
    # A commit that changes nothing: what was built eight days ago is built again, what the schedule built is not.
    done = await run(MOVED, host, prefix, "latest", revision=SECOND)
    assert reused(done) == {"alpha@linux/amd64": "", "alpha@linux/arm64": "", "beta@linux/amd64": own}


async def test_a_version_of_a_released_commit_is_known_by_its_index(plain: Registry) -> None:
    host, prefix = plain.host, "indexed"
    assert (await run(FILES, host, prefix, "main")).ok
    done = await run(FILES, host, prefix, "1.2.0", "1.2", "1", "latest", version="1.2.0")
    assert done.ok, done
    assert done.built is None
    named = await tags_of(host, prefix, "1.2.0", "1.2", "1", "latest")
    assert len({str(each) for each in named.values()}) == 1
    assert await variants(host, prefix, "latest") == await variants(host, prefix, "main")
    assert done.released
    assert {image.digest for image in done.released.images} == {*named["latest"].values()}
    commit = await commit_of(FILES, FIRST, host, prefix)
    async with client(host) as registry:
        index = await registry.get_manifest(f"{prefix}/alpha", "latest")
        assert index.annotations["org.opencontainers.image.version"] == "1.2.0"
        assert (await verify(Registries(clients={host: registry}), commit.moving("1.2"), FIRST)).ok

    # A later commit of an older line: it gets its own names, and takes none of the newer version.
    assert (await run(MOVED, host, prefix, "maintained", revision=SECOND)).ok
    late = await run(MOVED, host, prefix, "1.1.9", "1.1", "1", "latest", revision=SECOND, version="1.1.9")
    assert late.ok, late
    assert late.released
    change = {outcome.tag: outcome.change for outcome in late.released.tags}
    assert change == {"1.1.9": Change.CREATED, "1.1": Change.CREATED, "1": Change.KEPT, "latest": Change.KEPT}
    assert "is of version 1.2.0, this is 1.1.9" in " ".join(late.released.notes)
    assert await tags_of(host, prefix, "1", "latest") == {"1": named["1"], "latest": named["latest"]}
    assert await variants(host, prefix, "1.1") == await variants(host, prefix, "maintained")


async def test_where_every_tag_is_kept_the_report_names_what_is_there(plain: Registry) -> None:
    host, prefix = plain.host, "nothing-moved"
    assert (await run(FILES, host, prefix, "2.0.0", "latest", version="2.0.0")).ok
    assert (await run(MOVED, host, prefix, "maintained", revision=SECOND)).ok
    done = await run(MOVED, host, prefix, "latest", revision=SECOND, version="1.0.0")
    assert done.released
    own = await live(host, prefix, f"sha-{SECOND[:7]}")
    assert {image.digest for image in done.released.images} == {*own.values()}


async def test_a_greater_version_of_an_older_commit_moves_the_tags(plain: Registry) -> None:
    host, prefix = plain.host, "older-commit"
    assert (await run(FILES, host, prefix, "1.9.0", "latest", revision=SECOND, version="1.9.0")).ok
    done = await run(MOVED, host, prefix, "2.0.0", "latest", revision=FIRST, version="2.0.0")
    assert done.ok, done
    assert await live(host, prefix) == await live(host, prefix, "2.0.0")


async def test_only_images_that_a_version_names_carry_it(plain: Registry) -> None:
    commit = await commit_of(FILES, FIRST, plain.host, "one")
    targets = commit.destination.targets(commit.plan, tags={"alpha": ("1.0.0",), "beta": ()}, version="1.0.0")
    said = {target.image.name: target.labels.get("org.opencontainers.image.version") for target in targets}
    assert said == {"alpha": "1.0.0", "beta": None}
    assert {replace(target, labels={}).own for target in targets} == {f"sha-{FIRST[:7]}"}
