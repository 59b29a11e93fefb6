"""What finish believes: what the registry serves by digest, and of a folder only where to look for it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ci.core.oci import OCI_MANIFEST
from ci.release.folder import Folder, StagedVariant, read_folder, render_folder
from ci.release.outcome import Change
from ci.release.record import KIND, read_record
from ci.release.registries import Registries
from ci.release.report import render_checksums, render_table
from ci.release.request import Staged
from tests.support.proxy import Fault, FaultProxy, Kind, Seen
from tests.support.servers import Registry

from .conftest import client, live
from .hand import AMD64, ARM64, NEW, OLD, Hand, config_of, finish, stage, stage_both

pytestmark = pytest.mark.timeout(120)

STAGE = (
    f"type dagger call stage --only alpha --platforms linux/arm64 --revision {NEW[0]} --created 2026-02-01T12:00:00Z "
    "... export --path FOLDER"
)


def changed(folder: Folder, name: str, **values: object) -> Folder:
    """Say something else of one variant."""
    variants = tuple(replace(one, **values) if one.variant == name else one for one in folder.variants)  # type: ignore[arg-type]
    return replace(folder, variants=variants)


def of(folder: Folder, name: str) -> StagedVariant:
    return next(one for one in folder.variants if one.variant == name)


async def nothing_is_named(host: str, prefix: str) -> bool:
    tags = [await live(host, prefix, tag) for tag in ("latest", f"sha-{NEW[0][:7]}")]
    return not any(digest for each in tags for digest in each.values())


async def test_two_folders_and_one_finish_are_one_release(plain: Registry) -> None:
    folders = await stage_both(plain.host, "two")
    assert await nothing_is_named(plain.host, "two")
    read = [read_folder(render_folder(folder), "it") for folder in folders]
    done = await finish(plain.host, "two", read, "v1", "latest")
    assert done.ok, done.problems
    assert {outcome.change for outcome in done.tags} == {Change.CREATED}
    _, whole = await stage(plain.host, "one")
    assert (await finish(plain.host, "one", [whole])).ok
    # However many stages there were, the index is the same, byte for byte.
    assert await live(plain.host, "two") == await live(plain.host, "one")
    assert await live(plain.host, "two", "v1") == await live(plain.host, "two", f"sha-{NEW[0][:7]}")
    again = await finish(plain.host, "two", reversed_of(folders), "v1", "latest")
    assert {outcome.change for outcome in again.tags} == {Change.UNCHANGED}


def reversed_of(folders: Sequence[Folder]) -> list[Folder]:
    return [*reversed(folders)]


async def test_the_same_stage_twice_records_the_same(plain: Registry) -> None:
    first = await stage_both(plain.host, "again")
    second = await stage_both(plain.host, "again")
    assert first == second
    assert (await finish(plain.host, "again", [*first, *second])).ok
    async with client(plain.host) as registry:
        one = of(first[1], "alpha@linux/arm64")
        served = await registry.get_manifest("again/alpha", str(one.record))
    assert served.about == (KIND, one.digest)
    assert read_record(served).checks == ("greets", "ends")


Spoil = Callable[[Folder, Folder], Sequence[Folder]]
ALPHA = "alpha@linux/arm64"


def with_key(folder: Folder, key: str, value: object) -> Folder:
    return replace(folder, **{key: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda a, _b: [a], rf"{ALPHA} is in none of the folders: nobody has staged it; run the job .* or {STAGE}"),
        (
            lambda a, b: [a, b, changed(b, ALPHA, digest="sha256:" + "1" * 64)],
            rf"{ALPHA} is in 2 folders that differ: sha256:.*, sha256:1{{64}} in .*; give the newest of them alone",
        ),
        (
            lambda a, b: [a, with_key(b, "revision", OLD[0])],
            rf"folder of linux/arm64 .* was staged for the commit {OLD[0]}, and this is {NEW[0]}; give the folders of",
        ),
        (
            lambda a, b: [a, with_key(b, "created", "2026-01-01T12:00:00Z")],
            r"was staged with --created 2026-01-01T12:00:00Z, and this is 2026-02-01T12:00:00Z; give stage and finish",
        ),
        (
            lambda a, b: [a, with_key(b, "configuration", "sha256:" + "2" * 64)],
            r"was staged with another configuration \(sha256:222222222222, this is sha256:.*\); give stage and finish",
        ),
        (
            lambda a, b: [a, changed(b, ALPHA, digest="sha256:" + "3" * 64)],
            rf"{ALPHA}: .*/refused/alpha does not serve it as it was staged, sha256:3{{64}}: it was .* {STAGE}",
        ),
        (
            lambda a, b: [a, changed(b, ALPHA, record="sha256:" + "4" * 64)],
            rf"{ALPHA}: .*/refused/alpha does not serve the record of its checks as it was staged, sha256:4{{64}}",
        ),
        (
            lambda a, b: [a, changed(b, ALPHA, record=of(a, "alpha@linux/amd64").record)],
            rf"the record that {ALPHA} is staged with is of alpha@linux/amd64, sha256:",
        ),
        (
            lambda a, b: [a, changed(b, ALPHA, record=of(b, ALPHA).digest)],
            r"sha256:.* is no record of this version of Drydock",
        ),
        (
            lambda a, b: [a, changed(b, ALPHA, failures=("smoke: greets: exit code 1",))],
            rf"{ALPHA} failed in folder of linux/arm64 .*: smoke: greets: exit code 1; mend that, then run the job",
        ),
        (
            lambda a, b: [a, changed(b, ALPHA, digest=None, record=None)],
            rf"{ALPHA} has no digest in folder of linux/arm64 .*: it was built there, and not pushed",
        ),
        (
            lambda a, b: [a, b, changed(b, ALPHA, variant="alpha@linux/s390x")],
            r"names 'alpha@linux/s390x', which the plan does not have; no stage has written it",
        ),
    ],
    ids=[
        *("missing", "differ", "revision", "created", "configuration", "gone", "no-record", "record-of-another"),
        *("variant-as-record", "failed", "not-pushed", "unknown"),
    ],
)
async def test_what_is_missing_has_its_own_sentence(plain: Registry, spoil: Spoil, sentence: str) -> None:
    folders = await stage_both(plain.host, "refused")
    done = await finish(plain.host, "refused", spoil(*folders))
    assert not done.ok
    assert any(re.search(sentence, problem) for problem in done.problems), done.problems
    assert len(done.problems) == 1, "a fault is said once"
    assert done.next.startswith("Stage what is named above")
    assert await nothing_is_named(plain.host, "refused")
    shown = render_table(done)
    assert "Next: " in shown
    assert "Traceback" not in shown


async def test_a_record_without_a_check_is_not_enough(plain: Registry) -> None:
    """The folder may say what it likes: what has passed, the record says."""
    folders = await stage_both(plain.host, "unchecked", hand=Hand(passed=("greets",)))
    assert of(folders[1], ALPHA).smoke[1].ok
    done = await finish(plain.host, "unchecked", folders)
    assert len(done.problems) == 3
    assert f"no record says that {ALPHA} has passed its smoke check 'ends'; run the job" in str(done.problems)
    assert await nothing_is_named(plain.host, "unchecked")


async def test_a_stale_folder_of_another_configuration_or_commit_is_refused_though_it_lies(plain: Registry) -> None:
    """A folder that was written anew to fit: the record in the registry still says what it was."""
    older = config_of("greets")
    stale = [(await stage(plain.host, "stale", platform, config=older))[1] for platform in (AMD64, ARM64)]
    fresh, _ = await stage_both(plain.host, "stale")
    lying = [replace(folder, configuration=fresh.configuration) for folder in stale]
    done = await finish(plain.host, "stale", lying)
    assert f"{ALPHA} was staged with another configuration" in str(done.problems)
    earlier = await stage_both(plain.host, "stale", hand=Hand(commit=OLD))
    lying = [replace(folder, revision=NEW[0], created=fresh.created) for folder in earlier]
    done = await finish(plain.host, "stale", lying)
    assert f"{ALPHA} was staged for the commit {OLD[0]}, and this is {NEW[0]}" in str(done.problems)
    assert await nothing_is_named(plain.host, "stale")


async def test_a_folder_of_an_earlier_attempt_of_the_same_commit_is_as_good(plain: Registry) -> None:
    """It was built, checked and recorded too; beside that of the new attempt it is refused."""
    first = await stage_both(plain.host, "attempts", hand=Hand(content="one"))
    second = await stage_both(plain.host, "attempts", hand=Hand(content="two"))
    both = await finish(plain.host, "attempts", [*first, *second])
    assert len(both.problems) == 3
    assert "in 2 folders that differ" in both.problems[0]
    assert (await finish(plain.host, "attempts", [first[0], second[1]])).ok


async def test_a_folder_of_a_fork_names_what_is_not_here(plain: Registry, other: Registry) -> None:
    """What a fork's run stages goes to the fork's own registry: its digests are not in this one's repositories."""
    folders = await stage_both(other.host, "fork", hand=Hand(content="theirs"))
    done = await finish(plain.host, "origin", folders)
    assert len(done.problems) == 3
    assert all("does not serve it as it was staged" in problem for problem in done.problems)
    assert plain.host in done.problems[0]
    assert other.host not in str(done.problems)


