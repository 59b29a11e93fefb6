"""Brings an image to all of its repositories, byte for byte and under no tag; and runs what is published again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import dagger

from ci.build import Made, smoke_variant
from ci.core.engine import gather
from ci.core.model import Variant
from ci.core.names import of_commit
from ci.core.oci import Descriptor, Manifest, read_image_config
from ci.registry import RegistryClient
from ci.release.again import same_but_attested
from ci.release.logins import Logins
from ci.release.registries import Registries
from ci.release.request import PushError, Reusable, Staged, Target
from ci.release.tags import read_live
from ci.release.uploads import Locate, Uploads, from_archive, from_repository

_CHECKS_AT_A_TIME = 4
_MAX_CONFIG = 4 * 1024 * 1024  # bytes of a variant's configuration


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """What a release brings to its repositories: what was built, and what one of them has already."""

    built: Mapping[str, Made] = field(default_factory=dict)  # by variant
    records: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # annotations of what was built, by variant
    run: Mapping[str, str] = field(default_factory=dict)  # annotations of all that was built
    found: Mapping[str, Reusable] = field(default_factory=dict)  # by image
    attested: bool = True  # whether what the builds say of their images is pushed with them
    keep: bool = True  # whether a commit that has its tag keeps what is attested of the same variants


async def push_image(uploads: Uploads, supply: Supply, targets: Sequence[Target]) -> Manifest:
    """Make every repository of an image have all its variants, and compose the index that will name them.

    The index itself is written later, when all images are there.

    Args:
        uploads: to the registries of the release.
        supply: what there is to push.
        targets: all of one image.

    Raises:
        PushError: some repositories did not take all of it.
        DrydockError: what there is could not be read.

    """
    image = targets[0].image
    annotations = {**targets[0].labels, **image.annotations}
    if found := supply.found.get(image.name):
        await _copy_all(uploads, found.source, found.listed, targets)
        return found.index or Manifest.of_index(found.listed, annotations)
    commit = of_commit(targets[0].labels)
    entries: list[Descriptor] = []
    attested: list[Descriptor] = []
    for variant in targets[0].variants:
        made = supply.built[str(variant)]
        manifest = made.documents.manifest
        sent = [manifest]
        if (attestation := made.documents.attestation) and supply.attested:
            sent.append(attestation)
            attested.append(attestation.attesting(manifest))
        await _send(uploads, sent, targets, from_archive(made.archive))
        entries.append(
            Descriptor(
                media_type=manifest.media_type,
                digest=manifest.digest,
                size=len(manifest.body),
                platform=variant.platform,
                annotations={**commit, **supply.run, **supply.records.get(str(variant), {})},
            )
        )
    index = Manifest.of_index([*entries, *attested], annotations)
    return await _as_named(uploads, targets, index) if attested and supply.keep else index


async def _as_named(uploads: Uploads, targets: Sequence[Target], index: Manifest) -> Manifest:
    """Take what the commit's tag names already, where its variants are the same: only times are others.

    A second build of a commit gives the same variants, and provenance that says when it was.
    """
    for target in targets:
        named = await read_live(uploads.registries.of(target), target.name, target.own) if target.own else None
        if named and same_but_attested(named, index):
            await _copy_all(uploads, target, named.attestations, targets)
            return named
    return index


async def _copy_all(uploads: Uploads, source: Target, entries: Sequence[Descriptor], targets: Sequence[Target]) -> None:
    """Bring what an index names from one repository to the others, byte for byte."""
    others = [target for target in targets if target.key != source.key]
    for entry in entries if others else ():
        manifest = await uploads.registries.of(source).get_manifest(source.name, entry.digest)
        for blob in (*manifest.image.layers, manifest.image.config):
            uploads.found(source, blob)
        await _send(uploads, [manifest], others, from_repository(uploads.registries, source))


async def _send(
    uploads: Uploads,
    manifests: Sequence[Manifest],
    targets: Sequence[Target],
    opened: AbstractAsyncContextManager[Locate],
) -> None:
    """Bring manifests, in their order, to all repositories at once; one that refuses keeps nothing from the others."""
    async with opened as locate:

        async def send(target: Target) -> None:
            for manifest in manifests:
                await uploads.send(target, manifest, locate)

        _, failed = await gather({target.repository: target for target in targets}, send, limit=len(targets))
    if failed:
        raise PushError(tuple(f"{repository}: push: {error}" for repository, error in failed.items()))


async def smoke_published(
    registries: Registries, staged: Staged, *, logins: Logins, made: Mapping[str, Made]
) -> Sequence[str]:
    """Pull every variant by its digest and run its smoke checks; return what failed.

    Args:
        registries: that it was pushed to.
        staged: what was pushed.
        logins: to the registries.
        made: what the same run has built, by variant: what checks start beside an image is taken from there.

    """
    failures: list[str] = []
    target, client = staged.target, registries.of(staged.target)
    for variant, entry in zip(target.variants, staged.index.entries, strict=True):
        container = dagger.dag.container(platform=dagger.Platform(variant.platform))
        if login := logins.of(target.host):
            password = dagger.dag.set_secret(f"password-{target.host}", login.password)
            container = container.with_registry_auth(target.host, login.username, password)
        container = container.from_(f"{target.repository}@{entry.digest}")
        manifest = await client.get_manifest(target.name, entry.digest)
        failures += await _smoke(client, container, made, target, manifest, variant)
    return failures


async def _smoke(
    client: RegistryClient,
    container: dagger.Container,
    made: Mapping[str, Made],
    target: Target,
    manifest: Manifest,
    variant: Variant,
) -> list[str]:
    digest = manifest.image.config.digest
    config = read_image_config(await client.get_blob(target.name, digest, limit=_MAX_CONFIG), digest)
    images = {
        service.target: dagger.dag.container(platform=dagger.Platform(variant.platform)).import_(
            made[f"{service.target}@{variant.platform}"].archive
        )
        for service in variant.image.services
        if service.target
    }
    found = await smoke_variant(container, config, variant, limit=_CHECKS_AT_A_TIME, images=images)
    return [f"{variant} as published in {target.repository}: {failure.step}: {failure.reason}" for failure in found]
