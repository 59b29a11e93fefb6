"""The files that a stage leaves, and a run on GitHub: a summary, a report, digests, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from html import escape

import dagger

from ci.core.engine import explain
from ci.core.errors import DrydockError, PipelineError
from ci.core.text import Format, clean
from ci.core.timeline_svg import draw_svg
from ci.release.folder import STAGED, render_folder
from ci.release.outcome import Delivery
from ci.release.report import render_checksums, report_or_fail
from ci.release.stage import Staging

SUMMARY, REPORT, CHECKSUMS, EXIT_CODE = "summary.md", "report.json", "checksums.txt", "exit-code"
TIMELINE = "timeline.svg"


async def stage_files(work: Awaitable[Staging], *, why: str = "") -> dict[str, str]:
    """Write what came of a stage, whether it went well or not.

    Args:
        work: the stage.
        why: what it was for, in Markdown.

    """
    try:
        staging = await work
    except (DrydockError, dagger.DaggerError, ExceptionGroup) as error:
        return failure_files(error)
    state = "staged" if staging.delivery.released else "checked"
    return {**delivery_files(staging.delivery, state, why), STAGED: render_folder(staging.folder)}


def delivery_files(delivery: Delivery, state: str, why: str = "") -> dict[str, str]:
    """Write what came of a build and of the release after it.

    Args:
        delivery: both.
        state: what it is called where all went well.
        why: what it was for, in Markdown.

    """
    head = f"## Images: {state if delivery.ok else 'FAILED'}"
    files = {
        SUMMARY: "\n\n".join(filter(None, (head, why, _text(delivery, Format.MARKDOWN)))) + "\n",
        REPORT: f"{_text(delivery, Format.JSON)}\n",
        EXIT_CODE: f"{int(not delivery.ok)}\n",
    }
    if delivery.rows:
        files[TIMELINE] = draw_svg(delivery.rows)
    if delivery.ok and delivery.released and (digests := render_checksums(delivery.released)):
        files[CHECKSUMS] = digests
    return files


def failure_files(error: BaseException) -> dict[str, str]:
    """Write what a run failed of before there was anything to report; raise what is a defect of this module."""
    text = explain(error)
    if text is None:
        raise error
    return {
        SUMMARY: f"## Images: FAILED\n\n<pre>{escape(clean(text), quote=False)}</pre>\n",
        REPORT: json.dumps({"schema": 1, "ok": False, "error": text}, indent=2) + "\n",
        EXIT_CODE: "1\n",
    }


def write_folder(files: Mapping[str, str]) -> dagger.Directory:
    """Make a folder of files, by their names."""
    folder = dagger.dag.directory()
    for name, text in files.items():
        folder = folder.with_new_file(name, text)
    return folder


def _text(delivery: Delivery, wanted: Format) -> str:
    try:
        return report_or_fail(delivery, wanted)
    except PipelineError as error:
        return str(error).rstrip()
