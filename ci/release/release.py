"""A release: push under no name, verify, name it `sha-…`, and last of all move the tags that people use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from ci.core.engine import Stopwatch, fan_out, gather
from ci.core.errors import DrydockError
from ci.core.names import sha_tag, utc_text
from ci.core.timeline import TAGS
from ci.release.again import list_renewals
from ci.release.changes import read_changes
from ci.release.inspection import Inspection, inspect_image
from ci.release.moving import move_tags, put_indexes
from ci.release.outcome import STAGING, ImageFact, Release, TagOutcome
from ci.release.registries import Registries
from ci.release.request import PushError, ReleaseRequest, Staged, Target, rank_tags
from ci.release.tags import Move, find_unreadable, leave_newer, list_moves, read_before, untouched

# Makes sure that all repositories of one image have its variants, under no tag, and composes the index that will name
# them; the targets come back with what is expected of it.
Push = Callable[[Sequence[Target], Stopwatch], Awaitable[tuple[Staged, ...]]]
# Runs the smoke checks again on what a registry serves, with all of the release beside it; returns what failed.
Resmoke = Callable[[Staged, Sequence[Staged]], Awaitable[Sequence[str]]]
# Looks, before any tag, for what was promised of all that is staged, such as attestations; returns what is missing, and
# what to type.
Promise = Callable[[Registries, Sequence[Staged]], Awaitable[Sequence[str]]]

AGAIN = "Run the same command again: what is done already is found and left as it is."
_THEN = "No tag was written. When what is to be attested or signed is: the same command again, without --prepare."
HELD = "Mend what is named above, then run the same command again: what is done already is found and left as it is."
_AT_A_TIME = 2
_READS_AT_A_TIME = 8
_STAGING_SECONDS = 2 * 3600  # for all pushes and their verification; every later request has its own limit


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """All that a release works with."""

    registries: Registries
    request: ReleaseRequest
    targets: tuple[Target, ...]
    push: Push
    resmoke: Resmoke | None
    promises: tuple[Promise, ...] = ()
    again: str = AGAIN
    watch: Stopwatch = field(default_factory=Stopwatch)  # of all of it


async def stage(
    registries: Registries, request: ReleaseRequest, targets: Sequence[Target], *, push: Push
) -> tuple[Release, tuple[Staged, ...]]:
    """Bring variants to all of their repositories, under no tag, and verify what these serve; take no tag further.

    Args:
        registries: that the targets are in.
        request: what the release is asked for.
        targets: images of the release, each with the variants that are there to be pushed.
        push: of the variants of one image.

    """
    job = _Job(registries=registries, request=request, targets=tuple(targets), push=push, resmoke=None)
    done, staged = await _stage(job)
    return replace(_ended(job, done), what=STAGING), staged


async def prepare(
    registries: Registries, request: ReleaseRequest, targets: Sequence[Target], *, push: Push, again: str = AGAIN
) -> Release:
    """Verify what is staged, and push the index of each image by its digest: all that a release does before any tag.

    Args:
        registries: that the targets are in.
        request: what the release is asked for.
        targets: all images of the release, with all repositories of each.
        push: of the variants of one image.
        again: what to type where it fails.

    """
    job = _Job(registries=registries, request=request, targets=tuple(targets), push=push, resmoke=None, again=again)
    done, staged = await _stage(job)
    if done.ok:
        try:
            await put_indexes(registries, [(one.target, one.index) for one in staged])
        except DrydockError as error:
            done = replace(done, problems=(str(error),))
    done = _ended(job, done)
    return replace(done, what="preparation", next=done.next or _THEN)


async def release(
    registries: Registries,
    request: ReleaseRequest,
    targets: Sequence[Target],
    *,
    push: Push,
    resmoke: Resmoke | None = None,
    promises: Sequence[Promise] = (),
    again: str = AGAIN,
) -> Release:
    """Release what was built: every image and tag that is asked for in all registries, or the tags as they were before.

    Args:
        registries: that the targets are in.
        request: what the release is asked for.
        targets: all images of the release, with all repositories of each.
        push: of the variants of one image.
        resmoke: of what a registry serves; None leaves that out.
        promises: what has to be there before a tag is written.
        again: what to type where it fails.

    """
    job = _Job(
        registries=registries,
        request=request,
        targets=tuple(targets),
        push=push,
        resmoke=resmoke,
        promises=tuple(promises),
        again=again,
    )
    done, staged = await _stage(job)
    for go_on in (_hold, _name, _move):
        if done.ok:
            try:
                done = await go_on(job, staged, done)
            except DrydockError as error:
                done = replace(done, problems=(str(error),))
    if done.ok:
        done = replace(done, changes=await read_changes(registries, job.targets, done.tags))
    else:
        done = replace(done, tags=(*done.tags, *await _untouched(job, done)))
    return _ended(job, done)


def _ended(job: _Job, done: Release) -> Release:
    after = "" if done.ok else done.next or job.again
    return replace(done, next=after, retries=job.registries.retries, seconds=job.watch.seconds, rows=job.watch.rows())


async def _stage(job: _Job) -> tuple[Release, tuple[Staged, ...]]:
    """Push and verify all images; or say everything that is wrong with any."""
    done = Release(what="release")
    images: dict[str, list[Target]] = {}
    for target in job.targets:
        images.setdefault(target.image.name, []).append(target)
    try:
        with anyio.fail_after(_STAGING_SECONDS):
            if unreadable := await find_unreadable(job.registries, job.targets):
                return replace(done, problems=unreadable), ()
            pushed, failed = await gather(images, partial(_push, job), limit=_AT_A_TIME)
            if failed:
                return replace(done, problems=tuple(text for error in failed.values() for text in _texts(error))), ()
            staged = tuple(one for each in pushed.values() for one in each)
            inspections = await fan_out(staged, partial(_inspect, job), limit=_AT_A_TIME)
            done = replace(
                done,
                images=tuple(_with_origins(i.fact, one) for i, one in zip(inspections, staged, strict=True)),
                notes=tuple(dict.fromkeys(one.note for one in staged if one.note)),
            )
            problems = [text for inspection in inspections for text in inspection.problems]
            if job.resmoke and not problems:
                problems = [text for one in staged for text in await _smoke(job, job.resmoke, one, staged)]
            return replace(done, problems=tuple(problems)), staged
    except DrydockError as error:
        return replace(done, problems=(str(error),)), ()
    except TimeoutError:
        return replace(done, problems=(f"pushing and verifying did not end within {_STAGING_SECONDS} s",)), ()


async def _push(job: _Job, targets: Sequence[Target]) -> tuple[Staged, ...]:
    return await job.push(targets, job.watch)


def _with_origins(image: ImageFact, staged: Staged) -> ImageFact:
    """Say of each variant that was not built for this release where it is from; its attestation is that run's."""
    origins = {entry.record.variant: entry.record.reused for entry in staged.entries}
    facts = tuple(replace(fact, reused=origins.get(fact.variant) or fact.reused) for fact in image.variants)
    return replace(image, variants=facts)


