"""Reads what a configuration says of GitHub: which runners build, and whether what they built has to be attested."""

from __future__ import annotations

from ci.config.checks import PLATFORMS
from ci.config.cursor import Cursor
from ci.core.model import Attest, Runners
from ci.core.runners import LABEL
from ci.core.text import nearest

RUNNER_HELP = "a runner's label, such as ubuntu-24.04, or a list of labels"
ATTEST = tuple(known.value for known in Attest)


def read_runners(cursor: Cursor) -> Runners:
    """Read the labels of one runner for all platforms, or a mapping with those of some platforms."""
    if cursor.kind != "map":
        return Runners(shared=_labels(cursor))
    return Runners(named={platform: _labels(given) for platform, given in cursor.entries(PLATFORMS).items()})


def _labels(cursor: Cursor) -> tuple[str, ...]:
    if cursor.kind == "seq":
        return cursor.unique(_label)
    label = _label(cursor)
    return (label,) if label else ()


def _label(cursor: Cursor) -> str:
    return cursor.matching(LABEL, RUNNER_HELP)


def read_attest(cursor: Cursor) -> Attest | None:
    """Read whether GitHub has to attest what is released."""
    # As it is written: YAML takes an unquoted off for false.
    written = cursor.quiet().raw() if cursor.single else ""
    if written in ATTEST:
        return Attest(written)
    cursor.report(f"{cursor.shown} is not known", accepted=", ".join(ATTEST), nearest=nearest(written, ATTEST))
    return None
