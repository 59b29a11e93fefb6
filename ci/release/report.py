"""Turns a release, a promotion or a verification into what a user reads; on failure, what is live and what to type."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from ci.build import report_or_fail as build_report_or_fail
from ci.core.attestations import Attested
from ci.core.text import Format, clean, columns, markdown_cell, markdown_table, seconds_text, size_text, text_or_fail
from ci.core.timeline import draw_mermaid
from ci.release.inspect_report import render_diffs
from ci.release.outcome import STAGING, Change, Delivery, Release, TagOutcome

_SHORT = 19  # characters of a digest in a table: "sha256:" and twelve digits


def report_or_fail(done: Delivery, wanted: Format) -> str:
    """Print what was built and what was released, promoted or verified.

    Raises:
        PipelineError: not everything is as it was promised; its text is the report.

    """
    release = done.released
    before = build_report_or_fail(done.built, wanted, gate=True) if done.built else ""
    picture = draw_mermaid(done.rows) if wanted is Format.MARKDOWN else ""
    if not release:
        return "\n\n".join(filter(None, (before, picture)))
    if wanted is Format.JSON:
        text = render_json(release, before)
    else:
        text = render_markdown(release) if wanted is Format.MARKDOWN else render_table(release)
        text = "\n\n".join(filter(None, (before, text, picture)))
    return text_or_fail(text, ok=release.ok, wanted=wanted)


def render_table(release: Release) -> str:
    """Write it for a terminal."""
    parts = [_headline(release)]
    if release.images:
        parts.append(columns([("IMAGE", "DIGEST", "SIZE", ""), *_images(release)], right=frozenset((2,))))
    if release.tags:
        parts.append(columns([("TAG", "BEFORE", "NOW", ""), *map(_row, release.tags)]))
    parts += _changes(release, Format.TABLE)
    parts += [*map(clean, release.notes), *(f"- {clean(problem)}" for problem in release.problems)]
    if release.ok and not release.next:
        parts.append("\n".join(["To pull:", *(f"  docker pull {name}" for name in _pulls(release))]))
    else:
        live = _live(release, "NOW")
        parts.append("\n".join([*live, f"Next: {clean(release.next)}", *_hint(release)]))
    return "\n\n".join(part for part in parts if part)


def render_markdown(release: Release) -> str:
    """Write it for a Markdown page, such as the summary of a GitHub job."""
    parts = [f"**{markdown_cell(_headline(release))}**"]
    if release.images:
        parts.append(markdown_table([("Image", "Digest", "Size", ""), *_images(release)], right=frozenset((2,))))
    if release.tags:
        parts.append(markdown_table([("Tag", "Before", "Now", ""), *map(_row, release.tags)]))
    parts += _changes(release, Format.MARKDOWN)
    parts += [markdown_cell(note) for note in release.notes]
    if release.ok and not release.next:
        parts.append("\n".join(["```", *(f"docker pull {name}" for name in _pulls(release)), "```"]))
    else:
        parts.append("\n".join(f"- {markdown_cell(problem)}" for problem in release.problems))
        parts += [*_live(release, "Now"), f"Next: {markdown_cell(release.next)}", *_hint(release)]
    return "\n\n".join(filter(None, parts))


def render_json(release: Release, before: str = "") -> str:
    """Write it as JSON: the fields of ci.release.outcome.Release, with ok, schema (1) and the report of the build.

    Of what is attested it has the kind and the number of packages: the whole of it is in the registry.
    """
    bare = tuple(
        replace(image, variants=tuple(replace(variant, attested=None) for variant in image.variants))
        for image in release.images
    )
    document: dict[str, Any] = {"schema": 1, "ok": release.ok, **asdict(replace(release, images=bare))}
    for image, written in zip(release.images, document["images"], strict=True):
        for variant, row in zip(image.variants, written["variants"], strict=True):
            row["attested"] = _attested(variant.attested) if variant.attested else None
    return json.dumps({**document, "build": json.loads(before)} if before else document, indent=2)


def _attested(found: Attested) -> dict[str, object]:
    return {
        "provenance": found.provenance.mode if found.provenance else None,
        "packages": len(found.sbom.packages) if found.sbom else None,
    }


def render_checksums(release: Release) -> str:
    """List every published digest with its repository as sha256sum would: what attestations are made from.

    A variant that was reused is left out: the run that built it attests it.
    """
    published = [
        (digest, image.repository)
        for image in release.images
        for digest in (image.digest, *(variant.digest for variant in image.variants if not variant.reused))
        if digest
    ]
    return "".join(f"{digest.removeprefix('sha256:')}  {repository}\n" for digest, repository in published)


def _changes(release: Release, wanted: Format) -> list[str]:
    """Write what has changed in the images since what their tags named before."""
    return list(render_diffs(((one.variant, one.diff, one.since) for one in release.changes), wanted))


def _headline(release: Release) -> str:
    state = "ok" if release.ok else "FAILED"
    repeated = f", {release.retries} requests repeated" if release.retries else ""
    return f"{release.what}: {state}, in {seconds_text(release.seconds)}{repeated}"


def _live(release: Release, column: str) -> list[str]:
    """Say what is live, where something failed."""
    if release.ok:
        return []
    return [f"Live now: what the column {column} says." if release.tags else "No tag was touched."]


def _images(release: Release) -> list[tuple[str, str, str, str]]:
    named = [image for image in release.images if image.digest or release.what != STAGING]
    images = [(image.repository, image.digest or "missing", "", "") for image in named]
    variants = [variant for image in release.images for variant in image.variants]
    notes = [f"reused from {variant.reused}" if variant.reused else "" for variant in variants]
    return [
        *images,
        *((v.variant, v.digest, size_text(v.size), note) for v, note in zip(variants, notes, strict=True)),
    ]


def _row(outcome: TagOutcome) -> tuple[str, str, str, str]:
    note = f"{outcome.change}: {clean(outcome.note)}" if outcome.note else str(outcome.change)
    now = "?" if outcome.change is Change.UNKNOWN and not outcome.after else _short(outcome.after)
    return (f"{outcome.repository}:{outcome.tag}", _short(outcome.before), now, note)


def _short(digest: str | None) -> str:
    return digest[:_SHORT] if digest else "-"


def _hint(release: Release) -> list[str]:
    """Say what a proposed command leaves out, since the report must not repeat what came from the command line."""
    if "dagger call" not in release.next:
        return []
    options = "--owner, --repository, --username, --password, --login, --docker-config and --registry"
    return [f"Give it the {options} that this call was given, before the function's name."]


def _pulls(release: Release) -> list[str]:
    return [f"{image.repository}@{image.digest}" for image in release.images if image.digest]
