"""Takes samples: both tools do the same work in turn."""

from __future__ import annotations

from collections.abc import Callable

from bench.figures import Pair
from deploy.engine.progress import say

Samples = tuple[float, ...]


def in_turn(runs: int, ours: Callable[[], float], peer: Callable[[], float]) -> tuple[Samples, Samples]:
    """Let both do the work in turn; who begins alternates too."""
    samples: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(runs):
        order = [("ours", ours), ("peer", peer)]
        for name, do in order if number % 2 == 0 else reversed(order):
            samples[name].append(do())
    return tuple(samples["ours"]), tuple(samples["peer"])


def told(
    work: str,
    of: str,
    ours: Samples,
    peer: Samples,
    *,
    row: int | None = None,
    goal: float | None = None,
    against: str = "bake",
) -> Pair:
    """Make a pair of samples, and say it at once: the whole run takes long."""
    pair = Pair(work=work, of=of, ours=ours, peer=peer, row=row, goal=goal, against=against)
    goal_text = f", goal {goal:g}: {pair.verdict}" if goal is not None else ""
    say(
        f"{work}, {of}: drydock {pair.our_median:.2f} s, {against} {pair.peer_median:.2f} s, "
        f"ratio {pair.ratio:.2f}{goal_text}"
    )
    return pair
