"""Tells what of a source git keeps elsewhere: submodules, and files of Git LFS."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from ci.dockerfile.ignore import glob_expression

GIT, MODULES, ATTRIBUTES = ".git", ".gitmodules", ".gitattributes"
_SUBMODULE = re.compile(r"^\s*path\s*=\s*(.+?)\s*$", re.MULTILINE)
_FILTER = re.compile(r"\s(-|!)?filter(?:=(\S+))?(?=\s|$)")

# Patterns of whole paths, each with whether Git LFS keeps what matches; the last one counts.
Rules = tuple[tuple[re.Pattern[str], bool], ...]


def list_submodules(text: str) -> tuple[str, ...]:
    """List the folders that a .gitmodules names."""
    return tuple(posixpath.normpath(path.strip('"')) for path in _SUBMODULE.findall(text))


def read_attributes(texts: Mapping[str, str]) -> Rules:
    """Read which files Git LFS keeps; nothing where it keeps none.

    Args:
        texts: every .gitattributes of a source, by its path.

    """
    rules = tuple(
        rule
        for file in sorted(texts, key=lambda path: path.count("/"))
        for line in texts[file].splitlines()
        for rule in _rules(posixpath.dirname(file), line)
    )
    return rules if any(kept for _, kept in rules) else ()


def is_tracked(path: str, rules: Rules) -> bool:
    """Tell whether Git LFS keeps a file."""
    return next((kept for expression, kept in reversed(rules) if expression.fullmatch(path)), False)


def _rules(folder: str, line: str) -> Iterator[tuple[re.Pattern[str], bool]]:
    found = _FILTER.search(line)
    if not found or line.lstrip().startswith("#"):
        return
    pattern = line.split(maxsplit=1)[0].strip('"').replace("[[:space:]]", " ")
    pattern = pattern.lstrip("/") if "/" in pattern else f"**/{pattern}"
    try:
        yield glob_expression(posixpath.join(folder, pattern)), not found[1] and found[2] == "lfs"
    except ValueError:
        return  # git passes over it
