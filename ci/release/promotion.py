"""Puts what a release named before under other tags: for all images, or for none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ci.core.errors import DrydockError
from ci.core.names import REVISION, image_tag, is_digest, of_commit
from ci.core.oci import Manifest
from ci.registry import RegistryClient
from ci.release.again import tags_of_commit, with_version
from ci.release.inspection import Inspection, inspect_image
from ci.release.moving import Moved, move_tags, put_indexes
from ci.release.outcome import ImageFact, Release, differing
from ci.release.registries import Registries
from ci.release.release import HELD, Promise
from ci.release.request import Staged, Target, made_before
from ci.release.tags import Choice, Move, leave_newer, list_moves, read_before, read_live


async def promote(
    registries: Registries,
    targets: Sequence[Target],
    source: str,
    *,
    created: str | None = None,
    prepare: bool = False,
    promises: Sequence[Promise] = (),
) -> Release:
    """Put what `source` names under the tags of the targets, for all images or for none.

    Args:
        registries: that the targets are in.
        targets: all images, with the tags that are to be moved; one that has a version in its labels gets an index of
            the same variants that says so.
        source: a tag that exists, without what an image puts around it; or the digest of one image of a release,
            which stands for all of it.
        created: when the commit was made (RFC 3339, UTC), to leave tags of newer ones alone; None moves them too.
        prepare: move nothing, and only push what the tags would name, by its digest.
        promises: what has to be there besides before a tag is moved.

    """
    start = time.monotonic()
    images: list[ImageFact] = []
    found: list[tuple[Target, Manifest]] = []
    moved = Moved(tags=())
    choice = Choice(moves=())
    missing: list[str] = []
    notes: list[str] = []
    problems: list[str] = [] if any(target.tags for target in targets) else ["no tag to move is given"]
    try:
        common = await _tag_of(registries, targets, source) if is_digest(source) else source
        for target in targets:
            tag = image_tag(target.image, common)
            named, inspected = await _find(registries.of(target), target, tag)
            problems += inspected.problems if inspected else [f"{target.repository}:{tag} does not exist"]
            images += [inspected.fact] if inspected else []
            notes += inspected.lacks if inspected else ()
            found += [(target, with_version(target, named))] if named else []
        problems += _mixed(found, common) or differing(images)
        if not problems:
            wanted = list_moves(found)
            before = await read_before(registries, wanted)
            choice = leave_newer(before, wanted, created)
            if prepare:
                await put_indexes(registries, [(move.target, move.manifest) for move in choice.moves])
            elif not (missing := await _missing(registries, choice.moves, promises)):
                moved = await move_tags(registries, choice.moves, before)
            problems += [*missing, *moved.problems]
            named_as = {move.target.key: move.manifest.digest for move in choice.moves}
            images = [
                replace(image, digest=named_as.get((image.image, image.repository), image.digest)) for image in images
            ]
    except DrydockError as error:
        problems.append(str(error))
    return Release(
        what="preparation" if prepare else "promotion",
        images=tuple(images),
        tags=(*choice.kept, *moved.tags),
        problems=tuple(problems),
        notes=(*choice.notes, *notes),
        next="" if not problems else HELD if missing else _next(moved, source, targets),
        retries=registries.retries,
        seconds=time.monotonic() - start,
    )


async def _missing(registries: Registries, moves: Sequence[Move], promises: Sequence[Promise]) -> list[str]:
    """Say what was promised of the indexes that are to be named, and is not there; the variants have names already."""
    staged = [Staged(target=move.target, index=move.manifest) for move in moves]
    return [text for promise in promises for text in await promise(registries, staged)]


async def _find(client: RegistryClient, target: Target, tag: str) -> tuple[Manifest | None, Inspection | None]:
    """Read what a tag of one image names, and whether all of it is there."""
    named = await read_live(client, target.name, tag)
    if named is None:
        return None, None
    # Whose labels these are, the release decides: only the shape is the configuration's.
    shape = replace(
        made_before(target),
        labels=of_commit(named.annotations),
        image=replace(target.image, labels={}, annotations={}),
    )
    return named, await inspect_image(client, shape, named)


async def _tag_of(registries: Registries, targets: Sequence[Target], digest: str) -> str:
    """Find the `sha-` tag of the release that an image's digest belongs to; two images may share a repository."""
    unnamed = ""
    for target in targets:
        client = registries.of(target)
        if not await client.resolve(target.name, digest):
            continue
        notes = (await client.get_manifest(target.name, digest)).annotations
        revision = notes.get(REVISION, "")
        for tag in tags_of_commit(notes):
            if await client.resolve(target.name, image_tag(target.image, tag)) == digest:
                return tag
        unnamed = f"{target.repository}@{digest} is not what the sha- tag of its commit ({revision or 'none'}) names"
    if unnamed:
        raise DrydockError(f"{unnamed}: it stands for no release; give a tag, such as sha-1234567")
    raise DrydockError(f"No image has the digest {digest}; dagger call plan --live shows the digests that are live")


def _mixed(found: Sequence[tuple[Target, Manifest]], tag: str) -> list[str]:
    """Refuse images of several commits: they were never released, nor checked, together."""
    revisions = {target.key: named.annotations.get(REVISION, "no commit") for target, named in found}
    if len(set(revisions.values())) <= 1:
        return []
    each = ", ".join(f"{repository} of {revision}" for (_, repository), revision in revisions.items())
    return [f"{tag} names images of several commits: {each}; give the sha- tag of one of them"]


def _next(moved: Moved, source: str, targets: Sequence[Target]) -> str:
    if not moved.tags:
        return "Nothing was moved. dagger call plan --live shows what every tag names."
    tags = dict.fromkeys(tag for target in targets for tag in target.tags)
    commands = " and ".join(f"dagger call promote --from {source} --tag {tag}" for tag in tags)
    return f"The column NOW says what is live. {moved.next} To try it again: {commands}".replace("  ", " ")