async def test_no_name_of_a_folder_reaches_a_request(plain: Registry) -> None:
    folders = await stage_both(plain.host, "paths")
    evil = changed(folders[1], ALPHA, repositories=("evil.test/../../x",), image="../../x", platform="a/b?c#d")
    with FaultProxy(plain.port) as proxy:
        done = await finish(proxy.host, "paths", [folders[0], evil])
        assert done.ok, done.problems
        assert all(seen.path.startswith("/v2/paths/") or seen.path == "/v2/" for seen in proxy.seen)


async def test_what_is_served_otherwise_is_refused(plain: Registry) -> None:
    folders = await stage_both(plain.host, "otherwise")
    digest = str(of(folders[1], ALPHA).digest)
    body = json.dumps({"mediaType": OCI_MANIFEST}).encode()
    fault = Fault(kind=Kind.STATUS, status=200, headers=(("Content-Type", OCI_MANIFEST),), body=body)

    def rule(seen: Seen) -> Fault | None:
        return fault if seen.path.endswith(digest) else None

    with FaultProxy(plain.port, rule=rule) as proxy:
        done = await finish(proxy.host, "otherwise", folders)
    assert f"{ALPHA}: {proxy.host}/otherwise/alpha serves something else in place of {digest}" in done.problems[0]
    assert await nothing_is_named(plain.host, "otherwise")


