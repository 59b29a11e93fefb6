"""Brings manifests to all repositories of an image, and keeps what a commit's tag names already."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from ci.core.engine import gather
from ci.core.oci import Descriptor, Manifest
from ci.release.again import same_but_attested
from ci.release.request import PushError, Target
from ci.release.tags import read_live
from ci.release.uploads import Locate, Uploads, from_repository


async def send(
    uploads: Uploads,
    manifests: Sequence[Manifest],
    targets: Sequence[Target],
    opened: AbstractAsyncContextManager[Locate],
) -> None:
    """Bring manifests, in their order, to all repositories at once; one that refuses keeps nothing from the others."""
    async with opened as locate:

        async def to(target: Target) -> None:
            for manifest in manifests:
                await uploads.send(target, manifest, locate)

        _, failed = await gather({target.repository: target for target in targets}, to, limit=len(targets))
    if failed:
        raise PushError(tuple(f"{repository}: push: {error}" for repository, error in failed.items()))


async def copy_manifests(
    uploads: Uploads, source: Target, entries: Sequence[Descriptor], targets: Sequence[Target]
) -> tuple[Manifest, ...]:
    """Read what an index names from one repository, and bring it to the others, byte for byte."""
    client = uploads.registries.of(source)
    manifests = tuple([await client.get_manifest(source.name, entry.digest) for entry in entries])
    if manifests and (others := [target for target in targets if target.key != source.key]):
        for manifest in manifests:
            for blob in (*manifest.image.layers, manifest.image.config):
                uploads.found(source, blob)
        await send(uploads, manifests, others, from_repository(uploads.registries, source))
    return manifests


async def keep_attested(uploads: Uploads, targets: Sequence[Target], index: Manifest) -> Manifest:
    """Take what the commit's tag names already, where its variants are the same: only times are others.

    A second build of a commit gives the same variants, and provenance that says when it was made.
    """
    for target in targets if index.attestations else ():
        named = await read_live(uploads.registries.of(target), target.name, target.own) if target.own else None
        if named and same_but_attested(named, index):
            if len(targets) > 1:
                await copy_manifests(uploads, target, named.attestations, targets)
            return named
    return index
