"""Reads the rules by which an event names an image: a list of them, or a text with one on each line."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from ci.config.cursor import Cursor
from ci.tags import RuleError, parse_flavor, parse_rule, split_lines

TAGS_HELP = "rules of docker/metadata-action, such as type=semver,pattern={{version}}"
FLAVOR_HELP = "lines such as latest=auto or suffix=-alpine,onlatest=true"


def read_tags(cursor: Cursor) -> tuple[str, ...]:
    """Read rules; what is wrong with each is written down."""
    return _lines(cursor, TAGS_HELP, parse_rule)


def read_flavor(cursor: Cursor) -> tuple[str, ...]:
    """Read what holds for all rules."""
    return _lines(cursor, FLAVOR_HELP, lambda line: parse_flavor([line]))


def _lines(cursor: Cursor, accepted: str, parse: Callable[[str], object]) -> tuple[str, ...]:
    if cursor.kind == "seq":
        return tuple(line for item in cursor.items() for line in _line(item, item.text(), parse))
    if cursor.kind != "str":
        cursor.report(f"{cursor.shown} is given", accepted=f"a list or a text with one on each line: {accepted}")
        return ()
    first = cursor.node.start_mark.line + 2  # from 1, and below the line of the |
    found = [(n, line) for n, text in enumerate(cursor.text().splitlines()) for line in split_lines(text)]
    if not found:
        cursor.report("the text is empty", accepted=accepted)
    # Any other text has lost its lines; what is wrong with it is said where it begins.
    lines = isinstance(cursor.node, yaml.ScalarNode) and cursor.node.style == "|"
    return tuple(each for n, line in found for each in _line(cursor, line, parse, first + n if lines else 0))


def _line(cursor: Cursor, text: str, parse: Callable[[str], object], line: int = 0) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        parse(text)
    except RuleError as error:
        cursor.report(error.message, accepted=error.accepted, nearest=error.nearest, line=line)
        return ()
    return (text,)