async def test_a_promise_that_is_not_kept_stops_before_any_tag(plain: Registry) -> None:
    folders = await stage_both(plain.host, "promise")
    asked: list[str] = []

    async def attested(_registries: Registries, staged: Sequence[Staged]) -> list[str]:
        asked.extend(f"{one.target.name} {one.index.digest} {len(one.entries)}" for one in staged)
        return ["alpha has no attestation; attest it"]

    done = await finish(plain.host, "promise", folders, promises=[attested])
    assert done.problems == ("alpha has no attestation; attest it",)
    assert await nothing_is_named(plain.host, "promise")
    prepared = await finish(plain.host, "promise", folders, promises=[attested], prepare=True)
    assert prepared.ok, "what is to be attested is prepared before it is"
    assert [line.split()[1] for line in asked] == [image.digest for image in prepared.images]


async def test_an_attestation_that_a_record_names_has_to_be_there(plain: Registry) -> None:
    folders = await stage_both(plain.host, "attestation", hand=Hand(attestation="sha256:" + "5" * 64))
    done = await finish(plain.host, "attestation", folders)
    assert len(done.problems) == 3
    assert "does not serve the attestation of its build as it was staged, sha256:5555" in done.problems[0]


async def test_prepare_pushes_the_indexes_under_no_tag_and_finish_names_them(plain: Registry) -> None:
    folders = await stage_both(plain.host, "prepared")
    done = await finish(plain.host, "prepared", folders, prepare=True)
    assert done.ok, done.problems
    assert await nothing_is_named(plain.host, "prepared")
    sums = render_checksums(done)
    assert len(sums.splitlines()) == 5  # two indexes and three variants
    async with client(plain.host) as registry:
        for image in done.images:
            assert (await registry.get_manifest(f"prepared/{image.image}", str(image.digest))).is_index
    finished = await finish(plain.host, "prepared", folders)
    assert finished.ok
    assert render_checksums(finished) == sums
    assert await live(plain.host, "prepared") == {image.image: image.digest for image in done.images}


