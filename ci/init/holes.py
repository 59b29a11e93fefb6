"""Fills in what is plain in a text of a workflow, and keeps what is not, so that it can be named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What only a run knows stands in a text between two private characters.
OPEN, CLOSE = "\ue000", "\ue001"
HOLE = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_EMPTY = ("matrix.", "inputs.", "github.event.inputs.")  # what a run has not, it takes for an empty text
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_COMPARED = re.compile(r"('[^']*'|[\w.-]+)\s*(==|!=)\s*('[^']*'|[\w.-]+)")
_CALL = re.compile(r"(?i)(format|startsWith|endsWith|contains|fromJSON)\((.*)\)", re.DOTALL)
_CHECKED = re.compile(r"github\.event_name\s*[=!]=\s*'(?:pull_request|pull_request_target|merge_group)'")  # no release
_FALSE = ("", "false")
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
        plain = _any(found[1], known)
        return hole(_left(found[1], known)) if plain is None else plain

    return _EXPRESSION.sub(value, text)[:_MOST]


def _left(text: str, known: Mapping[str, str]) -> str:
    """Leave out of several values those before the first that may be one."""
    parts = _cut(text, "||")
    first = next((n for n, part in enumerate(parts) if _all(part, known) is None), 0)
    return "||".join(parts[first:]).strip()


def is_false(condition: str, known: Mapping[str, str]) -> bool:
    """Tell whether a condition is known not to hold: what an event or a person would decide is not known."""
    inner = condition.strip().removeprefix("${{").removesuffix("}}").strip()
    # Whose repository it is stands for whoever releases.
    plain = {name: value for name, value in known.items() if not name.startswith("github.")}
    return bool(inner) and "inputs." not in inner and _any(inner, plain) in _FALSE


def _any(text: str, known: Mapping[str, str]) -> str | None:
    """Return the first of several values that is one; None where it is not known."""
    value: str | None = ""
    for part in _cut(text, "||"):
        value = _all(part, known)
        if value is None or value not in _FALSE:
            return value
    return value


def _all(text: str, known: Mapping[str, str]) -> str | None:
    """Return the last of several values, or the first that is none."""
    value: str | None = ""
    for part in _cut(text, "&&"):
        value = _plain(part.strip(), known)
        if value is None or value in _FALSE:
            return value
    return value


def _plain(word: str, known: Mapping[str, str]) -> str | None:
    """Return the value of a word, a text, a comparison, or what format makes of them; None where it is not known."""
    if found := _TEXT.fullmatch(word):
        return found[1].replace("''", "'")
    if called := _CALL.fullmatch(word):
        return _called(called[1].lower(), [_plain(part.strip(), known) for part in _cut(called[2], ",")])
    if compared := _COMPARED.fullmatch(word):
        left, right = _plain(compared[1], known), _plain(compared[3], known)
        same = None if left is None or right is None or _open(left + right) else left.lower() == right.lower()
        same = False if _CHECKED.fullmatch(word) else same
        return None if same is None else str(same is (compared[2] == "==")).lower()
    low = word.lower()
    if low in known or low in ("true", "false"):
        return known.get(low, low)
    return "" if low.startswith(_EMPTY) and re.fullmatch(r"[\w.-]+", low) else None


def _open(text: str) -> bool:
    return bool(HOLE.search(text)) or "{owner}" in text


def _called(function: str, values: Sequence[str | None]) -> str | None:
    """Return what a function of GitHub's makes of texts; of JSON it is its text, and None where nobody knows."""
    given = [value for value in values if value is not None]
    if not given or len(given) < len(values):
        return None
    if function == "format":
        return _numbered(given[0], given[1:])
    if _open("".join(given)) or (function == "contains" and given[0].startswith("[")):
        return None
    if function == "fromjson":
        return given[0]
    where, what = given[0].lower(), given[-1].lower()
    holds = {"contains": what in where, "startswith": where.startswith(what), "endswith": where.endswith(what)}
    return str(holds[function]).lower()


def _numbered(pattern: str, values: Sequence[str]) -> str:
    return re.sub(r"\{(\d+)\}", lambda f: values[int(f[1])] if int(f[1]) < len(values) else f[0], pattern)


def _cut(text: str, sign: str) -> list[str]:
    """Split an expression at a sign, but not within texts and brackets."""
    parts, deep, quoted, start = [], 0, False, 0
    for at, character in enumerate(text):
        quoted ^= character == "'"
        deep += 0 if quoted else (character == "(") - (character == ")")
        if not quoted and not deep and at >= start and text.startswith(sign, at):
            parts.append(text[start:at])
            start = at + len(sign)
    return [*parts, text[start:]]


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
