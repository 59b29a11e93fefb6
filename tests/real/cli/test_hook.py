"""The git hook, in a real repository with a real remote: a push that is refused, and others that go through."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT, Repository

pytestmark = pytest.mark.timeout(900)

IMAGE = """\
name: app
dockerfile: Dockerfile
platforms: [linux/amd64, linux/arm64]
smoke: [{name: greets, run: [python, -c, "print('hi')"], stdout: {equals: hi}}]
"""


class Clone:
    def __init__(self, path: Path, remote: Path) -> None:
        self.path = path
        shutil.copytree(ROOT / ".githooks", path / ".githooks")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.test")
        self.git("config", "drydock.module", str(ROOT))
        subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True, timeout=60)
        self.git("remote", "add", "origin", str(remote))
        self.remote = remote

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, capture_output=True, text=True, check=False, timeout=300, env=env
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def install(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", ".githooks/install"], cwd=self.path, capture_output=True, text=True, check=False, timeout=60
        )

    def remote_commit(self) -> str:
        asked = ["git", "-C", str(self.remote), "rev-parse", "--verify", "--quiet", "main"]
        return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60).stdout.strip()

    def local_commit(self) -> str:
        return self.git("rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def clone(repository: Repository, tmp_path: Path) -> Clone:
    repository.configure(IMAGE)
    repository.write({".dockerignore": ".git\n"})
    made = Clone(repository.path, tmp_path / "remote.git")
    assert made.install().returncode == 0
    return made


def test_a_push_is_refused_until_the_mistake_is_mended_or_git_is_told_not_to_verify(
    clone: Clone, repository: Repository
) -> None:
    repository.write({"Dockerfile": "FROM python:3.13-slim\nCOPY helo.txt /srv/\n"})
    clone.commit("Copy what is not there")
    refused = clone.git("push", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "Dockerfile:2" in refused.stderr
    assert "Did you mean 'hello.txt'?" in refused.stderr
    assert not clone.remote_commit()

    repository.write({"Dockerfile": "FROM python:3.13-slim\nCOPY hello.txt /srv/\n"})
    clone.commit("Copy what is there")
    accepted = clone.git("push", "origin", "main")
    assert "base-unpinned" in accepted.stdout + accepted.stderr  # what is no error is shown all the same
    assert clone.remote_commit() == clone.local_commit()

    repository.write({"Dockerfile": "FORM python:3.13-slim\n"})
    clone.commit("Be in a hurry")
    assert clone.git("push", "origin", "main", check=False).returncode != 0
    clone.git("push", "--no-verify", "origin", "main")
    assert clone.remote_commit() == clone.local_commit()


def test_build_all_on_the_native_platform_is_a_setting(clone: Clone, repository: Repository) -> None:
    clone.git("config", "drydock.prePush", "build-all")
    repository.configure(f"{IMAGE}git: true\n")  # without .git, such a build is refused
    clone.commit("Begin")
    built = clone.git("push", "origin", "main")
    assert "app@linux/amd64" in built.stdout + built.stderr
    assert "app@linux/arm64" not in built.stdout + built.stderr
    repository.configure(IMAGE.replace("equals: hi", "equals: bye"))
    clone.commit("Expect something else")
    refused = clone.git("push", "origin", "main", check=False)
    assert refused.returncode != 0
    assert "expected stdout to equal 'bye'" in refused.stderr
    clone.git("config", "drydock.prePush", "nothing")
    assert "accepted: validate, build-all" in clone.git("push", "origin", "main", check=False).stderr


def test_a_push_that_only_deletes_is_let_through(clone: Clone) -> None:
    clone.commit("Begin")
    clone.git("push", "--no-verify", "origin", "main", "main:topic")
    assert "only deletes refs" in clone.git("push", "origin", ":topic").stderr


def test_the_installer_ends_nobody_elses_hooks(clone: Clone) -> None:
    assert clone.install().returncode == 0  # again
    clone.git("config", "core.hooksPath", "their-hooks")
    assert "their-hooks" in clone.install().stderr
    clone.git("config", "--unset", "core.hooksPath")
    other = clone.path / ".git/hooks/pre-commit"
    other.parent.mkdir(exist_ok=True)
    other.write_text("#!/bin/sh\n")
    refused = clone.install()
    assert refused.returncode != 0
    assert "pre-commit would no longer run" in refused.stderr
