"""Tells what a build needs of a checkout besides the files of the commit: .git, submodules, files of Git LFS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from ci.dockerfile import (
    ATTRIBUTES,
    GIT,
    MODULES,
    clean_source,
    ignore_files,
    is_tracked,
    list_submodules,
    meets,
    parse_ignore,
    read_attributes,
    relative_to,
)

# What asks git for a version, in files at the root of a source, and the commands that run it.
_ASKS = r"\bgit (?:describe|rev-parse|log|show)\b"
_BY_PACKAGE = (
    r"\b(setuptools[-_]scm|hatch[-_]vcs|setuptools[-_]git[-_]versioning|poetry[-_]dynamic[-_]versioning|versioningit|"
    r"versioneer|pbr)\b"
)
_BUILDS = r"\b(?:pip3?|uv|poetry|hatch|pdm|build|setup\.py)\b"
ASKING = {
    "Makefile": (rf"({_ASKS})", r"\bmake\b"),
    "GNUmakefile": (rf"({_ASKS})", r"\bmake\b"),
    "pyproject.toml": (_BY_PACKAGE, _BUILDS),
    "setup.cfg": (_BY_PACKAGE, _BUILDS),
    "setup.py": (_BY_PACKAGE, _BUILDS),
}


class Input(StrEnum):
    """What brings it: the line among the inputs of actions/checkout."""

    HISTORY = "fetch-depth: 0"
    SUBMODULES = "submodules: true"
    LFS = "lfs: true"


@dataclass(frozen=True, kw_only=True, slots=True)
class Brought:
    """What a checkout has to bring for one image, and what its owner should know of that."""

    inputs: frozenset[Input] = frozenset()
    notes: tuple[str, ...] = ()


def describing(dockerfiles: Iterable[str], files: AbstractSet[str]) -> list[str]:
    """List the files of a source that tell it, as far as they are there."""
    own = [path for dockerfile in dockerfiles for path in ignore_files(dockerfile, ".")]
    wanted = {*own, *ASKING, MODULES}
    return sorted(path for path in files if path in wanted or path.rpartition("/")[2] == ATTRIBUTES)


def read_brought(
    dockerfile: str,
    context: str,
    sources: Iterable[str],
    paths: AbstractSet[str],
    texts: Mapping[str, str],
    commands: Iterable[str] = (),
) -> Brought:
    """Read what an image needs.

    Args:
        dockerfile: its path.
        context: the folder that it copies from.
        sources: what it copies.
        paths: all files and folders of the source.
        texts: those of the files that `describing` lists.
        commands: what it runs.

    """
    taken = [clean_source(source) for source in sources]
    inputs: set[Input] = set()
    notes: list[str] = []
    ignore_file = next((path for path in ignore_files(dockerfile, ".") if path in texts), "")
    if asking := _asking(context, taken, ignore_file, texts, tuple(commands)):
        inputs.add(Input.HISTORY)
        notes.append(f"{asking}: calls that build give {GIT} by --git {GIT}")
    folders = [(path, relative_to(context, path)) for path in list_submodules(texts.get(MODULES, ""))]
    copied = [path for path, inside in folders if inside and any(meets(source, inside) for source in taken)]
    if copied:
        inputs.add(Input.SUBMODULES)
        more = f" and {len(copied) - 1} others" if copied[1:] else ""
        hollow = sum(not any(other.startswith(f"{path}/") for other in paths) for path in copied)
        notes.append(f"it copies the submodule {copied[0]}{more}{f'; {hollow} empty here' if hollow else ''}")
    rules = read_attributes({path: text for path, text in texts.items() if path.rpartition("/")[2] == ATTRIBUTES})
    tracked = (path for path in sorted(paths) if rules and is_tracked(path, rules))
    inside_of = ((path, relative_to(context, path)) for path in tracked)
    if found := next((p for p, inside in inside_of if inside and any(meets(s, inside) for s in taken)), ""):
        inputs.add(Input.LFS)
        notes.append(f"it copies what Git LFS keeps, such as {found}")
    return Brought(inputs=frozenset(inputs), notes=tuple(notes))


def _asking(
    context: str, taken: Iterable[str], ignore_file: str, texts: Mapping[str, str], commands: tuple[str, ...]
) -> str:
    """Say what asks for .git in a build; "" where nothing does, or where it could not get it today either."""
    ignore = parse_ignore(texts.get(ignore_file, ""))
    if context != ".":
        return ""
    if line := ignore.brings_back(GIT):
        return f"{ignore_file}:{line.line} asks for it"
    whole = {"", "."} & set(taken)
    if ignore.excluded_by(GIT) or not whole:
        return ""
    if any(re.search(_ASKS, command) and "git clone" not in command for command in commands):
        return "a RUN asks git"
    for file, (asks, runs) in ASKING.items():
        found = re.search(asks, texts.get(file, ""))
        if found and any(re.search(runs, command) for command in commands):
            return f"{file} asks git for a version, by {found[1]}"
    return ""
