"""The workflow's own steps, run with GitHub's variables set, against a registry on this host."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import httpx
import pytest

from ci.core.runners import Machine
from ci.init.machines import fit_workflow
from tests.support.attestations import Api
from tests.support.proxy import Fault, FaultProxy, Kind, Seen
from tests.support.workflow import FILE, JobResult, Runner, load

from .conftest import Repository

pytestmark = pytest.mark.timeout(600)

HOST = f"127.0.0.1:{os.environ.get('DRYDOCK_MIRROR_PORT', '5000')}"
AMD64, ARM64 = (
    Machine(platform="linux/amd64", labels=("ubuntu-24.04",)),
    Machine(platform="linux/arm64", labels=("ubuntu-24.04-arm",)),
)
ONE, TWO = (load(fit_workflow(FILE.read_text(), machines)) for machines in ((AMD64,), (AMD64, ARM64)))
TOKEN = "planted-token-55127"
PREPARE = "Put the images together, under no tag"
IMAGE = """\
name: app
dockerfile: Dockerfile
platforms: [linux/amd64]
smoke: [{name: greets, run: [python, -c, "print('hi')"], stdout: {equals: hi}}]
"""


def git(path: Path, *arguments: str, date: str = "2026-01-01T00:00:00Z") -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", *arguments],
        cwd=path,
        env={**os.environ, "GIT_COMMITTER_DATE": date},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


Run = Callable[..., JobResult]


@pytest.fixture
def prefix() -> str:
    return f"workflow/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def checkout(repository: Repository) -> Repository:
    """Make a repository with one commit."""
    # The context holds nothing, so that what a run leaves in the checkout is no reason to build again.
    repository.write({"Dockerfile": "FROM python:3.13-slim\n", ".dockerignore": "*\n"})
    repository.configure(IMAGE, top="repository: ghcr.io/{owner}/{name}")
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        git(repository.path, *arguments)
    return repository


@pytest.fixture
def runner_of(checkout: Repository, prefix: str, tmp_path: Path) -> Callable[..., Runner]:
    """Make what runs the jobs that an event starts."""

    def make(event: str, ref: str, registry: str = HOST, api: Api | None = None, private: str = "false") -> Runner:
        services = [f"--registry tcp://{registry}", *([f"--registry tcp://127.0.0.1:{api.port}"] if api else [])]
        return Runner(
            checkout=checkout.path,
            summary=tmp_path / f"summary-{uuid.uuid4().hex}",
            artifacts=tmp_path / "artifacts",
            variables={
                "GITHUB_EVENT_NAME": event,
                "GITHUB_REF": ref,
                "GITHUB_REPOSITORY_OWNER": "Acme",
                "GITHUB_ACTOR": "somebody[bot]",
                # Without an API nobody can be asked: as on another forge.
                "GITHUB_REPOSITORY": "acme/shop" if api else "",
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_API_URL": f"http://127.0.0.1:{api.port}" if api else "",
                "GITHUB_RUN_ID": "7",
                "GITHUB_RUN_ATTEMPT": "1",
                "NO_COLOR": "1",
            },
            context={
                "github.event_name": event,
                "github.event.repository.default_branch": "main",
                "github.event.repository.private": private,
                "github.event.base_ref": "",
                "github.event.release.prerelease": "",
                "github.token": TOKEN,
                "runner.environment": "self-hosted",
            },
            options=f"{' '.join(services)} --repository {HOST}/{prefix}/{{name}}",
            attest=lambda lines: api.attest(f"sha256:{line.split()[0]}" for line in lines) if api else None,
        )

    return make


@pytest.fixture
def run(runner_of: Callable[..., Runner]) -> Run:
    """Run the job that an event starts, on one machine; what the last call does again is left out."""

    def run(*arguments: str, **options: str) -> JobResult:
        runner = replace(runner_of(*arguments, **options), left_out=[PREPARE])
        (job,) = (job for job in ONE["jobs"].values() if runner.wants(job))
        return runner.run(job)

    return run


def tags(prefix: str) -> dict[str, str]:
    """Ask the registry for every tag and its digest."""
    with httpx.Client(base_url=f"http://{HOST}/v2/{prefix}/app", trust_env=False) as http:
        listed = http.get("/tags/list")
        if listed.status_code == httpx.codes.NOT_FOUND:
            return {}
        accept = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
        names = listed.json()["tags"] or []
        return {
            name: http.head(f"/manifests/{name}", headers=accept).headers["Docker-Content-Digest"] for name in names
        }


def variants(prefix: str, tag: str) -> list[str]:
    """Ask the registry which variants a tag names."""
    accept = {"Accept": "application/vnd.oci.image.index.v1+json"}
    answer = httpx.get(f"http://{HOST}/v2/{prefix}/app/manifests/{tag}", headers=accept, trust_env=False)
    return [entry["digest"] for entry in answer.json()["manifests"]]


def built_by(prefix: str, tag: str) -> list[str]:
    """Ask the registry which run has built each variant that a tag names."""
    accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    with httpx.Client(base_url=f"http://{HOST}/v2/{prefix}/app", headers={"Accept": accept}, trust_env=False) as http:
        entries = http.get(f"/manifests/{tag}").json()["manifests"]
        about = [each["digest"] for each in entries if each["platform"]["os"] == "unknown"]
        layers = [layer for digest in about for layer in http.get(f"/manifests/{digest}").json()["layers"]]
        said = [http.get(f"/blobs/{layer['digest']}", follow_redirects=True).json() for layer in layers]
    slsa = "https://slsa.dev/provenance/v1"
    return [each["predicate"]["runDetails"]["builder"]["id"] for each in said if each["predicateType"] == slsa]


def test_a_pull_request_is_checked_and_writes_nothing(
    run: Run, repository: Repository, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    done = run("pull_request", "refs/pull/7/merge")
    assert done.ok, done.log
    assert "## Images: checked" in done.summary
    assert "| app@linux/amd64 | ok |" in done.summary
    assert json.loads((repository.path / "drydock/report.json").read_text())["ok"] is True
    assert done.checksums == ()
    assert tags(prefix) == {}


def test_the_default_branch_is_released_once_and_then_as_a_version(
    run: Run, repository: Repository, prefix: str
) -> None:
    head = git(repository.path, "rev-parse", "HEAD")
    done = run("push", "refs/heads/main")
    assert done.ok, done.log
    live = tags(prefix)
    digest = live.pop(f"sha-{head[:7]}")
    assert live.pop("latest") == digest
    assert live == {}
    assert "## Images: released" in done.summary
    assert f"{digest.removeprefix('sha256:')}  {HOST}/{prefix}/app" in done.checksums
    assert len(done.checksums) == 2  # the index and its one platform
    assert TOKEN not in done.log + done.summary
    stages = r"```mermaid\n(?s:.)*section app@linux/amd64\n *build .*\n *import .*\n *smoke .*\n *push "
    assert re.search(stages, done.summary)
    picture = (repository.path / "drydock/timeline.svg").read_text()
    for told in ("app@linux/amd64", "engine (linux/", "import ", f"{HOST}/{prefix}/app", f"sha-{head[:7]}, latest"):
        assert told in picture

    # The same commit again, as somebody runs the job a second time; then its version tag.
    again = run("push", "refs/heads/main")
    version = run("push", "refs/tags/v1.2.3")
    assert again.ok, again.log
    assert version.ok, version.log
    assert "released before" in version.summary
    # What this run did not build, it does not attest the build of.
    assert again.checksums == (f"{digest.removeprefix('sha256:')}  {HOST}/{prefix}/app",)
    assert "reused from sha-" in version.summary
    live = tags(prefix)
    # The version is an index of its own, with the same variants.
    assert version.checksums == (f"{live['v1.2.3'].removeprefix('sha256:')}  {HOST}/{prefix}/app",)
    assert live["latest"] == live[f"sha-{head[:7]}"] == digest
    assert variants(prefix, "v1.2.3") == variants(prefix, "latest")

    # A later commit is released; then somebody runs the older job once more.
    git(repository.path, "commit", "-q", "--allow-empty", "-m", "two", date="2026-01-02T00:00:00Z")
    later = run("push", "refs/heads/main")
    assert later.ok, later.log
    moved = tags(prefix)["latest"]
    assert moved != digest
    git(repository.path, "checkout", "-q", head)
    older = run("push", "refs/heads/main")
    assert older.ok, older.log
    assert "latest was left as it is" in older.summary
    assert tags(prefix)["latest"] == moved


def test_a_version_whose_commit_is_released_by_another_run_meanwhile_joins_it(run: Run, prefix: str) -> None:
    """A branch and its version tag are pushed together; this run looks before the other has named its images."""
    first = run("push", "refs/heads/main")
    proxy = FaultProxy(int(HOST.partition(":")[2]))

    def not_before_its_own_push(seen: Seen) -> Fault | None:
        pushed = any("/manifests/sha256:" in earlier.path for earlier in proxy.seen)
        return None if pushed or "/manifests/sha-" not in seen.path else Fault(kind=Kind.STATUS, status=404)

    proxy.rule = not_before_its_own_push
    with proxy:
        second = run("push", "refs/tags/v1.0.0", registry=f"127.0.0.1:{proxy.port}")
    assert first.ok, first.log
    assert second.ok, second.log
    assert "| app@linux/amd64 | ok |" in second.summary  # it did build
    assert "was released before" in second.summary
    live = tags(prefix)
    # The variants are attested by the run that built them; the version's index is this run's own.
    assert second.checksums == (f"{live['v1.0.0'].removeprefix('sha256:')}  {HOST}/{prefix}/app",)
    assert len(live) == 3
    assert variants(prefix, "v1.0.0") == variants(prefix, "latest")


def test_a_version_can_be_the_first_release_of_a_commit(run: Run, repository: Repository, prefix: str) -> None:
    done = run("push", "refs/tags/v2.0.0-rc.1+build.5")
    assert done.ok, done.log
    live = tags(prefix)
    # A plus, which no tag may have, is a dash there.
    assert live["v2.0.0-rc.1-build.5"] == live[f"sha-{git(repository.path, 'rev-parse', 'HEAD')[:7]}"]
    assert "latest" not in live
    with httpx.Client(base_url=f"http://{HOST}/v2/{prefix}/app", trust_env=False) as http:
        accept = {"Accept": "application/vnd.oci.image.index.v1+json"}
        index = http.get("/manifests/v2.0.0-rc.1-build.5", headers=accept).json()
    assert index["annotations"]["org.opencontainers.image.version"] == "2.0.0-rc.1+build.5"


def test_a_broken_smoke_check_makes_the_job_fail_and_writes_nothing(
    run: Run, repository: Repository, prefix: str
) -> None:
    repository.configure(IMAGE.replace("equals: hi", "equals: bye"), top="repository: ghcr.io/{owner}/{name}")
    done = run("push", "refs/heads/main")
    assert not done.ok
    assert [(step.name, step.code) for step in done.steps] == [
        ("Build, smoke-check and stage", 0),
        ("Report what is staged", 1),
    ]
    assert "## Images: FAILED" in done.summary
    assert "nothing was pushed and no tag was touched" in done.summary
    assert "expected stdout to equal 'bye', got 'hi'" in unescape(done.summary)
    assert done.summary in done.steps[-1].log
    assert json.loads((repository.path / "staged/report.json").read_text())["ok"] is False
    assert done.checksums == ()
    assert tags(prefix) == {}


@pytest.mark.parametrize("event", ["pull_request", "merge_group"])
def test_a_merge_queue_is_checked_as_a_pull_request_is(run: Run, prefix: str, event: str) -> None:
    done = run(event, "refs/heads/gh-readonly-queue/main/pr-7-0123456789abcdef0123456789abcdef01234567")
    assert done.ok, done.log
    assert "## Images: checked" in done.summary
    assert "nothing is published" in done.summary
    assert tags(prefix) == {}


def test_a_schedule_on_the_default_branch_releases_nothing_anew_where_nothing_has_moved(
    run: Run, repository: Repository, prefix: str
) -> None:
    assert run("push", "refs/heads/main").ok
    before = tags(prefix)
    done = run("schedule", "refs/heads/main")
    assert done.ok, done.log
    assert "reused from sha-" in done.summary
    assert tags(prefix) == before
    assert set(before) == {"latest", f"sha-{git(repository.path, 'rev-parse', 'HEAD')[:7]}"}


RULES = """\
tags: |
  type=schedule
  type=raw,value={{commit_date 'YYYYMMDD' tz='Asia/Tokyo'}},enable={{is_default_branch}}
  type=semver,pattern={{version}}
  type=semver,pattern={{major}}.{{minor}},enable=${{ !contains(github.ref, '-rc') }}
