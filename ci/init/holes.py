"""Fills in what is plain in a text of a workflow, and keeps what is not, so that it can be named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What only a run knows stands in a text between two private characters.
OPEN, CLOSE = "\ue000", "\ue001"
HOLE = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_EMPTY = ("matrix.", "inputs.")  # what a run has not, it takes for an empty text
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_MOST = 20_000  # characters of what is filled in


def hole(text: str) -> str:
    """Write what only a run knows."""
    return f"{OPEN}{HOLE.sub(lambda found: found[1], text)}{CLOSE}"


def fill(text: str, known: Mapping[str, str]) -> str:
    """Fill in GitHub's expressions; what is not plain becomes a hole that has its text.

    Args:
        text: of a workflow.
        known: the values of words such as env.NAME, which may have holes.

    """

    def value(found: re.Match[str]) -> str:
        parts = found[1].split("||")
        for number, part in enumerate(parts, start=1):
            plain = _plain(part.strip(), known)
            if plain is None:
                break
            if plain or number == len(parts):  # the first of several that has a value
                return plain
        return hole(found[1])

    return _EXPRESSION.sub(value, text)[:_MOST]


def _plain(word: str, known: Mapping[str, str]) -> str | None:
    """Return the value of one word or text; None where it is not known."""
    if found := _TEXT.fullmatch(word):
        return found[1].replace("''", "'")
    low = word.lower()
    if low in known:
        return known[low]
    return "" if low.startswith(_EMPTY) and re.fullmatch(r"[\w.-]+", low) else None


def shown(text: str) -> str:
    """Write a text as it stood in its file, holes and all."""
    return HOLE.sub(lambda found: found[1] if found[1].startswith("$") else f"${{{{ {found[1]} }}}}", text)


def hide(text: str) -> tuple[str, list[str]]:
    """Put a sign in the place of each hole, so that nothing in it is read; return the text, and the holes."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\ue002{len(kept) - 1}\ue003"

    return HOLE.sub(keep, text), kept


def show_again(text: str, kept: Sequence[str]) -> str:
    """Put the holes back."""
    return re.sub("\ue002(\\d+)\ue003", lambda found: kept[int(found[1])], text)


def split(text: str, pattern: str) -> list[str]:
    """Split a text, but nothing that is in a hole."""
    bare, kept = hide(text)
    return [show_again(part, kept) for part in re.split(pattern, bare) if part]
