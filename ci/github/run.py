"""One run on GitHub: does what its event asks for, and writes the files that the workflow's other steps read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape

import dagger

from ci.build import Builder
from ci.core.engine import explain
from ci.core.errors import DrydockError, PipelineError
from ci.core.model import Plan
from ci.core.text import Format, clean
from ci.github.events import Decision, Event, decide
from ci.release import (
    Delivery,
    Destination,
    ReleaseRequest,
    build_unreleased,
    deliver,
    parse_created,
    render_checksums,
    report_or_fail,
    tags_for,
)

# Reads the plan of a commit; what is wrong with the configuration belongs into the summary.
ReadPlan = Callable[[str], Awaitable[Plan]]

SUMMARY, REPORT, CHECKSUMS, EXIT_CODE = "summary.md", "report.json", "checksums.txt", "exit-code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What the workflow hands over of a run, unchecked."""

    event: Event
    revision: str
    created: str
    rebuild: bool = False


async def run_event(run: Run, builder: Builder, destination: Destination, read_plan: ReadPlan) -> dagger.Directory:
    """Do what the event asks for; the folder says what came of it, whether it went well or not."""
    try:
        decision = decide(run.event)
        delivery = await _deliver(run, decision, builder, destination, read_plan)
    except (DrydockError, dagger.DaggerError, ExceptionGroup) as error:
        text = explain(error)
        if text is None:
            raise
        return _folder(
            {
                SUMMARY: f"## Images: FAILED\n\n<pre>{escape(clean(text), quote=False)}</pre>\n",
                REPORT: json.dumps({"schema": 1, "ok": False, "error": text}, indent=2) + "\n",
                EXIT_CODE: "1\n",
            }
        )
    state = "FAILED" if not delivery.ok else "released" if delivery.released else "checked"
    files = {
        SUMMARY: f"## Images: {state}\n\n{escape(decision.why, quote=False)}\n\n{_text(delivery, Format.MARKDOWN)}\n",
        REPORT: f"{_text(delivery, Format.JSON)}\n",
        EXIT_CODE: f"{int(not delivery.ok)}\n",
    }
    if delivery.ok and delivery.released:
        files[CHECKSUMS] = render_checksums(delivery.released)
    return _folder(files)


async def _deliver(
    run: Run, decision: Decision, builder: Builder, destination: Destination, read_plan: ReadPlan
) -> Delivery:
    plan = await read_plan(run.revision)
    created = parse_created(run.created)
    if not decision.publish:
        return Delivery(built=(await build_unreleased(plan, builder, destination, created=created)).report)
    request = ReleaseRequest(
        revision=run.revision,
        created=created,
        version=decision.version,
        tags=tags_for(plan, decision.tags),
        rebuild=run.rebuild,
        once=True,
    )
    return await deliver(plan, request, builder, destination)


def _text(delivery: Delivery, wanted: Format) -> str:
    try:
        return report_or_fail(delivery, wanted)
    except PipelineError as error:
        return str(error).rstrip()


def _folder(files: dict[str, str]) -> dagger.Directory:
    folder = dagger.dag.directory()
    for name, text in files.items():
        folder = folder.with_new_file(name, text)
    return folder
