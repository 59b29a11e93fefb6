"""One run on GitHub: does what its event asks for, and writes the files that the workflow's other steps read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import dagger

from ci.build import Builder
from ci.core.engine import explain
from ci.core.errors import DrydockError, PipelineError
from ci.core.fill import Missing, fill_plan
from ci.core.model import Plan
from ci.core.text import Format, clean
from ci.core.timeline_svg import draw_svg
from ci.github.events import SCHEDULE, Decision, decide, values_of
from ci.release import (
    Delivery,
    Destination,
    ReleaseRequest,
    build_unreleased,
    deliver,
    parse_created,
    render_checksums,
    report_or_fail,
)
from ci.tags import Event

# Reads the plan of a commit; what is wrong with the configuration belongs into the summary.
ReadPlan = Callable[[str], Awaitable[Plan]]

SUMMARY, REPORT, CHECKSUMS, EXIT_CODE = "summary.md", "report.json", "checksums.txt", "exit-code"
TIMELINE = "timeline.svg"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What the workflow hands over of a run, unchecked."""

    name: str  # of the event
    ref: str
    default_branch: str
    revision: str
    created: str = ""
    base_ref: str = ""
    prerelease: str = ""  # "true" where the event is a release that is marked as a pre-release
    rebuild: bool = False

    def event(self, created: datetime | None) -> Event:
        """Say what is known of the event, now that it happens."""
        return Event(
            name=self.name,
            ref=self.ref,
            default_branch=self.default_branch,
            base_ref=self.base_ref,
            prerelease=self.prerelease == "true",
            revision=self.revision,
            committed=created,
            now=datetime.now(UTC),
        )


async def run_event(run: Run, builder: Builder, destination: Destination, read_plan: ReadPlan) -> dagger.Directory:
    """Do what the event asks for; the folder says what came of it, whether it went well or not."""
    try:
        plan = await read_plan(run.revision)
        created = parse_created(run.created)
        event = run.event(created)
        decision = decide(event, plan)
        values = values_of(event, decision, owner=destination.owner)
        plan = fill_plan(plan, values, Missing.IS_REFUSED if decision.publish else Missing.STANDS_IN)
        if not decision.publish:
            delivery = Delivery(built=(await build_unreleased(plan, builder, destination, created=created)).report)
        else:
            delivery = await deliver(plan, _request(run, event, created, decision), builder, destination)
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
        SUMMARY: f"## Images: {state}\n\n{_why(decision)}\n\n{_text(delivery, Format.MARKDOWN)}\n",
        REPORT: f"{_text(delivery, Format.JSON)}\n",
        EXIT_CODE: f"{int(not delivery.ok)}\n",
    }
    if delivery.rows:
        files[TIMELINE] = draw_svg(delivery.rows)
    if delivery.ok and delivery.released:
        files[CHECKSUMS] = render_checksums(delivery.released)
    return _folder(files)


def _request(run: Run, event: Event, created: datetime, decision: Decision) -> ReleaseRequest:
    return ReleaseRequest(
        revision=run.revision,
        created=created,
        version=decision.version,
        tags=decision.tags,
        rebuild=run.rebuild,
        once=event.name != SCHEDULE,
        began=event.now if event.name == SCHEDULE else None,
    )


def _why(decision: Decision) -> str:
    """Write why, for a page; the notes name texts that somebody else chose."""
    return "\n\n".join(escape(clean(text), quote=False) for text in (decision.why, *decision.notes))


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
