"""One run on GitHub: does what its event asks for, and writes the files that the workflow's other steps read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import escape

import dagger

from ci.build import Builder
from ci.core.errors import DrydockError
from ci.core.fill import Missing, fill_plan
from ci.core.model import Attest, Plan
from ci.core.text import clean
from ci.github.attested import Attestations
from ci.github.events import SCHEDULE, Decision, decide, values_of
from ci.release import (
    CHECKSUMS,
    Delivery,
    Destination,
    ReleaseRequest,
    build_unreleased,
    check_part,
    deliver,
    delivery_files,
    failure_files,
    finish_staged,
    judge_checks,
    parse_created,
    read_folders,
    stage_files,
    stage_part,
    write_folder,
)
from ci.tags import Event

# Reads the plan of a commit for some platforms, or for all; what is wrong with the configuration belongs into the
# summary.
ReadPlan = Callable[[str, Sequence[str]], Awaitable[Plan]]


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """Which half of what an event asks for is done; by default all of it."""

    stage: bool = False  # build, check and push by digest, under no tag
    platforms: tuple[str, ...] = ()  # to be staged; none: all
    staged: tuple[dagger.Directory, ...] = ()  # folders of stages, to be finished
    prepare: bool = False  # of the finish, only what comes before any tag
    attestations: Attestations = field(default_factory=Attestations)  # that the finish has to find


_WHOLE = Phase()


async def run_event(
    run: Run, builder: Builder, destination: Destination, read_plan: ReadPlan, phase: Phase = _WHOLE
) -> dagger.Directory:
    """Do what the event asks for; the folder says what came of it, whether it went well or not."""
    try:
        return write_folder(await _run(run, builder, destination, read_plan, phase))
    except (DrydockError, dagger.DaggerError, ExceptionGroup) as error:
        return write_folder(failure_files(error))


async def _run(
    run: Run, builder: Builder, destination: Destination, read_plan: ReadPlan, phase: Phase
) -> dict[str, str]:
    _check_phase(phase)
    whole = await read_plan(run.revision, ())
    part = await read_plan(run.revision, phase.platforms) if phase.platforms else whole
    created = parse_created(run.created)
    event = run.event(created)
    decision = decide(event, whole)
    values = values_of(event, decision, owner=destination.owner)
    missing = Missing.IS_REFUSED if decision.publish else Missing.STANDS_IN
    plan, part = fill_plan(whole, values, missing), fill_plan(part, values, missing)
    request, why = _request(run, event, created, decision), _why(decision)
    if phase.stage:
        work = stage_part if decision.publish else check_part
        return await stage_files(work(plan, part, request, builder, destination), why=why)
    if phase.staged:
        folders = await read_folders(phase.staged)
        if not decision.publish:
            return delivery_files(judge_checks(plan, request, folders), "checked", why)
        if phase.prepare:
            done = await finish_staged(plan, request, folders, destination, only_prepare=True)
            files = delivery_files(done, "prepared", why)
            return {name: text for name, text in files.items() if name != CHECKSUMS or _attests(plan)}
        attested = await phase.attestations.promise(plan.config, destination)
        promises = [attested] if attested else []
        store = await phase.attestations.store(plan.config, destination)
        done = await finish_staged(plan, request, folders, destination, promises=promises, store=store)
        return delivery_files(_with_notes(done, attested.notes if attested else ()), "released", why)
    if not decision.publish:
        built = await build_unreleased(plan, builder, destination, created=created)
        return delivery_files(Delivery(built=built.report), "checked", why)
    return delivery_files(await deliver(plan, request, builder, destination), "released", why)


def _attests(plan: Plan) -> bool:
    return plan.config.attest is not Attest.OFF or plan.config.require.signed is not None


def _with_notes(done: Delivery, notes: Sequence[str]) -> Delivery:
    if not done.released:
        return done
    return replace(done, released=replace(done.released, notes=tuple(dict.fromkeys((*done.released.notes, *notes)))))


def _check_phase(phase: Phase) -> None:
    if phase.stage and phase.staged:
        raise DrydockError("--stage and --staged are two halves of a release; give one of them to each call")
    if phase.platforms and not phase.stage:
        raise DrydockError("--platforms goes with --stage: a release is of all platforms")
    if phase.prepare and not phase.staged:
        raise DrydockError("--prepare goes with --staged: it prepares the release of what was staged")


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
