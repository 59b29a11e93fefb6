"""Turns outcomes into what a user reads: a table, a Markdown page or JSON."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from textwrap import indent

from ci.core.errors import PipelineError
from ci.core.model import ENGINE, Failure, Outcome, Plan, Stage
from ci.core.text import (
    Format,
    clean,
    columns,
    last_lines,
    markdown_cell,
    markdown_table,
    seconds_text,
    size_text,
)
from ci.core.timeline import Row, draw_mermaid

_HEAD = ("VARIANT", "STATUS", "BUILD", "SMOKE", "SIZE", "BUDGET")
_RIGHT = frozenset((2, 3, 4, 5))
_SCHEMA = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What came of a whole plan."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    seconds: float
    rows: tuple[Row, ...] = ()  # what was done when, also for variants that are in no outcome
    reasons: Mapping[str, str] = field(default_factory=dict)  # why an image was built and not reused, by its name
    notes: tuple[str, ...] = ()  # what the user should know besides

    @property
    def ok(self) -> bool:
        """Whether there is an outcome for every variant, and nothing failed."""
        return len(self.outcomes) == len(self.plan.variants) > 0 and all(o.ok for o in self.outcomes)


def report_or_fail(report: Report, wanted: Format, *, gate: bool = False) -> str:
    """Print the report of a run that succeeded.

    Args:
        report: of the run.
        wanted: how it is written.
        gate: whether a release was to follow, which a failure stops; else it draws what was done when, of both.

    Raises:
        PipelineError: a variant failed, or has no outcome; its text is the report, and what to type next.

    """
    text = {Format.TABLE: render_table, Format.MARKDOWN: render_markdown, Format.JSON: render_json}[wanted](report)
    picture = draw_mermaid(report.rows) if wanted is Format.MARKDOWN and not (gate and report.ok) else ""
    text = "\n\n".join(filter(None, (text, picture)))
    if report.ok:
        return text
    if wanted is not Format.JSON:
        failed = [outcome.variant for outcome in report.outcomes if not outcome.ok]
        head = f"{len(failed)} of {len(report.plan.variants)} variants failed"
        if gate:
            between = "\n\n" if wanted is Format.MARKDOWN else " "
            head = f"nothing was pushed and no tag was touched:{between}{head}"
        again = [f"  dagger call build-all --only {v.image.name} --platforms {v.platform}" for v in failed]
        if wanted is Format.MARKDOWN:
            again = ["```sh", *(line.strip() for line in again), "```"]
        text = "\n\n".join([head, text, "\n".join(["To build one of them again:", *again])])
    raise PipelineError(f"{text}\n")  # the engine adds a mark of its own to the last line


def render_table(report: Report) -> str:
    """Write the report for a terminal: a row for each variant, totals, then every failure."""
    parts = [columns([_HEAD, *map(_row, report.outcomes)], right=_RIGHT), _totals(report)]
    parts += [f"{name}: no smoke checks: {reason}" for name, reason in _unchecked(report)]
    parts += [f"{name}: built: {clean(reason)}" for name, reason in report.reasons.items()]
    said = ([*_machines(report)], [*_caches(report)], [*map(clean, report.notes)])
    parts += ["\n".join(lines) for lines in said if lines]
    for outcome, failure in _failures(report):
        lines = [f"{outcome.variant} · {clean(failure.step)}", indent(clean(failure.reason), "  ")]
        lines += [indent(detail, "  ") for detail in _details(failure)]
        if failure.stderr:
            lines.append(indent(last_lines(failure.stderr), "    "))
        for head, log in _logs(failure):
            lines += [f"  {head}", indent(log, "    ")]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def render_markdown(report: Report) -> str:
    """Write the report for a Markdown page, such as the summary of a GitHub job."""
    rows = [tuple(name.capitalize() for name in _HEAD), *map(_row, report.outcomes)]
    parts = [markdown_table(rows, right=_RIGHT), markdown_cell(_totals(report))]
    parts += [f"{name}: no smoke checks: {markdown_cell(reason)}" for name, reason in _unchecked(report)]
    parts += [f"{name}: built: {markdown_cell(reason)}" for name, reason in report.reasons.items()]
    parts += [markdown_cell(line) for line in (*_machines(report), *_caches(report), *report.notes)]
    for outcome, failure in _failures(report):
        parts.append(f"**{outcome.variant}** · {markdown_cell(failure.step)}")
        lines = [clean(failure.reason), *_details(failure)]
        if failure.stderr:
            lines.append(indent(last_lines(failure.stderr), "  "))
        for head, log in _logs(failure):
            lines += [head, indent(log, "  ")]
        parts.append(f"<pre>{escape(chr(10).join(lines))}</pre>")
    return "\n\n".join(parts)


def render_json(report: Report) -> str:
    """Write the report as JSON.

    Keys: schema (1), ok, seconds, revision (or null), and variants, a list in the order of the plan. A
    variant has variant ("backend@linux/arm64"), image, platform, ok, build_seconds, smoke_seconds, smoke
    (passed, total, reason: why there are no checks, or null), size and budget (bytes, or null), steps (total, cached,
    sources, import_seconds, export_seconds, problems: what BuildKit did when it built, or null), reused (the
    sha- tag it was taken from, or null), rebuilt (why it could not be reused, or null: nobody looked), machine
    (what built it, or null; the engine runs all checks), emulated (a list of build and smoke, by a processor of another
    platform), stages, a list of name (build, import, smoke), began (seconds since 1970 in UTC), seconds,
    detail and ok, and failures, a list of step, reason, command, exit_code and stderr (the last lines); those can be
    null but for the first two.
    """
    return _json(
        {
            "schema": _SCHEMA,
            "ok": report.ok,
            "seconds": round(report.seconds, 3),
            "revision": report.plan.revision,
            "variants": [_outcome_json(outcome, report.reasons) for outcome in report.outcomes],
        }
    )


def _json(value: object) -> str:
    return jsonlib.dumps(value, indent=2)


def _row(outcome: Outcome) -> tuple[str, ...]:
    smoke = f"{outcome.smoke_passed}/{outcome.smoke_total}" if outcome.variant.checks else "none"
    state = "ok" if outcome.ok else "FAILED"
    return (
        str(outcome.variant),
        f"reused from {outcome.reused}" if outcome.reused else state,
        "-" if outcome.reused else seconds_text(outcome.build_seconds),
        "-" if outcome.reused else smoke,
        size_text(outcome.size),
        size_text(outcome.variant.image.budget),
    )


def _totals(report: Report) -> str:
    outcomes = report.outcomes
    good = sum(outcome.ok for outcome in outcomes)
    sizes = [outcome.size for outcome in outcomes if outcome.size is not None]
    reused = sum(bool(outcome.reused) for outcome in outcomes)
    passed, total = sum(o.smoke_passed for o in outcomes), sum(o.smoke_total for o in outcomes)
    return ", ".join(
        (
            f"{len(outcomes)} variant{'' if len(outcomes) == 1 else 's'}: {good} ok",
            f"{len(report.plan.variants) - good} failed",
            *([f"{reused} reused"] if reused else []),
            f"smoke {passed}/{total}",
            f"size {size_text(sum(sizes) if sizes else None)}",
            f"in {seconds_text(report.seconds)}",
        )
    )


def _unchecked(report: Report) -> Iterator[tuple[str, str]]:
    """Name the images without checks, and why there are none."""
    for image in report.plan.images:
        if not image.smoke:
            yield image.name, clean(image.smoke_reason or "no reason given")


def _machines(report: Report) -> Iterator[str]:
    """Say which machine built what, where it was not the engine's alone: that runs all checks."""
    named: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for outcome in report.outcomes:
        if outcome.machine:
            named.setdefault((outcome.machine, outcome.emulated), []).append(str(outcome.variant))
    if all(machine.startswith(ENGINE) for machine, _ in named):
        return
    for (machine, emulated), variants in named.items():
        built = "built, emulated," if "build" in emulated else "built"
        smoked = "smoked in the engine, emulated" if "smoke" in emulated else "smoked in the engine"
        yield clean(f"{machine} {built} {', '.join(variants)}; {smoked}")


