"""Tells what a Dockerfile takes from its context, and whether a path is in that."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ci.dockerfile.ignore import glob_expression
from ci.dockerfile.stages import Scope, list_mounts


def list_taken(scopes: Sequence[Scope]) -> tuple[tuple[int, str], ...]:
    """List what the stages of a Dockerfile take from their context, each behind its line; "." is all of it."""
    found: list[tuple[int, str]] = []
    for step in (step for scope in scopes for step in scope.steps):
        paths = [path for path in step.copied() if path is not None]
        paths += [m.source for m in list_mounts(step.made) if m.kind == "bind" and not m.origin and "$" not in m.source]
        found += [(step.made.line, clean_source(path)) for path in paths]
    return tuple(found)


def clean_source(path: str) -> str:
    """Write the source of a COPY without its needless parts, relative to the context."""
    return posixpath.normpath(path.lstrip("/") or ".")


def relative_to(context: str, path: str) -> str:
    """Name a path of the source as one of a context; "." where it holds the context, "" where it is elsewhere."""
    if context == ".":
        return path
    if path.startswith(f"{context}/"):
        return path.removeprefix(f"{context}/")
    return "." if context == path or context.startswith(f"{path}/") else ""


def meets(source: str, path: str) -> bool:
    """Tell whether a COPY takes a path, something in it, or a folder that it is in; both may be patterns."""
    if "." in (source, path):
        return True
    return any(_same(above, path) for above in _lineage(source)) or any(
        _same(source, above) for above in _lineage(path)
    )


def _same(one: str, other: str) -> bool:
    return one == other or _matches(one, other) or _matches(other, one)


def _matches(pattern: str, path: str) -> bool:
    expression = _expression(pattern)
    return expression is not None and expression.fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str] | None:
    """Read a pattern; None for a plain path, and for what is none."""
    try:
        return glob_expression(pattern) if re.search(r"[*?\[]", pattern) else None
    except ValueError:
        return None


def _lineage(path: str) -> Iterator[str]:
    """List a path and each folder above it."""
    while path:
        yield path
        path = posixpath.dirname(path)
