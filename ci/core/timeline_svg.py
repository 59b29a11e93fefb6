"""Draws a timeline as an SVG file: a lane for each row, a colour for each kind of stage, time from left to right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ci.core.model import Stage
from ci.core.text import clean, seconds_text
from ci.core.timeline import STAGES, Row, Timeline, arrange, keep_latest, shorten, stage_text

_WIDTH, _LEFT, _RIGHT = 1100, 270, 860  # pixels: of all, where time begins, where it ends
_LANE, _BAR, _LINE = 22, 14, 20  # pixels of height
_MOST = 300  # lanes
_LABEL, _NOTE, _SENTENCE = 31, 36, 170  # characters that have room
_CHARACTER = 6.0  # pixels, in a bar
_TICKS = 10
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)  # seconds
_COLOURS = ("#6b7280", "#9a3412", "#2563eb", "#0f766e", "#a16207", "#7c3aed", "#be185d", "#4d7c0f", "#0e7490")
_COLOUR_OF = dict(zip(STAGES, _COLOURS, strict=True))
_FAILED = "#dc2626"
_FONT = 'font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12"'
_STYLE = """\
.page { fill: #ffffff } text { fill: #1f2328 } .soft { fill: #59636e } .line { stroke: #d1d9e0 }
.wait, .gate { stroke: #818b98 } .in { fill: #ffffff; font-size: 10px } .head { font-weight: bold }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } text { fill: #f0f6fc } .soft { fill: #9198a1 } .line { stroke: #3d444d } .in { fill: #ffffff } }
"""


def draw_svg(rows: Iterable[Row]) -> str:
    """Draw what a run, or several machines, did when; at most 300 rows, those that ended last."""
    timeline = arrange(rows)
    shown = keep_latest(timeline.rows, _MOST)
    told = [*timeline.sentences()]
    if left_out := len(timeline.rows) - len(shown):
        told.append(f"Not drawn: {left_out} rows that ended earlier.")
    top = 50 + _LINE * len(told)
    lanes, heads, bottom = _places(shown, top + 36)
    size = f'width="{_WIDTH}" height="{bottom + 34}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 34}" {size} {_FONT}>',
        "<title>What was done when</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" {size}/>',
        _write(16, 24, "What was done when", "head", size=15),
        *(_write(16, 46 + _LINE * n, shorten(text, _SENTENCE), "soft") for n, text in enumerate(told)),
        *_legend(shown, top),
        *_axis(timeline, top + 24, bottom),
        *(_write(16, y + 15, shorten(name, _SENTENCE), "head") for y, name in heads),
    ]
    for y, row in zip(lanes, shown, strict=True):
        parts += _lane(timeline, row, y)
    return "\n".join([*parts, "</svg>", ""])


def _places(rows: Sequence[Row], y: int) -> tuple[list[int], list[tuple[int, str]], int]:
    """Say how far down each row is, where each machine's name is, and where they end."""
    lanes: list[int] = []
    heads: list[tuple[int, str]] = []
    machine = ""
    for row in rows:
        if row.machine != machine:
            machine = row.machine
            y += _LANE // 3
            if machine:
                heads.append((y, machine))
                y += _LANE
        lanes.append(y)
        y += _LANE
    return lanes, heads, y


def _legend(rows: Sequence[Row], y: int) -> Iterator[str]:
    stages = [stage for row in rows for stage in row.stages]
    found = {stage.name for stage in stages}
    names = [(name, colour) for name, colour in _COLOUR_OF.items() if name in found]
    if any(not stage.ok for stage in stages):
        names.append(("failed", _FAILED))
    x = 16
    for name, colour in names:
        yield f'<rect x="{x}" y="{y - 10}" width="12" height="12" rx="2" fill="{colour}"/>'
        yield _write(x + 17, y, name)
        x += 40 + 7 * len(name)
    yield f'<line class="wait" x1="{x}" y1="{y - 4}" x2="{x + 14}" y2="{y - 4}" stroke-dasharray="2 2"/>'
    yield _write(x + 19, y, "waits")


def _axis(timeline: Timeline, top: int, bottom: int) -> Iterator[str]:
    """Draw the seconds, the moment at which all variants were done, and where time is left out."""
    step = next((step for step in _STEPS if timeline.seconds / step <= _TICKS), timeline.seconds / _TICKS)
    for n in range(int(timeline.seconds / step) + 1):
        x = _x(timeline, n * step)
        yield f'<line class="line" x1="{x}" y1="{top + 6}" x2="{x}" y2="{bottom}"/>'
        for y in (top, bottom + 14):
            yield _write(x, y, f"{n * step:g} s", "soft", anchor="middle")
    marks = [(at, f"{seconds_text(seconds)} left out") for at, seconds in timeline.cuts]
    if timeline.last and timeline.last.done < timeline.seconds:
        marks.append((timeline.last.done, "all variants done"))
    for at, text in marks:
        x = _x(timeline, at)
        yield f'<line class="gate" x1="{x}" y1="{top + 6}" x2="{x}" y2="{bottom + 18}" stroke-dasharray="5 3"/>'
        yield _write(x, bottom + 28, text, anchor="middle")


def _lane(timeline: Timeline, row: Row, y: int) -> Iterator[str]:
    strong = "head" if row is timeline.last else ""
    label = _write(_LEFT - 10, y + 15, shorten(row.label, _LABEL), strong, anchor="end")
    yield f"<g><title>{_text(row.label)}</title>{label}</g>"
    if row.machine and row.stages:
        known = [other for other in timeline.rows if other.machine in {"", row.machine}]
        began = min(stage.began for other in known for stage in other.stages)
        x, end, middle = _x(timeline, began), _x(timeline, row.ended), y + _LANE // 2
        yield f'<line class="wait" x1="{x}" y1="{middle}" x2="{end}" y2="{middle}" stroke-dasharray="2 2"/>'
    for stage in row.stages:
        yield from _stage(timeline, stage, y + (_LANE - _BAR) // 2)
    yield _write(_RIGHT + 14, y + 15, shorten(_note(row), _NOTE), "soft")


def _stage(timeline: Timeline, stage: Stage, y: int) -> Iterator[str]:
    x = _x(timeline, stage.began)
    width = max(1.0, round(_x(timeline, stage.ended) - x, 1))
    colour = _COLOUR_OF[stage.name] if stage.ok else _FAILED
    told = _text(f"{stage_text(stage)}; began at {seconds_text(stage.began)}")
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{_BAR}" rx="2" fill="{colour}"><title>{told}</title></rect>'
    for text in (f"{stage.name} {seconds_text(stage.seconds)}", seconds_text(stage.seconds)):
        if len(text) * _CHARACTER <= width:
            yield _write(x + 4, y + 11, text, "in")
            return


def _note(row: Row) -> str:
    """Say beside a lane what its bars do not: what was cached, what was taken from elsewhere, what failed."""
    failed = [f"{stage.name} FAILED, {stage.detail}".removesuffix(", ") for stage in row.stages if not stage.ok]
    return ", ".join(filter(None, (row.note, *(failed or (stage.detail for stage in row.stages)))))


def _x(timeline: Timeline, seconds: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * seconds / (timeline.seconds or 1.0), 1)


def _write(x: float, y: float, text: str, kind: str = "", *, anchor: str = "", size: int = 0) -> str:
    words = [
        f'x="{x:g}" y="{y:g}"',
        f'class="{kind}"' if kind else "",
        f'text-anchor="{anchor}"' if anchor else "",
        f'font-size="{size}"' if size else "",
    ]
    return f"<text {' '.join(filter(None, words))}>{_text(text)}</text>"


def _text(text: str) -> str:
    """Write a text, whoever chose it, so that XML shows it as it is."""
    return escape("".join(" " if c in "\n\t\ufffe\uffff" else c for c in clean(text)))
