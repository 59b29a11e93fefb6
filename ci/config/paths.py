"""Reads the paths that a configuration names: relative to the source, inside it, and of the right kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ci.config.checks import LINE
from ci.config.cursor import Cursor
from ci.core.text import nearest, show

PATH_HELP = "a path relative to the source, with / between its parts"
_GENERATED_HELP = f"{PATH_HELP}; *, ** and ? stand for what differs"


class PathKind(StrEnum):
    """What a path of the source turns out to be."""

    FILE = "file"
    DIRECTORY = "directory"
    MISSING = "missing"
    OUTSIDE = "outside"  # a link that leads out of the source
    GENERATED = "generated"  # not there before a step makes it


Kinds = Mapping[str, PathKind] | None  # what the paths are; None: nobody looked


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What is known of the source that a configuration is of."""

    kinds: Kinds = None
    texts: Mapping[str, str] | None = None  # of the files that the configuration reads on; None: nobody looked


def read_path(cursor: Cursor) -> str:
    """Read a path that stays inside the source, without its needless parts."""
    path = cursor.matching(LINE, PATH_HELP)
    parts = path.split("/")
    fault = ""
    if path.startswith("/"):
        fault = "is absolute"
    elif ".." in parts:
        fault = "leads upwards"
    elif "\\" in path:
        fault = "holds a backslash"
    if fault:
        cursor.report(f"{show(path)} {fault}", accepted=PATH_HELP)
    if fault or not path:
        return ""
    return "/".join(part for part in parts if part not in ("", ".")) or "."


def read_generated(cursor: Cursor) -> tuple[str, ...]:
    """Read the paths and patterns of what a step makes before the build."""
    return cursor.unique(_generated)


def _generated(cursor: Cursor) -> str:
    path = read_path(cursor)
    if path == "." or "[" in path or "]" in path:
        cursor.report(f"{show(path)} is not accepted", accepted=_GENERATED_HELP)
    return path


def expect_generated(kinds: Kinds, generated: Iterable[str]) -> Kinds:
    """Say of what is missing that a step makes it, where that is what the configuration says."""
    if kinds is None:
        return None
    made = tuple(generated)
    return {
        path: PathKind.GENERATED
        if kind == PathKind.MISSING and any(path == other or path.startswith(f"{other}/") for other in made)
        else kind
        for path, kind in kinds.items()
    }


def read_file(cursor: Cursor, kinds: Kinds, what: str = "a Dockerfile") -> str:
    """Read the path of a file."""
    path = read_path(cursor)
    if fault := _fault(path, PathKind.FILE, kinds):
        files = [other for other, kind in (kinds or {}).items() if kind == PathKind.FILE]
        cursor.report(f"{show(path)} {fault}", accepted=f"{what} of the source", nearest=nearest(path, files))
    return path


def read_folder(cursor: Cursor, kinds: Kinds) -> str:
    """Read the path of a folder."""
    path = read_path(cursor)
    if fault := _fault(path, PathKind.DIRECTORY, kinds):
        cursor.report(f"{show(path)} {fault}", accepted="a directory of the source")
    return path


def _fault(path: str, wanted: PathKind, kinds: Kinds) -> str:
    """Say why a path of the source is not what it has to be; nothing if it is, or nobody looked."""
    kind = PathKind.DIRECTORY if path == "." else (kinds or {}).get(path, PathKind.MISSING)
    if not path or kind in (wanted, PathKind.GENERATED) or (kinds is None and path != "."):
        return ""
    return {
        PathKind.FILE: "is a file",
        PathKind.DIRECTORY: "is a directory",
        PathKind.MISSING: "does not exist",
        PathKind.OUTSIDE: "is a link that leads out of the source",
    }[kind]
