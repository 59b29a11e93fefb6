"""Walks over GitHub workflows: every job that an event can start, once for each case of its matrix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Any

from ci.init.documents import Lines, mapping, mappings, read_document, text_of, texts
from ci.init.holes import fill
from ci.init.released import Triggers
from ci.init.tagging import joined, plain_condition

FOLDER = ".github/workflows/"
_CHECKS = frozenset(("pull_request", "pull_request_target", "merge_group", "workflow_call"))
_CALLED = re.compile(r"(?:\./|[\w.-]+/[\w.-]+/)(\.github/workflows/[^@]+)")
_MOST_CASES = 64
_DEEPEST = 4  # as GitHub nests reusable workflows


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job as one run of it goes."""

    file: str
    steps: tuple[Lines, ...]
    known: Mapping[str, str]  # what its expressions stand for
    condition: str  # of the event, as far as it is plain
    events: str  # the condition that the event is one of its workflow's, unless a person can start it at any time
    triggers: Triggers
    line: int
    needs: tuple[str, ...] = ()  # names of jobs
    name: str = ""
    by_hand: bool = False  # whether a person can start it
    exact: str = ""  # the condition of events, by a person too: where other workflows release at other events
    runner: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)  # what it hands to those that wait for it

    def among_others(self) -> Job:
        """Return it with an exact condition."""
        if not self.by_hand or not self.triggers.any or "workflow_dispatch" in self.events:
            return self
        by_hand = {"workflow_dispatch": ""}
        return replace(self, exact=f"{_condition({}, self.triggers)} || {_condition(by_hand, Triggers())}")


def is_workflow(path: str) -> bool:
    """Tell whether a path is one of a workflow."""
    return path.startswith(FOLDER) and path.count("/") == FOLDER.count("/") and path.endswith((".yml", ".yaml"))


def list_jobs(files: Mapping[str, str], project: str) -> Iterator[Job]:
    """List the jobs that something else than a pull request can start.

    Args:
        files: the workflows by their paths.
        project: the name of the repository on GitHub, as far as known.

    """
    read = {path: read_document(text, path) for path, text in files.items()}
    outer = {"github.repository_owner": "{owner}", "github.repository": f"{{owner}}/{project.lower()}"}
    outer["github.event.repository.name"] = project
    for path, workflow in read.items():
        events = _events(workflow)
        if events.keys() - _CHECKS:
            yield from _jobs(read, path, outer, "", events, 0)


def called_elsewhere(files: Mapping[str, str]) -> Iterator[str]:
    """Name the jobs that call a workflow of another repository, as far as it seems to be about images."""
    read = {path: read_document(text, path) for path, text in files.items()}
    for path, workflow in read.items():
        jobs = mapping(workflow.get("jobs")) if _events(workflow).keys() - _CHECKS else {}
        for job in (mapping(job) for job in jobs.values()):
            uses, given = text_of(job, "uses"), mapping(job.get("with"))
            called = _CALLED.match(uses)
            about = re.search(r"(?i)docker|image|container|oci|\bbuildx?\b", " ".join([uses, *given]))
            if called and about and not uses.startswith("./") and called[1] not in read:
                told = f"; it is given {', '.join(given)}" if given else ""
                yield f"{path}:{job.line}: calls {uses}, which is not here: what it pushes is not known{told}"


def _events(workflow: Lines) -> dict[str, Any]:
    given = workflow.get("on", {})
    if isinstance(given, dict):
        return given
    return {event: {} for event in texts(given)}


def _triggers(events: Mapping[str, Any]) -> Triggers:
    push = mapping(events.get("push"))
    schedule = mappings(events.get("schedule"))
    everything = "push" in events and not {"branches", "branches-ignore", "tags", "tags-ignore"} & push.keys()
    return Triggers(
        branches=tuple(texts(push.get("branches"))) or (("**",) if everything else ()),
        tags=tuple(texts(push.get("tags"))) or (("**",) if everything else ()),
        crons=tuple(cron for each in schedule for cron in texts(each.get("cron"))),
        release="release" in events,
    )


def _condition(events: Mapping[str, Any], triggers: Triggers) -> str:
    """Write that an event is one of a workflow's; "" where it may be any, or nobody can tell."""
    parts = []
    for branch in triggers.branches:
        start, star, _ = branch.partition("*")
        parts.append(
            f"startsWith(github.ref, 'refs/heads/{start}')" if star else f"github.ref == 'refs/heads/{branch}'"
        )
    parts += ["startsWith(github.ref, 'refs/tags/')"] if triggers.tags else []
    parts += ["github.event_name == 'release'"] if triggers.release else []
    parts += ["github.event_name == 'schedule'"] if triggers.crons else []
    if "workflow_dispatch" in events:
        parts = [] if parts else ["github.event_name == 'workflow_dispatch'"]
    return " || ".join(parts)


