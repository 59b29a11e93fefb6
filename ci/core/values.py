"""The values of a run, which stand as {word} in arguments, labels and annotations, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)?"
# A brace behind $ is a shell's or a template's, one behind \ is to stay, and what stands in two is a template's.
_PLACE = re.compile(
    rf"(?P<mark>[\\$])?(?P<twice>\{{)?\{{(?P<word>{_NAME})"
    rf"(?::-(?P<default>(?:[^{{}}]|\{{{_NAME}\}})*))?\}}(?(twice)\}}|)"
)

MEANING = {
    "version": "the version that is released, such as 1.2.3",
    "tag": "the git tag, such as v1.2.3",
    "ref": "the branch or the git tag, such as main or v1.2.3",
    "revision": "the commit, in full",
    "short": "its first seven digits",
    "created": "when it was made, such as 2026-01-31T12:00:00Z",
    "name": "the image's name",
    "owner": "what fills {owner} in the repository",
}
# Most runs have none of these, so that nobody may write one without saying what stands in its place.
SOMETIMES = ("version", "tag")
# For a build that is not released, where nobody says more: always the same, so that its steps stay cached.
STAND_IN = {
    "ref": "HEAD",
    "revision": "0" * 40,
    "short": "0" * 7,
    "created": "1970-01-01T00:00:00Z",
    "owner": "owner",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One {word} of a text."""

    written: str  # all of it
    word: str
    default: str | None  # what stands behind :-
    twice: bool  # written in two pairs of braces


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """What is known of a run; an empty text is not known, or not there."""

    revision: str | None = None  # the whole commit id
    created: str = ""  # RFC 3339, in UTC
    ref: str = ""  # as git or GitHub has it: main, refs/heads/main, refs/tags/v1.2.3
    version: str = ""
    owner: str = ""

    @property
    def words(self) -> dict[str, str]:
        """Say what each word stands for, but {name}, and but what is not known."""
        kind, name = "", self.ref
        if self.ref.startswith("refs/"):
            kind, _, name = self.ref.removeprefix("refs/").partition("/")
        words = {
            "version": self.version,
            "tag": name if kind == "tags" else "",
            "ref": name,
            "revision": self.revision or "",
            "short": (self.revision or "")[:7],
            "created": self.created,
            "owner": self.owner.lower(),
        }
        return {word: value for word, value in words.items() if value}


def list_places(text: str) -> Iterator[Place]:
    """List each {word} of a text, in one pair of braces or in two, but those behind $ or a backslash."""
    for found in _PLACE.finditer(text):
        if not found["mark"]:
            yield Place(
                written=found[0], word=found["word"], default=found["default"], twice=found["twice"] is not None
            )


def fill(text: str, known: Mapping[str, str], *, rest: bool = False) -> str:
    r"""Put values in the places that a text leaves for them.

    Args:
        text: with its places. One whose word is not known is filled with its default, or stays if it has none.
        known: what each word stands for.
        rest: leave all other places, defaults and the backslash of \{word}, for somebody else to fill in.

    """

    def value(found: re.Match[str]) -> str:
        if found["mark"] == "\\" and not rest:
            return found[0][1:]
        if found["mark"] or found["twice"]:
            return found[0]
        if found["word"] in known:
            return known[found["word"]]
        default = fill(found["default"] or "", known, rest=rest)
        if found["default"] is None:
            return found[0]
        return f"{{{found['word']}:-{default}}}" if rest else default

    return _PLACE.sub(value, text)
