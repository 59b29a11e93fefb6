"""From samples to figures: medians, ratios and the table; no clock, no file, no process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The same work done by both tools, several times in turn: seconds of each."""

    work: str
    of: str  # what it is done to, such as "3 images"
    ours: tuple[float, ...]
    peer: tuple[float, ...]
    against: str = "bake"  # what the peer is
    row: int | None = None  # of the goals
    goal: float | None = None  # the ratio at most

    @property
    def our_median(self) -> float:
        """Seconds of drydock."""
        return median(self.ours)

    @property
    def peer_median(self) -> float:
        """Seconds of the peer."""
        return median(self.peer)

    @property
    def ratio(self) -> float:
        """How many times as long as the peer: the median of neighbours' ratios, which a change of load moves less."""
        return median(a / b for a, b in zip(self.ours, self.peer, strict=True))

    @property
    def verdict(self) -> str:
        """Say whether the goal is met; nothing where there is none."""
        if self.goal is None:
            return ""
        return "met" if self.ratio <= self.goal else "missed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """One cold run of a number of variants: seconds, and memory in bytes at its peak."""

    images: int
    variants: int
    seconds: float
    memory: int


def slope(rows: Sequence[Growth]) -> float:
    """Seconds that one more variant costs: the least squares line through all runs."""
    mean_x = sum(row.variants for row in rows) / len(rows)
    mean_y = sum(row.seconds for row in rows) / len(rows)
    spread = sum((row.variants - mean_x) ** 2 for row in rows)
    return sum((row.variants - mean_x) * (row.seconds - mean_y) for row in rows) / spread if spread else 0.0


def render(pairs: Sequence[Pair], growth: Sequence[Growth], facts: Mapping[str, str]) -> str:
    """Write the result as Markdown: facts, table of pairs, table of growth."""
    lines = ["# Drydock and buildx bake, measured in one run", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        "",
        "Seconds are medians; the ratio is the median of the ratios of each two neighbouring runs.",
    ]
    goals = [pair for pair in pairs if pair.goal is not None]
    others = [pair for pair in pairs if pair.goal is None]
    if goals:
        lines += ["", *_goal_table(goals)]
    if others:
        lines += ["", "Other work, on generated images:", "", *_other_table(others)]
    if growth:
        lines += [
            "",
            f"Growth of `build-all`, cold, two platforms: {slope(growth):.2f} s for each further variant.",
            "",
            *_table(
                ("images", "variants", "seconds", "seconds a variant", "memory at the peak"),
                [
                    (str(g.images), str(g.variants), f"{g.seconds:.1f}", f"{g.seconds / g.variants:.2f}", _megabytes(g))
                    for g in growth
                ],
            ),
        ]
    return "\n".join([*lines, ""])


def _goal_table(pairs: Sequence[Pair]) -> list[str]:
    head = ("goal", "work", "of", "drydock", "peer", "ratio", "at most", "", "runs", "least-most", "peer's")
    rows = [
        (str(p.row), p.work, p.of, *_seconds(p), f"{p.ratio:.2f}", f"{p.goal:g}", p.verdict, *_spread(p))
        for p in sorted(pairs, key=lambda p: p.row or 0)
    ]
    return _table(head, rows, left=frozenset({0, 1, 2, 7}))


def _other_table(pairs: Sequence[Pair]) -> list[str]:
    head = ("work", "of", "drydock", "peer", "ratio", "runs", "least-most", "peer's")
    rows = [(p.work, p.of, *_seconds(p), f"{p.ratio:.2f}", *_spread(p)) for p in pairs]
    return _table(head, rows, left=frozenset({0, 1}))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: frozenset[int] = frozenset()) -> list[str]:
    rule = ["---" if number in left else "--:" for number in range(len(head))]
    return [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _seconds(pair: Pair) -> tuple[str, str]:
    peer = "" if pair.against == "bake" else f" ({pair.against})"
    return f"{pair.our_median:.2f} s", f"{pair.peer_median:.2f} s{peer}"


def _spread(pair: Pair) -> tuple[str, str, str]:
    ours, peer = (f"{min(samples):.2f}-{max(samples):.2f}" for samples in (pair.ours, pair.peer))
    return str(len(pair.ours)), ours, peer


def _megabytes(row: Growth) -> str:
    return f"{row.memory / 1e6:.0f} MB"
