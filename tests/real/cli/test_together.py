"""Calls that build at the same time on one engine: those of one repository wait for each other, and say so."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ci.build.daemon import WAITING

from .conftest import Call, Repository, Result

pytestmark = pytest.mark.timeout(600)

LONG = 20  # seconds of each build
IMAGE = """\
name: app
dockerfile: Dockerfile
platforms: [linux/amd64]
smoke: [{name: own, run: [cat, /who], stdout: {equals: NAME}}]
"""
LATE = re.compile(r"The builds began ([\d.]+) s late: another call of this repository")


def make(path: Path, repository: str) -> Repository:
    """Make a source whose build takes some seconds, and is like no other."""
    made = Repository(path)
    made.write({"Dockerfile": f"FROM python:3.13-slim\nRUN : {uuid.uuid4()}; sleep {LONG}; echo {path.name} > /who\n"})
    made.configure(IMAGE.replace("NAME", path.name), top=f"repository: registry.test/{repository}/{{name}}")
    return made


def test_two_of_one_repository_wait_and_two_repositories_do_not(call: Call, tmp_path: Path) -> None:
    name = uuid.uuid4().hex[:8]
    sources = [make(tmp_path / "one", name), make(tmp_path / "same", name), make(tmp_path / "other", f"{name}-other")]

    def build(repository: Repository) -> Result:
        return call("build-all", source=repository.path)

    with ThreadPoolExecutor(3) as pool:
        one, same, other = pool.map(build, sources)
    for done in (one, same, other):
        assert done.code == 0, done.err
        assert "1 ok, 0 failed, smoke 1/1" in done.out
        assert (WAITING in done.err) == bool(LATE.search(done.out))
    (late,) = [float(found[1]) for done in (one, same) if (found := LATE.search(done.out))]
    assert late > LONG / 3
    assert WAITING not in other.err
