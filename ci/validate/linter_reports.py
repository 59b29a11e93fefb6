"""Turns what hadolint, actionlint and zizmor print into findings."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import yaml

from ci.core.findings import Finding, Severity, error, note

# What a build or a workflow does not get past is an error. The rest is what somebody should look at, or a matter of
# style: what is no Dockerfile, BuildKit says.
_HADOLINT = {"error": Severity.WARNING, "warning": Severity.WARNING}
_SHELLCHECK = {"error": Severity.ERROR, "warning": Severity.WARNING}
_ZIZMOR = {"High": Severity.WARNING, "Medium": Severity.WARNING, "Unknown": Severity.WARNING}
# A label may be a runner of one's own; the others run, and not as one may think.
_ACTIONLINT = dict.fromkeys(("runner-label", "if-cond", "deprecated-commands", "action"), Severity.WARNING)
_VERSION = "v1.7.12"
_ASKED = re.compile(
    r"shellcheck reported issue in this script: (?P<code>SC\d+):(?P<level>\w+):(?P<line>\d+):\d+: (?P<text>.*)"
)
_BLOCK = re.compile(r"run:\s*[|>]")
_PLACES = {"hadolint": ".hadolint.yaml", "actionlint": ".github/workflows", "zizmor": ".github/workflows"}


def parse_reports(text: str, workflows: Collection[str] | None = None, raised: Collection[str] = ()) -> list[Finding]:
    """Read what linters/lint.py printed.

    Args:
        text: what it printed.
        workflows: those that were to be looked at; None keeps what is said of any file.
        raised: hadolint's rules that the source's own configuration makes errors.

    """
    reports: dict[str, Any] = json.loads(text)
    findings = [
        *(_hadolint(found, raised) for found in reports.get("hadolint") or ()),
        *map(_actionlint, reports.get("actionlint") or ()),
        *(f for f in _zizmor(reports.get("zizmor") or []) if workflows is None or f.file in workflows),
    ]
    for tool, why in reports["failures"].items():
        remedy = f"Mend what it names: its own configuration, or a file that is not what {tool} expects."
        findings.append(error(_PLACES[tool], 1, f"{tool}-failed", f"{tool} could not do its work: {why}", remedy))
    return findings


def raised_rules(configuration: str) -> frozenset[str]:
    """List the rules that hadolint's own configuration makes errors; none where it cannot be read."""
    try:
        return frozenset(map(str, yaml.safe_load(configuration)["override"]["error"]))
    except (yaml.YAMLError, TypeError, KeyError, ValueError, RecursionError):
        return frozenset()


def _hadolint(found: dict[str, Any], raised: Collection[str]) -> Finding:
    code: str = found["code"]
    if code == "DL1000":  # what is a Dockerfile, BuildKit says
        message = f"hadolint cannot read this, and checked nothing of the file: {found['message']}"
        return note(found["file"], found["line"], "hadolint/DL1000", " ".join(message.split()))
    topic = f"https://github.com/hadolint/hadolint/wiki/{code}"
    if code.startswith("SC"):
        topic = f"https://www.shellcheck.net/wiki/{code}"
    return Finding(
        severity=Severity.ERROR if code in raised else _HADOLINT.get(found["level"], Severity.NOTE),
        file=found["file"],
        line=found["line"],
        rule=f"hadolint/{code}",
        message=found["message"],
        remedy=f"See {topic}; to accept it: # hadolint ignore={code} above the line.",
    )


def _actionlint(found: dict[str, Any]) -> Finding:
    file, line, kind = found["filepath"], max(1, found["line"]), found["kind"]
    if asked := _ASKED.match(found["message"]):
        # It names the line of `run:`, and shellcheck a line of the script, which may begin below.
        below = bool(_BLOCK.search((found.get("snippet") or "").partition("\n")[0]))
        return Finding(
            severity=_SHELLCHECK.get(asked["level"], Severity.NOTE),
            file=file,
            line=line + int(asked["line"]) - (not below),
            rule=f"actionlint/{asked['code']}",
            message=asked["text"],
            remedy=f"See https://www.shellcheck.net/wiki/{asked['code']}",
        )
    return Finding(
        severity=_ACTIONLINT.get(kind, Severity.ERROR),
        file=file,
        line=line,
        rule=f"actionlint/{kind}",
        message=found["message"],
        remedy=f"See https://github.com/rhysd/actionlint/blob/{_VERSION}/docs/checks.md",
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
