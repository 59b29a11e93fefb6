"""Draws what a run did when: a row for each variant, so that one sees at a glance what a release waits for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ci.core.model import Outcome, Stage

ALL = "all images"  # the label of what is done for all of them
_REGISTRY = "the registry"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was done for one variant, image or repository."""

    label: str
    machine: str = ""  # that did it; nothing where it makes no difference
    stages: tuple[Stage, ...] = ()
    note: str = ""  # what is said besides, such as where it was taken from


def row_of(outcome: Outcome) -> Row:
    """Say what was done for a variant."""
    if outcome.reused:
        return Row(label=str(outcome.variant), machine=_REGISTRY, note=f"reused from {outcome.reused}")
    return Row(label=str(outcome.variant), machine=outcome.machine, stages=outcome.stages)


def merge_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Make one row of those with the same label, unless two machines worked on it."""
    merged: dict[tuple[str, str], Row] = {}
    for row in rows:
        same = (key for key in merged if key[0] == row.label and (not row.machine or key[1] in ("", row.machine)))
        key = next(same, (row.label, row.machine))
        old = merged.get(key, row)
        stages = row.stages if old is row else (*old.stages, *row.stages)
        merged[key] = replace(
            old,
            machine=old.machine or row.machine,
            stages=tuple(sorted(stages, key=lambda stage: stage.began)),
            note=old.note or row.note,
        )
    return tuple(merged.values())
