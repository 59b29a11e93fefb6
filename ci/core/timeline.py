"""Says what a run did when: a row for each variant, so that one sees at a glance what a release waits for.

`arrange` makes of rows what both pictures are drawn from: the Mermaid diagram here, and the SVG of `timeline_svg`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ci.core.model import Outcome, Stage
from ci.core.text import clean, markdown_cell, seconds_text

ALL, TAGS = "all images", "tags"  # labels of what is done for all of them
STAGES = ("prepare", "wait", "build", "import", "smoke", "push", "verify", "name", "move")
_REGISTRY = "the registry"
_BEFORE_THE_GATE = frozenset(("build", "import", "smoke"))
_IDLE = 60.0  # seconds in which nothing ran that are left out, if they are also a good part of the whole
_MUCH = 0.25  # of the time in which something ran
_MOST = 20  # rows of a diagram: a page shows each stage on a line, and GitHub draws no more than 50,000 characters
_LABEL, _WIDE, _TEXT = 44, 7, 72  # characters of a section's name, pixels of each, characters beside a bar
_THIN = 1 / 400  # of the whole: what took less is drawn as if it had taken that
_UNSAFE = re.compile(r"[^\w ./@+,():-]", re.ASCII)
_COLOURS = {"build": "active, ", "import": "done, ", "push": "done, "}  # Mermaid has three, and one for failures


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was done for one variant, or for several things under one label."""

    label: str
    machine: str = ""  # that did it; nothing where it makes no difference
    stages: tuple[Stage, ...] = ()
    note: str = ""  # what is said besides, such as where it was taken from

    @property
    def ended(self) -> float:
        """When the last of it was over, as `Stage.began`."""
        return max((stage.ended for stage in self.stages), default=0.0)

    @property
    def done(self) -> float:
        """When it was built and smoked; 0 where it was neither."""
        return max((stage.ended for stage in self.stages if stage.name in _BEFORE_THE_GATE), default=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """Rows in the order of the picture; the first stage begins at 0, and long times without any are left out."""

    rows: tuple[Row, ...] = ()
    seconds: float = 0.0
    cuts: tuple[tuple[float, float], ...] = ()  # when something was left out, and how many seconds

    @property
    def last(self) -> Row | None:
        """The variant that was done last: what a release waits for."""
        return max((row for row in self.rows if row.machine and row.done), key=lambda row: row.done, default=None)

    def sentences(self) -> Iterator[str]:
        """Say what the picture shows."""
        if last := self.last:
            stages = [stage for stage in last.stages if stage.name in _BEFORE_THE_GATE]
            parts = ", ".join(f"{stage.name} {seconds_text(stage.seconds)}" for stage in stages)
            waited = seconds_text(max(0.0, last.done - sum(stage.seconds for stage in stages)))
            yield f"Done last: {last.label}, after {seconds_text(last.done)} ({parts}; {waited} before and between)."
            if any(stage.began >= last.done for row in self.rows for stage in row.stages):
                yield f"What came after that took {seconds_text(self.seconds - last.done)}."
        for at, seconds in self.cuts:
            yield f"Left out after {seconds_text(at)}: {seconds_text(seconds)} in which nothing ran."


def row_of(outcome: Outcome) -> Row:
    """Say what was done for a variant."""
    if outcome.reused:
        return Row(label=str(outcome.variant), machine=_REGISTRY, note=f"reused from {outcome.reused}")
    return Row(label=str(outcome.variant), machine=outcome.machine, stages=outcome.stages)


def row_before(stages: Sequence[Stage], waited: float) -> Row:
    """Say what came before the builds.

    Args:
        stages: that prepared them.
        waited: seconds that they then waited for another call, which was building on the same engine.

    """
    late = [Stage(name="wait", began=stages[-1].ended, seconds=waited, detail="for another call")] if waited else []
    return Row(label=ALL, stages=(*stages, *late))


def merge_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Make one row of those with the same label, unless several machines have one."""
    merged: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.label, row.machine)
        others = [other for other in merged if other[0] == row.label != ALL]
        if key not in merged and len(others) == 1 and not (row.machine and others[0][1]):
            key = others[0]  # what one machine has built is pushed by whoever releases it
        old = merged.get(key, Row(label=row.label))
        stages = (*old.stages, *filter(_is_sound, row.stages))
        merged[key] = Row(
            label=row.label,
            machine=old.machine or row.machine,
            stages=tuple(sorted(stages, key=lambda stage: stage.began)),
            note=old.note or row.note,
        )
    return tuple(merged.values())


def _is_sound(stage: Stage) -> bool:
    """Tell whether a stage can be drawn: a file that another machine wrote may say anything."""
    return stage.name in STAGES and math.isfinite(stage.ended) and stage.seconds >= 0


def arrange(rows: Iterable[Row]) -> Timeline:
    """Bring rows, of one machine or of several, into the order and onto the time of one picture."""
    merged = _by_machine(merge_rows(rows))
    stages = [stage for row in merged for stage in row.stages]
    if not stages:
        return Timeline(rows=merged)
    start = min(stage.began for stage in stages)
    idle = _idle(stages)

    def place(moment: float) -> float:
        return moment - start - sum(gap for at, gap in idle if at < moment)

    placed = tuple(
        replace(row, stages=tuple(replace(stage, began=place(stage.began)) for stage in row.stages)) for row in merged
    )
    return Timeline(
        rows=placed,
        seconds=max(row.ended for row in placed),
        cuts=tuple((place(at), gap) for at, gap in idle),
    )


def _by_machine(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Put what each machine did together; what no machine is named for stays before or behind it."""
    machines = dict.fromkeys(row.machine for row in rows if row.machine)
    first = next((n for n, row in enumerate(rows) if row.machine), len(rows))
    named = (row for machine in machines for row in rows if row.machine == machine)
    return (*rows[:first], *named, *(row for row in rows[first:] if not row.machine))


def _idle(stages: Sequence[Stage]) -> list[tuple[float, float]]:
    """List the long times in which nothing ran: when each began, and how many seconds it was."""
    gaps: list[tuple[float, float]] = []
    ordered = sorted(stages, key=lambda stage: stage.began)
    end, busy = ordered[0].began, 0.0
    for stage in ordered:
        if stage.began > end:
            gaps.append((end, stage.began - end))
        busy += max(0.0, stage.ended - max(end, stage.began))
        end = max(end, stage.ended)
    return [(at, gap) for at, gap in gaps if gap > max(_IDLE, _MUCH * busy)]


def keep_latest(rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    """Keep the rows that ended last, in their order."""
    kept = {id(row) for row in sorted(rows, key=lambda row: -row.ended)[:most]}
    return tuple(row for row in rows if id(row) in kept)


def stage_text(stage: Stage) -> str:
    """Say of a stage what it was, how long it took, and what came of it."""
    failed = "" if stage.ok else "FAILED"
    return ", ".join(filter(None, (f"{stage.name} {seconds_text(stage.seconds)}", stage.detail, failed)))


def shorten(text: str, most: int) -> str:
    """Leave the middle out of a text that is too long: a variant is known by both of its ends."""
    tail = (most - 2) // 2
    return text if len(text) <= most else f"{text[: most - 2 - tail]}..{text[-tail:]}"


def draw_mermaid(rows: Iterable[Row]) -> str:
    """Write a part of a Markdown page: what the picture shows, and the diagram; nothing where nothing was done.

    The numbers of its axis are seconds. Texts that somebody else chose cannot end the diagram, nor be its commands:
    what could is written as a blank.
    """
    timeline = arrange(rows)
    drawn = [row for row in timeline.rows if row.stages]
    if not drawn:
        return ""
    shown = keep_latest(drawn, _MOST)
    told = [*timeline.sentences()]
    if len(shown) < len(drawn):
        told.append(f"Drawn are the {len(shown)} of {len(drawn)} rows that ended last.")
    several = len({row.machine for row in shown if row.machine}) > 1
    lines, widest = ["dateFormat x", "axisFormat %s", "todayMarker off"], 0
    for row in shown:
        texts = [row.label, row.machine] if several and row.machine else [row.label]
        names = [shorten(_safe(text), _LABEL) for text in texts]
        widest = max(widest, *map(len, names))
        lines += [f"section {'<br>'.join(names)}", *(_task(stage, timeline.seconds * _THIN) for stage in row.stages)]
    config = ["---", "config:", "  gantt:", f"    leftPadding: {_WIDE * widest + 20}", "---"]
    diagram = "\n".join(["```mermaid", *config, "gantt", *(f"  {line}" for line in lines), "```"])
    return "\n\n".join([*([markdown_cell(" ".join(told))] if told else []), diagram])


def _task(stage: Stage, least: float) -> str:
    tag = _COLOURS.get(stage.name, "") if stage.ok else "crit, "
    ended = stage.began + max(stage.seconds, least, 0.001)
    text = _safe(stage_text(stage)).replace(":", " ")  # it ends the text here, and not that of a section
    return f"{shorten(text, _TEXT)} :{tag}{round(stage.began * 1000)}, {round(ended * 1000)}"


def _safe(text: str) -> str:
    """Leave of a text what means nothing to Mermaid."""
    return _UNSAFE.sub(" ", clean(text)).strip() or "-"
