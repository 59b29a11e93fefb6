"""Texts that any terminal and any Markdown page can show, whoever wrote them, and the words a user may choose from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from ci.core.errors import PipelineError, SelectionError

Word = TypeVar("Word", bound=StrEnum)

# What a terminal obeys: control sequences, the strings that set titles and links, other escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # control, format such as right-to-left, half characters
_MARKUP = re.compile(r"[\\`*_\[\]<>|&~]")
_TAIL = 100_000  # characters that can matter to the last lines
_WIDTH = 500  # characters of a line


def clean(text: str) -> str:
    """Drop from a text whatever a terminal would obey rather than show."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _HIDDEN)


def last_lines(text: str, count: int = 20) -> str:
    """Keep the last lines of a text, fit to be shown."""
    lines = clean(text[-_TAIL:]).strip("\n").split("\n")[-count:]
    return "\n".join(line if len(line) <= _WIDTH else f"{line[:_WIDTH]}..." for line in lines)


def columns(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Set rows in columns as wide as their widest cell; those in `right` end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def markdown_cell(text: str) -> str:
    """Write a text so that Markdown shows it as it is, on one line."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", clean(text).replace("\n", " "))


def markdown_table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Write rows as a Markdown table; the first is its head."""
    lines = [f"| {' | '.join(map(markdown_cell, row))} |" for row in rows]
    rule = " | ".join("---:" if n in right else "---" for n in range(len(rows[0])))
    return "\n".join([lines[0], f"| {rule} |", *lines[1:]])


def size_text(size: int | None) -> str:
    """Write a number of bytes in powers of 1000; "-" where none is known."""
    if size is None:
        return "-"
    if size < 1000:  # noqa: PLR2004  # the base of the units below
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB"):
        value /= 1000
        if round(value, 1) < 1000:  # noqa: PLR2004
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} GB"


def seconds_text(seconds: float) -> str:
    """Write a duration as "12.3 s" or "2 min 05 s"."""
    if round(seconds, 1) < 60:  # noqa: PLR2004  # seconds of a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def split_values(given: Iterable[str]) -> tuple[str, ...]:
    """List what a repeated option is given; each value may hold several, with commas between them."""
    return tuple(value.strip() for text in given for value in text.split(",") if value.strip())


def nearest(value: str, options: Iterable[str]) -> str:
    """Find the option that looks most like a value, in whatever case; nothing if none does."""
    folded = {option.casefold(): str(option) for option in options}
    return next((folded[match] for match in get_close_matches(value.casefold(), folded, n=1)), "")


def show(value: str, limit: int = 60) -> str:
    """Quote a value for a message: on one line, without control characters, shortened."""
    return repr(value if len(value) <= limit else f"{value[:limit]}...")


class Format(StrEnum):
    """How a report or findings are written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    SARIF = "sarif"
    BASELINE = "baseline"


REPORTS = (Format.TABLE, Format.MARKDOWN, Format.JSON)


def parse_format(name: str) -> Format:
    """Read how a report is to be written; refuse any other word."""
    return parse_word(name, REPORTS)


def parse_word(name: str, words: Iterable[Word], option: str = "format") -> Word:
    """Read one of several words that an option may be; refuse any other."""
    known = {str(word): word for word in words}
    if name not in known:
        close = nearest(name, known)
        hint = f"; did you mean {close!r}?" if close else ""
        raise SelectionError(f"--{option} {name!r} is not one of {', '.join(known)}{hint}")
    return known[name]


def text_or_fail(text: str, *, ok: bool, wanted: Format) -> str:
    """Return a report where all went well.

    Args:
        text: the report.
        ok: whether nothing failed.
        wanted: how it is written.

    Raises:
        PipelineError: something failed; its text is the report.

    """
    if ok:
        return text
    # The engine adds a mark of its own to the last line.
    raise PipelineError(text if wanted is Format.JSON else f"{text}\n")
