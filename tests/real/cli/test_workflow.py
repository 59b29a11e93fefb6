"""The workflow's own steps, run with GitHub's variables set, against a registry on this host."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Callable
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.support.proxy import Fault, FaultProxy, Kind, Seen
from tests.support.workflow import FILE, JobResult, Runner, load

from .conftest import Repository

pytestmark = pytest.mark.timeout(600)

HOST = f"127.0.0.1:{os.environ.get('DRYDOCK_MIRROR_PORT', '5000')}"
WORKFLOW = load(FILE.read_text())
TOKEN = "planted-token-55127"
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
def run(repository: Repository, prefix: str, tmp_path: Path) -> Run:
    """Run the job that an event starts, in a repository with one commit."""
    # The context holds nothing, so that what a run leaves in the checkout is no reason to build again.
    repository.write({"Dockerfile": "FROM python:3.13-slim\n", ".dockerignore": "*\n"})
    repository.configure(IMAGE, top="repository: ghcr.io/{owner}/{name}")
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        git(repository.path, *arguments)

    def run(event: str, ref: str, registry: str = HOST) -> JobResult:
        runner = Runner(
            checkout=repository.path,
            summary=tmp_path / f"summary-{uuid.uuid4().hex}",
            variables={
                "GITHUB_EVENT_NAME": event,
                "GITHUB_REF": ref,
                "GITHUB_REPOSITORY_OWNER": "Acme",
                "GITHUB_ACTOR": "somebody[bot]",
                "NO_COLOR": "1",
            },
            context={
                "github.event_name": event,
                "github.event.repository.default_branch": "main",
                "github.event.base_ref": "",
                "github.event.release.prerelease": "",
                "github.token": TOKEN,
                "runner.environment": "self-hosted",
            },
            options=f"--registry tcp://{registry} --repository {HOST}/{prefix}/{{name}}",
        )
        (job,) = (job for job in WORKFLOW["jobs"].values() if runner.wants(job))
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


def test_a_pull_request_is_checked_and_writes_nothing(
    run: Run, repository: Repository, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    done = run("pull_request", "refs/pull/7/merge")
    assert done.ok, done.log
    assert "## Images: checked" in done.summary
    assert "| app@linux/amd64 | ok |" in done.summary
    assert json.loads((repository.path / "drydock/report.json").read_text())["ok"] is True
    assert done.attested == ()
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
    assert f"{digest.removeprefix('sha256:')}  {HOST}/{prefix}/app" in done.attested
    assert len(done.attested) == 2  # the index and its one platform
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
    assert again.attested == (f"{digest.removeprefix('sha256:')}  {HOST}/{prefix}/app",)
    assert "reused from sha-" in version.summary
    live = tags(prefix)
    # The version is an index of its own, with the same variants.
    assert version.attested == (f"{live['v1.2.3'].removeprefix('sha256:')}  {HOST}/{prefix}/app",)
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
    assert second.attested == (f"{live['v1.0.0'].removeprefix('sha256:')}  {HOST}/{prefix}/app",)
    assert len(live) == 3
    assert variants(prefix, "v1.0.0") == variants(prefix, "latest")


def test_a_version_can_be_the_first_release_of_a_commit(run: Run, repository: Repository, prefix: str) -> None:
    done = run("push", "refs/tags/v2.0.0-rc.1")
    assert done.ok, done.log
    live = tags(prefix)
    assert live["v2.0.0-rc.1"] == live[f"sha-{git(repository.path, 'rev-parse', 'HEAD')[:7]}"]
    assert "latest" not in live


def test_a_broken_smoke_check_makes_the_job_fail_and_writes_nothing(
    run: Run, repository: Repository, prefix: str
) -> None:
    repository.configure(IMAGE.replace("equals: hi", "equals: bye"), top="repository: ghcr.io/{owner}/{name}")
    done = run("push", "refs/heads/main")
    assert not done.ok
    assert [step.code for step in done.steps] == [0, 1]
    assert "## Images: FAILED" in done.summary
    assert "nothing was pushed and no tag was touched" in done.summary
    assert "expected stdout to equal 'bye', got 'hi'" in unescape(done.summary)
    assert done.summary in done.steps[-1].log
    assert json.loads((repository.path / "drydock/report.json").read_text())["ok"] is False
    assert done.attested == ()
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


def test_a_plus_of_a_version_is_a_dash_in_its_tag(run: Run, prefix: str) -> None:
    done = run("push", "refs/tags/v1.2.3+build.5")
    assert done.ok, done.log
    assert "v1.2.3-build.5" in tags(prefix)
    with httpx.Client(base_url=f"http://{HOST}/v2/{prefix}/app", trust_env=False) as http:
        accept = {"Accept": "application/vnd.oci.image.index.v1+json"}
        index = http.get("/manifests/v1.2.3-build.5", headers=accept).json()
    assert index["annotations"]["org.opencontainers.image.version"] == "1.2.3+build.5"


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
        ("repository_dispatch", "refs/heads/main", {"20260101"}),
    ):
        before = {*tags(prefix)}
        done = run(event, ref)
        assert done.ok, done.log
        assert {*tags(prefix)} == before | given | {own}, event


@pytest.mark.parametrize(
    ("event", "ref", "said"),
    [
        ("push", "refs/tags/vendor", "built and checked"),
        ("push", 'refs/heads/$(touch drydock-was-here)"; touch drydock-was-here; "', "built and checked"),
        ("workflow_dispatch", "refs/heads/feature", "built and checked"),
        ("pull_request_target", "refs/heads/main", "has no meaning here"),
    ],
)
def test_what_is_neither_default_branch_nor_version_writes_nothing(
    run: Run, repository: Repository, prefix: str, event: str, ref: str, said: str
) -> None:
    done = run(event, ref)
    assert done.ok is (said == "built and checked"), done.log
    assert said in done.summary
    assert done.attested == ()
    assert tags(prefix) == {}
    assert not (repository.path / "drydock-was-here").exists()


def test_a_broken_configuration_is_explained_in_the_summary(run: Run, repository: Repository) -> None:
    repository.configure(IMAGE.replace("dockerfile:", "dokcerfile:"), top="repository: ghcr.io/{owner}/{name}")
    done = run("pull_request", "refs/pull/7/merge")
    assert not done.ok
    assert "## Images: FAILED" in done.summary
    assert "did you mean 'dockerfile'?" in unescape(done.summary)
    assert json.loads((repository.path / "drydock/report.json").read_text())["ok"] is False
