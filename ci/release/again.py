"""What a commit is named that is released again, and comes out different: by a schedule, since a base has moved.

The commit's own tag stays what it was first. What is new gets a tag of its run, which stays too, and `-rebuilt`, which
moves: the newest release of the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ci.core.fill import version_mark
from ci.core.names import REVISION, VERSION, image_tag, rebuilt_tag, sha_tag
from ci.core.oci import REFERENCE, Manifest
from ci.release.registries import Registries
from ci.release.request import Staged, Target
from ci.release.tags import Before, Move, read_before, read_live


async def list_renewals(
    registries: Registries, staged: Sequence[Staged], own: Before, revision: str, began: datetime
) -> tuple[Move, ...]:
    """List what names a commit's images that are not what they were when it was first released; nothing if all are.

    Args:
        registries: that they are in.
        staged: all images.
        own: what the tags that mark the commit name.
        revision: the commit.
        began: when this run did, with its time zone.

    """
    newest = [_move(one, rebuilt_tag(revision)) for one in staged]
    before = await read_before(registries, newest)
    current = [before[m.reference] or own[f"{m.target.repository}:{m.target.own}"] for m in newest]
    if all(live is None or live.digest == m.manifest.digest for live, m in zip(current, newest, strict=True)):
        return ()
    stamp = began.astimezone(UTC).strftime("%Y%m%d-%H%M")
    return (*(_move(one, f"{sha_tag(revision)}-{stamp}") for one in staged), *newest)


def _move(one: Staged, tag: str) -> Move:
    return Move(target=one.target, tag=image_tag(one.target.image, tag), manifest=one.index)


async def released_version(registries: Registries, targets: Sequence[Target]) -> str | None:
    """Return the version that a commit was released as; None where it has none, or was not released."""
    for target in targets:
        if live := await read_live(registries.of(target), target.name, target.own):
            return live.annotations.get(VERSION)
    return None


def without_version(target: Target) -> Target:
    """Expect no version of an image, nor a tag: a commit may have been released before it got one."""
    labels = {key: value for key, value in target.labels.items() if key != VERSION}
    return replace(target, labels=labels, tags=())


def with_version(target: Target, named: Manifest) -> Manifest:
    """Write an index of the same variants that says the version, if it is another one: newer ones are known by it."""
    version = target.labels.get(VERSION)
    if not version or not named.is_index or named.annotations.get(VERSION) == version:
        return named
    return Manifest.of_index(named.listed, {**named.annotations, VERSION: version})


def tags_of_commit(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """List the tags, without what an image puts around them, that may mark what an index says it is.

    They are that of its commit, that of the newest release of it, and, where a version is built for itself, that of the
    version.
    """
    revision, version = annotations.get(REVISION, ""), annotations.get(VERSION, "")
    if not revision:
        return ()
    marked = (sha_tag(revision, version_mark(version)),) if version else ()
    return (sha_tag(revision), rebuilt_tag(revision), *marked)


def same_variants(one: Manifest, other: Manifest) -> bool:
    """Tell whether two indexes name the same variants, and the same is attested of them."""
    both = one.is_index and other.is_index
    return both and sorted(e.digest for e in one.listed) == sorted(e.digest for e in other.listed)


def same_but_attested(one: Manifest, other: Manifest) -> bool:
    """Tell whether two indexes say the same of the same variants, of each of which something is attested."""
    if not (one.is_index and other.is_index) or one.annotations != other.annotations or one.entries != other.entries:
        return False
    first, second = ({entry.annotations.get(REFERENCE) for entry in index.attestations} for index in (one, other))
    return first == second
