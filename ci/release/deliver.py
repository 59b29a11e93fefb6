"""Takes a plan to its end: built and smoke-checked, and then, where everything passed, released."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from ci.build import Builder, Built, Definition, Fleet, build_all, read_definitions
from ci.core.engine import Stopwatch
from ci.core.model import CacheMode, Plan
from ci.core.names import BUILT, LATEST, image_tag, rebuilt_tag, sha_tag, utc_text
from ci.release.again import released_version, without_version
from ci.release.caching import choose_caches
from ci.release.destination import Destination
from ci.release.outcome import Delivery
from ci.release.policy import promises_of
from ci.release.promotion import promote
from ci.release.push import Supply, push_image, smoke_published
from ci.release.record import digest_configuration
from ci.release.release import Promise, release
from ci.release.request import ReleaseRequest, Target, references
from ci.release.reuse import PlanInputs, Reuse, as_named, describe_plan, find_reusable
from ci.release.signed import refuse_unsigned
from ci.release.twice import build_twice, from_nothing
from ci.release.uploads import Uploads
from ci.release.verification import verify


async def build_unreleased(
    plan: Plan, builder: Builder, destination: Destination, *, created: datetime | None = None, reuse: bool = False
) -> Built:
    """Build and smoke-check a plan as a release would, and release nothing.

    Args:
        plan: what to build.
        builder: what builds it.
        destination: where a release would go.
        created: when the commit was made, for the labels.
        reuse: take what the registry has already, made from the same inputs.

    """
    watch = Stopwatch()
    targets = destination.targets(plan, created=created)
    builder = await replace(builder, login=await destination.log_in(plan)).asked()
    definitions = await read_definitions(plan, builder.source, git=builder.git)
    found = Reuse()
    if reuse:
        found = await find_unchanged(plan, targets, definitions, destination, fleet=builder.fleet)
    job = _Job(
        plan=plan, builder=builder, destination=destination, definitions=definitions, created=created, watch=watch
    )
    return await _build(job, targets, found, most=CacheMode.READ)


async def deliver(plan: Plan, request: ReleaseRequest, builder: Builder, destination: Destination) -> Delivery:
    """Build, smoke-check and release all images of a plan; nothing is pushed where anything failed.

    Args:
        plan: all of it is released.
        request: what the release is asked for.
        builder: builds what the registry does not have from the same inputs.
        destination: where the images go.

    Raises:
        DrydockError: the registry could not be asked at all, or the request makes no sense.

    """
    refuse_unsigned(plan.config)
    plan, request = await as_scheduled(plan, replace(request, mark=plan.mark), destination)
    return await release_once(plan, request, destination, partial(_deliver, plan, request, builder, destination))


async def release_once(
    plan: Plan,
    request: ReleaseRequest,
    destination: Destination,
    work: Callable[[], Awaitable[Delivery]],
    *,
    prepare: bool = False,
    promises: Sequence[Promise] = (),
) -> Delivery:
    """Release a commit, unless it is released already and a commit is to be released once: then it gets its tags."""
    if not request.once or request.rebuild:
        return await work()
    if again := await release_again(plan, request, destination, prepare=prepare, promises=promises):
        return again
    done = await work()
    # What failed after the commit had its names is no other run's doing, and is not tried twice.
    if done.ok or not done.released or done.released.named:
        return done
    # A branch and its version tag are often pushed together: the other run may have released the commit meanwhile.
    again = await release_again(plan, request, destination, prepare=prepare, promises=promises)
    return replace(again, built=done.built) if again else done


async def as_scheduled(plan: Plan, request: ReleaseRequest, destination: Destination) -> tuple[Plan, ReleaseRequest]:
    """Have a scheduled run build what has changed alone: time is no reason, and the version is that of the release."""
    if not request.began:
        return plan, request
    plan = replace(plan, config=replace(plan.config, rebuild_after=None))
    if request.version:
        return plan, request
    targets = destination.targets(plan)
    async with destination.connect(targets) as registries:
        return plan, replace(request, version=await released_version(registries, targets))


async def _deliver(plan: Plan, request: ReleaseRequest, builder: Builder, destination: Destination) -> Delivery:
    work = await build_part(plan, plan, request, builder, destination)
    if not work.built.report.ok:
        return Delivery(built=work.built.report)
    resmoke = None
    async with destination.connect(work.targets) as registries:
        if request.resmoke:
            logins = await destination.logins(tuple(dict.fromkeys(target.host for target in work.targets)))
            made = {**work.built.needed, **work.built.images}
            resmoke = partial(smoke_published, registries, logins=logins, made=made)
        push = partial(push_image, Uploads(registries), work.supply)
        released = await release(
            registries,
            request,
            work.targets,
            push=push,
            resmoke=resmoke,
            promises=promises_of(plan.config, destination),
        )
    return Delivery(built=work.built.report, released=released)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a run has built of a plan, and where it goes."""

    built: Built
    targets: tuple[Target, ...]  # of its images, with all of their variants
    supply: Supply
    inputs: PlanInputs


