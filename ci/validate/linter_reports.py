"""Turns what hadolint, actionlint and zizmor print into findings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ci.core.findings import Finding, Severity, error, note

_HADOLINT = {"error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.NOTE, "style": Severity.NOTE}
_ZIZMOR = {"High": Severity.ERROR, "Medium": Severity.WARNING, "Unknown": Severity.WARNING}
_PLACES = {"hadolint": ".hadolint.yaml", "actionlint": ".github/workflows", "zizmor": ".github/workflows"}


def parse_reports(text: str) -> list[Finding]:
    """Read what linters/lint.py printed."""
    reports: dict[str, Any] = json.loads(text)
    findings = [
        *map(_hadolint, reports.get("hadolint") or ()),
        *map(_actionlint, reports.get("actionlint") or ()),
        *_zizmor(reports.get("zizmor") or []),
    ]
    for tool, why in reports["failures"].items():
        remedy = f"Mend what it names: its own configuration, or a file that is not what {tool} expects."
        findings.append(error(_PLACES[tool], 1, f"{tool}-failed", f"{tool} could not do its work: {why}", remedy))
    return findings


def _hadolint(found: dict[str, Any]) -> Finding:
    code: str = found["code"]
    if code == "DL1000":  # what is a Dockerfile, BuildKit says
        message = f"hadolint cannot read this, and checked nothing of the file: {found['message']}"
        return note(found["file"], found["line"], "hadolint/DL1000", " ".join(message.split()))
    topic = f"https://github.com/hadolint/hadolint/wiki/{code}"
    if code.startswith("SC"):
        topic = f"https://www.shellcheck.net/wiki/{code}"
    return Finding(
        severity=_HADOLINT.get(found["level"], Severity.WARNING),
        file=found["file"],
        line=found["line"],
        rule=f"hadolint/{code}",
        message=found["message"],
        remedy=f"See {topic}; to accept it: # hadolint ignore={code} above the line.",
    )


def _actionlint(found: dict[str, Any]) -> Finding:
    return error(
        found["filepath"],
        max(1, found["line"]),
        f"actionlint/{found['kind']}",
        found["message"],
        "See https://github.com/rhysd/actionlint/blob/v1.7.12/docs/checks.md",
    )


def _zizmor(reports: list[dict[str, Any]]) -> Iterator[Finding]:
    for found in reports:
        places = found["locations"]
        place = next((p for p in places if p["symbolic"]["kind"] == "Primary"), places[0])
        key: dict[str, dict[str, str]] = place["symbolic"]["key"]
        file: str = key["Local"]["verbatim_path"]
        yield Finding(
            severity=_ZIZMOR.get(found["determinations"]["severity"], Severity.NOTE),
            file=file.removeprefix("./"),
            line=place["concrete"]["location"]["start_point"]["row"] + 1,
            rule=f"zizmor/{found['ident']}",
            message=f"{found['desc']}: {place['symbolic']['annotation']}",
            remedy=f"See {found['url']}",
        )