"""


def test_rules_name_what_each_event_publishes(run: Run, repository: Repository, prefix: str) -> None:
    repository.configure(IMAGE, top=f"{RULES}repository: ghcr.io/{{owner}}/{{name}}")
    own = f"sha-{git(repository.path, 'rev-parse', 'HEAD')[:7]}"
    unnamed = run("push", "refs/heads/feature")
    assert unnamed.ok, unnamed.log
    assert "No rule for tags gives the branch 'feature' a name" in unnamed.summary
    assert tags(prefix) == {}
    for event, ref, given in (
        ("push", "refs/heads/main", {"20260101"}),
        ("release", "refs/tags/1.4.0", {"1.4.0", "1.4", "latest"}),
        ("schedule", "refs/heads/main", {"nightly", "20260101"}),
    ):
        before = {*tags(prefix)}
        done = run(event, ref)
        assert done.ok, done.log
        assert {*tags(prefix)} == before | given | {own}, event


@pytest.mark.parametrize(
    ("event", "ref", "said"),
    [
        ("push", 'refs/heads/$(touch drydock-was-here)"; touch drydock-was-here; "', "built and checked"),
        ("pull_request_target", "refs/heads/main", "has no meaning here"),
    ],
)
def test_what_is_neither_default_branch_nor_version_writes_nothing(
    run: Run, repository: Repository, prefix: str, event: str, ref: str, said: str
) -> None:
    done = run(event, ref)
    assert done.ok is (said == "built and checked"), done.log
    assert said in done.summary
    assert done.checksums == ()
    assert tags(prefix) == {}
    assert not (repository.path / "drydock-was-here").exists()


def test_a_broken_configuration_is_explained_in_the_summary(run: Run, repository: Repository) -> None:
    repository.configure(IMAGE.replace("dockerfile:", "dokcerfile:"), top="repository: ghcr.io/{owner}/{name}")
    done = run("pull_request", "refs/pull/7/merge")
    assert not done.ok
    assert "## Images: FAILED" in done.summary
    assert "did you mean 'dockerfile'?" in unescape(done.summary)
    assert json.loads((repository.path / "drydock/report.json").read_text())["ok"] is False


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as running:
        yield running


def run_jobs(runner: Runner, *, only: Collection[str] = ()) -> dict[str, JobResult]:
    """Run all jobs of the workflow with a matrix, or only some, one after the other; each by its name and platform."""
    done: dict[str, JobResult] = {}
    for name, job in TWO["jobs"].items():
        matrix = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
        for entry in matrix if runner.wants(job) else ():
            called = " ".join(filter(None, (name, entry.get("platform", ""))))
            if only and called not in only:
                continue
            given = {f"matrix.{key}": str(value) for key, value in entry.items()}
            summary = runner.summary.with_name(f"summary-{uuid.uuid4().hex}")
            done[called] = replace(runner, summary=summary, context={**runner.context, **given}).run(job)
    return done


JOBS = ["stage linux/amd64", "stage linux/arm64", "release"]


def test_two_machines_stage_and_one_job_releases_what_is_attested(
    runner_of: Callable[..., Runner], checkout: Repository, prefix: str, api: Api
) -> None:
    broken = IMAGE.replace("[linux/amd64]", "[linux/amd64, linux/arm64]").replace(
        "equals: hi}}", "equals: hi}}, {name: known, platforms: [linux/arm64], run: [test, -e, /missing]}"
    )
    checkout.configure(broken, top="repository: ghcr.io/{owner}/{name}")
    git(checkout.path, "commit", "-aqm", "broken on one platform")
    runner = runner_of("push", "refs/heads/main", api=api)
    first = run_jobs(runner)
    assert [(name, job.ok) for name, job in first.items()] == [(JOBS[0], True), (JOBS[1], False), (JOBS[2], False)]
    # The folder of the job that failed is kept, and the last job says what failed in it.
    assert "app@linux/arm64" in first["release"].summary
    assert "known" in first["release"].summary
    assert tags(prefix) == {}
    assert api.bundles == []

    # The mended commit; its attestations cannot be stored, and what is required is missing.
    checkout.configure(broken.replace("/missing", "/usr"), top="repository: ghcr.io/{owner}/{name}")
    git(checkout.path, "commit", "-aqm", "mended", date="2026-01-02T00:00:00Z")
    unattested = run_jobs(replace(runner, attest=lambda _lines: None))
    assert [(name, job.ok) for name, job in unattested.items()] == [(JOBS[0], True), (JOBS[1], True), (JOBS[2], False)]
    said = unescape(unattested["release"].summary)
    assert "3 of 3 digests are not attested" in said
    assert "GitHub has no attestation of it in acme/shop (404: Not Found)" in said
    assert f"no bundle of Sigstore refers to it in {HOST}/{prefix}/app" in said
    assert len(unattested["release"].attested) == 3  # the index and both variants
    assert tags(prefix) == {}

    # The job that failed is run again, alone.
    (released,) = run_jobs(runner, only=["release"]).values()
    assert released.ok, released.log
    assert set(released.attested) == set(released.checksums) == set(unattested["release"].attested)
    assert "The provenance of each of 3 digests is attested" in unescape(released.summary)
    live = tags(prefix)
    own = f"sha-{git(checkout.path, 'rev-parse', 'HEAD')[:7]}"
    assert set(live) == {own, "latest"}
    assert f"{live['latest'].removeprefix('sha256:')}  {HOST}/{prefix}/app" in released.attested
    assert built_by(prefix, "latest") == ["https://github.com/acme/shop/actions/runs/7/attempts/1"] * 2
    assert TOKEN not in "".join(job.log + job.summary for job in (*first.values(), *unattested.values(), released))
    assert {authorization for _, authorization in api.asked} == {f"Bearer {TOKEN}"}


def test_a_pull_request_is_checked_by_the_same_matrix(
    runner_of: Callable[..., Runner], checkout: Repository, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    checkout.configure(
        IMAGE.replace("[linux/amd64]", "[linux/amd64, linux/arm64]"), top="repository: ghcr.io/{owner}/{name}"
    )
    done = run_jobs(runner_of("pull_request", "refs/pull/7/merge"))
    assert list(done) == ["check linux/amd64", "check linux/arm64"]
    for name, job in done.items():
        assert job.ok, job.log
        assert f"| app@{name.partition(' ')[2]} | ok |" in job.summary
        assert "1 variant: 1 ok" in job.summary
    assert tags(prefix) == {}
