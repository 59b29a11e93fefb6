"""Reads back a release that was made before: every image and tag, compared with what the configuration promises."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ci.core.errors import DrydockError
from ci.core.names import REVISION, sha_tag
from ci.core.oci import Manifest
from ci.registry import RegistryClient
from ci.release.inspection import inspect_image
from ci.release.outcome import Change, ImageFact, Release, TagOutcome
from ci.release.request import Target
from ci.release.tags import read_live


async def verify(client: RegistryClient, targets: Sequence[Target], revision: str) -> Release:
    """Read back a revision's images and tags, and compare them with what the configuration promises."""
    start = time.monotonic()
    images: list[ImageFact] = []
    outcomes: list[TagOutcome] = []
    problems: list[str] = []
    unread = False
    for target in targets:
        try:
            named = await read_live(client, target.name, target.own)
            if named is None:
                problems.append(f"{target.repository}:{target.own} does not exist")
                images.append(ImageFact(image=target.image.name, repository=target.repository, digest=None))
                continue
            inspection = await inspect_image(client, _of_commit(target, named, revision), named)
            images.append(inspection.fact)
            problems += inspection.problems
            for other in (target.own, *target.tags):
                digest = await client.resolve(target.name, other)
                change = Change.AS_PROMISED if digest == named.digest else Change.DIFFERS
                outcomes.append(
                    TagOutcome(repository=target.repository, tag=other, before=digest, after=digest, change=change)
                )
                if digest != named.digest:
                    problems.append(f"{target.repository}:{other} names {digest or 'nothing'}, not {named.digest}")
        except DrydockError as error:
            problems.append(f"{target.repository}: {error}")
            unread = True
    complete = all(image.digest for image in images)
    return Release(
        what="verification",
        images=tuple(images),
        tags=tuple(outcomes),
        problems=tuple(problems),
        next=_next(revision, outcomes, unread=unread, complete=complete) if problems else "",
        retries=client.effort.retries,
        seconds=time.monotonic() - start,
    )


def _of_commit(target: Target, named: Manifest, revision: str) -> Target:
    """Expect the whole commit id where the beginning of it was asked for."""
    whole = named.annotations.get(REVISION, "")
    return replace(target, labels={**target.labels, REVISION: whole}) if whole.startswith(revision) else target


def _next(revision: str, outcomes: Sequence[TagOutcome], *, unread: bool, complete: bool) -> str:
    """Say what to type: only tags that differ can be put right without a build, and nothing while it is not known."""
    tag = sha_tag(revision)
    if unread:
        return "Not everything could be read, so nothing is said of it: mend that, then run the same command again."
    if not complete:
        return f"Not every image has {tag}: release the commit again, dagger call publish --revision {revision} ..."
    differ = sorted({outcome.tag for outcome in outcomes if outcome.change is Change.DIFFERS})
    if differ:
        commands = " and ".join(f"dagger call promote --from {tag} --tag {name}" for name in differ)
        return f"If this commit is the one to be live: {commands}"
    return f"What {tag} names is not what was promised: dagger call publish --revision {revision} --overwrite ..."
