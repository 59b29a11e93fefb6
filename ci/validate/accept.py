"""Leaves out what somebody accepted: by its rule in the configuration, beside the line, or by a baseline."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ci.core.findings import Acceptance, Finding, error, note, warning
from ci.core.text import show
from ci.dockerfile import glob_expression

NEVER = "config"  # a configuration that cannot be read says nothing of what is accepted in it
_SCHEMA = 1
_COMMENT = re.compile(r"^(?P<before>.*?)#\s*drydock:\s*accept\b(?P<rules>[^:]*)(?::(?P<reason>.*))?$")
_ONLY_COMMENT = re.compile(r"\s*#")

ReadText = Callable[[str], str | None]  # a file of the source; None where it was not looked into


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What is left of the findings, and how many were accepted."""

    findings: tuple[Finding, ...]
    accepted: int = 0


def leave_accepted(
    findings: Iterable[Finding],
    acceptances: Sequence[Acceptance],
    *,
    read: ReadText,
    config: str,
    baseline: str | None = None,
) -> Judged:
    """Leave out what is accepted, and say where an acceptance itself is wrong or does nothing.

    Args:
        findings: all of them, each once.
        acceptances: of the configuration.
        read: hands out the files that the findings are about.
        config: the path of the configuration.
        baseline: the path of a file that `validate --format baseline` printed.

    """
    known, faults = _read_baseline(baseline, read, config) if baseline else (Counter[tuple[str, str, str]](), [])
    used: set[Acceptance] = set()
    kept: list[Finding] = []
    accepted = 0
    for finding in findings:
        named = [one for one in acceptances if _covers(one, finding)]
        used.update(named)
        if finding.rule != NEVER and (named or _beside(finding, read(finding.file)) or _take(known, finding)):
            accepted += 1
        else:
            kept.append(finding)
    faults += [_unused(one, config) for one in acceptances if one not in used]
    return Judged(findings=(*kept, *faults), accepted=accepted)


def render_baseline(findings: Sequence[Finding]) -> str:
    """Write findings as a baseline: later calls accept as many of each as there are now.

    A line's number is no part of it, so that a finding stays accepted where its file grows above it.
    """
    counted = Counter(map(_identity, findings))
    rows = [
        {"rule": rule, "file": file, "message": message, "count": count}
        for (rule, file, message), count in sorted(counted.items())
        if rule != NEVER
    ]
    return json.dumps({"schema": _SCHEMA, "accepted": rows}, indent=2)


def check_comments(file: str, text: str) -> Iterator[Finding]:
    """Find the comments that accept something and do not say what, or why."""
    for number, line in enumerate(text.splitlines(), 1):
        found = _COMMENT.match(line)
        if found and not (_rules(found) and (found["reason"] or "").strip()):
            message = f"{show(line.strip())} does not say what is accepted, or why"
            yield warning(file, number, "accept-unclear", message, "Write # drydock: accept RULE: the reason")


def _covers(one: Acceptance, finding: Finding) -> bool:
    return _named(one.rule, finding.rule) and (
        not one.files or any(glob_expression(pattern).fullmatch(finding.file) for pattern in one.files)
    )


def _named(pattern: str, rule: str) -> bool:
    return rule.startswith(pattern[:-1]) if pattern.endswith("*") else rule == pattern


def _beside(finding: Finding, text: str | None) -> bool:
    """Tell whether a comment accepts a finding: at the end of its line, or in the comments right above."""
    lines = (text or "").splitlines()
    at = finding.line - 1
    if not 0 <= at < len(lines):
        return False
    near = [lines[at]]
    while at > 0 and _ONLY_COMMENT.match(lines[at - 1]):
        at -= 1
        near.append(lines[at])
    comments = (found for line in near if (found := _COMMENT.match(line)))
    return any(
        _named(rule, finding.rule) for found in comments if (found["reason"] or "").strip() for rule in _rules(found)
    )


def _rules(found: re.Match[str]) -> list[str]:
    return [rule for rule in re.split(r"[\s,]+", found["rules"]) if rule]


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.file, finding.text


def _take(known: Counter[tuple[str, str, str]], finding: Finding) -> bool:
    key = _identity(finding)
    if known[key] < 1:
        return False
    known[key] -= 1
    return True


def _read_baseline(path: str, read: ReadText, config: str) -> tuple[Counter[tuple[str, str, str]], list[Finding]]:
    known: Counter[tuple[str, str, str]] = Counter()
    text = read(path)
    try:
        for row in json.loads(text or "")["accepted"]:
            known[str(row["rule"]), str(row["file"]), str(row["message"])] += int(row["count"])
    except (ValueError, TypeError, KeyError, RecursionError):
        message = f"the baseline {show(path)} is not what validate --format baseline prints"
        remedy = f"Write it anew: dagger call validate --format baseline > {path}"
        return Counter(), [error(config, 1, "baseline-unread", message, remedy)]
    return known, []


def _unused(one: Acceptance, config: str) -> Finding:
    where = f" in {', '.join(one.files)}" if one.files else ""
    message = f"{show(one.rule)} is accepted{where}, and nothing was found of it"
    return note(config, one.line, "accept-unused", message, "Delete the entry.")