def _texts(error: DrydockError) -> tuple[str, ...]:
    return error.problems if isinstance(error, PushError) else (str(error),)


async def _inspect(job: _Job, staged: Staged) -> Inspection:
    with job.watch.step(staged.target.repository, "verify") as remark:
        found = await inspect_image(job.registries.of(staged.target), staged.target, staged.index)
        remark.ok = not found.problems
    return found


async def _smoke(job: _Job, resmoke: Resmoke, staged: Staged, beside: Sequence[Staged]) -> Sequence[str]:
    with job.watch.step(staged.target.repository, "smoke") as remark:
        problems = await resmoke(staged, beside)
        remark.ok = not problems
    return problems


async def _hold(job: _Job, staged: Sequence[Staged], done: Release) -> Release:
    """Look for what was promised."""
    missing = [text for promise in job.promises for text in await promise(job.registries, staged)]
    return replace(done, problems=tuple(missing), next=HELD if missing else "")


async def _name(job: _Job, staged: Sequence[Staged], done: Release) -> Release:
    """Give every image its `sha-` tag, once it is sure that none of them means something else already."""
    tag = sha_tag(job.request.revision, job.request.mark)
    moves = [Move(target=one.target, tag=one.target.own, manifest=one.index) for one in staged]
    before = await read_before(job.registries, moves)
    taken = tuple(
        f"{move.reference} exists with another digest, {old.digest}, not {move.manifest.digest}; it stays as it is"
        for move in moves
        if (old := before[move.reference]) and old.digest != move.manifest.digest
    )
    if began := job.request.began:
        renewals = await list_renewals(job.registries, staged, before, job.request.revision, began)
        moves = [*(move for move in moves if not before[move.reference]), *renewals] if taken else [*moves, *renewals]
        before = {**before, **await read_before(job.registries, renewals)}
    elif taken and not job.request.overwrite:
        whole = all(before[move.reference] for move in moves)
        return replace(done, problems=taken, next=_hint(tag, whole=whole))
    with job.watch.step(TAGS, "name", title=f"name {tag}") as remark:
        moved = await move_tags(job.registries, moves, before)
        remark.detail, remark.ok = tag, not moved.problems
    return replace(done, tags=moved.tags, problems=moved.problems, named=not moved.problems)


def _hint(tag: str, *, whole: bool) -> str:
    anew = "to replace it by what was built now, run the same command with --overwrite."
    if whole:
        return f"If {tag} is right as it is, dagger call promote --from {tag} --tag latest moves latest to it; {anew}"
    return (
        f"Not every image has {tag}, in every registry: an earlier run was cut off while it named the commit, "
        f"or somebody has deleted some; {anew}"
    )


async def _move(job: _Job, staged: Sequence[Staged], done: Release) -> Release:
    """Move the tags that people use, of all images; those that name a newer commit stay."""
    request = job.request
    moves = list_moves([(one.target, one.index) for one in staged])
    before = await read_before(job.registries, moves)
    choice = leave_newer(before, moves, None if request.allow_older else utc_text(request.created))
    names = ", ".join(dict.fromkeys(move.tag for move in moves))
    with job.watch.step(TAGS, "move", title=f"move {names or 'no tag'}") as remark:
        moved = await move_tags(job.registries, choice.moves, before)
        remark.detail, remark.ok = names or "no tag", not moved.problems
    return replace(
        done,
        notes=(*done.notes, *choice.notes),
        tags=(*done.tags, *choice.kept, *moved.tags),
        problems=moved.problems,
        next=moved.next,
    )


async def _untouched(job: _Job, done: Release) -> Sequence[TagOutcome]:
    """Say what every tag names that was not come to."""
    known = {(outcome.repository, outcome.tag) for outcome in done.tags}
    owns = [(target, target.own) for target in job.targets]
    tags = [*owns, *((target, tag) for _, target, tag in rank_tags(job.targets))]
    rest = [(target, tag) for target, tag in tags if (target.repository, tag) not in known]

    async def look(one: tuple[Target, str]) -> TagOutcome:
        return await untouched(job.registries.of(one[0]), *one)

    # Together, since a registry that is down takes its time to say nothing of each.
    return await fan_out(rest, look, limit=_READS_AT_A_TIME)