def _caches(report: Report) -> Iterator[str]:
    """Say what the layer cache was good for, where there is one."""
    for outcome in report.outcomes:
        steps = outcome.steps
        if steps and (steps.sources or steps.problems or steps.export_seconds):
            source = f" from {', '.join(steps.sources)}" if steps.sources else ""
            times = f"import {seconds_text(steps.import_seconds)}, export {seconds_text(steps.export_seconds)}"
            yield clean(f"{outcome.variant}: {steps.cached} of {steps.total} steps cached{source}; {times}")
            missing = [problem for problem in steps.problems if problem.endswith("not found")]
            if missing:
                yield f"{outcome.variant}: there was no layer cache to read yet"
            others = [problem for problem in steps.problems if problem not in missing]
            yield from (clean(f"{outcome.variant}: layer cache: {problem}") for problem in others)


def _failures(report: Report) -> Iterator[tuple[Outcome, Failure]]:
    for outcome in report.outcomes:
        for failure in outcome.failures:
            yield outcome, failure


def _details(failure: Failure) -> Iterator[str]:
    if failure.command is not None:
        yield f"command: {clean(failure.command)}"
    if failure.exit_code is not None:
        yield f"exit code: {failure.exit_code}"
    if failure.stderr:
        yield "last lines of stderr:"


def _logs(failure: Failure) -> Iterator[tuple[str, str]]:
    for name, log in failure.logs.items():
        yield f"last lines of {clean(name)}, beside it:", last_lines(log)


def _outcome_json(outcome: Outcome, reasons: Mapping[str, str]) -> dict[str, object]:
    image = outcome.variant.image
    return {
        "variant": str(outcome.variant),
        "image": image.name,
        "platform": outcome.variant.platform,
        "ok": outcome.ok,
        "build_seconds": round(outcome.build_seconds, 3),
        "smoke_seconds": round(outcome.smoke_seconds, 3),
        "smoke": {
            "passed": outcome.smoke_passed,
            "total": outcome.smoke_total,
            "reason": image.smoke_reason,
        },
        "size": outcome.size,
        "budget": image.budget,
        "steps": asdict(outcome.steps) if outcome.steps else None,
        "reused": outcome.reused or None,
        "rebuilt": reasons.get(image.name),
        "machine": outcome.machine or None,
        "emulated": list(outcome.emulated),
        "stages": [_stage_json(stage) for stage in outcome.stages],
        "failures": [_failure_json(failure) for failure in outcome.failures],
    }


def _stage_json(stage: Stage) -> dict[str, object]:
    return {**asdict(stage), "began": round(stage.began, 3), "seconds": round(stage.seconds, 3)}


def _failure_json(failure: Failure) -> dict[str, object]:
    return {
        "step": failure.step,
        "reason": failure.reason,
        "command": failure.command,
        "exit_code": failure.exit_code,
        "stderr": None if failure.stderr is None else last_lines(failure.stderr),
        "logs": {name: last_lines(log) for name, log in failure.logs.items()},
    }
