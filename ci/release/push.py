"""Brings an image to all of its repositories, byte for byte and under no tag; and runs what is published again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import dagger

from ci.build import Made, smoke_variant
from ci.core.engine import Stopwatch, gather
from ci.core.model import Variant
from ci.core.names import of_commit
from ci.core.oci import Descriptor, Manifest, read_image_config
from ci.registry import RegistryClient
from ci.release.logins import Logins
from ci.release.registries import Registries
from ci.release.request import PushError, Reusable, Staged, Target
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


async def push_image(uploads: Uploads, supply: Supply, targets: Sequence[Target], watch: Stopwatch) -> Manifest:
    """Make every repository of an image have all its variants, and compose the index that will name them.

    The index itself is written later, when all images are there.

    Args:
        uploads: to the registries of the release.
        supply: what there is to push.
        targets: all of one image.
        watch: notes when each variant was pushed.

    Raises:
        PushError: some repositories did not take all of it.
        DrydockError: what there is could not be read.

    """
    image = targets[0].image
    annotations = {**targets[0].labels, **image.annotations}
    if found := supply.found.get(image.name):
        for entry in found.entries:
            if others := [target for target in targets if target.key != found.source.key]:
                with watch.step(f"{image.name}@{entry.platform}", "push"):
                    await _copy(uploads, found.source, entry, others)
        return found.index or Manifest.of_index(found.entries, annotations)
    commit = of_commit(targets[0].labels)
    entries = []
    for variant in targets[0].variants:
        made = supply.built[str(variant)]
        manifest = made.documents.manifest
        with watch.step(str(variant), "push"):
            await _send(uploads, manifest, targets, from_archive(made.archive))
        entries.append(
            Descriptor(
                media_type=manifest.media_type,
                digest=manifest.digest,
                size=len(manifest.body),
                platform=variant.platform,
                annotations={**commit, **supply.run, **supply.records.get(str(variant), {})},
            )
        )
    return Manifest.of_index(entries, annotations)


async def _copy(uploads: Uploads, source: Target, entry: Descriptor, targets: Sequence[Target]) -> None:
    """Bring a variant from one repository to others, byte for byte."""
    manifest = await uploads.registries.of(source).get_manifest(source.name, entry.digest)
    for blob in (*manifest.image.layers, manifest.image.config):
        uploads.found(source, blob)
    await _send(uploads, manifest, targets, from_repository(uploads.registries, source))


async def _send(
    uploads: Uploads, manifest: Manifest, targets: Sequence[Target], opened: AbstractAsyncContextManager[Locate]
) -> None:
    """Bring a variant to all repositories at once; one that refuses it does not keep it from the others."""
    async with opened as locate:
        named = {target.repository: target for target in targets}
        _, failed = await gather(named, lambda target: uploads.send(target, manifest, locate), limit=len(targets))
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
