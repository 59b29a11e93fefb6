"""The source as validation sees it: which files there are, how large, and the texts of those that matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from ci.config import PathKind


class Survey(TypedDict):
    """What linters/survey.py prints."""

    files: dict[str, int]
    directories: list[str]
    kinds: dict[str, str]
    texts: dict[str, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """What a look at the source brought."""

    files: Mapping[str, int]  # path: bytes
    directories: tuple[str, ...] = ()  # those that hold nothing
    kinds: Mapping[str, PathKind] = field(default_factory=dict)  # of the paths that the configuration names
    texts: Mapping[str, str | None] = field(default_factory=dict)  # None: no text, or too long a one

    def text(self, path: str) -> str | None:
        """Read a file that was looked into."""
        return self.texts.get(path)


def parse_survey(text: str) -> Tree:
    """Read what linters/survey.py printed."""
    return make_tree(json.loads(text))


def make_tree(found: Survey) -> Tree:
    """Take what linters/survey.py found."""
    return Tree(
        files=found["files"],
        directories=tuple(found["directories"]),
        kinds={path: PathKind(kind) for path, kind in found["kinds"].items()},
        texts=found["texts"],
    )
