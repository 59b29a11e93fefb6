"""A release: push under a name nobody uses, verify, name it `sha-…`, and last of all move the tags that people use."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from ci.core.engine import fan_out, step
from ci.core.errors import DrydockError
from ci.core.names import STAGING, sha_tag
from ci.registry.client import RegistryClient
from ci.registry.manifests import (
    CREATED,
    OCI_INDEX,
    Descriptor,
    Manifest,
    digest_of,
    is_index,
    of_commit,
    read_entries,
    write_index,
)
from ci.release.inspection import Inspection, inspect_image
from ci.release.outcome import ImageFact, Release, Staged, TagOutcome
from ci.release.request import Target
from ci.release.tags import Move, leave_newer, move_tags, read_before, untouched

_AGAIN = "Run the same command again: what is done already is found and left as it is."

# Pushes all variants of a target under a tag and returns the digest of what it pushed.
Push = Callable[[Target, str], Awaitable[str]]
# Runs the smoke checks again on what the registry serves; returns what failed.
Resmoke = Callable[[Staged], Awaitable[Sequence[str]]]

_AT_A_TIME = 2
_STAGING_SECONDS = 2 * 3600  # for all pushes and their verification; every later request has its own limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a release is asked for."""

    revision: str
    targets: tuple[Target, ...]
    tags: tuple[str, ...] = ()  # to be moved, after sha-…
    overwrite: bool = False  # an existing sha- tag
    allow_older: bool = False  # commits than the live one
    reused: Mapping[str, tuple[Descriptor, ...]] = field(default_factory=dict)  # what is there already, by image
    records: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # annotations of what is built, by variant


@dataclass(kw_only=True, slots=True)
class _Progress:
    """What is known so far, so that a failure can say what is live."""

    images: list[ImageFact] = field(default_factory=list)
    tags: list[TagOutcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next: str = ""


async def release(client: RegistryClient, wish: Wish, *, push: Push, resmoke: Resmoke | None = None) -> Release:
    """Release what was built: every image and tag of the wish, or the tags as they were before."""
    start = time.monotonic()
    progress = _Progress()
    problems: tuple[str, ...] = ()
    try:
        problems = await _release(client, wish, push, resmoke, progress)
    except DrydockError as error:
        problems = (str(error),)
    if problems:
        done = {(outcome.repository, outcome.tag) for outcome in progress.tags}
        names = (sha_tag(wish.revision), *wish.tags)
        rest = [(t, tag) for tag in names for t in wish.targets if (t.repository, tag) not in done]
        progress.tags += [await untouched(client, target, tag) for target, tag in rest]
    return Release(
        what="release",
        images=tuple(progress.images),
        tags=tuple(progress.tags),
        problems=problems,
        notes=tuple(progress.notes),
        next=progress.next or _AGAIN if problems else "",
        retries=client.effort.retries,
        seconds=time.monotonic() - start,
    )


async def _release(
    client: RegistryClient, wish: Wish, push: Push, resmoke: Resmoke | None, progress: _Progress
) -> tuple[str, ...]:
    tag = sha_tag(wish.revision)
    ready: list[Staged] = []
    problems = [f"pushing and verifying did not end within {_STAGING_SECONDS} s"]
    with anyio.move_on_after(_STAGING_SECONDS):
        ready, problems = await _stage_all(client, wish, push, resmoke, progress)
    if problems:
        return tuple(problems)
    if refused := await _name(client, ready, tag, wish, progress):
        return refused
    wanted = [_move(one, name) for name in wish.tags for one in ready]
    before = await read_before(client, wanted)
    created = None if wish.allow_older else wish.targets[0].labels.get(CREATED, "")
    choice = leave_newer(before, wanted, created)
    progress.notes += choice.notes
    progress.tags += choice.kept
    with step(f"move {', '.join(wish.tags) or 'no tag'}"):
        moved = await move_tags(client, choice.moves, before)
    progress.tags += moved.tags
    return moved.problems


async def _stage_all(
    client: RegistryClient, wish: Wish, push: Push, resmoke: Resmoke | None, progress: _Progress
) -> tuple[list[Staged], list[str]]:
    """Push and verify all images; return them, or everything that is wrong with any."""
    staged = await fan_out(wish.targets, partial(_stage, client, wish, push), limit=_AT_A_TIME)
    if failed := [text for text in staged if isinstance(text, str)]:
        return [], failed
    ready = [one for one in staged if isinstance(one, Staged)]
    with step("verify what the registry serves"):
        inspections = await fan_out(ready, partial(_inspect_staged, client), limit=_AT_A_TIME)
    progress.images += [inspection.fact for inspection in inspections]
    problems = [text for inspection in inspections for text in inspection.problems]
    if resmoke and not problems:
        problems = [text for one in ready for text in await resmoke(one)]
    return ready, problems


async def _stage(client: RegistryClient, wish: Wish, push: Push, target: Target) -> Staged | str:
    """Push a target's variants and compose its index; the index itself is written later, when all are there.

    What is reused is there already. Its entries say what commit it was built from; the index is this release's own.
    """
    if entries := wish.reused.get(target.image.name):
        body = write_index(entries, target.labels)
        return Staged(target=target, body=body, digest=digest_of(body), entries=entries)
    try:
        with step(f"{target.image.name} push"):
            digest = await push(target, STAGING)
        pushed = await client.get_manifest(target.name, digest)
        if is_index(pushed):
            entries = read_entries(pushed)
        else:
            platform = target.variants[0].platform
            size = len(pushed.body)
            entries = (Descriptor(media_type=pushed.media_type, digest=pushed.digest, size=size, platform=platform),)
    except DrydockError as error:
        return f"{target.repository}: push: {error}"
    order = [variant.platform for variant in target.variants]
    if sorted(order) != sorted(entry.platform for entry in entries):
        found = ", ".join(entry.platform for entry in entries)
        return f"{target.repository}: the registry has the platforms {found} instead of {', '.join(order)}"
    commit = of_commit(target.labels)
    entries = tuple(
        replace(entry, annotations={**commit, **wish.records.get(f"{target.image.name}@{entry.platform}", {})})
        for entry in sorted(entries, key=lambda entry: order.index(entry.platform))
    )
    body = write_index(entries, target.labels)
    return Staged(target=target, body=body, digest=digest_of(body), entries=entries)


async def _inspect_staged(client: RegistryClient, staged: Staged) -> Inspection:
    manifest = Manifest(body=staged.body, media_type=OCI_INDEX, digest=staged.digest)
    return await inspect_image(client, staged.target, manifest)


async def _name(
    client: RegistryClient, ready: Sequence[Staged], tag: str, wish: Wish, progress: _Progress
) -> tuple[str, ...]:
    """Give every image its `sha-` tag, once it is sure that none of them means something else already."""
    moves = [_move(one, tag) for one in ready]
    before = await read_before(client, moves)
    taken = [
        f"{move.repository}:{tag} exists with another digest, {old.digest}, not {move.digest}; it stays as it is"
        for move, old in before.items()
        if old and old.digest != move.digest
    ]
    if taken and not wish.overwrite:
        progress.next = (
            f"If {tag} is right as it is, dagger call promote --from {tag} --tag latest moves latest to it; "
            "to replace it by what was built now, run the same command with --overwrite."
        )
        return tuple(taken)
    with step(f"name {tag}"):
        moved = await move_tags(client, moves, before)
    progress.tags += moved.tags
    return moved.problems


def _move(staged: Staged, tag: str) -> Move:
    return Move(
        repository=staged.target.repository,
        name=staged.target.name,
        tag=tag,
        body=staged.body,
        digest=staged.digest,
    )
