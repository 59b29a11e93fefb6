"""Findings as users and programs read them."""

import json

import pytest

from ci.core.errors import PipelineError, SelectionError
from ci.core.findings import error, note, warning
from ci.core.text import Format, parse_word
from ci.validate.linter_reports import parse_reports, raised_rules
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
        "ERROR    a b/Dockerfile:12  copy-missing   'x' is not there\n"
        "    Look for it.\n"
        "WARNING  a b/Dockerfile:3   base-unpinned  not pinned\n"
        "    Pin it.\n"
        "NOTE     images.yaml:1      context-size   1 kB\n"
        "\n1 error, 1 warning, 1 note"
    )
    assert render_findings(()) == "0 errors, 0 warnings, 0 notes"


def test_only_errors_fail_and_only_where_that_is_wanted() -> None:
    assert report_or_fail(FOUND[1:], Format.TABLE)
    assert "1 error" in report_or_fail(FOUND, Format.TABLE, fail=False)
    with pytest.raises(PipelineError, match=r"^1 error found before anything was built\n\nERROR"):
        report_or_fail(FOUND, Format.TABLE)
    with pytest.raises(PipelineError) as raised:
        report_or_fail(FOUND, Format.JSON)
    assert json.loads(str(raised.value))["ok"] is False


def test_json_has_every_field() -> None:
    data = json.loads(report_or_fail(FOUND, Format.JSON, fail=False))
    assert data["schema"] == 1
    assert data["findings"][1] == {
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
    assert rules == ["copy-missing", "base-unpinned", "context-size"]
    assert [(r["level"], rules[r["ruleIndex"]]) for r in run["results"]] == [
        ("error", "copy-missing"),
        ("warning", "base-unpinned"),
        ("note", "context-size"),
    ]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/Dockerfile"
    assert place["region"] == {"startLine": 12}
    assert run["results"][0]["message"]["text"] == "'x' is\nnot there\nLook for it."


def test_findings_about_images_come_first_and_many_of_a_rule_are_counted() -> None:
    many = [warning("Dockerfile", n, "base-unpinned", f"number {n}", "Pin it.") for n in range(1, 13)]
    found = sort_findings([error(".github/workflows/a.yml", 1, "actionlint/expression", "no"), *many])
    lines = render_findings(found, accepted=5).split("\n")
    assert [line.split()[0] for line in lines if line and line[0] != " "] == [*["WARNING"] * 3, "ERROR", "1"]
    assert lines[6] == "    base-unpinned: 9 more, at " + ", ".join(f"Dockerfile:{n}" for n in range(4, 10)) + ", ..."
    assert lines[-1] == "1 error, 12 warnings, 0 notes, 5 accepted"
    assert render_findings(found[:4]).count("number") == 4  # one line more is no longer than the places


def test_a_format_that_does_not_exist() -> None:
    with pytest.raises(SelectionError, match="did you mean 'sarif'"):
        parse_word("sariff", FORMATS)


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


def hadolint(code: str, level: str) -> str:
    found = {"code": code, "level": level, "file": "D", "line": 3, "message": "as it is"}
    return json.dumps({"hadolint": [found], "failures": {}})


def test_what_builds_is_no_error_unless_the_sources_own_configuration_makes_it_one() -> None:
    assert parse_reports(hadolint("DL3020", "error"))[0].severity == "warning"
    assert parse_reports(hadolint("SC2086", "info"))[0].severity == "note"
    raised = raised_rules("override:\n  error: [DL3020]\n")
    assert parse_reports(hadolint("DL3020", "error"), raised=raised)[0].severity == "error"
    for text in ("", "[", "override: 3", "override: {error: 7}"):
        assert raised_rules(text) == frozenset()


def actionlint(kind: str, message: str, snippet: str = "") -> str:
    found = {"filepath": ".github/workflows/a.yml", "line": 7, "kind": kind, "message": message, "snippet": snippet}
    return json.dumps({"actionlint": [found], "failures": {}})


def test_shellcheck_is_read_out_of_actionlints_report() -> None:
    said = "shellcheck reported issue in this script: SC2086:info:8:33: Double quote to prevent globbing"
    (found,) = parse_reports(actionlint("shellcheck", said, "        run: |\n        ^~~~"))
    assert (found.severity, found.place, found.rule) == ("note", ".github/workflows/a.yml:15", "actionlint/SC2086")
    assert found.message == "Double quote to prevent globbing"
    (found,) = parse_reports(actionlint("shellcheck", said.replace("info:8", "error:1"), "      - run: echo $x"))
    assert (found.severity, found.place) == ("error", ".github/workflows/a.yml:7")
    assert parse_reports(actionlint("runner-label", "unknown"))[0].severity == "warning"
    assert parse_reports(actionlint("expression", "unknown"))[0].severity == "error"


def test_a_linter_that_could_not_run_is_an_error() -> None:
    (found,) = parse_reports('{"failures": {"hadolint": "bad configuration"}}')
    assert (found.severity, found.place, found.rule) == ("error", ".hadolint.yaml:1", "hadolint-failed")
    assert "bad configuration" in found.message
