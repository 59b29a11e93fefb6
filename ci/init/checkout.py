"""Tells what a build needs of a checkout besides the files of the commit: .git, submodules, files of Git LFS."""

from __future__ import annotations

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
    return sorted(path for path in files if path in {*own, MODULES} or path.rpartition("/")[2] == ATTRIBUTES)


def read_brought(
    dockerfile: str, context: str, sources: Iterable[str], paths: AbstractSet[str], texts: Mapping[str, str]
) -> Brought:
    """Read what an image needs.

    Args:
        dockerfile: its path.
        context: the folder that it copies from.
        sources: what it copies.
        paths: all files and folders of the source.
        texts: those of the files that `describing` lists.

    """
    taken = [clean_source(source) for source in sources]
    inputs: set[Input] = set()
    notes: list[str] = []
    ignore_file = next((path for path in ignore_files(dockerfile, ".") if path in texts), "")
    if context == "." and (line := parse_ignore(texts.get(ignore_file, "")).brings_back(GIT)):
        inputs.add(Input.HISTORY)
        notes.append(f"{ignore_file}:{line.line} asks for {GIT}: calls that build give it by --git {GIT}")
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