def _jobs(
    read: Mapping[str, Lines], path: str, known: Mapping[str, str], condition: str, events: Mapping[str, Any], deep: int
) -> Iterator[Job]:
    workflow = read[path]
    triggers = _triggers(events)
    around = environment(workflow, known)
    for name, job in ((name, mapping(job)) for name, job in mapping(workflow.get("jobs")).items()):
        when = joined(condition, plain_condition(text_of(job, "if")))
        if re.fullmatch(r"(?:\$\{\{)?\s*github\.event_name == 'pull_request'\s*(?:\}\})?", text_of(job, "if")):
            continue
        for case in _cases(mapping(job.get("strategy")).get("matrix"), around):
            within = environment(job, {**around, **case})
            called = _CALLED.match(fill(text_of(job, "uses"), within))
            if called and called[1] in read and deep < _DEEPEST:
                inputs = _inputs(read[called[1]], mapping(job.get("with")), within)
                handed = {name: value for name, value in known.items() if name.startswith("github.")}
                yield from _jobs(read, called[1], {**handed, **inputs}, when, events, deep + 1)
            elif "steps" in job:
                yield Job(
                    file=path,
                    steps=tuple(mappings(job["steps"])),
                    known=within,
                    condition=when,
                    events=_condition(events, triggers),
                    triggers=triggers,
                    line=job.line,
                    needs=tuple(texts(job.get("needs"))),
                    name=name,
                    by_hand="workflow_dispatch" in events,
                    outputs={n: text for n, text in mapping(job.get("outputs")).items() if isinstance(text, str)},
                    runner=fill(_runner(job.get("runs-on")), within),
                )


def _runner(given: object) -> str:
    """Write the labels of a runner with spaces between; of a group of runners, only a run knows which it is."""
    within = mapping(given)
    group = f"${{{{ group: {text_of(within, 'group')} }}}} " if text_of(within, "group") else ""
    return group + " ".join(texts(within.get("labels") if within else given))


def environment(values: Lines, known: Mapping[str, str]) -> dict[str, str]:
    """Add to what is known the variables that a workflow, a job or a step sets, each filled in."""
    made = dict(known)
    for name, value in mapping(values.get("env")).items():
        if isinstance(value, str):
            made[f"env.{name.lower()}"] = fill(value, made)
    return made


def _inputs(called: Lines, given: Lines, known: Mapping[str, str]) -> dict[str, str]:
    declared = mapping(mapping(_events(called).get("workflow_call")).get("inputs"))
    usual = {name: mapping(value).get("default", "") for name, value in declared.items()}
    return {f"inputs.{n.lower()}": fill(v, known) for n, v in {**usual, **given}.items() if isinstance(v, str)}


def _cases(matrix: object, known: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """List what a matrix stands for: all combinations, with what include adds to them or beside them."""
    given = mapping(matrix)
    axes = {name: _axis(each, known) for name, each in given.items() if name not in ("include", "exclude")}
    combined: list[dict[str, Any]] = [
        dict(zip(axes, values, strict=True)) for values in islice(product(*axes.values()), _MOST_CASES)
    ]
    combined = combined if axes else []
    left_out = mappings(given.get("exclude"))
    combined = [case for case in combined if not any(_fits(case, other) for other in left_out)]
    cases = [dict(case) for case in combined]
    for more in mappings(given.get("include")):
        fitting = [n for n, case in enumerate(combined) if all(case[k] == v for k, v in more.items() if k in case)]
        for number in fitting:
            cases[number].update(more)
        if not fitting:
            cases.append(dict(more))
    for case in cases[:_MOST_CASES] or [{}]:
        yield {name: fill(value, known) for name, value in _flat("matrix", case)}


def _axis(given: object, known: Mapping[str, str]) -> list[Any]:
    """List the values of an axis; what only a run knows is one value, which is a hole."""
    if not isinstance(given, str):
        return given if isinstance(given, list) else []
    filled = fill(given, known)
    try:
        values = json.loads(filled)
    except ValueError:
        return [filled]
    return [_json_text(value) for value in values] if isinstance(values, list) else [filled]


def _json_text(value: object) -> Any:  # noqa: ANN401  # a tree
    if isinstance(value, dict):
        return Lines({key: _json_text(inner) for key, inner in value.items()})
    return value if isinstance(value, str) else json.dumps(value)


def _fits(case: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(case.get(name) == value for name, value in other.items())


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{str(key).lower()}", inner)
    elif isinstance(value, str):
        yield name, value
