"""Reads a regular expression as JavaScript has it, since that is what the rules are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci.tags.errors import RuleError

_DELIMITED = re.compile(r"/(.+)/(.*)", re.DOTALL)
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "u": re.RegexFlag(0), "g": re.RegexFlag(0)}
_NAMED = re.compile(r"(?<!\\)((?:\\\\)*)\(\?<(?![=!])")
_REFERENCE = re.compile(r"(?<!\\)((?:\\\\)*)\\k<(\w+)>")
_HELP = "a regular expression such as ^v(\\d+\\.\\d+)$, or /^v(\\d+)/i with flags"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """A regular expression, and whether it is asked for all places where it matches."""

    text: str
    regex: re.Pattern[str]
    everywhere: bool = False

    @property
    def groups(self) -> int:
        """The number of groups."""
        return self.regex.groups

    def find(self, text: str) -> tuple[str | None, ...] | None:
        """Return what matches and its groups, or with the flag g all that matches; None where nothing does."""
        found = self.regex.search(text)
        if not found:
            return None
        if self.everywhere:
            return tuple(match[0] for match in self.regex.finditer(text))
        return (found[0], *found.groups())


def parse_pattern(text: str, *, delimited: bool) -> Pattern:
    r"""Read a regular expression; with `delimited` it may stand between slashes, with flags behind.

    It is JavaScript's, run by Python. Groups are named by `(?<name>...)`; `\\d` and `\\w` are ASCII.
    What Python cannot do is refused: a look-behind without a fixed width, `\\p{...}`, and the flags d, v and y.

    Raises:
        RuleError: it is none.

    """
    inside = _DELIMITED.fullmatch(text) if delimited else None
    body, flags = (inside[1], inside[2]) if inside else (text, "")
    if unknown := set(flags) - _FLAGS.keys():
        raise RuleError(f"the flag {min(unknown)!r} of {text!r} is not known", accepted=", ".join(_FLAGS))
    options = re.ASCII
    for flag in flags:
        options |= _FLAGS[flag]
    body = _REFERENCE.sub(r"\1(?P=\2)", _NAMED.sub(r"\1(?P<", body))
    try:
        regex = re.compile(body, options)
    except (re.error, OverflowError, RecursionError) as error:
        raise RuleError(f"{text!r} cannot be read: {error}", accepted=_HELP) from None
    return Pattern(text=text, regex=regex, everywhere="g" in flags)
