"""Which images can be stood in for: what a FROM names becomes a recipe, or a sentence that says why not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.engine import cpython, languages, servers
from deploy.engine.cache import Cache
from deploy.engine.errors import EngineError
from deploy.engine.recipe import SUITES, Recipe, refuse

NAMES = ("debian", "golang", "nginx", "node", "postgres", "python", "redis")
RELEASES = {"13": "trixie", "12": "bookworm", "stable": "trixie", "oldstable": "bookworm", "latest": "trixie"}
_ELSEWHERE = (
    "Put the genuine image into the mirror where it can be had (docs/self-hosted.md), or build on a machine that "
    "reaches an image registry."
)
_SLIM = ("debian", "python", "node")  # images that have such variants


@dataclass(frozen=True, slots=True)
class Tag:
    """The parts of a tag: 22-bookworm-slim is version 22 on bookworm, slim."""

    version: str
    suite: str | None
    slim: bool


def recipe(cache: Cache, reference: str) -> Recipe:
    """Find the recipe of the stand-in of an image, as users name it in a FROM; refuse it where there is none.

    Args:
        cache: where the clients of registries are kept.
        reference: such as "node:22-slim" or "docker.io/library/node:22-slim".

    """
    name, tag = split(reference)
    parts = parse(name, tag)
    if name == "debian":
        suite = parts.suite or RELEASES.get(parts.version or "latest")
        if suite is None:
            raise refuse(
                reference, f"it is made for {' and '.join(SUITES)} as they are today", "Name debian:trixie-slim."
            )
        return languages.debian(tag, suite)
    if name == "python":
        return cpython.python(tag, parts.version, parts.suite or SUITES[0], slim=parts.slim)
    if name == "golang":
        return languages.golang(cache, tag, parts.version, parts.suite or SUITES[0])
    if name == "node":
        return languages.node(cache, tag, parts.version, parts.suite, slim=parts.slim)
    make = {"nginx": servers.nginx, "postgres": servers.postgres, "redis": servers.redis}[name]
    return make(tag, parts.version, parts.suite)


def split(reference: str) -> tuple[str, str]:
    """Split an image's reference into the name of an official image and its tag; refuse what no registry here has."""
    shown = reference.removeprefix("docker.io/").removeprefix("library/")
    if "@" in shown:
        raise refuse(reference, "a digest names the genuine image alone", _ELSEWHERE)
    name, _, tag = shown.partition(":")
    if "/" in name:
        raise refuse(reference, "only official images of docker.io are stood in for", _ELSEWHERE)
    if "alpine" in name or "alpine" in tag:
        raise refuse(reference, "it is made of Alpine's packages, which no registry here serves", _ELSEWHERE)
    if name not in NAMES:
        raise refuse(reference, f"there are stand-ins of {', '.join(NAMES)}, and of no other image", _ELSEWHERE)
    if tag and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag):
        raise EngineError(f"{reference!r} names no image.\n  Name one as in a FROM, such as node:22-slim.")
    return name, tag or "latest"


def parse(name: str, tag: str) -> Tag:
    """Read a tag of an official image; refuse variants that there is no stand-in of."""
    version, suite, slim = "", None, False
    for part in tag.split("-"):
        if part in SUITES:
            suite = part
        elif part == "slim" and name in _SLIM:
            slim = True
        elif part in ("latest", "current") and name != "debian":
            continue
        elif not version and _is_version(name, part):
            version = part
        else:
            instead = f"Name a tag of a version, a suite ({', '.join(SUITES)})"
            raise refuse(f"{name}:{tag}", f"the variant {part!r} is not known here", f"{instead} and slim.")
    return Tag(version, suite, slim)


def _is_version(name: str, part: str) -> bool:
    if name == "debian":
        return part in RELEASES
    return part in servers.FLOATING if name == "nginx" and part.isalpha() else bool(re.fullmatch(r"\d+(\.\d+)*", part))
