"""Writes findings as a table, as JSON or as SARIF."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from ci.core.errors import PipelineError
from ci.core.findings import Finding, Severity
from ci.core.text import Format, clean, columns

_SCHEMA = 1
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
FORMATS = (Format.TABLE, Format.JSON, Format.SARIF)


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put findings in the order they are read: by file, line, severity and rule, each once."""
    rank = list(Severity)
    return tuple(
        sorted(dict.fromkeys(findings), key=lambda f: (f.file, f.line, rank.index(f.severity), f.rule, f.text))
    )


def report_or_fail(findings: Sequence[Finding], wanted: Format, *, fail: bool = True) -> str:
    """Return the findings as they are printed; fail if one is an error.

    Args:
        findings: all of them, in order.
        wanted: how they are written.
        fail: whether an error among them fails the call.

    Raises:
        PipelineError: there are errors; its text is what would have been printed.

    """
    render = {Format.TABLE: render_findings, Format.JSON: render_findings_json, Format.SARIF: render_sarif}[wanted]
    text = render(findings)
    errors = sum(f.severity is Severity.ERROR for f in findings)
    if not errors or not fail:
        return text
    if wanted is Format.TABLE:
        text = f"{_counted(errors, 'error')} found before anything was built\n\n{text}"
    raise PipelineError(f"{text}\n")  # the engine adds a mark of its own to the last line


def render_findings(findings: Sequence[Finding]) -> str:
    """Write findings for a terminal: severity, place, rule and message, the remedy below, and how many there are."""
    rows = [(f.severity.upper(), clean(f.place), f.rule, _line(f.text)) for f in findings]
    lines: list[str] = []
    for finding, row in zip(findings, columns(rows).split("\n") if rows else (), strict=True):
        lines.append(row)
        if finding.remedy:
            lines.append(f"    {_line(finding.remedy)}")
    counts = [_counted(sum(f.severity is s for f in findings), s) for s in Severity]
    return "\n".join([*lines, *([""] if lines else []), ", ".join(counts)])


def render_findings_json(findings: Sequence[Finding]) -> str:
    """Write findings as JSON.

    Keys: schema (1), ok (whether there is no error), and findings, a list of severity ("error", "warning" or
    "note"), file, line, rule, message and remedy ("" where there is none).
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
    return json.dumps({"schema": _SCHEMA, "ok": ok, "findings": rows}, indent=2)


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