async def test_a_commit_that_was_released_meanwhile_keeps_what_it_is(plain: Registry) -> None:
    folders = await stage_both(plain.host, "once", hand=Hand(content="mine"))
    theirs = await stage_both(plain.host, "once", hand=Hand(content="theirs"))
    assert (await finish(plain.host, "once", theirs)).ok
    own = await live(plain.host, "once")
    done = await finish(plain.host, "once", folders, "v1", once=True)
    assert done.ok, done.problems
    assert await live(plain.host, "once", "v1") == own
    prepared = await finish(plain.host, "once", folders, "v2", once=True, prepare=True)
    assert {image.image: image.digest for image in prepared.images} == own
    assert await live(plain.host, "once", "v2") == {"alpha": "", "beta": ""}
    taken = await finish(plain.host, "once", folders)
    assert "exists with another digest" in taken.problems[0]


async def test_several_registries_all_have_it_or_it_is_refused(plain: Registry, other: Registry) -> None:
    hosts = (plain.host, other.host)
    folders = await stage_both(plain.host, "several")
    half = await finish(hosts, "several", folders)
    assert len(half.problems) == 3
    assert all(f"{other.host}/several/" in problem for problem in half.problems)
    assert await nothing_is_named(plain.host, "several")
    folders = await stage_both(hosts, "several")
    assert (await finish(hosts, "several", folders)).ok
    assert await live(plain.host, "several") == await live(other.host, "several")


async def test_bases_that_differ_are_told_and_the_index_names_none(plain: Registry) -> None:
    key = "org.opencontainers.image.base.digest"
    amd64 = (await stage(plain.host, "bases", AMD64, hand=Hand(base={key: "sha256:" + "6" * 64})))[1]
    arm64 = (await stage(plain.host, "bases", ARM64, hand=Hand(base={key: "sha256:" + "7" * 64})))[1]
    done = await finish(plain.host, "bases", [amd64, arm64])
    assert done.ok, done.problems
    assert "alpha: its variants were built on different bases" in done.notes[0]
    async with client(plain.host) as registry:
        assert key not in (await registry.get_manifest("bases/alpha", "latest")).annotations
        assert (await registry.get_manifest("bases/beta", "latest")).annotations[key].startswith("sha256:6")


async def test_two_finishes_at_once_end_whole_or_say_what_is_live(plain: Registry) -> None:
    for attempt in range(3):
        prefix = f"both-finish-{attempt}"
        older = await stage_both(plain.host, prefix, hand=Hand(commit=OLD))
        newer = await stage_both(plain.host, prefix)
        first, second = await asyncio.gather(
            finish(plain.host, prefix, older, commit=OLD), finish(plain.host, prefix, newer)
        )
        now = await live(plain.host, prefix)
        whole = [await live(plain.host, prefix, f"sha-{commit[0][:7]}") for commit in (OLD, NEW)]
        if now not in whole:
            assert not (first.ok and second.ok)
            assert "was moved by somebody else" in str((first.tags, second.tags))
        assert (await finish(plain.host, prefix, newer)).ok
        assert await live(plain.host, prefix) == whole[1]


async def test_two_finishes_of_the_same_commit_at_once_are_one(plain: Registry) -> None:
    folders = await stage_both(plain.host, "same-finish")
    both = await asyncio.gather(*(finish(plain.host, "same-finish", folders) for _ in range(2)))
    assert all(done.ok for done in both), [done.problems for done in both]
    assert await live(plain.host, "same-finish") == await live(plain.host, "same-finish", f"sha-{NEW[0][:7]}")


async def test_two_attempts_of_a_commit_finished_at_once_leave_one(plain: Registry) -> None:
    """Whoever names the commit first has it: the other run finds it, or says so."""
    for attempt in range(2):
        prefix = f"attempts-{attempt}"
        mine = await stage_both(plain.host, prefix, hand=Hand(content="mine"))
        theirs = await stage_both(plain.host, prefix, hand=Hand(content="theirs"))
        done = await asyncio.gather(*(finish(plain.host, prefix, each, once=True) for each in (mine, theirs)))
        now, own = await live(plain.host, prefix), await live(plain.host, prefix, f"sha-{NEW[0][:7]}")
        told = any(not each.ok and each.problems and each.next for each in done)
        assert now == own or told, (now, own, [each.problems for each in done])
        last = await finish(plain.host, prefix, mine, once=True)
        assert last.ok or last.next
