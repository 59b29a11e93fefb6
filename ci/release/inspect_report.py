"""Turns what a release says of itself into what a user reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from ci.core.text import Format, clean, columns, markdown_cell, markdown_table, size_text, text_or_fail
from ci.release.inspected import BaseFact, Inspected, InspectedImage, InspectedVariant, PackageDiff

_SHORT = 19  # characters of a digest: "sha256:" and twelve digits
_COMMIT = 12
_MOST = 200  # packages of a difference that a table or a page shows

Row = tuple[str, ...]


def report_inspected(done: Inspected, wanted: Format, now: datetime, *, packages: bool) -> str:
    """Print what a release says of itself.

    Args:
        done: what was read.
        wanted: the format; JSON has all packages in any case.
        now: with its time zone, to say how old something is.
        packages: whether to list the packages too.

    Raises:
        PipelineError: some of it could not be read; its text is the report.

    """
    if wanted is Format.JSON:
        text = json.dumps({"schema": 1, "ok": done.ok, **asdict(done)}, indent=2)
    else:
        parts = [part for image in done.images for part in _parts(image, done.before, now, wanted, packages=packages)]
        parts += [_escape(note, wanted) for note in done.notes]
        text = "\n\n".join(part for part in parts if part)
    return text_or_fail(text, ok=done.ok, wanted=wanted)


def _parts(image: InspectedImage, before: str, now: datetime, wanted: Format, *, packages: bool) -> Iterator[str]:
    head = f"{image.repository}:{image.tag}"
    told = [
        image.digest,
        f"commit {image.revision[:_COMMIT]}" if image.revision else "",
        f"of {image.created}" if image.created else "",
        f"version {image.version}" if image.version else "",
    ]
    line = _escape(f"{head}  {', '.join(filter(None, told))}".rstrip(), wanted)
    yield f"**{line}**" if wanted is Format.MARKDOWN else line
    if image.variants:
        rows = [("VARIANT", "DIGEST", "SIZE", "LAYERS", "COMMIT", "AGE", "PACKAGES", "ATTESTED")]
        yield _table([*rows, *(_variant(one, now) for one in image.variants)], wanted, right=frozenset((2, 3)))
        bases = [(one.variant, *_base(base, now)) for one in image.variants for base in one.bases]
        yield _table([("BASE OF", "IMAGE", "DIGEST", "AGE", "ITS TAG"), *bases], wanted) if bases else ""
    built: dict[str, list[str]] = {}
    for one in image.variants:
        built.setdefault(one.builder, []).append(one.variant)
    made_by = [(", ".join(variants), builder) for builder, variants in built.items() if builder]
    yield _table([("BUILT", "BY, AS ITS PROVENANCE SAYS"), *made_by], wanted) if made_by else ""
    signed = [(_of(image, s.about), s.kind, ", ".join(s.signers) or "not said") for s in image.signatures]
    yield _table([("SIGNED", "WHAT", "BY, NOT VERIFIED HERE"), *signed], wanted) if signed else ""
    yield from render_diffs(((one.variant, one.diff, before) for one in image.variants if one.diff), wanted)
    for one in image.variants:
        if packages and one.packages:
            listed = [(p.kind or "-", p.name, p.version or "-") for p in one.packages]
            yield _escape(f"{one.variant}: {len(listed)} packages", wanted)
            yield _table([("KIND", "PACKAGE", "VERSION"), *listed], wanted)
    problems = [*image.problems, *(f"{one.variant}: {text}" for one in image.variants for text in one.problems)]
    yield "\n".join(f"- {_escape(problem, wanted)}" for problem in problems)


def _variant(one: InspectedVariant, now: datetime) -> Row:
    counts = ", ".join(f"{count} {kind}" for kind, count in one.counts.items())
    known = f"{len(one.packages)}: {counts}" if one.packages else "none" if one.packages is not None else "not known"
    system = f" ({one.distribution})" if one.distribution else ""
    return (
        one.variant,
        one.digest[:_SHORT],
        size_text(one.size),
        str(one.layers),
        one.revision[:_COMMIT] or "-",
        age_text(one.created, now),
        f"{known}{system}",
        ", ".join(one.attested) or "nothing",
    )


def _base(base: BaseFact, now: datetime) -> Row:
    state = {None: "not known", False: "names it", True: "has moved"}[base.moved] if base.now != "" else "is gone"
    return (base.reference, base.digest[:_SHORT], age_text(base.created, now), state)


def _of(image: InspectedImage, digest: str) -> str:
    return next((one.variant for one in image.variants if one.digest == digest), "the index")


def render_diffs(found: Iterable[tuple[str, PackageDiff, str]], wanted: Format) -> Iterator[str]:
    """Write what came, went and changed in variants: those with the same changes together.

    Args:
        found: each variant, its changes, and since which tag.
        wanted: the format.

    """
    alike: dict[tuple[PackageDiff, str], list[str]] = {}
    for variant, diff, before in found:
        alike.setdefault((diff, before), []).append(variant)
    for (diff, before), variants in alike.items():
        yield from _render_diff(", ".join(variants), diff, before, wanted)


def _render_diff(variant: str, diff: PackageDiff, before: str, wanted: Format) -> Iterator[str]:
    if diff.problem or diff.empty:
        why = f"its packages cannot be compared: {diff.problem}" if diff.problem else ""
        yield _escape(f"{variant}: {why or f'the same packages as in {before}'}", wanted)
        return
    rows = list(_changes(diff))
    yield _escape(
        f"{variant}: {len(rows)} {'package' if len(rows) == 1 else 'packages'} came, went or changed since {before}",
        wanted,
    )
    yield _table([("", "PACKAGE", "KIND", "BEFORE", "NOW"), *rows[:_MOST]], wanted)
    if len(rows) > _MOST:
        yield f"... and {len(rows) - _MOST} more"


def _changes(diff: PackageDiff) -> Iterator[Row]:
    for change in diff.changed:
        yield ("changed", change.name, change.kind or "-", ", ".join(change.before), ", ".join(change.after))
    yield from (("came", one.name, one.kind or "-", "", one.version) for one in diff.came)
    yield from (("went", one.name, one.kind or "-", one.version, "") for one in diff.went)


def age_text(time: str, now: datetime) -> str:
    """Say how long ago something was, in whole days; "-" where nobody knows."""
    try:
        then = datetime.fromisoformat(time)
    except ValueError:
        return "-"
    if not then.tzinfo:
        return "-"
    days = (now - then).days
    return "today" if days < 1 else f"{days} day{'s' if days > 1 else ''}"


def _escape(text: str, wanted: Format) -> str:
    return markdown_cell(text) if wanted is Format.MARKDOWN else clean(text)


def _table(rows: Sequence[Row], wanted: Format, *, right: frozenset[int] = frozenset()) -> str:
    if wanted is Format.MARKDOWN:
        head = [tuple(cell.capitalize() for cell in rows[0])]
        return markdown_table([*head, *rows[1:]], right=right)
    return clean(columns(rows, right=right))
