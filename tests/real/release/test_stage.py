"""Stages with real builds: two machines and one finish are one release, and what a run on GitHub makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagger
import pytest
from dagger import dag

import ci.build.daemon
from ci.build.pipeline import Builder
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.errors import DrydockError
from ci.core.model import Config, Plan
from ci.core.names import BUILT
from ci.github.run import Phase, Run, run_event
from ci.release.collect import read_folders
from ci.release.deliver import deliver
from ci.release.destination import Destination
from ci.release.finish import finish_staged
from ci.release.folder import MAX_STAGED, STAGED, read_folder, render_folder
from ci.release.outcome import Delivery
from ci.release.report import render_checksums
from ci.release.request import ReleaseRequest, parse_created
from ci.release.stage import Staging, stage_part
from tests.support.proxy import FaultProxy
from tests.support.servers import Registry

from .conftest import client
from .test_reuse import FIRST, SECOND, WHEN, Files, source_of

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

AMD64, ARM64 = "linux/amd64", "linux/arm64"
NAMES = ("app", "plain")
# An image that is not released, one that is built on it, and one that has one platform.
FILES = {
    "deploy/images.yaml": """\
repository: registry.test/{name}
source: https://git.test/acme/app
provenance: off  # it holds the time of a build, so that two are never the same
sbom: off
images:
  - name: base
    dockerfile: base.Dockerfile
    platforms: [linux/amd64, linux/arm64]
    release: false
    smoke: none
    smoke-reason: it is built on
  - name: app
    title: App
    dockerfile: Dockerfile
    platforms: [linux/amd64, linux/arm64]
    contexts: {base: "target:base"}
    smoke: [{name: greets, file: {path: /hello.txt, content: {equals: hello}}}]
  - name: plain
    dockerfile: plain.Dockerfile
    platforms: [linux/amd64]
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
""",
    "base.Dockerfile": "FROM scratch\nCOPY hello.txt /\n",
    "Dockerfile": "FROM base\nARG TARGETARCH\nENV ARCH=$TARGETARCH\nCOPY hello.txt /more.txt\n",
    "plain.Dockerfile": "FROM scratch\nCOPY hello.txt /\n",
    "hello.txt": "hello",
    ".dockerignore": "deploy\n*Dockerfile\n",
}
LATEST = dict.fromkeys(NAMES, ("latest",))


async def plan_of(files: Files, revision: str, platforms: Sequence[str] = ()) -> Plan:
    return plan_build(await read_config(source_of(files), None), platforms=platforms, revision=revision)


def destination(host: str, prefix: str) -> Destination:
    return Destination(repositories=(f"{host}/{prefix}/{{name}}",))


def request_of(revision: str, *, tags: Mapping[str, tuple[str, ...]] = LATEST) -> ReleaseRequest:
    return ReleaseRequest(revision=revision, created=parse_created(WHEN[revision]), tags=tags)


async def stage(files: Files, revision: str, host: str, prefix: str, platform: str) -> Staging:
    plan, part = await plan_of(files, revision), await plan_of(files, revision, (platform,))
    builder = Builder(source=source_of(files), parallel=2)
    return await stage_part(plan, part, request_of(revision, tags={}), builder, destination(host, prefix))


async def publish(files: Files, revision: str, host: str, prefix: str) -> Delivery:
    builder = Builder(source=source_of(files), parallel=2)
    plan = await plan_of(files, revision)
    return await deliver(plan, request_of(revision), builder, destination(host, prefix))


async def finish(files: Files, revision: str, host: str, prefix: str, *staged: Staging) -> Delivery:
    folders = [read_folder(render_folder(one.folder), f"folder {number}") for number, one in enumerate(staged)]
    return await finish_staged(await plan_of(files, revision), request_of(revision), folders, destination(host, prefix))


async def live(host: str, prefix: str, tag: str = "latest") -> dict[str, bytes]:
    """Read what a tag names, byte for byte."""
    async with client(host) as registry:
        return {name: (await registry.get_manifest(f"{prefix}/{name}", tag)).body for name in NAMES}


def on_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the next builds a BuildKit daemon of their own, as another machine has one."""

    def open_state(_config: Config) -> dagger.CacheVolume:
        return dag.cache_volume(f"drydock-test-{name}")

    monkeypatch.setattr(ci.build.daemon, "open_state", open_state)


