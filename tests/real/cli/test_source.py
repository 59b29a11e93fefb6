"""The source as its owner has it: .git in the build, files that a step makes before, links to Dockerfiles."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import dagger
import pytest
from dagger import dag

from ci.build.definition import Definition, read_definitions
from ci.build.inputs import INPUTS
from ci.build.pipeline import Builder, Built, build_all
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.errors import DrydockError
from ci.core.fill import Missing, fill_plan
from ci.core.values import Values
from ci.release.destination import Destination
from ci.release.reuse import describe_plan

from .building import failures
from .conftest import Call, Repository

pytestmark = pytest.mark.timeout(300)

IMAGE = """
name: app
dockerfile: Dockerfile
platforms: [linux/amd64]
git: true
smoke:
  - file: {path: /described, content: {equals: %s}}
"""
# git reads more than its objects: its configuration, references and index.
DOCKERFILE = """\
FROM python:3.13-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends git
COPY . /src
RUN cd /src && git describe --tags --dirty > /described
"""
KEPT = "*\n!.git\n!Dockerfile\n!deploy\n!hello.txt\n!.dockerignore\n"


def git(path: Path, *arguments: str) -> str:
    words = ["git", "-C", str(path), "-c", "user.name=A", "-c", "user.email=a@b.test", *arguments]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture
def tagged(repository: Repository) -> Repository:
    """Make a repository of two commits, of which the first has a tag."""
    repository.write({"Dockerfile": DOCKERFILE, ".dockerignore": KEPT})
    repository.configure(IMAGE % "v1.0.0-1-g0000000")
    git(repository.path, "init", "--quiet", "--initial-branch=main")
    git(repository.path, "add", "--all")
    git(repository.path, "commit", "--quiet", "--message", "one")
    git(repository.path, "tag", "v1.0.0")
    git(repository.path, "commit", "--quiet", "--allow-empty", "--message", "two")
    described = git(repository.path, "describe", "--tags")
    assert described.startswith("v1.0.0-1-g")
    repository.configure(IMAGE % described)
    git(repository.path, "commit", "--quiet", "--amend", "--all", "--message", "two")
    repository.configure(IMAGE % f"{git(repository.path, 'describe', '--tags')}-dirty")
    return repository


def directory(path: Path, *names: str) -> dagger.Directory:
    return dag.host().directory(str(path.joinpath(*names)), exclude=[] if names else ["**/.git"], no_cache=True)


async def build(path: Path, *, history: bool = True) -> Built:
    source = directory(path)
    plan = plan_build(await read_config(source, None))
    return await build_all(plan, Builder(source=source, git=directory(path, ".git") if history else None))


@pytest.mark.usefixtures("session")
async def test_git_describes_the_commit_in_a_build_that_asks_for_it(tagged: Repository) -> None:
    built = await build(tagged.path)
    assert failures(built) == {"app@linux/amd64": ()}
    assert not any("shallow" in note for note in built.report.notes)


@pytest.mark.usefixtures("session")
async def test_a_shallow_clone_is_told_of(tagged: Repository, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tagged.path, "clone", "--quiet", "--depth=1", f"file://{tagged.path}", str(clone))
    for name in ("Dockerfile", ".dockerignore", "hello.txt"):
        (clone / name).write_bytes((tagged.path / name).read_bytes())
    (found,) = failures(built := await build(clone))["app@linux/amd64"]
    assert "No names found, cannot describe anything" in (found.stderr or "")
    (note,) = (note for note in built.report.notes if "The .git that app was built with is shallow" in note)
    assert "fetch-depth: 0" in note


@pytest.mark.usefixtures("session")
async def test_without_a_word_of_the_configuration_no_build_is_given_git(tagged: Repository) -> None:
    tagged.configure((IMAGE % "x").replace("git: true\n", ""))
    (found,) = failures(await build(tagged.path))["app@linux/amd64"]
    assert "not a git repository" in (found.stderr or "")


@pytest.mark.usefixtures("session")
async def test_what_is_missing_is_said_before_anything_is_built(tagged: Repository) -> None:
    tagged.configure((IMAGE % "x").strip() + '\ngenerated: [ui/build, "dist/**/*.whl", hello.txt]\n')
    with pytest.raises(DrydockError) as caught:
        await build(tagged.path, history=False)
    assert str(caught.value).splitlines() == [
        "Nothing was built, since what the build needs is not there:",
        "  .git (of app): the configuration says git: true, and the call does not give it: add --git .git",
        "  ui/build (of app): named under generated: and not there: run the step that makes it",
        "  dist/**/*.whl (of app): named under generated: and not there: run the step that makes it",
    ]
    tagged.write({"ui/build/index.html": "", "dist/a/b/c.whl": ""})
    with pytest.raises(DrydockError) as caught:
        await build(tagged.path, history=False)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("configured", "refused"),
    [
        (["http.https://github.com/.extraheader", "AUTHORIZATION: basic c2VjcmV0"], True),
        (["remote.origin.url", "https://ada:s3cret@example.com/a.git"], True),
        (["remote.origin.url", "https://ada@example.com/a.git"], False),
        (["remote.origin.url", "git@example.com:a.git"], False),
    ],
)
async def test_a_credential_in_its_configuration_is_refused(
    tagged: Repository, configured: list[str], *, refused: bool
) -> None:
    git(tagged.path, "config", *configured)
    found = await definition(tagged.path)
    assert (found.history is None) == refused
    assert bool(re.match(r"\.git/config:\d+ holds a credential, and the build of app", found.fault)) == refused
    assert not re.search("c2VjcmV0|s3cret", found.fault)
    tagged.write({".dockerignore": KEPT + ".git/config\n"})
    found = await definition(tagged.path)
    assert found.history
    assert not found.fault


async def definition(path: Path, revision: str | None = None) -> Definition:
    source = directory(path)
    plan = plan_build(await read_config(source, None), revision=revision)
    return (await read_definitions(plan, source, git=directory(path, ".git")))["app"]


@pytest.mark.usefixtures("session")
async def test_the_git_of_a_worktree_is_refused_since_it_has_no_history(tagged: Repository, tmp_path: Path) -> None:
    git(tagged.path, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    source = directory(tagged.path)
    plan = plan_build(await read_config(source, None))
    for folder in (directory(tagged.path, ".git", "worktrees", "tree"), directory(tagged.path, "deploy")):
        assert "build in a clone" in (await read_definitions(plan, source, git=folder))["app"].fault


@pytest.mark.usefixtures("session")
async def test_the_commit_is_an_input_and_the_files_of_git_are_not(tagged: Repository) -> None:
    """Of one commit, .git differs after each fetch and checkout."""

    async def inputs(revision: str | None, version: str = "") -> dict[str, str]:
        source = directory(tagged.path)
        plan = plan_build(await read_config(source, None), revision=revision)
        plan = fill_plan(plan, Values(revision=revision, version=version), Missing.STAYS)
        definitions = await read_definitions(plan, source, git=directory(tagged.path, ".git"))
        targets = Destination().targets(plan)
        found = await describe_plan(plan, definitions, targets)
        return {**found.unknown, **{name: each[INPUTS] for name, each in found.records.items()}}

    first = await inputs("1" * 40)
    (tagged.path / ".git/FETCH_HEAD").write_text("fetched\n")
    git(tagged.path, "gc", "--quiet")
    assert await inputs("1" * 40) == first
    assert (await inputs("2" * 40)) != first
    assert (await inputs("1" * 40, "1.2.3")) != first
    assert await inputs(None) == {"app": "its build is given .git, and no --revision says at which commit"}


@pytest.mark.usefixtures("session")
async def test_what_the_ignore_file_keeps_out_stays_out(tagged: Repository) -> None:
    tagged.write({".dockerignore": ".git\n"})
    assert (await definition(tagged.path)).history is None
    tagged.write({".dockerignore": "*\n!.git/HEAD\n"})
    history = (await definition(tagged.path)).history
    assert history
    assert await history.folder.glob("**") == ["HEAD"]


def test_the_command_line_gives_git_and_names_what_is_missing(tagged: Repository, call: Call) -> None:
    planned = call("plan")
    assert planned.code == 0, planned.err
    assert "A build would not find\n.git (of app): the configuration says git: true" in planned.out
    built = call("--git", str(tagged.path / ".git"), "build-all")
    assert built.code == 0, built.err
    assert "1 variant: 1 ok" in built.out


def test_a_link_to_a_dockerfile_is_built_validated_and_proposed_once(repository: Repository, call: Call) -> None:
    (repository.path / "docker").mkdir()
    (repository.path / "Dockerfile").rename(repository.path / "docker/Dockerfile.debian")
    (repository.path / "Dockerfile").symlink_to("docker/Dockerfile.debian")
    done = call("--auto-apply", "init")
    assert done.code == 0, done.err
    proposed = (repository.path / "deploy/images.yaml").read_text()
    assert proposed.count("- name: debian") == proposed.count("dockerfile:") == 1
    assert "#   Dockerfile: a link to docker/Dockerfile.debian, which is one image" in proposed

    image = "name: {}\ndockerfile: {}\nplatforms: [linux/amd64]\nsmoke: [{{file: {{path: /srv/hello.txt}}}}]"
    repository.configure(image.format("a", "Dockerfile"), image.format("b", "docker/Dockerfile.debian"))
    (repository.path / ".github/workflows/images.yml").unlink()  # it has a job for a platform that is none any more
    found = call("validate", "--offline").out
    assert found.count("base-unpinned") == 1
    assert found.count("is a link to 'docker/Dockerfile.debian'") == 1
    assert "\nWARNING  Dockerfile:" not in found
    built = call("build-all", "--only", "a")
    assert built.code == 0, built.err
