"""Finds the repositories that a workflow keeps in secrets and variables where people are told to pull from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ci.init.holes import HOLE
from ci.init.released import Built, unique
from ci.init.tagging import is_plain, not_plain

_IN_COMPOSE = re.compile(r"(?m)^\s*image:\s*[\"']?([a-z0-9.-]+\.[a-z]+/[a-z0-9._/-]+)")
_NAME = r"([a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*[a-z0-9])"
_IN_README = tuple(
    (re.compile(pattern), registry)
    for pattern, registry in (
        (rf"hub\.docker\.com/(?:r|repository/docker)/{_NAME}", "docker.io/"),
        (rf"docker pull (?:docker\.io/)?{_NAME}(?![\w/-])", "docker.io/"),
        (rf"\bquay\.io/(?:repository/)?{_NAME}", "quay.io/"),
        (rf"\bghcr\.io/{_NAME}", "ghcr.io/"),
        (r"github\.com/([a-z0-9][\w.-]*)/[\w.-]+/pkgs/container/([a-z0-9][\w.-]*\w)", "ghcr.io/"),
    )
)
# What a secret is called that holds a repository there.
_WORDS = {"docker.io": "docker|hub", "ghcr.io": "ghcr|github", "quay.io": "quay"}


def is_readme(path: str) -> bool:
    """Tell whether a file is what a repository says of itself first."""
    return path.lower() == "readme.md"


def pulled(compose: Mapping[str, str], readme: str) -> dict[str, str]:
    """List the repositories that compose files and a README pull from, each with the file that says so."""
    found = {name: "compose files" for text in compose.values() for name in _IN_COMPOSE.findall(text)}
    named = (
        registry + "/".join(match.groups()) for pattern, registry in _IN_README for match in pattern.finditer(readme)
    )
    return {name: where for name, where in {**dict.fromkeys(named, "the README"), **found}.items() if is_plain(name)}


def find_hidden(image: Built, known: Mapping[str, str], project: str) -> Built:
    """Give an image whose repositories secrets or variables tell those that people are told to pull from.

    Args:
        image: what a workflow builds.
        known: as `pulled` lists them.
        project: the name of the repository, as far as known.

    """
    if image.local or (image.repositories and not image.hidden):
        return image
    own = {repository.rpartition("/")[2] for repository in image.repositories}
    wanted = own or {project.lower()}
    fitting = [name for name in known if wanted & set(name.split("/")[1:]) and name not in image.repositories]
    if image.hidden:
        fitting = [name for name in fitting if any(_may_be(name, hidden) for hidden in image.hidden)]
    by_registry = {name.partition("/")[0]: name for name in reversed(fitting)}
    found = tuple(name for name in fitting if by_registry[name.partition("/")[0]] == name)
    left = [hidden for hidden in image.hidden if not any(_may_be(name, hidden) for name in found)]
    notes = tuple(f"repository: a guess, {name} is what {known[name]} pull{_ending(known[name])}" for name in found)
    lost = tuple(line for line in image.lost if not _told(line, image.hidden, left))
    return replace(image, repositories=unique((*image.repositories, *found)), notes=(*image.notes, *notes), lost=lost)


def _ending(where: str) -> str:
    return "" if where.endswith("s") else "s from"


def _told(line: str, hidden: Sequence[str], left: Sequence[str]) -> bool:
    """Tell whether a line says of a repository that it is not plain, which was found elsewhere."""
    return any(line.endswith(not_plain(name)) for name in hidden if name not in left)


def _may_be(name: str, hidden: str) -> bool:
    """Tell whether a repository may be the one behind secrets: by what is plain in it, and by the secret's name."""
    registry = name.partition("/")[0]
    last = hidden.rpartition("/")[2]
    if last and not HOLE.search(last) and not name.endswith(f"/{last}"):
        return False
    words = " ".join(HOLE.findall(hidden))
    if not HOLE.search(hidden.partition("/")[0]) and hidden.partition("/")[0] != "docker.io":
        return registry == hidden.partition("/")[0]
    spoken = [known for known, pattern in _WORDS.items() if re.search(rf"(?i){pattern}", words)]
    return registry in spoken or not spoken