async def test_two_machines_and_one_finish_give_the_bytes_of_one_publish(
    plain: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = plain.host
    on_machine("one", monkeypatch)
    amd64 = await stage(FILES, FIRST, host, "machines", AMD64)
    on_machine("two", monkeypatch)
    arm64 = await stage(FILES, FIRST, host, "machines", ARM64)
    assert amd64.delivery.ok, amd64
    assert arm64.delivery.ok, arm64
    assert [one.variant for one in amd64.folder.variants] == ["app@linux/amd64", "plain@linux/amd64"]
    assert [one.variant for one in arm64.folder.variants] == ["app@linux/arm64"]
    assert arm64.folder.variants[0].smoke[0].name == "greets"
    assert amd64.delivery.released
    assert len(render_checksums(amd64.delivery.released).splitlines()) == 2
    done = await finish(FILES, FIRST, host, "machines", amd64, arm64)
    assert done.ok, done
    assert (await publish(FILES, FIRST, host, "one-machine")).ok
    assert await live(host, "machines") == await live(host, "one-machine")

    # The next commit changes nothing of `plain`: it is staged as what it was released as, and nothing of it is built.
    again = [await stage(FILES, SECOND, host, "machines", platform) for platform in (AMD64, ARM64)]
    assert [one.reused for staging in again for one in staging.folder.variants] == [None, "sha-1111111", None]
    done = await finish(FILES, SECOND, host, "machines", *again)
    assert done.ok, done
    assert done.released
    assert [v.reused for image in done.released.images for v in image.variants] == ["", "", "sha-1111111"]
    assert (await publish(FILES, SECOND, host, "one-machine")).ok
    assert await live(host, "machines") == await live(host, "one-machine")


async def test_a_stage_with_a_failed_check_pushes_nothing_and_finish_says_what_failed(plain: Registry) -> None:
    config = FILES["deploy/images.yaml"].replace("equals: hello", "equals: bye", 1)
    files = {**FILES, "deploy/images.yaml": config}
    with FaultProxy(plain.port) as proxy:
        failed = await stage(files, FIRST, proxy.host, "failing", AMD64)
        assert not [seen for seen in proxy.seen if seen.method not in {"GET", "HEAD"}]
    assert not failed.delivery.ok
    assert [(one.digest, one.record) for one in failed.folder.variants] == [(None, None)] * 2
    other = await stage(files, FIRST, plain.host, "failing", ARM64)
    done = await finish(files, FIRST, plain.host, "failing", failed, other)
    assert done.released
    told = "\n".join(done.released.problems)
    assert "app@linux/amd64 failed in folder 0 (of an engine on linux/" in told
    assert "smoke: greets" in told
    assert "plain@linux/amd64 has no digest in folder 0" in told


async def github(host: str, prefix: str, event: str, ref: str, phase: Phase, files: Files = FILES) -> dagger.Directory:
    async def read_plan(revision: str, platforms: Sequence[str] = ()) -> Plan:
        return await plan_of(files, revision, platforms)

    run = Run(name=event, ref=ref, default_branch="main", revision=FIRST, created=WHEN[FIRST])
    return await run_event(run, Builder(source=source_of(files)), destination(host, prefix), read_plan, phase)


async def text(folder: dagger.Directory, name: str) -> str:
    return await folder.file(name).contents()


async def test_a_run_on_github_in_two_halves(plain: Registry) -> None:
    host, push = plain.host, ("push", "refs/heads/main")
    staged = [await github(host, "hub", *push, Phase(stage=True, platforms=(platform,))) for platform in (AMD64, ARM64)]
    for folder in staged:
        assert await text(folder, "exit-code") == "0\n", await text(folder, "summary.md")
        summary = await text(folder, "summary.md")
        assert summary.startswith("## Images: staged\n\nThe branch 'main' is to be released.")
    # What every artifact of a run is downloaded to: a folder of folders.
    all_of_them = dag.directory().with_directory("amd64", staged[0]).with_directory("arm64", staged[1])
    prepared = await github(host, "hub", *push, Phase(staged=(all_of_them,), prepare=True))
    assert (await text(prepared, "summary.md")).startswith("## Images: prepared")
    sums = await text(prepared, "checksums.txt")
    assert len(sums.splitlines()) == 5
    half = await github(host, "hub", *push, Phase(staged=(staged[0],)))
    assert await text(half, "exit-code") == "1\n"
    assert "app@linux/arm64 is in none of the folders" in await text(half, "summary.md")
    assert "checksums.txt" not in await half.entries()
    done = await github(host, "hub", *push, Phase(staged=(all_of_them,)))
    assert await text(done, "exit-code") == "0\n", await text(done, "summary.md")
    assert (await text(done, "summary.md")).startswith("## Images: released")
    assert await text(done, "checksums.txt") == sums
    # The version tag of the same commit: what is released stays what it is, in both halves.
    tag = ("push", "refs/tags/v1.2.3")
    again = [await github(host, "hub", *tag, Phase(stage=True, platforms=(platform,))) for platform in (AMD64, ARM64)]
    found = [read_folder(await text(folder, STAGED), "it") for folder in again]
    assert {one.reused for folder in found for one in folder.variants} == {"sha-1111111"}
    prepared = await github(host, "hub", *tag, Phase(staged=tuple(again), prepare=True))
    done = await github(host, "hub", *tag, Phase(staged=tuple(again)))
    assert "was released before" in await text(done, "summary.md")
    assert await text(done, "checksums.txt") == await text(prepared, "checksums.txt")


async def test_a_pull_request_is_checked_in_two_halves_and_writes_nothing(plain: Registry) -> None:
    pull = ("pull_request", "refs/pull/7/merge")
    with FaultProxy(plain.port) as proxy:
        staged = [
            await github(proxy.host, "pull", *pull, Phase(stage=True, platforms=(platform,)))
            for platform in (AMD64, ARM64)
        ]
        assert (await text(staged[0], "summary.md")).startswith("## Images: checked")
        done = await github(proxy.host, "pull", *pull, Phase(staged=tuple(staged)))
        assert await text(done, "exit-code") == "0\n", await text(done, "summary.md")
        half = await github(proxy.host, "pull", *pull, Phase(staged=(staged[1],)))
        assert "plain@linux/amd64 is in none of the folders" in await text(half, "summary.md")
        assert not [seen for seen in proxy.seen if seen.method not in {"GET", "HEAD"}]
    # What was checked is not what was staged: it has no digests, so that nothing can be released of it.
    forged = await github(plain.host, "pull", "push", "refs/heads/main", Phase(staged=tuple(staged)))
    assert "app@linux/amd64 has no digest in folder 1, staged.json" in await text(forged, "summary.md")


ONE = {
    "deploy/images.yaml": """repository: registry.test/{name}
sbom: off
images:
  - name: plain
    dockerfile: plain.Dockerfile
    platforms: [linux/amd64]
    smoke: [{file: {path: /hello.txt, exists: true}}]
""",
    "plain.Dockerfile": FILES["plain.Dockerfile"],
    "hello.txt": "hello",
}


async def in_halves(host: str, event: str, ref: str, files: Files) -> str:
    """Stage, prepare and finish what an event asks for; return what was to be attested before any tag."""
    staged = await github(host, "halves", event, ref, Phase(stage=True), files)
    prepared = await github(host, "halves", event, ref, Phase(staged=(staged,), prepare=True), files)
    done = await github(host, "halves", event, ref, Phase(staged=(staged,)), files)
    assert await text(done, "exit-code") == "0\n", await text(done, "summary.md")
    sums = await text(done, "checksums.txt")
    assert sums == await text(prepared, "checksums.txt")
    return sums


async def test_a_scheduled_run_and_a_version_that_is_built_for_itself_in_halves(plain: Registry) -> None:
    first = await in_halves(plain.host, "push", "refs/heads/main", ONE)
    # A base has moved, as it were: the run's own time is in the index, the same when it is prepared and when finished.
    moved = await in_halves(plain.host, "schedule", "refs/heads/main", {**ONE, "hello.txt": "moved"})
    config = f'{ONE["deploy/images.yaml"]}    labels: {{shown: "{{version:-dev}}"}}\n'
    version = await in_halves(plain.host, "push", "refs/tags/v1.2.3", {**ONE, "deploy/images.yaml": config})
    async with client(plain.host) as registry:
        names = ("sha-1111111", "sha-1111111-rebuilt", "sha-1111111-1.2.3")
        named = [await registry.get_manifest("halves/plain", name) for name in names]
        assert await registry.resolve("halves/plain", "v1.2.3") == named[2].digest
    assert [one.digest.removeprefix("sha256:") for one in named] == [s.split()[0] for s in (first, moved, version)]
    assert [BUILT in one.entries[0].annotations for one in named] == [False, True, False]


@pytest.mark.parametrize(
    ("phase", "sentence"),
    [
        (Phase(stage=True, prepare=True), "--prepare goes with --staged"),
        (Phase(platforms=(AMD64,)), "--platforms goes with --stage"),
        (Phase(stage=True, platforms=("linux/s390x",)), "Nothing selected has the platform 'linux/s390x'"),
    ],
)
async def test_what_makes_no_sense_together_is_said(plain: Registry, phase: Phase, sentence: str) -> None:
    folder = await github(plain.host, "none", "push", "refs/heads/main", phase)
    assert sentence in (await text(folder, "summary.md")).replace("&#x27;", "'")
    assert await text(folder, "exit-code") == "1\n"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "--staged, folder 1 of 1: it holds no staged.json; give what dagger call stage"),
        ({STAGED: "x"}, "folder 1, staged.json: it is no JSON"),
        ({f"sub/{STAGED}": "{}"}, "folder 1, sub/staged.json: its schema is not 1"),
        ({f"sub/sub/{STAGED}": "{}"}, "it holds no staged.json"),
        ({STAGED: " " * (MAX_STAGED + 1)}, f"it has more than {MAX_STAGED} bytes"),
        ({f"{number}/{STAGED}": "{}" for number in range(101)}, "it holds 101 staged.json"),
    ],
)
async def test_a_folder_that_no_stage_has_written_is_refused(files: Mapping[str, str], sentence: str) -> None:
    folder = dag.directory()
    for name, content in files.items():
        folder = folder.with_new_file(name, content)
    with pytest.raises(DrydockError) as error:
        await read_folders([folder])
    assert sentence in str(error.value)
