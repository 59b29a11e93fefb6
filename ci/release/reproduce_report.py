"""Turns what came of building a commit again into what a user reads: which layer, which files in it, of what kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from ci.core.text import Format, clean, columns, last_lines, markdown_cell, markdown_table, seconds_text, text_or_fail
from ci.release.reproduced import LayerDifference, Reproduced, Reproduction

_SHORT = 19  # characters of a digest
_STEP = 100  # characters of what made a layer


def report_reproduced(done: Reproduction, wanted: Format) -> str:
    """Print which variants came out as they were released, and where the others differ.

    Raises:
        PipelineError: one differs, or could not be built; its text is the report.

    """
    return text_or_fail(_render(done, wanted), ok=done.ok, wanted=wanted)


def _render(done: Reproduction, wanted: Format) -> str:
    if wanted is Format.JSON:
        variants = [{**asdict(one), "same": one.same} for one in done.variants]
        return json.dumps({"schema": 1, "ok": done.ok, **asdict(done), "variants": variants}, indent=2)
    rows = [("VARIANT", "RELEASED", "BUILT AGAIN", ""), *map(_row, done.variants)]
    differing = [(one, list(_lines(one))) for one in done.variants if not one.same or one.problems]
    if wanted is Format.MARKDOWN:
        parts = [f"**{markdown_cell(_headline(done))}**", markdown_table(rows)]
        parts += [f"{markdown_cell(one.variant)}\n\n{_items(lines)}" for one, lines in differing]
        parts += [markdown_cell(note) for note in done.notes]
        parts.append(_items(done.problems))
    else:
        parts = [_headline(done), columns(rows)]
        parts += [clean("\n".join([one.variant, *(f"  {line}" for line in lines)])) for one, lines in differing]
        parts += [*map(clean, done.notes), "\n".join(f"- {clean(problem)}" for problem in done.problems)]
    return "\n\n".join(part for part in parts if part)


def _items(lines: list[str] | tuple[str, ...]) -> str:
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)


def _headline(done: Reproduction) -> str:
    same = sum(one.same for one in done.variants)
    state = "ok" if done.ok else "FAILED"
    count = f"{same} of {len(done.variants)} the same"
    return f"reproduction of {done.revision[:7]}: {state}, {count}, in {seconds_text(done.seconds)}"


def _row(one: Reproduced) -> tuple[str, str, str, str]:
    state = "the same" if one.same else "DIFFERS" if one.built else "not built"
    return (one.variant, one.released[:_SHORT], one.built[:_SHORT] or "-", state)


def _lines(one: Reproduced) -> Iterator[str]:
    for problem in one.problems:
        yield from last_lines(problem).splitlines()
    yield from tell_differences(one.documents, one.layers)


def tell_differences(documents: Sequence[str], layers: Sequence[LayerDifference]) -> Iterator[str]:
    """Say which layers differ, which files in each, and of what kind; then what the documents do not have in common."""
    for layer in layers:
        step = " ".join(layer.step.split())
        made_by = f"made by {step[:_STEP]}" if step else "made by a step without a name"
        yield f"layer {layer.number} of {layer.layers}, {made_by}: {_what(layer)}"
        if layer.files:
            yield from (f"  /{each.path.removeprefix('./')}: {', '.join(each.kinds)}" for each in layer.files.files)
            if more := layer.files.differing - len(layer.files.files):
                yield f"  ... and {more} more"
            yield from (f"  {note}" for note in [layer.note] if note)
    yield from documents


def _what(layer: LayerDifference) -> str:
    if not layer.released or not layer.built:
        return "only in the " + ("new image" if layer.built else "released one")
    if layer.files is None:
        return layer.note or "its files were not compared"
    counts = layer.files.kinds.items()
    kinds = ", ".join(f"{count} {'' if ' ' in kind else 'by '}{kind}" for kind, count in counts)
    moved = f"{layer.files.moved} in another order" if layer.files.moved else ""
    told = "; ".join(filter(None, (f"files that differ: {kinds}" if kinds else "", moved)))
    return told or "the same files, packed or compressed differently"