async def build_part(
    plan: Plan, part: Plan, request: ReleaseRequest, builder: Builder, destination: Destination
) -> Work:
    """Build and smoke-check a part of a plan, but for what the registry has already.

    What depends on all platforms of an image, such as whether they have the same base, is read for all of them.

    Args:
        plan: all that is released.
        part: of it, to be built.
        request: what the release is asked for.
        builder: builds what the registry does not have from the same inputs.
        destination: where the images go.

    """
    watch = Stopwatch()
    builder = await replace(builder, login=await destination.log_in(part)).asked()
    names = {image.name for image in part.images}
    platforms = (variant for variant in plan.variants if variant.image.name in names)
    wide = replace(part, variants=tuple({str(v): v for v in (*platforms, *part.variants)}.values()))
    definitions = await read_definitions(wide, builder.source, git=builder.git)
    # What is only needed by others is built with the labels that it is released with: they go on in those.
    known = tuple(
        replace(
            target,
            labels={**target.labels, **definitions[target.image.name].base_labels()},
            pins={v.platform: definitions[target.image.name].pins(v.platform) for v in target.variants},
        )
        for target in destination.targets(plan, tags=request.tags, version=request.version, created=request.created)
        if target.image.name in definitions
    )
    targets = tuple(target for target in known if target.image.name in names)
    labels = {target.image.name: target.labels for target in known}
    found = await find_unchanged(
        part,
        targets,
        definitions,
        destination,
        whole=plan,
        fleet=builder.fleet,
        rebuild=request.rebuild,
        once=request.once,
    )
    job = _Job(
        plan=part,
        builder=builder,
        destination=destination,
        definitions=definitions,
        created=request.created,
        watch=watch,
    )
    built = await _build(job, targets, found, most=CacheMode.WRITE, labels=labels)
    if plan.config.require.reproducible:
        created = request.created
        built = await build_twice(part, built, builder, definitions=definitions, created=created, labels=labels)
    named = {name for name, one in found.found.items() if one.index}
    return Work(
        built=built,
        targets=tuple(as_named(target) if target.image.name in named else target for target in targets),
        supply=Supply(
            revision=request.revision,
            configuration=digest_configuration(plan.config),
            built=built.images,
            inputs=found.inputs.records,
            base={name: definitions[name].base_labels() for name in names},
            run={BUILT: utc_text(request.began)} if request.began else {},
            found=found.found,
            keep=not request.overwrite,
        ),
        inputs=found.inputs,
    )


async def find_unchanged(
    plan: Plan,
    targets: Sequence[Target],
    definitions: Mapping[str, Definition],
    destination: Destination,
    *,
    whole: Plan | None = None,
    fleet: Fleet | None = None,
    rebuild: bool = False,
    once: bool = False,
) -> Reuse:
    """Look in the registry for images that need not be built again; with `rebuild`, only say what they are made from.

    The commit's own tag comes first, so that what is released already stays as it is; then `latest`, then what moves.
    """
    inputs = await describe_plan(plan, definitions, targets, images=(whole or plan).images, fleet=fleet)
    if rebuild:
        return Reuse(inputs=inputs)
    tags = {
        target.image.name: (*_of_own(target, plan.revision), image_tag(target.image, LATEST), *target.tags)
        for target in targets
    }
    async with destination.connect(targets) as registries:
        return await find_reusable(registries, plan, targets, inputs, tags, once=once)


def _of_own(target: Target, revision: str | None) -> tuple[str, ...]:
    """List the tags of what a commit was released as: the first time, and the last."""
    return (target.own, image_tag(target.image, rebuilt_tag(revision))) if revision else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What a build for a release works with."""

    plan: Plan
    builder: Builder
    destination: Destination
    definitions: Mapping[str, Definition]  # by image
    created: datetime | None
    watch: Stopwatch


async def _build(
    job: _Job,
    targets: Sequence[Target],
    found: Reuse,
    *,
    most: CacheMode,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> Built:
    caches = await choose_caches(job.plan, job.destination, most=most)
    twice = most is CacheMode.WRITE and job.plan.config.require.reproducible
    return await build_all(
        job.plan,
        replace(job.builder, services=caches.services),
        definitions=job.definitions,
        created=job.created,
        caches=from_nothing(job.plan, caches.uses) if twice else caches.uses,
        labels=labels or {target.image.name: target.labels for target in targets},
        names=references(targets),
        sbom=most is CacheMode.WRITE,
        reused=found.outcomes(job.plan),
        reasons=found.reasons,
        watch=job.watch,
    )


async def release_again(
    plan: Plan,
    request: ReleaseRequest,
    destination: Destination,
    *,
    prepare: bool = False,
    promises: Sequence[Promise] = (),
) -> Delivery | None:
    """Move the tags to what is released already; None where the commit has not been released, or not in full.

    A commit is released once: its version tag comes after the default branch, a job is run again. A second build would
    have other digests, and what people have tested would not be what the version names. Where texts of the
    configuration hold the version, it is another build, with a mark of its own. `prepare` moves nothing, and only
    pushes what the tags would name; without, `promises` says what has to be there of it before it is named.
    """
    tag = sha_tag(request.revision, plan.mark)
    targets = destination.targets(plan, tags=request.tags, version=request.version, created=request.created)
    bare = [without_version(target) for target in targets]
    async with destination.connect(targets) as registries:
        found = await verify(registries, bare, request.revision, plan.mark)
        if not found.ok:
            return None
        newest = rebuilt_tag(request.revision)
        renewed = [replace(target, own=image_tag(target.image, newest)) for target in bare if not plan.mark]
        if renewed and (again := await verify(registries, renewed, request.revision)).ok:
            tag, found = newest, again
        moving = any(target.tags for target in targets)
        done = found
        if moving:
            made = utc_text(request.created)
            done = await promote(registries, targets, tag, created=made, prepare=prepare, promises=promises)
    note = f"{tag} was released before: its images are verified and named, and none is pushed."
    images = tuple(
        replace(image, variants=tuple(replace(fact, reused=fact.reused or tag) for fact in image.variants))
        for image in done.images
    )
    return Delivery(released=replace(done, images=images, notes=(note, *done.notes)))
