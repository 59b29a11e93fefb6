"""Reads where images and their layer cache are kept: templates of repositories, and what is done with the cache."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ci.config.checks import LINE
from ci.config.cursor import Cursor, take
from ci.core.errors import SelectionError
from ci.core.model import Cache, CacheMode
from ci.core.names import PLACEHOLDERS, TEMPLATE, fill_repository, repository_fault
from ci.core.text import nearest, show

REPOSITORY_HELP = "a registry and a repository in lower case, such as ghcr.io/acme/{name}"
CACHE_KEYS = ("mode", "repository")
MODES = tuple(mode.value for mode in CacheMode)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")


def read_repositories(cursor: Cursor, names: Sequence[str]) -> tuple[str, ...]:
    """Read the template of a repository, or a list of them, for the images of these names."""
    if cursor.kind == "seq":
        return cursor.unique(lambda item: read_repository(item, names))
    template = read_repository(cursor, names)
    return (template,) if template else ()


def read_repository(cursor: Cursor, names: Sequence[str]) -> str:
    """Read the template of a repository, which has to be legal for each of the images of these names."""
    template = cursor.matching(LINE, REPOSITORY_HELP)
    if not template:
        return ""
    unknown = [p for p in _PLACEHOLDER.findall(template) if p not in PLACEHOLDERS]
    for placeholder in unknown:
        cursor.report(
            f"the placeholder {show(placeholder)} is not known",
            accepted=", ".join(PLACEHOLDERS),
            nearest=nearest(placeholder, PLACEHOLDERS),
        )
    known = [name for name in names if name] or ["name"]
    filled = (fill_repository(template, name=name, owner="owner") for name in known)
    faults = (repository_fault(repository) for repository in filled)
    if not unknown and (fault := next(filter(None, faults), "")):
        cursor.report(fault, accepted=REPOSITORY_HELP)
    return template


def read_cache(cursor: Cursor, names: Sequence[str]) -> Cache:
    """Read what is done with the layer cache: a word, or a mapping that may name its repository too."""
    default = Cache()
    if cursor.kind != "map":
        return replace(default, mode=_mode(cursor, f"{', '.join(MODES)}, or a mapping of {' and '.join(CACHE_KEYS)}"))
    fields = cursor.record({}, CACHE_KEYS)
    return Cache(
        mode=take(fields, "mode", lambda c: _mode(c, ", ".join(MODES)), default.mode),
        repository=take(fields, "repository", lambda c: read_repository(c, names), default.repository),
    )


def _mode(cursor: Cursor, accepted: str) -> CacheMode:
    # As it is written: YAML takes an unquoted off for false.
    written = cursor.quiet().raw() if cursor.single else ""
    if written in MODES:
        return CacheMode(written)
    cursor.report(f"{cursor.shown} is not known", accepted=accepted, nearest=nearest(written, MODES))
    return CacheMode.OFF


def parse_cache(text: str, base: Cache) -> Cache:
    """Read what --cache says: a word, or the template of a repository.

    Args:
        text: one of off, read and write, which leaves the repository as it is; or a repository, which leaves the mode
            as it is, but where that is off: who names a repository wants it to be used.
        base: what the configuration says.

    Raises:
        SelectionError: it is neither.

    """
    if text in MODES:
        return replace(base, mode=CacheMode(text))
    if TEMPLATE.fullmatch(text) and not repository_fault(fill_repository(text, name="name", owner="owner")):
        mode = Cache().mode if base.mode is CacheMode.OFF else base.mode
        return Cache(mode=mode, repository=text)
    close = nearest(text, MODES)
    hint = f"; did you mean {close!r}?" if close else ""
    raise SelectionError(f"--cache {text!r} is not one of {', '.join(MODES)}, nor {REPOSITORY_HELP}{hint}")
