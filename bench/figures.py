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

    @property
    def our_median(self) -> float:
        """Seconds of drydock."""
        return median(self.ours)

    @property
    def peer_median(self) -> float:
        """Seconds of buildx bake."""
        return median(self.peer)

    @property
    def ratio(self) -> float:
        """How many times as long as bake: the median of the ratios of neighbours, which a change of load moves less."""
        return median(a / b for a, b in zip(self.ours, self.peer, strict=True))


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
        "",
        "| work | of | drydock | bake | ratio | runs | drydock: least-most | bake: least-most |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {pair.work} | {pair.of} | {pair.our_median:.2f} s | {pair.peer_median:.2f} s | {pair.ratio:.2f} "
        f"| {len(pair.ours)} | {_range(pair.ours)} | {_range(pair.peer)} |"
        for pair in pairs
    ]
    if growth:
        lines += [
            "",
            f"Growth of `build-all`, cold, two platforms: {slope(growth):.2f} s for each further variant.",
            "",
            "| images | variants | seconds | seconds a variant | memory at the peak |",
            "|--:|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {row.images} | {row.variants} | {row.seconds:.1f} | {row.seconds / row.variants:.2f} "
            f"| {row.memory / 1e6:.0f} MB |"
            for row in growth
        ]
    return "\n".join([*lines, ""])


def _range(samples: Sequence[float]) -> str:
    return f"{min(samples):.2f}-{max(samples):.2f}"
