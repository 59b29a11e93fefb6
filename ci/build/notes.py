"""What the user should know of a build besides what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence

from ci.core.model import ENGINE, Outcome
from ci.core.text import seconds_text

_SLOW = 10.0  # seconds of a build that a cache would have been good for
_ENOUGH_FREE = 0.2  # of the disk; Dagger's default minFreeSpace (0.21.8, engine/server/gc.go)


def note_wait(seconds: float) -> Iterator[str]:
    """Say that the builds began late."""
    if seconds:
        yield (
            f"The builds began {seconds_text(seconds)} late: another call of this repository most likely was building "
            'on this engine (docs/self-hosted.md, "Two calls at once").'
        )


def note_disk(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Say why nothing was cached, where the engine probably threw it away (dagger#14181)."""
    disk = shutil.disk_usage("/")  # of the engine: a function runs in one of its containers
    slow = [each for each in outcomes if each.machine.startswith(ENGINE) and each.build_seconds > _SLOW]
    if disk.free < _ENOUGH_FREE * disk.total and slow and not any(o.steps and o.steps.cached for o in slow):
        yield (
            f"No step was cached, and {disk.free / disk.total:.0%} of the engine's disk is free. Below 20 % an engine "
            "with default settings throws away what it built after each call: free some, or set limits of its own "
            '(docs/self-hosted.md, "The engine\'s cache").'
        )


def note_caches(variants: Sequence[str]) -> Iterator[str]:
    """Name the variants that were built without their layer caches, because their builders do not reach these."""
    if variants:
        yield (
            f"Built without a layer cache: {', '.join(variants)}. It is in a registry that --registry hands to "
            "this engine alone, and a builder on another machine does not reach it."
        )
