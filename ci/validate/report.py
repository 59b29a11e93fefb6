"""Writes findings as a table, as JSON or as SARIF."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from urllib.parse import quote

from ci.core.errors import PipelineError
from ci.core.findings import Finding, Severity
from ci.core.text import Format, clean, columns
from ci.validate.accept import render_baseline
from ci.validate.workflow import is_workflow

_SCHEMA = 1
_ALIKE = 3  # findings of one rule that are written in full
_PLACES = 6  # of the others that are named
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
FORMATS = (Format.TABLE, Format.JSON, Format.SARIF, Format.BASELINE)


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put findings in the order they are read, each once: those about images first, and errors before the rest."""
    rank = list(Severity)
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda f: (is_workflow(f.file), rank.index(f.severity), f.rule, f.file, f.line, f.text),
        )
    )


def report_or_fail(findings: Sequence[Finding], style: Format, *, accepted: int = 0, fail: bool = True) -> str:
    """Return the findings as they are printed; fail if one is an error.

    Args:
        findings: all of them, in order.
        style: how they are written; a baseline fails nothing.
        accepted: how many were left out.
        fail: whether an error among them fails the call.

    Raises:
        PipelineError: there are errors; its text is what would have been printed.

    """
    match style:
        case Format.TABLE:
            text = render_findings(findings, accepted)
        case Format.JSON:
            text = render_findings_json(findings, accepted)
        case Format.SARIF:
            text = render_sarif(findings)
        case Format.BASELINE:
            return render_baseline(findings)
    errors = sum(f.severity is Severity.ERROR for f in findings)
    if not errors or not fail:
        return text
    if style is Format.TABLE:
        text = f"{_counted(errors, 'error')} found before anything was built\n\n{text}"
    raise PipelineError(f"{text}\n")  # the engine adds a mark of its own to the last line


def render_findings(findings: Sequence[Finding], accepted: int = 0) -> str:
    """Write findings for a terminal: severity, place, rule and message, the remedy below, and how many there are.

    Of many of one rule, the first are written in full, and the others by their places; JSON has all.
    """
    groups = [tuple(group) for _, group in groupby(findings, key=lambda f: (is_workflow(f.file), f.severity, f.rule))]
    shown = [finding for group in groups for finding in _first(group)]
    rows = [(f.severity.upper(), clean(f.place), f.rule, _line(f.text)) for f in shown]
    written = dict(zip(shown, columns(rows).split("\n") if rows else (), strict=True))
    lines: list[str] = []
    for group in groups:
        for finding in _first(group):
            lines += [written[finding], *([f"    {_line(finding.remedy)}"] if finding.remedy else [])]
        if rest := group[len(_first(group)) :]:
            places = ", ".join(clean(finding.place) for finding in rest[:_PLACES])
            more = ", ..." if len(rest) > _PLACES else ""
            lines.append(f"    {group[0].rule}: {len(rest)} more, at {places}{more}")
    counts = [_counted(sum(f.severity is s for f in findings), s) for s in Severity]
    counts += [f"{accepted} accepted"] if accepted else []
    return "\n".join([*lines, *([""] if lines else []), ", ".join(counts)])


def _first(group: Sequence[Finding]) -> Sequence[Finding]:
    return group if len(group) <= _ALIKE + 1 else group[:_ALIKE]


def render_findings_json(findings: Sequence[Finding], accepted: int = 0) -> str:
    """Write findings as JSON.

    Keys: schema (1), ok (whether there is no error), accepted (how many were left out), and findings, a list of
    severity ("error", "warning" or "note"), file, line, rule, message and remedy ("" where there is none).
    """
    ok = all(f.severity is not Severity.ERROR for f in findings)
    rows = [
        {
            "severity": f.severity,
            "file": f.file,
            "line": f.line,
            "rule": f.rule,
            "message": clean(f.text),
            "remedy": clean(f.remedy),
        }
        for f in findings
    ]
    return json.dumps({"schema": _SCHEMA, "ok": ok, "accepted": accepted, "findings": rows}, indent=2)


def render_sarif(findings: Sequence[Finding]) -> str:
    """Write findings as SARIF 2.1.0, as GitHub's code scanning takes it."""
    rules = list(dict.fromkeys(f.rule for f in findings))
    driver = {
        "name": "drydock",
        "informationUri": "https://github.com/drydock/drydock",
        "rules": [{"id": rule, "shortDescription": {"text": rule}} for rule in rules],
    }
    results = [
        {
            "ruleId": f.rule,
            "ruleIndex": rules.index(f.rule),
            "level": f.severity,
            "message": {"text": "\n".join(filter(None, (clean(f.text), clean(f.remedy))))},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(f.file), "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": max(1, f.line)},
                    }
                }
            ],
        }
        for f in findings
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2)


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
