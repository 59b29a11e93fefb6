"""Stages a part of a plan: built, smoke-checked, pushed by digest under no tag, verified, and recorded beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import dagger

from ci.build import Builder
from ci.core.engine import gather
from ci.core.errors import DrydockError
from ci.core.model import Plan, Variant
from ci.core.oci import EMPTY
from ci.release.deliver import as_scheduled, build_part, build_unreleased
from ci.release.destination import Destination
from ci.release.folder import Folder, Machine, make_folder
from ci.release.outcome import Delivery, Release
from ci.release.push import push_image
from ci.release.record import write_record
from ci.release.release import AGAIN, Push, stage
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
    report, done = work.built.report, None
    staged: tuple[Staged, ...] = ()
    if report.ok:
        targets = tuple(replace(target, variants=_staged(part, target)) for target in work.targets)
        # Here an index is composed of what is there, to be verified by; the whole one is composed when all is.
        found = {name: replace(one, index=None) for name, one in work.supply.found.items()}
        async with destination.connect(targets) as registries:
            uploads = Uploads(registries)
            push = partial(push_image, uploads, replace(work.supply, found=found))
            done, staged = await stage_targets(uploads, request, targets, push=push)
    inputs = {name: each.digest for name, each in work.inputs.inputs.items()}
    delivery, machine = Delivery(built=report, released=done), await _machine()
    folder = make_folder(plan, request, report.outcomes, staged, inputs=inputs, machine=machine, rows=delivery.rows)
    return Staging(delivery=delivery, folder=folder)


async def stage_targets(
    uploads: Uploads, request: ReleaseRequest, targets: Sequence[Target], *, push: Push
) -> tuple[Release, tuple[Staged, ...]]:
    """Push what was built, verify what the registries serve, and record beside each variant what it has passed.

    Args:
        uploads: to the registries that the targets are in.
        request: what the release will be asked for.
        targets: each with the variants that are there.
        push: of the variants of one image.

    Returns:
        What came of it, and what was staged: nothing, where anything failed.

    """
    done, staged = await stage(uploads.registries, request, targets, push=push)
    done = replace(done, images=tuple(replace(image, digest=None) for image in done.images))
    if not done.ok:
        return done, ()
    if problems := await _record(uploads, staged):
        return replace(done, problems=problems, next=AGAIN), ()
    return replace(done, next=_NEXT), staged


async def check_part(
    plan: Plan, part: Plan, request: ReleaseRequest, builder: Builder, destination: Destination
) -> Staging:
    """Build and smoke-check a part of a plan, and push nothing; the arguments are those of a stage."""
    report = (await build_unreleased(part, builder, destination, created=request.created)).report
    machine = await _machine()
    folder = make_folder(plan, request, report.outcomes, (), inputs={}, machine=machine, rows=report.rows)
    return Staging(delivery=Delivery(built=report), folder=folder)


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


async def _machine() -> Machine:
    return Machine(platform=str(await dagger.dag.default_platform()), engine=await dagger.dag.version())
