"""Fits the workflow to the machines of a configuration: a job for each platform, or one job on one machine."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ci.core.runners import DEFAULT, HOSTED, Machine, are_several

_ENTRIES = re.compile(r"^( +)include:\n(?:\1  - .*\n)+", re.MULTILINE)
_STRATEGY = re.compile(r"^    strategy:\n(?:      .*\n)+", re.MULTILINE)
_RUNS_ON = re.compile(r"^    runs-on: .*$", re.MULTILINE)
_PLATFORM = re.compile(
    r"^ +(?:PLATFORM: .*|--platforms \"\$PLATFORM\")\n| \(\$\{\{ matrix\.platform \}\}\)", re.MULTILINE
)
# Each job with the comments above it: what comes before them, the one that stages, and the one that releases.
_JOBS = re.compile(r"(?s)(.*?\n\n)((?:  #[^\n]*\n)*  stage:\n.*?\n\n)((?:  #[^\n]*\n)*  release:\n.*)")
_HEAD = re.compile(r"(?s)(.*?)(    permissions:\n.*?)    steps:\n(.*)")  # of a job: its name and all, its permissions
_CARRYING = ("Check out", "Fetch what was staged", "Keep what was staged for the release")
_BLANK = "\n\n"  # between steps, and in none


def fit_workflow(text: str, machines: Sequence[Machine]) -> str:
    """Fit the workflow to the machines that build.

    Args:
        text: the workflow, with a job for each platform.
        machines: of the configuration; none where it is not known, which is one machine.

    Raises:
        ValueError: the workflow no longer has the jobs that this was made for.

    """
    where, jobs, before = text.find("\njobs:\n"), None, ""
    if where >= 0:
        jobs, before = _JOBS.fullmatch(text[where:]), text[:where]
    if not jobs:
        raise ValueError("the workflow no longer has the jobs check, stage and release")
    check, stage, release = jobs.groups()
    if are_several(machines):
        return before + _with_entries(check + stage, machines) + _on(release, _first(machines))
    together = _PLATFORM.sub("", _STRATEGY.sub("", check + _join(stage, release)))
    return before + _on(together, _first(machines))


def _with_entries(text: str, machines: Sequence[Machine]) -> str:
    """Write the entries of both matrices."""
    entries = "".join(f"          - {machine.entry}\n" for machine in machines)
    text, count = _ENTRIES.subn(lambda found: f"{found[1]}include:\n{entries}", text)
    if count != len(("check", "stage")):
        raise ValueError("the workflow no longer has two matrices")
    return text


def _join(stage: str, release: str) -> str:
    """Let one job stage and release: with the rights of the second, and nothing to carry from the one to the other."""
    first, second = _HEAD.fullmatch(stage), _HEAD.fullmatch(release)
    if not first or not second:
        raise ValueError("the workflow no longer has jobs with permissions and steps")
    head = first[1].replace("  stage:\n", "  publish:\n").replace("and stage (", "and release (")
    steps = [*first[3].rstrip().split(_BLANK), *second[3].rstrip().split(_BLANK)]
    checkout = steps[0]
    kept = [step for step in steps if not any(f"- name: {name}\n" in step for name in _CARRYING)]
    return f"{head}{second[2]}    steps:\n{_BLANK.join([checkout, *kept])}\n"


def _on(text: str, machine: Machine) -> str:
    return _RUNS_ON.sub(f"    runs-on: {machine.runs_on}", text)


def _first(machines: Sequence[Machine]) -> Machine:
    """Choose where the one job runs, or the one that releases: on the default's machine where there is one."""
    for machine in machines:
        if machine.platform == DEFAULT:
            return machine
    return machines[0] if machines else Machine(platform=DEFAULT, labels=HOSTED[DEFAULT])
