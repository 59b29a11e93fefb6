"""Reads texts that may hold values of the run, such as {version}."""

from __future__ import annotations

import re

from ci.config.cursor import Cursor
from ci.config.matrix import unquoted_word
from ci.core.text import nearest, show
from ci.core.values import MEANING, SOMETIMES, Place, list_places

VALUES_HELP = ", ".join(f"{{{word}:-TEXT}}" if word in SOMETIMES else f"{{{word}}}" for word in MEANING)
_WORKFLOW = re.compile(r"(?<!\\)\$\{\{[^{}]*\}\}")  # of GitHub
_TO_STAY = r"; \{ where the brace is to stay"


def read_template(cursor: Cursor) -> str:
    """Read a text as it is written, and look at the values of the run in it."""
    if word := unquoted_word(cursor.node, MEANING):
        cursor.report(f"YAML reads {{{word}}} as a mapping", accepted=f'quotes around it: "{{{word}}}"')
        return ""
    text = cursor.raw()
    for expression in _WORKFLOW.findall(text):
        cursor.report(f"{show(expression)} means something in a workflow alone", accepted=VALUES_HELP + _TO_STAY)
    for place in list_places(text):
        _check(cursor, place)
    return text


def _check(cursor: Cursor, place: Place, *, inner: bool = False) -> None:
    word = place.word
    if place.twice:
        # Two braces are a template's, whatever it may be; but not with words that are known here.
        if word in MEANING:
            cursor.report(f"{show(place.written)} has two pairs of braces", accepted=f"one: {{{word}}}{_TO_STAY}")
        return
    if word not in MEANING:
        close = nearest(word, MEANING)
        cursor.report(
            f"{show(place.written)} stands for nothing",
            accepted=VALUES_HELP + _TO_STAY,
            nearest=close and f"{{{close}}}",
        )
    elif word in SOMETIMES and (place.default is None or inner):
        cursor.report(
            f"{show(place.written)} is empty in a run without a {word}, such as a pull request's",
            accepted=f"what to take then: {{{word}:-dev}}, {{{word}:-{{ref}}}}, or {{{word}:-}} for nothing",
        )
    for inside in list_places(place.default or ""):
        _check(cursor, inside, inner=True)
