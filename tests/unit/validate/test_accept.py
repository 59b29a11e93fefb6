"""What is accepted is left out, counted, and said to be useless where it does nothing."""

import json

import pytest

from ci.core.findings import Acceptance, Finding, error, note, warning
from ci.validate.accept import check_comments, leave_accepted, render_baseline

D, CONFIG = "Dockerfile", "deploy/images.yaml"
UNPINNED = warning(D, 3, "base-unpinned", "not pinned")
STYLE = note(D, 3, "hadolint/DL3059", "two RUN")


def judged(
    findings: list[Finding], *acceptances: Acceptance, text: str = "", baseline: str | None = None
) -> tuple[list[str], int]:
    files = {D: text, "baseline.json": baseline}
    found = leave_accepted(
        findings, acceptances, read=files.get, config=CONFIG, baseline="baseline.json" if baseline is not None else None
    )
    return [finding.rule for finding in found.findings], found.accepted


def accept(rule: str, *files: str) -> Acceptance:
    return Acceptance(rule=rule, reason="so it is", files=files, line=9)


@pytest.mark.parametrize(
    ("acceptance", "left"),
    [
        (accept("base-unpinned"), ["hadolint/DL3059"]),
        (accept("hadolint/*"), ["base-unpinned"]),
        (accept("*"), []),
        (accept("base-unpinned", "Docker*"), ["hadolint/DL3059"]),
        (accept("base-unpinned", "images/**", "Dockerfile"), ["hadolint/DL3059"]),
        (accept("base-unpinned", "images/**"), ["base-unpinned", "hadolint/DL3059", "accept-unused"]),
        (accept("base"), ["base-unpinned", "hadolint/DL3059", "accept-unused"]),
    ],
)
def test_the_configuration_accepts_a_rule_by_its_name(acceptance: Acceptance, left: list[str]) -> None:
    assert judged([UNPINNED, STYLE], acceptance) == (left, 2 - len([rule for rule in left if rule != "accept-unused"]))


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("#\n# drydock: accept base-unpinned: no digests there\nFROM a\n", 1),
        ("# drydock: accept base-unpinned, hadolint/*: both\n# and more\nFROM a\n", 2),
        ("#\n#\nFROM a # drydock: accept hadolint/DL3059: at its end\n", 1),
        ("# drydock: accept base-unpinned: too far\nRUN a\nFROM a\n", 0),
        ("#\n# drydock: accept base-unpinned\nFROM a\n", 0),
        ("#\n# drydock: accept base-unpinned:\nFROM a\n", 0),
        ("#\n# drydock: accept: why not\nFROM a\n", 0),
        ("", 0),
    ],
)
def test_a_comment_accepts_what_is_found_at_its_line(text: str, accepted: int) -> None:
    assert judged([UNPINNED, STYLE], text=text)[1] == accepted


def test_a_comment_without_a_rule_or_a_reason_is_a_finding() -> None:
    text = "# drydock: accept base-unpinned\nFROM a\n# drydock: accept: x\n# drydock: accept a, b: fine\n# drydock\n"
    assert [(found.rule, found.line) for found in check_comments(D, text)] == [
        ("accept-unclear", 1),
        ("accept-unclear", 3),
    ]


def test_a_baseline_accepts_as_many_as_there_were_wherever_they_stand_now() -> None:
    before = [UNPINNED, warning(D, 9, "base-unpinned", "not pinned"), STYLE]
    baseline = render_baseline(before)
    later = [warning(D, n, "base-unpinned", "not pinned") for n in (13, 19, 23)]
    assert judged([*later, STYLE], baseline=baseline) == (["base-unpinned"], 3)
    assert judged([warning("other", 3, "base-unpinned", "not pinned")], baseline=baseline)[1] == 0


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", '{"accepted": [{"rule": "a"}]}', '{"accepted": 3}'])
def test_a_baseline_that_is_none(text: str) -> None:
    assert judged([UNPINNED], baseline=text) == (["base-unpinned", "baseline-unread"], 0)


def test_a_mistake_in_the_configuration_cannot_be_accepted() -> None:
    mistake = error(CONFIG, 1, "config", "no")
    assert judged([mistake], accept("*"), baseline=render_baseline([mistake]))[1] == 0
    assert json.loads(render_baseline([mistake]))["accepted"] == []
