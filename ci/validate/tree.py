"""The source as validation sees it: which files there are, how large, and the texts of those that matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from ci.config import PathKind
from ci.dockerfile import ATTRIBUTES, MODULES, list_submodules


class Survey(TypedDict):
    """What linters/survey.py prints."""

    files: dict[str, int]
    directories: list[str]
    kinds: dict[str, str]
    texts: dict[str, str | None]
    links: dict[str, str]
    pointers: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """What a look at the source brought."""

    files: Mapping[str, int]  # path: bytes
    directories: tuple[str, ...] = ()  # those that hold nothing
    kinds: Mapping[str, PathKind] = field(default_factory=dict)  # of the paths that the configuration names
    texts: Mapping[str, str | None] = field(default_factory=dict)  # None: no text, or too long a one
    links: Mapping[str, str] = field(default_factory=dict)  # what a link is called: the file that it leads to
    pointers: tuple[str, ...] = ()  # what Git LFS has not fetched

    @property
    def submodules(self) -> tuple[str, ...]:
        """The folders of the source's submodules."""
        return list_submodules(self.text(MODULES) or "")

    @property
    def attributes(self) -> dict[str, str]:
        """Every .gitattributes, by its path."""
        return {path: text for path, text in self.texts.items() if text and path.rpartition("/")[2] == ATTRIBUTES}

    def is_empty(self, folder: str) -> bool:
        """Tell whether a folder holds no file, or is not there."""
        return not any(path.startswith(f"{folder}/") for path in self.files)

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
        links=found["links"],
        pointers=tuple(found["pointers"]),
    )
