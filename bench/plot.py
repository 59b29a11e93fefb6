"""Draws the pairs as bars, in SVG, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.figures import Pair

_LEFT, _WIDTH, _ROW, _BAR = 700, 400, 46, 15
_OURS, _PEER = "#2563eb", "#94a3b8"


def draw(pairs: Sequence[Pair], title: str) -> str:
    """Draw two bars for each pair, on one scale of seconds for the pairs of the same images."""
    groups = list(dict.fromkeys(pair.of for pair in pairs))
    rows = sorted(pairs, key=lambda pair: groups.index(pair.of))
    height = 70 + _ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="1230" height="{height}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="16" y="26" font-size="16">{escape(title)}</text>',
        f'<rect x="{_LEFT}" y="36" width="12" height="12" fill="{_OURS}"/>',
        f'<text x="{_LEFT + 18}" y="46" font-size="12">drydock (with smoke checks)</text>',
        f'<rect x="{_LEFT + 210}" y="36" width="12" height="12" fill="{_PEER}"/>',
        f'<text x="{_LEFT + 228}" y="46" font-size="12">buildx bake, or what is named</text>',
    ]
    for number, pair in enumerate(rows):
        most = max(max(p.our_median, p.peer_median) for p in rows if p.of == pair.of)
        top = 60 + number * _ROW
        label = f"{pair.work}, {pair.of}"
        goal = f", at most {pair.goal:g}: {pair.verdict}" if pair.goal is not None else ""
        other = "" if pair.against == "bake" else f", {pair.against}"
        parts.append(f'<text x="{_LEFT - 10}" y="{top + 20}" font-size="12" text-anchor="end">{escape(label)}</text>')
        for offset, seconds, colour, note in (
            (0, pair.our_median, _OURS, f"{pair.our_median:.2f} s, {pair.ratio:.2f} x{goal}"),
            (_BAR + 2, pair.peer_median, _PEER, f"{pair.peer_median:.2f} s{other}"),
        ):
            width = max(1.0, seconds / most * _WIDTH)
            y = top + offset
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + width + 6:.1f}" y="{y + 12}" font-size="11">{note}</text>')
    return "\n".join([*parts, "</svg>", ""])
