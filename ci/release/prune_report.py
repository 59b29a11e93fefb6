"""Turns a clean-up into what a user reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from ci.core.text import Format, clean, columns, markdown_cell, markdown_table, seconds_text, size_text, text_or_fail
from ci.release.pruned import Cleaning, Doomed, Pruned

_SHORT = 19  # characters of a digest in a table
_LONGEST = 64  # and of a tag: one that is made of a digest is longer


def report_pruned(done: Cleaning, wanted: Format) -> str:
    """Print what stays, what goes and what became of it.

    Raises:
        PipelineError: something could not be read, or deleted; its text is the report.

    """
    return text_or_fail(_render(done, wanted), ok=done.ok, wanted=wanted)


def _render(done: Cleaning, wanted: Format) -> str:
    if wanted is Format.JSON:
        return json.dumps({"schema": 1, "ok": done.ok, **asdict(done)}, indent=2)
    marked = wanted is Format.MARKDOWN
    parts = [f"**{markdown_cell(_headline(done))}**" if marked else _headline(done)]
    for one in done.repositories:
        rows = [("GOES", "TAGS", "MADE", ""), *(_row(doomed) for doomed in one.doomed)]
        parts.append(clean(_summary(one)) if not marked else markdown_cell(_summary(one)))
        if one.kept:
            kept = [("STAYS", "WHY"), *one.kept]
            parts.append(markdown_table(kept) if marked else clean(columns(kept)))
        if one.doomed:
            parts.append(markdown_table(rows) if marked else clean(columns(rows)))
    parts += [markdown_cell(note) if marked else note for note in done.notes]
    parts += ["\n".join(f"- {markdown_cell(problem) if marked else clean(problem)}" for problem in done.problems)]
    parts += _next(done)
    return "\n\n".join(part for part in parts if part)


def _headline(done: Cleaning) -> str:
    all_doomed = [doomed for one in done.repositories for doomed in one.doomed]
    gone = sum(doomed.deleted for doomed in all_doomed)
    what = f"{len(all_doomed)} manifests could go" if done.dry else f"{gone} of {len(all_doomed)} manifests deleted"
    return f"clean-up: {'ok' if done.ok else 'FAILED'}, {what}, in {seconds_text(done.seconds)}"


def _summary(one: Pruned) -> str:
    going = f"{len(one.doomed)} go, with at most {size_text(one.freed)}" if one.doomed else "none goes"
    return f"{one.repository}: {one.manifests} manifests stay, {going}; {one.others} other tags are left alone"


def _row(one: Doomed) -> tuple[str, str, str, str]:
    tags = [tag if len(tag) <= _LONGEST else f"{tag[:_SHORT]}..." for tag in one.tags]
    return (one.digest[:_SHORT], ", ".join(tags) or "-", one.made or "-", "deleted" if one.deleted else one.note)


def _next(done: Cleaning) -> Iterator[str]:
    doomed = [one for repository in done.repositories for one in repository.doomed]
    if done.problems and not any(one.deleted for one in doomed):
        yield "Nothing was deleted. What cannot be read may need what would go: mend that, then run it again."
    elif done.problems:
        yield "It ended there. What stays was not touched; run the same command again to go on."
    elif done.dry and doomed:
        yield "Nothing was deleted: add --yes to delete what goes."
