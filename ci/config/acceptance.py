"""Reads what `validate` is told to accept."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ci.config.checks import LINE
from ci.config.cursor import Cursor, take
from ci.config.paths import read_path
from ci.core.findings import Acceptance

KEYS = ("accept", "baseline")
RULE_HELP = "a rule as validate prints it, such as base-unpinned, or hadolint/* for all that begin so"
ACCEPT_REQUIRED = {"rule": RULE_HELP, "reason": "a sentence"}
ACCEPT_OPTIONAL = ("files",)
RULE = re.compile(r"(?!config$)[A-Za-z][A-Za-z0-9/_-]*\*?")
GLOB = re.compile(r"[^\x00-\x1f\x7f\\\\\[\]]+")


def read_acceptances(fields: Mapping[str, Cursor]) -> tuple[Acceptance, ...]:
    """Read the list of what is accepted."""
    return take(fields, "accept", lambda c: tuple(map(_acceptance, c.items())), ())


def read_baseline(fields: Mapping[str, Cursor]) -> str | None:
    """Read the path of the baseline."""
    return take(fields, "baseline", read_path, None)


def _acceptance(cursor: Cursor) -> Acceptance:
    fields = cursor.record(ACCEPT_REQUIRED, ACCEPT_OPTIONAL)
    return Acceptance(
        rule=take(fields, "rule", lambda c: c.matching(RULE, RULE_HELP), ""),
        reason=take(fields, "reason", lambda c: c.matching(LINE, "text on one line"), ""),
        files=take(fields, "files", lambda c: c.unique(lambda p: p.matching(GLOB, "a path, or a pattern with *")), ()),
        line=cursor.line,
    )
