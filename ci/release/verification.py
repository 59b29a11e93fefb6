"""Reads back a release that was made before: every image and tag, compared with what the configuration promises."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ci.core.errors import DrydockError
from ci.core.names import REVISION, image_tag, sha_tag
from ci.core.oci import Manifest
from ci.registry import RegistryClient
from ci.release.again import same_variants, tags_of_commit
from ci.release.inspection import inspect_image
from ci.release.outcome import Change, ImageFact, Release, TagOutcome, differing
from ci.release.registries import Registries
from ci.release.release import HELD, Promise
from ci.release.request import Staged, Target, made_before
from ci.release.tags import read_live


async def verify(
    registries: Registries,
    targets: Sequence[Target],
    revision: str,
    mark: str = "",
    *,
    promises: Sequence[Promise] = (),
) -> Release:
    """Read back a revision's images and tags, and compare them with what the configuration promises.

    Args:
        registries: that the targets are in.
        targets: all images of the release, with the tags that have to name it.
        revision: the commit.
        mark: of a version that it was built for.
        promises: what has to be there besides, such as signatures.

    """
    start = time.monotonic()
    images: list[ImageFact] = []
    outcomes: list[TagOutcome] = []
    problems: list[str] = []
    notes: list[str] = []
    unread = False
    read: list[Staged] = []
    for target in targets:
        client = registries.of(target)
        try:
            named = await read_live(client, target.name, target.own)
            if named is None:
                problems.append(f"{target.repository}:{target.own} does not exist")
                images.append(ImageFact(image=target.image.name, repository=target.repository, digest=None))
                continue
            inspection = await inspect_image(client, _of_commit(made_before(target), named, revision), named)
            images.append(inspection.fact)
            problems += inspection.problems
            notes += inspection.lacks
            read.append(Staged(target=target, index=named))
            for other in (target.own, *target.tags):
                digest = await client.resolve(target.name, other)
                same = digest == named.digest or (digest and await _is_of(client, target, named, digest, problems))
                change = Change.AS_PROMISED if same else Change.DIFFERS
                outcomes.append(
                    TagOutcome(repository=target.repository, tag=other, before=digest, after=digest, change=change)
                )
                if not same:
                    problems.append(f"{target.repository}:{other} names {digest or 'nothing'}, not {named.digest}")
        except DrydockError as error:
            problems.append(f"{target.repository}: {error}")
            unread = True
    problems += differing(images)
    complete = all(image.digest for image in images)
    then = HELD
    if problems:
        then = _next(sha_tag(revision, mark), revision, outcomes, unread=unread, complete=complete)
    for promise in promises if not unread else ():
        problems += await promise(registries, read)
    return Release(
        what="verification",
        images=tuple(images),
        tags=tuple(outcomes),
        problems=tuple(problems),
        notes=tuple(notes),
        next=then if problems else "",
        retries=registries.retries,
        seconds=time.monotonic() - start,
    )


async def _is_of(client: RegistryClient, target: Target, named: Manifest, digest: str, problems: list[str]) -> bool:
    """Tell whether an image is the same commit's: its variants under a version, or what was built of it later."""
    other = await client.get_manifest(target.name, digest)
    revision = named.annotations.get(REVISION, "")
    if not revision or other.annotations.get(REVISION) != revision:
        return False
    if same_variants(named, other):
        return True
    _, *others = tags_of_commit(other.annotations)
    if not any([await client.resolve(target.name, image_tag(target.image, tag)) == digest for tag in others]):
        return False
    # What the texts of the configuration become for a version, nobody has said.
    expected = replace(made_before(target), image=replace(target.image, labels={}, annotations={}))
    inspection = await inspect_image(client, _of_commit(expected, other, revision), other)
    problems += inspection.problems
    return True


def _of_commit(target: Target, named: Manifest, revision: str) -> Target:
    """Expect the whole commit id where the beginning of it was asked for."""
    whole = named.annotations.get(REVISION, "")
    return replace(target, labels={**target.labels, REVISION: whole}) if whole.startswith(revision) else target


def _next(tag: str, revision: str, outcomes: Sequence[TagOutcome], *, unread: bool, complete: bool) -> str:
    """Say what to type: only tags that differ can be put right without a build, and nothing while it is not known."""
    if unread:
        return "Not everything could be read, so nothing is said of it: mend that, then run the same command again."
    if not complete:
        return f"Not every image has {tag}: release the commit again, dagger call publish --revision {revision} ..."
    differ = sorted({outcome.tag for outcome in outcomes if outcome.change is Change.DIFFERS})
    if differ:
        commands = " and ".join(f"dagger call promote --from {tag} --tag {name}" for name in differ)
        return f"If this commit is the one to be live: {commands}"
    return f"What {tag} names is not what was promised: dagger call publish --revision {revision} --overwrite ..."
