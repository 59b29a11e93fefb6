"""Findings as users and programs read them."""

import json

import pytest

from ci.core.errors import PipelineError, SelectionError
from ci.core.findings import error, note, warning
from ci.core.text import Format, parse_format
from ci.validate.linter_reports import parse_reports
from ci.validate.report import FORMATS, render_findings, render_sarif, report_or_fail, sort_findings

FOUND = sort_findings(
    [
        warning("a b/Dockerfile", 3, "base-unpinned", "not pinned", "Pin it."),
        error("a b/Dockerfile", 12, "copy-missing", "'x\x1b[31m' is\nnot there", "Look for it."),
        note("images.yaml", 1, "context-size", "1 kB"),
        error("a b/Dockerfile", 12, "copy-missing", "'x\x1b[31m' is\nnot there", "Look for it."),
    ]
)


def test_the_table_is_sorted_counted_and_harmless_to_a_terminal() -> None:
    assert render_findings(FOUND) == (
        "WARNING  a b/Dockerfile:3   base-unpinned  not pinned\n"
        "    Pin it.\n"
        "ERROR    a b/Dockerfile:12  copy-missing   'x' is not there\n"
        "    Look for it.\n"
        "NOTE     images.yaml:1      context-size   1 kB\n"
        "\n1 error, 1 warning, 1 note"
    )
    assert render_findings(()) == "0 errors, 0 warnings, 0 notes"


def test_only_errors_fail_and_only_where_that_is_wanted() -> None:
    assert report_or_fail(FOUND[:1], Format.TABLE)
    assert "1 error" in report_or_fail(FOUND, Format.TABLE, fail=False)
    with pytest.raises(PipelineError, match=r"^1 error found before anything was built\n\nWARNING"):
        report_or_fail(FOUND, Format.TABLE)
    with pytest.raises(PipelineError) as raised:
        report_or_fail(FOUND, Format.JSON)
    assert json.loads(str(raised.value))["ok"] is False


def test_json_has_every_field() -> None:
    data = json.loads(report_or_fail(FOUND, Format.JSON, fail=False))
    assert data["schema"] == 1
    assert data["findings"][0] == {
        "severity": "warning",
        "file": "a b/Dockerfile",
        "line": 3,
        "rule": "base-unpinned",
        "message": "not pinned",
        "remedy": "Pin it.",
    }


def test_sarif_has_what_code_scanning_needs() -> None:
    data = json.loads(render_sarif(FOUND))
    (run,) = data["runs"]
    assert data["version"] == "2.1.0"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["base-unpinned", "copy-missing", "context-size"]
    assert [(r["level"], rules[r["ruleIndex"]]) for r in run["results"]] == [
        ("warning", "base-unpinned"),
        ("error", "copy-missing"),
        ("note", "context-size"),
    ]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/Dockerfile"
    assert place["region"] == {"startLine": 12}
    assert run["results"][1]["message"]["text"] == "'x' is\nnot there\nLook for it."


def test_a_format_that_does_not_exist() -> None:
    with pytest.raises(SelectionError, match="did you mean 'sarif'"):
        parse_format("sariff", FORMATS)


def test_what_hadolint_cannot_read_is_a_note() -> None:
    (found,) = parse_reports(
        json.dumps(
            {
                "hadolint": [
                    {
                        "code": "DL1000",
                        "level": "error",
                        "file": "D",
                        "line": 3,
                        "message": "unexpected 'D'\nexpecting ADD",
                    }
                ],
                "failures": {},
            }
        )
    )
    assert (found.severity, found.place, found.rule) == ("note", "D:3", "hadolint/DL1000")
    assert found.message.endswith("checked nothing of the file: unexpected 'D' expecting ADD")


def test_a_linter_that_could_not_run_is_an_error() -> None:
    (found,) = parse_reports('{"failures": {"hadolint": "bad configuration"}}')
    assert (found.severity, found.place, found.rule) == ("error", ".hadolint.yaml:1", "hadolint-failed")
    assert "bad configuration" in found.message
