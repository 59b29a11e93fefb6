"""What is shown of the CLI's plain progress, which trace.txt has of a call with one variant that fails, cut."""

from pathlib import Path

from ci.build.daemon import WAITING
from deploy.trace import LONG, Trace

TRACE = (Path(__file__).parent / "trace.txt").read_text().splitlines()
BUILDS = ["good@linux/amd64 build", "good@linux/arm64 build"]


def shown(lines: list[str], *, slow: str = "", seconds: float = 0.0) -> tuple[list[str], Trace]:
    """Read lines that come at once, but for one that comes later."""
    trace, now = Trace(), 0.0
    output: list[str] = []
    for line in lines:
        if slow and slow in line:
            now += seconds
            output += trace.wait(now)
        output += trace.read(line, now)
    return output, trace


def test_each_step_of_a_variant_has_a_line_when_it_ends() -> None:
    assert shown(TRACE)[0] == [
        "good@linux/amd64 build: done in 12.8 s",
        "good@linux/arm64 build: done in 13.0 s",
        "good@linux/amd64 smoke: done in 0.3 s",
        "good@linux/amd64 size: done in 0.2 s",
        "good@linux/arm64 smoke: done in 1.1 s",
        "good@linux/arm64 size: done in 0.1 s",
        "bad@linux/amd64 build: failed after 2.3 s",
    ]


def test_a_step_that_takes_long_has_one_before() -> None:
    for seconds, expected in ((LONG - 0.1, []), (LONG, [f"{name} ..." for name in BUILDS])):
        lines, _ = shown(TRACE, slow="good@linux/amd64 build DONE", seconds=seconds)
        assert [line for line in lines if line.endswith("...")] == expected


def test_what_no_variant_does_is_shown_only_if_it_takes_long() -> None:
    lines, _ = shown(TRACE, slow="loading type definitions DONE", seconds=LONG)
    assert lines[:4] == [
        "load workspace: . ...",
        "loading type definitions ...",
        "loading type definitions: done in 10.9 s",
        "load workspace: .: done in 10.9 s",
    ]


def test_calls_and_logs_are_no_steps_however_long_they_take() -> None:
    calls = [
        "1   : Ci.buildAll(only: null): String!",
        "2   : ┆ defaultPlatform: Platform!",
        "3   : ┆ withExec sh -c 'sleep 99'",
        '4   : ┆ created: "2026-01-01 00:00"',
        "5   : ┆ [0.3s] | good@linux/amd64 build",
        "6   : ┆ ┆ deeper@linux/amd64 build",
        "7   : ┆ ! it failed",
    ]
    assert shown([*calls, "the last"], slow="the last", seconds=LONG)[0] == []


def test_what_waits_for_somebody_has_a_line_at_once() -> None:
    lines = [
        "1   : ┆ a@linux/amd64 build",
        f"2   : ┆ {WAITING}",
        f"2   : ┆ {WAITING}",
        f"2   : ┆ {WAITING} DONE [3.2s]",
    ]
    assert shown(lines)[0] == [f"{WAITING} ...", f"{WAITING}: done in 3.2 s"]


def test_a_step_is_told_once_though_its_line_comes_again() -> None:
    again = ["1   : ┆ a@linux/amd64 build", "1   : ┆ a@linux/amd64 build", "1   : ┆ a@linux/amd64 build DONE [1m5s]"]
    assert shown([*again, *again])[0] == ["a@linux/amd64 build: done in 1 m 5 s"]


def test_the_error_is_shown_as_the_user_is_to_read_it() -> None:
    words = shown(TRACE)[1].last_words()
    assert words.startswith("Error: drydock: 1 of 3 variants failed\n\nVARIANT  ")
    assert words.endswith("\n  dagger call build-all --only bad --platforms linux/amd64")
    assert words.count("VARIANT") == 1
    assert "traceparent" not in words


def test_a_call_that_ends_well_has_no_words() -> None:
    assert shown(["1   : connect", "1   : connect DONE [0.1s]", "", ""])[1].last_words() == ""
