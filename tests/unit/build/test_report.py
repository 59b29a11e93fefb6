"""What a user reads when all is done."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ci.build.report import Report, render_json, render_markdown, render_table, report_or_fail
from ci.config.parse import parse_config
from ci.config.plan import plan_build, render_plan, render_plan_json
from ci.core.errors import PipelineError, SelectionError
from ci.core.model import Failure, Outcome, Plan, Stage
from ci.core.text import (
    REPORTS,
    Format,
    clean,
    columns,
    last_lines,
    markdown_cell,
    parse_format,
    seconds_text,
    size_text,
)

REVISION = "0123456789abcdef"
CONFIG = parse_config(
    """
repository: ghcr.io/{owner}/{name}
images:
  - name: backend
    dockerfile: docker/Dockerfile.backend
    platforms: [linux/amd64, linux/arm64]
    budget: 300MB
    smoke:
      - {name: imports its package, run: [python, -c, import app]}
      - {name: answers, http: {port: 8000, path: /health}, platforms: [linux/amd64]}
  - name: base
    dockerfile: docker/Dockerfile.base
    context: docker
    platforms: [linux/amd64]
    smoke: none
    smoke-reason: holds data only
""",
    file="images.yaml",
)
PLAN: Plan = plan_build(CONFIG, revision=REVISION)
AMD, ARM, BASE = PLAN.variants
HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x1b[0m\x9b2J\u202e\r\nnext\x08\x00 line"
FAILURE = Failure(
    step="smoke: imports its package",
    reason="expected exit code 0, got 1",
    command="python -c 'import app'",
    exit_code=1,
    stderr="\n".join(f"line {n}" for n in range(1, 31)) + f"\n{HOSTILE}\n",
)
STAGE = Stage(name="build", began=1_790_000_000.12345, seconds=12.34, detail="7 of 9 steps cached")
GOOD = Outcome(
    variant=AMD,
    build_seconds=12.34,
    smoke_seconds=2,
    smoke_passed=2,
    smoke_total=2,
    size=153_200_000,
    stages=(STAGE,),
    machine="engine (linux/amd64)",
)
BAD = Outcome(variant=ARM, build_seconds=125.2, smoke_passed=0, smoke_total=1, failures=(FAILURE,))
NONE = Outcome(variant=BASE, build_seconds=0.04, size=999)
REPORT = Report(plan=PLAN, outcomes=(GOOD, BAD, NONE), seconds=138)
SUCCESS = Report(plan=plan_build(CONFIG, only=["base"]), outcomes=(NONE,), seconds=1)


def test_the_table_has_a_row_for_each_variant_and_every_failure() -> None:
    lines = render_table(REPORT).splitlines()
    assert lines[:16] == [
        "VARIANT              STATUS       BUILD  SMOKE      SIZE    BUDGET",
        "backend@linux/amd64  ok          12.3 s    2/2  153.2 MB  300.0 MB",
        "backend@linux/arm64  FAILED  2 min 05 s    0/1         -  300.0 MB",
        "base@linux/amd64     ok           0.0 s   none     999 B         -",
        "",
        "3 variants: 2 ok, 1 failed, smoke 2/3, size 153.2 MB, in 2 min 18 s",
        "",
        "base: no smoke checks: holds data only",
        "",
        "backend@linux/arm64 · smoke: imports its package",
        "  expected exit code 0, got 1",
        "  command: python -c 'import app'",
        "  exit code: 1",
        "  last lines of stderr:",
        "    line 13",
        "    line 14",
    ]
    assert lines[-3:] == ["    line 30", "    red", "    next line"]


def test_a_table_of_one_variant() -> None:
    assert "1 variant: 1 ok, 0 failed" in render_table(SUCCESS)


@pytest.mark.parametrize("render", [render_table, render_markdown, render_json])
def test_no_output_drives_a_terminal(render: Callable[[Report], str]) -> None:
    hostile = Failure(step=HOSTILE, reason=HOSTILE, command=HOSTILE, stderr=HOSTILE, logs={"db": HOSTILE})
    outcome = Outcome(variant=AMD, build_seconds=1, failures=(hostile,))
    text = render(Report(plan=PLAN, outcomes=(outcome,), seconds=1))
    assert not re.search(r"[^\n\x20-\x7e·]", text)


def test_the_markdown_report() -> None:
    text = render_markdown(REPORT)
    assert text.splitlines()[:3] == [
        "| Variant | Status | Build | Smoke | Size | Budget |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| backend@linux/amd64 | ok | 12.3 s | 2/2 | 153.2 MB | 300.0 MB |",
    ]
    assert "**backend@linux/arm64** · smoke: imports its package" in text
    assert "base: no smoke checks: holds data only" in text
    assert "<pre>expected exit code 0, got 1\ncommand: python -c &#x27;import app&#x27;\n" in text


def test_markdown_shows_markup_as_text() -> None:
    step = "smoke: a|b `c` <img src=x> ![i](u) *s* _e_"
    failure = Failure(step=step, reason="</pre><script>", stderr="```\n</pre><b>")
    outcome = Outcome(variant=AMD, build_seconds=1, failures=(failure,))
    text = render_markdown(Report(plan=PLAN, outcomes=(outcome,), seconds=1))
    assert "smoke: a&#124;b &#96;c&#96; &#60;img src=x&#62; !&#91;i&#93;(u) &#42;s&#42; &#95;e&#95;" in text
    assert text.count("</pre>") == 1
    assert "<script>" not in text
    assert "<b>" not in text
    assert markdown_cell("a\nb") == "a b"


def test_what_other_machines_built_is_named_and_where_it_was_smoked() -> None:
    builder = "tcp://arm-1:1234 (linux/arm64)"
    outcomes = (
        replace(GOOD, machine="engine (linux/amd64)"),
        replace(NONE, machine=builder, emulated=("build",)),
        replace(GOOD, variant=ARM, machine=builder, emulated=("smoke",)),
    )
    lines = [
        "engine (linux/amd64) built backend@linux/amd64; smoked in the engine",
        f"{builder} built, emulated, base@linux/amd64; smoked in the engine",
        f"{builder} built backend@linux/arm64; smoked in the engine, emulated",
    ]
    assert "\n".join(["", *lines]) in render_table(replace(REPORT, outcomes=outcomes))
    assert all(markdown_cell(line) in render_markdown(replace(REPORT, outcomes=outcomes)) for line in lines)
    assert "smoked in" not in render_table(replace(REPORT, outcomes=outcomes[:1]))


def test_the_json_report() -> None:
    value = json.loads(render_json(REPORT))
    assert list(value) == ["schema", "ok", "seconds", "revision", "variants"]
    assert (value["schema"], value["ok"], value["seconds"], value["revision"]) == (1, False, 138, REVISION)
    good, bad, none = value["variants"]
    assert good == {
        "variant": "backend@linux/amd64",
        "image": "backend",
        "platform": "linux/amd64",
        "ok": True,
        "build_seconds": 12.34,
        "smoke_seconds": 2,
        "smoke": {"passed": 2, "total": 2, "reason": None},
        "steps": None,
        "size": 153_200_000,
        "budget": 300_000_000,
        "reused": None,
        "rebuilt": None,
        "machine": "engine (linux/amd64)",
        "emulated": [],
        "stages": [
            {
                "name": "build",
                "began": 1_790_000_000.123,
                "seconds": 12.34,
                "detail": "7 of 9 steps cached",
                "ok": True,
            }
        ],
        "failures": [],
    }
    assert (none["machine"], none["stages"]) == (None, [])
    assert bad["size"] is None
    [failure] = bad["failures"]
    assert list(failure) == ["step", "reason", "command", "exit_code", "stderr", "logs"]
    assert failure["exit_code"] == 1
    assert failure["stderr"].splitlines()[0] == "line 13"
    assert none["smoke"] == {"passed": 0, "total": 0, "reason": "holds data only"}


def test_json_of_a_failure_with_nothing_but_a_reason() -> None:
    outcome = Outcome(variant=AMD, build_seconds=1, failures=(Failure(step="build", reason="no"),))
    value = json.loads(render_json(Report(plan=PLAN, outcomes=(outcome,), seconds=1)))
    assert value["variants"][0]["failures"] == [
        {"step": "build", "reason": "no", "command": None, "exit_code": None, "stderr": None, "logs": {}}
    ]


@pytest.mark.parametrize(
    ("wanted", "render"),
    [(Format.TABLE, render_table), (Format.MARKDOWN, render_markdown), (Format.JSON, render_json)],
)
def test_finish_returns_the_report_of_a_success_and_raises_that_of_a_failure(
    wanted: Format, render: Callable[[Report], str]
) -> None:
    assert report_or_fail(SUCCESS, wanted) == render(SUCCESS)
    with pytest.raises(PipelineError) as caught:
        report_or_fail(REPORT, wanted)
    assert render(REPORT) in str(caught.value)
    assert (str(caught.value) == f"{render(REPORT)}\n") == (wanted is Format.JSON)


@pytest.mark.parametrize("wanted", [Format.TABLE, Format.MARKDOWN])
def test_a_failed_run_says_what_to_type_next(wanted: Format) -> None:
    with pytest.raises(PipelineError) as caught:
        report_or_fail(REPORT, wanted)
    failed = [outcome.variant for outcome in REPORT.outcomes if not outcome.ok]
    assert str(caught.value).startswith(f"{len(failed)} of {len(REPORT.plan.variants)} variants failed\n")
    for variant in failed:
        assert f"dagger call build-all --only {variant.image.name} --platforms {variant.platform}\n" in str(
            caught.value
        )


def test_a_format_goes_by_its_name() -> None:
    assert [parse_format(name) for name in ("table", "markdown", "json")] == list(REPORTS)


@pytest.mark.parametrize(
    ("name", "hint"), [("jsn", "; did you mean 'json'?"), ("JSON", "; did you mean 'json'?"), ("", ""), ("xyz", "")]
)
def test_another_format_is_refused(name: str, hint: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parse_format(name)
    assert str(caught.value) == f"--format {name!r} is not one of table, markdown, json{hint}"


@pytest.mark.parametrize(
    "report",
    [
        Report(plan=PLAN, outcomes=(GOOD,), seconds=1),
        Report(plan=PLAN, outcomes=(), seconds=1),
        Report(plan=Plan(config=CONFIG, variants=()), outcomes=(), seconds=1),
    ],
)
def test_a_report_that_lacks_outcomes_is_no_success(report: Report) -> None:
    assert not report.ok
    assert render_table(report)


def test_the_plan_as_a_table() -> None:
    table, checks = render_plan(PLAN, owner="Acme").split("\n\n")
    assert [line.split() for line in table.splitlines()] == [
        ["VARIANT", "PLATFORM", "DOCKERFILE", "CONTEXT", "CHECKS", "IMAGE"],
        [str(AMD), AMD.platform, "docker/Dockerfile.backend", ".", "2", "ghcr.io/acme/backend:sha-0123456"],
        [str(ARM), ARM.platform, "docker/Dockerfile.backend", ".", "1", "ghcr.io/acme/backend:sha-0123456"],
        [
            str(BASE),
            BASE.platform,
            "docker/Dockerfile.base",
            "docker",
            "none",
            "ghcr.io/acme/base:sha-0123456",
        ],
    ]
    assert len({line.index("ghcr") for line in table.splitlines()[1:]}) == 1
    assert checks.splitlines() == [
        "Smoke checks",
        "backend@linux/amd64:  imports its package, answers",
        "backend@linux/arm64:  imports its package",
        "base@linux/amd64:     none (holds data only)",
    ]


def test_the_plan_of_an_unknown_revision_and_owner() -> None:
    plan = plan_build(CONFIG, only=["base"])
    assert render_plan(plan).splitlines()[1].endswith("  ghcr.io/{owner}/base")


def test_the_plan_as_json() -> None:
    value = json.loads(render_plan_json(PLAN, owner="acme"))
    assert (value["schema"], value["revision"]) == (1, REVISION)
    assert value["variants"][0] == {
        "variant": "backend@linux/amd64",
        "image": "backend",
        "platform": "linux/amd64",
        "dockerfile": "docker/Dockerfile.backend",
        "context": ".",
        "target": None,
        "build_args": {},
        "checks": ["imports its package", "answers"],
        "smoke_reason": None,
        "budget": 300_000_000,
        "references": ["ghcr.io/acme/backend:sha-0123456"],
    }
    assert value["variants"][2]["smoke_reason"] == "holds data only"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (153_240_000, "153.2 MB"),
        (999_950_000, "1.0 GB"),
        (12_345_000_000, "12.3 GB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_sizes(size: int | None, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (119.6, "2 min 00 s"),
        (125, "2 min 05 s"),
        (3725, "62 min 05 s"),
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nand é", "plain\ttext\nand é"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1bP1;2q...\x1b\\after", "after"),
        ("\x1b(Bx\x1bcy\x1b7z", "xyz"),
        ("\x9b31mred", "red"),
        ("10%\r20%\r\nend", "10%\n20%\nend"),
        ("a\x08\x00\x7fb", "ab"),
        ("a\u202eb\u2028c\ud800d", "abcd"),
        ("\x1b[", ""),
        ("\x1b", ""),
        ("\x1b]never ends", ""),
    ],
)
def test_clean_drops_what_a_terminal_obeys(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("text", "count", "kept"),
    [
        ("", 20, ""),
        ("a\nb\nc\n\n", 2, "b\nc"),
        ("a\nb", 5, "a\nb"),
        ("x" * 600, 1, "x" * 500 + "..."),
        ("x\n" * 1_000_000 + "end", 1, "end"),
    ],
)
def test_last_lines(text: str, count: int, kept: str) -> None:
    assert last_lines(text, count) == kept


def test_columns_leave_no_blanks_at_the_end() -> None:
    assert columns([["a", "bb"], ["ccc", ""]]) == "a    bb\nccc"
