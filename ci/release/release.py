"""A release: push under no name, verify, name it `sha-…`, and last of all move the tags that people use."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import anyio

from ci.core.engine import fan_out, gather, step
from ci.core.errors import DrydockError
from ci.core.names import BUILT, of_commit, sha_tag, utc_text
from ci.core.oci import Descriptor, Manifest
from ci.registry import RegistryClient
from ci.release.again import list_renewals
from ci.release.inspection import Inspection, inspect_image
from ci.release.outcome import Release, TagOutcome
from ci.release.request import ReleaseRequest, Staged, Target, rank_tags
from ci.release.tags import Move, find_unreadable, leave_newer, list_moves, move_tags, read_before, untouched

# Pushes all variants of a target under no tag, and returns what its index names.
Push = Callable[[Target], Awaitable[tuple[Descriptor, ...]]]
# Runs the smoke checks again on what the registry serves; returns what failed.
Resmoke = Callable[[Staged], Awaitable[Sequence[str]]]

_AGAIN = "Run the same command again: what is done already is found and left as it is."
_AT_A_TIME = 2
_STAGING_SECONDS = 2 * 3600  # for all pushes and their verification; every later request has its own limit


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """All that a release works with."""

    client: RegistryClient
    request: ReleaseRequest
    targets: tuple[Target, ...]
    push: Push
    resmoke: Resmoke | None
    reused: Mapping[str, tuple[Descriptor, ...]]  # what is there already, by image
    records: Mapping[str, Mapping[str, str]]  # annotations of what is built, by variant


async def release(
    client: RegistryClient,
    request: ReleaseRequest,
    targets: Sequence[Target],
    *,
    push: Push,
    resmoke: Resmoke | None = None,
    reused: Mapping[str, tuple[Descriptor, ...]] | None = None,
    records: Mapping[str, Mapping[str, str]] | None = None,
) -> Release:
    """Release what was built: every image and tag that is asked for, or the tags as they were before.

    Args:
        client: of the registry.
        request: what the release is asked for.
        targets: all images of the release.
        push: of the variants that are not there already.
        resmoke: of what the registry serves; None leaves that out.
        reused: entries of the index of each image that is there already, by its name.
        records: annotations of each variant that is pushed, by its name.

    """
    start = time.monotonic()
    job = _Job(
        client=client,
        request=request,
        targets=tuple(targets),
        push=push,
        resmoke=resmoke,
        reused=reused or {},
        records=records or {},
    )
    done, staged = await _stage(job)
    for go_on in (_name, _move):
        if done.ok:
            try:
                done = await go_on(job, staged, done)
            except DrydockError as error:
                done = replace(done, problems=(str(error),))
    if not done.ok:
        done = replace(done, tags=(*done.tags, *await _untouched(job, done)), next=done.next or _AGAIN)
    return replace(done, retries=client.effort.retries, seconds=time.monotonic() - start)


async def _stage(job: _Job) -> tuple[Release, tuple[Staged, ...]]:
    """Push and verify all images; or say everything that is wrong with any."""
    done = Release(what="release")
    named = {target.key: target for target in job.targets}
    try:
        with anyio.fail_after(_STAGING_SECONDS):
            if unreadable := await find_unreadable(job.client, job.targets):
                return replace(done, problems=unreadable), ()
            pushed, failed = await gather(named, partial(_push, job), limit=_AT_A_TIME)
            if failed:
                return replace(done, problems=tuple(map(str, failed.values()))), ()
            staged = tuple(pushed.values())
            with step("verify what the registry serves"):
                inspections = await fan_out(staged, partial(_inspect, job), limit=_AT_A_TIME)
            done = replace(done, images=tuple(inspection.fact for inspection in inspections))
            problems = [text for inspection in inspections for text in inspection.problems]
            if job.resmoke and not problems:
                problems = [text for one in staged for text in await job.resmoke(one)]
            return replace(done, problems=tuple(problems)), staged
    except DrydockError as error:
        return replace(done, problems=(str(error),)), ()
    except TimeoutError:
        return replace(done, problems=(f"pushing and verifying did not end within {_STAGING_SECONDS} s",)), ()


async def _push(job: _Job, target: Target) -> Staged:
    """Push a target's variants and compose its index; the index itself is written later, when all are there.

    What is reused is there already. Its entries say what commit it was built from; the index is this release's own.
    """
    entries = job.reused.get(target.image.name) or await _push_variants(job, target)
    return Staged(target=target, index=Manifest.of_index(entries, {**target.labels, **target.image.annotations}))


async def _push_variants(job: _Job, target: Target) -> tuple[Descriptor, ...]:
    try:
        with step(f"{target.image.name} push"):
            entries = await job.push(target)
    except DrydockError as error:
        raise DrydockError(f"{target.repository}: push: {error}") from None
    commit = of_commit(target.labels)
    began = job.request.began
    built = {BUILT: utc_text(began)} if began else {}
    return tuple(
        replace(entry, annotations={**commit, **built, **job.records.get(f"{target.image.name}@{entry.platform}", {})})
        for entry in entries
    )


async def _inspect(job: _Job, staged: Staged) -> Inspection:
    return await inspect_image(job.client, staged.target, staged.index)


async def _name(job: _Job, staged: Sequence[Staged], done: Release) -> Release:
    """Give every image its `sha-` tag, once it is sure that none of them means something else already."""
    tag = sha_tag(job.request.revision, job.request.mark)
    moves = [Move(target=one.target, tag=one.target.own, manifest=one.index) for one in staged]
    before = await read_before(job.client, moves)
    taken = tuple(
        f"{move.reference} exists with another digest, {old.digest}, not {move.manifest.digest}; it stays as it is"
        for move in moves
        if (old := before[move.reference]) and old.digest != move.manifest.digest
    )
    if began := job.request.began:
        renewals = await list_renewals(job.client, staged, before, job.request.revision, began)
        moves = [*(move for move in moves if not before[move.reference]), *renewals] if taken else [*moves, *renewals]
        before = {**before, **await read_before(job.client, renewals)}
    elif taken and not job.request.overwrite:
        hint = (
            f"If {tag} is right as it is, dagger call promote --from {tag} --tag latest moves latest to it; "
            "to replace it by what was built now, run the same command with --overwrite."
        )
        return replace(done, problems=taken, next=hint)
    with step(f"name {tag}"):
        moved = await move_tags(job.client, moves, before)
    return replace(done, tags=moved.tags, problems=moved.problems)


async def _move(job: _Job, staged: Sequence[Staged], done: Release) -> Release:
    """Move the tags that people use, of all images; those that name a newer commit stay."""
    request = job.request
    moves = list_moves([(one.target, one.index) for one in staged])
    before = await read_before(job.client, moves)
    choice = leave_newer(before, moves, None if request.allow_older else utc_text(request.created))
    names = ", ".join(dict.fromkeys(move.tag for move in moves))
    with step(f"move {names or 'no tag'}"):
        moved = await move_tags(job.client, choice.moves, before)
    return replace(
        done,
        notes=(*done.notes, *choice.notes),
        tags=(*done.tags, *choice.kept, *moved.tags),
        problems=moved.problems,
    )


async def _untouched(job: _Job, done: Release) -> list[TagOutcome]:
    """Say what every tag names that was not come to."""
    known = {(outcome.repository, outcome.tag) for outcome in done.tags}
    owns = [(target, target.own) for target in job.targets]
    tags = [*owns, *((target, tag) for _, target, tag in rank_tags(job.targets))]
    rest = [(target, tag) for target, tag in tags if (target.repository, tag) not in known]
    return [await untouched(job.client, target, tag) for target, tag in rest]
