"""Finishes what was staged, on however many machines: all of it is there, or no tag is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ci.core.model import Plan
from ci.core.timeline import Row
from ci.release.claims import Claims, judge_folders
from ci.release.collect import Collector
from ci.release.deliver import as_scheduled, release_once
from ci.release.destination import Destination
from ci.release.folder import Folder
from ci.release.outcome import Delivery, Release
from ci.release.policy import promises_of
from ci.release.push import smoke_published
from ci.release.record import digest_configuration
from ci.release.release import Promise, prepare, release
from ci.release.request import ReleaseRequest
from ci.release.search import WAITS, Store
from ci.release.signed import promise_signed

_AGAIN = "Stage what is named above, then run the same command again: what is done already is found and left as it is."


async def finish_staged(
    plan: Plan,
    request: ReleaseRequest,
    folders: Sequence[Folder],
    destination: Destination,
    *,
    promises: Sequence[Promise] = (),
    store: Store | None = None,
    only_prepare: bool = False,
) -> Delivery:
    """Release what was staged: name the commit and move the tags, once it is sure that all of it is there.

    Args:
        plan: all of it is released.
        request: what the release is asked for.
        folders: what the stages have left; they only say where to look.
        destination: where the images are.
        promises: what has to be there besides before a tag is written, such as attestations.
        store: who keeps signatures besides the registries.
        only_prepare: push the index of each image by its digest, and write no tag.

    Raises:
        DrydockError: the registry could not be asked at all, or the request makes no sense.

    """
    plan, request = await as_scheduled(plan, replace(request, mark=plan.mark), destination)
    promises = (*promises, *promise_signed(plan.config, store, waits=WAITS))
    work = partial(_finish, plan, request, folders, destination, promises, only_prepare)
    return await release_once(plan, request, destination, work, prepare=only_prepare, promises=promises)


def judge_checks(plan: Plan, request: ReleaseRequest, folders: Sequence[Folder]) -> Delivery:
    """Say whether stages have checked all of a plan, where nothing of it is to be released."""
    claims = judge_folders(plan, request, folders, pushed=False)
    after = _AGAIN if claims.problems else "Nothing: this is not released."
    rows = _rows(claims)
    return Delivery(released=Release(what="check", problems=claims.problems, next=after, rows=rows))


def _rows(claims: Claims) -> tuple[Row, ...]:
    """List what the stages say that they did, to be drawn."""
    return tuple(claim.row for claim in claims.staged.values())


async def _finish(
    plan: Plan,
    request: ReleaseRequest,
    folders: Sequence[Folder],
    destination: Destination,
    promises: Sequence[Promise],
    only_prepare: bool,
) -> Delivery:
    what = "preparation" if only_prepare else "release"
    claims = judge_folders(plan, request, folders)
    if claims.problems:
        return Delivery(released=Release(what=what, problems=claims.problems, next=_AGAIN))
    targets = destination.targets(plan, tags=request.tags, version=request.version, created=request.created)
    async with destination.connect(targets) as registries:
        collect = Collector(
            registries=registries,
            request=request,
            configuration=digest_configuration(plan.config),
            staged=claims.staged,
        ).collect
        if only_prepare:
            done = await prepare(registries, request, targets, push=collect, again=_AGAIN)
            return Delivery(released=replace(done, rows=(*_rows(claims), *done.rows)))
        resmoke = None
        if request.resmoke:
            logins = await destination.logins(tuple(dict.fromkeys(target.host for target in targets)))
            resmoke = partial(smoke_published, registries, logins=logins, made={})
        done = await release(
            registries,
            request,
            targets,
            push=collect,
            resmoke=resmoke,
            promises=(*promises, *promises_of(plan.config, destination)),
            again=_AGAIN,
        )
    return Delivery(released=replace(done, rows=(*_rows(claims), *done.rows)))
