"""What a build reads of a source, which is a dictionary here."""

from typing import cast

import dagger
import pytest

from ci.build.definition import _read
from ci.core.model import Config, Image, Plan

IMAGE = Image(name="app", dockerfile="api/Dockerfile", platforms=("linux/amd64",), context="api", smoke=())
PLAN = Plan(config=Config(repositories=("example.com/app",), images=(IMAGE,)), variants=())
FROM = {"api/Dockerfile": "FROM scratch\n"}


class Source:
    """As much of a dagger.Directory as is read."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.excluded: list[str] = []

    async def exists(self, path: str) -> bool:
        return path in self.files

    def directory(self, _: str) -> "Source":
        return self

    def filter(self, exclude: list[str]) -> "Source":
        self.excluded = exclude
        return self

    def file(self, path: str) -> "File":
        return File(self.files[path])


class File:
    def __init__(self, text: str) -> None:
        self.text = text

    async def contents(self) -> str:
        return self.text


@pytest.mark.parametrize(
    ("files", "excluded"),
    [
        ({}, []),
        ({"api/.dockerignore": "a"}, ["a"]),
        ({"api/Dockerfile.dockerignore": "b", "api/.dockerignore": "a"}, ["b"]),
        ({"api/Dockerfile.dockerignore": "", "api/.dockerignore": "a"}, []),  # an empty one counts
        ({".dockerignore": "a"}, []),
    ],
)
async def test_the_ignore_file_named_after_the_dockerfile_counts(files: dict[str, str], excluded: list[str]) -> None:
    source = Source({**FROM, **files})
    await _read(PLAN, cast("dagger.Directory", source), "linux/amd64", IMAGE)
    assert source.excluded == excluded
