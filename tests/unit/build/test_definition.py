"""What a build reads of a source, which is a dictionary here."""

from contextlib import nullcontext
from dataclasses import replace
from typing import cast

import dagger
import pytest

from ci.build.definition import Definition, Resolved, _read
from ci.build.pinning import pin_bases
from ci.build.pins import Pins
from ci.core.errors import DrydockError
from ci.core.model import Config, Image, Plan
from ci.dockerfile import Base, parse_dockerfile

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


def define(text: str, *resolved: str, **changes: object) -> Definition:
    """Define an image of a Dockerfile, of whose base images some are resolved."""
    image = replace(IMAGE, **changes)  # type: ignore[arg-type]
    found = {name: Resolved(name=f"docker.io/library/{name}", digest=f"sha256:{name}") for name in resolved}
    return Definition(
        image=image,
        context=cast("dagger.Directory", None),
        text=text,
        dockerfile=parse_dockerfile(text),
        given={},
        native="linux/amd64",
        platforms=image.platforms,
        resolved={Base(reference=name, platform="linux/amd64"): one for name, one in found.items()},
    )


@pytest.mark.parametrize(
    ("definition", "pinned", "whole", "still"),
    [
        (define("FROM scratch\n"), [], True, True),
        (define("FROM a:1\n", "a:1"), ["a:1"], True, True),
        (define("FROM a:1\n"), [], False, False),  # no registry said what it is
        (define("FROM a:1\nADD https://example.com/x /\n", "a:1"), ["a:1"], True, False),
        (define("FROM a:1\nCOPY --from=$X / /\n", "a:1"), ["a:1"], False, False),
        (define("FROM a:1\nCOPY --from=b:1 / /\nCOPY --from=c / /\n", "a:1", "b:1"), ["a:1", "b:1"], False, False),
        (define("# syntax=docker/dockerfile:1\nFROM a:1\n", "a:1"), ["a:1"], True, True),
        (define("# syntax=acme/frontend:1\nFROM a:1\n", "a:1"), ["a:1"], False, False),
        (define("FROM a:1\n", "a:1", build_args={"BUILDKIT_SYNTAX": "acme/frontend:1 x"}), ["a:1"], False, False),
        (define("FROM a:1\n", "a:1", build_args={"BUILDKIT_SYNTAX": "docker/dockerfile:1"}), ["a:1"], True, True),
        (define("FROM a:1\n", "a:1", "b:1", contexts={"b:1": "docker-image://b:1"}), ["a:1", "b:1"], True, True),
        (define("RUN true\n"), [], False, False),
    ],
)
def test_what_is_known_beforehand_is_pinned(
    definition: Definition, pinned: list[str], *, whole: bool, still: bool
) -> None:
    pins = definition.pins("linux/amd64")
    assert pins.digests == {f"docker.io/library/{name}": f"sha256:{name}" for name in pinned}
    assert (pins.whole, pins.still) == (whole, still)


PINNED = {"docker.io/library/a:1": "sha256:a", "ghcr.io/acme/b": "sha256:b"}


@pytest.mark.parametrize(
    ("digests", "whole", "source", "message"),
    [
        (PINNED, True, ("a:1", "sha256:a"), ""),
        (PINNED, True, ("ghcr.io/acme/b", "sha256:b"), ""),
        (PINNED, True, ("a:1", "sha256:c"), "sha256:a was resolved before it began; run the same command again"),
        (PINNED, False, ("a:1", "sha256:c"), "sha256:a was resolved before it began"),
        # A step that was cached tells of the image by an earlier name of it.
        (PINNED, True, ("a:1", "sha256:b"), ""),
        (PINNED, True, ("renamed", "sha256:b"), ""),
        (PINNED, True, ("c", "sha256:c"), r"named context: contexts: \{c: docker-image://c\}"),
        (PINNED, False, ("c", "sha256:c"), ""),
        ({}, True, ("c", "sha256:c"), "nobody knew of it before it began"),  # FROM scratch
        ({}, False, ("c", "sha256:c"), ""),
    ],
)
def test_what_a_build_took_is_held_against_the_pins(
    digests: dict[str, str], *, whole: bool, source: tuple[str, str], message: str
) -> None:
    pins = Pins(digests=digests, whole=whole, still=whole)
    with pytest.raises(DrydockError, match=message) if message else nullcontext():
        pins.check([source])


def test_bases_are_pinned_to_what_they_were() -> None:
    defined = define("FROM python:3.13-slim AS a\nFROM ghcr.io/acme/base:1\nCOPY --from=a / /\n", "python:3.13-slim")
    gone = Base(reference="ghcr.io/acme/base:1", platform="linux/amd64")
    defined = replace(defined, unresolved={gone: DrydockError("gone")})
    old, older = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    pinned, notes = pin_bases(defined, {"python:3.13-slim": old, "ghcr.io/acme/base:1": older, "unused": old})
    assert pinned.pins("linux/amd64").digests == {
        "docker.io/library/python:3.13-slim": old,
        "ghcr.io/acme/base:1": older,
    }
    assert pinned.unresolved == {}
    assert len(notes) == 2
    assert pin_bases(defined, {})[1] == ()
