"""Stages a part of a plan: built, smoke-checked, pushed by digest under no tag, verified, and recorded beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import dagger

from ci.build import Builder, Report
from ci.core.engine import gather
from ci.core.errors import DrydockError
from ci.core.model import Plan, Variant
from ci.core.names import utc_text
from ci.core.oci import EMPTY
from ci.release.deliver import Work, as_scheduled, build_part, build_unreleased
from ci.release.destination import Destination
from ci.release.folder import Folder, Machine, describe
from ci.release.outcome import Delivery
from ci.release.push import push_image
from ci.release.record import Entry, digest_configuration, write_record
from ci.release.release import stage
from ci.release.request import ReleaseRequest, Staged, Target
from ci.release.uploads import Uploads, from_bytes

_AT_A_TIME = 4
_NEXT = (
    "When every part is staged: dagger call finish, with --staged for each folder, and the rest as it was said here."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Staging:
    """What came of one stage, and what its folder says of it."""

    delivery: Delivery
    folder: Folder


async def stage_part(
    plan: Plan, part: Plan, request: ReleaseRequest, builder: Builder, destination: Destination
) -> Staging:
    """Build, smoke-check and push a part of a plan, under no tag; nothing is pushed where anything of it failed.

    Args:
        plan: all that is released.
        part: of it, to be staged.
        request: what the release will be asked for.
        builder: builds what the registry does not have from the same inputs.
        destination: where the images go.

    Raises:
        DrydockError: the registry could not be asked at all, or the request makes no sense.

    """
    if not any(variant.image.release for variant in part.variants):
        raise DrydockError("Nothing that is selected is released: release: false is built for other images alone")
    plan, request = await as_scheduled(plan, replace(request, mark=plan.mark), destination)
    part = replace(part, config=plan.config)
    work = await build_part(plan, part, request, builder, destination)
    if not work.built.report.ok:
        return await describe_stage(plan, request, work.built.report)
    targets = tuple(replace(target, variants=_staged(part, target)) for target in work.targets)
    # Here an index is composed of what is there, to be verified by; the whole one is composed when all is.
    found = {name: replace(one, index=None) for name, one in work.supply.found.items()}
    async with destination.connect(targets) as registries:
        uploads = Uploads(registries)
        push = partial(push_image, uploads, replace(work.supply, found=found))
        done, staged = await stage(registries, request, targets, push=push)
        if done.ok:
            problems = await _record(uploads, staged)
            done = replace(done, problems=problems, next="Run the same command again." if problems else _NEXT)
    done = replace(done, images=tuple(replace(image, digest=None) for image in done.images))
    return await describe_stage(
        plan, request, work.built.report, Delivery(released=done), work, staged if done.ok else ()
    )


async def check_part(
    plan: Plan, part: Plan, request: ReleaseRequest, builder: Builder, destination: Destination
) -> Staging:
    """Build and smoke-check a part of a plan, and push nothing; the arguments are those of a stage."""
    built = await build_unreleased(part, builder, destination, created=request.created)
    return await describe_stage(plan, request, built.report)


def _staged(part: Plan, target: Target) -> tuple[Variant, ...]:
    platforms = {variant.platform for variant in part.variants if variant.image.name == target.image.name}
    return tuple(variant for variant in target.variants if variant.platform in platforms)


async def _record(uploads: Uploads, staged: Sequence[Staged]) -> tuple[str, ...]:
    """Write the record of each variant beside it, now that it is verified; return what went wrong."""

    async def write(one: Staged) -> None:
        for entry in one.entries:
            await uploads.send(one.target, write_record(entry), locate)

    async with from_bytes(EMPTY) as locate:
        named = {one.target.key: one for one in staged}
        _, failed = await gather(named, write, limit=_AT_A_TIME)
    return tuple(f"{repository}: the record of the checks: {error}" for (_, repository), error in failed.items())


async def describe_stage(
    plan: Plan,
    request: ReleaseRequest,
    report: Report,
    delivery: Delivery | None = None,
    work: Work | None = None,
    staged: Sequence[Staged] = (),
) -> Staging:
    """Say what came of a stage.

    Args:
        plan: all that is released.
        request: what the release will be asked for.
        report: of the build.
        delivery: of what was pushed; None: nothing was.
        work: what was built; None: nothing was to be pushed.
        staged: what all repositories have.

    """
    entries: dict[str, Entry] = {entry.record.variant: entry for one in staged for entry in one.entries}
    where: dict[str, list[str]] = {}
    for one in staged:
        where.setdefault(one.target.image.name, []).append(one.target.repository)
    inputs = {name: each.digest for name, each in work.inputs.inputs.items()} if work else {}
    variants = [
        describe(
            outcome,
            entries.get(str(outcome.variant)),
            inputs=inputs.get(str(outcome.variant)),
            repositories=where.get(outcome.variant.image.name, ()),
        )
        for outcome in report.outcomes
    ]
    folder = Folder(
        revision=request.revision,
        created=utc_text(request.created),
        configuration=digest_configuration(plan.config),
        machine=await _machine(),
        variants=tuple(variants),
    )
    return Staging(delivery=replace(delivery or Delivery(), built=report), folder=folder)


async def _machine() -> Machine:
    return Machine(platform=str(await dagger.dag.default_platform()), engine=await dagger.dag.version())
