"""Sends what was built to a registry, byte for byte and under no tag; and runs what is published again."""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import dagger

from ci.build import Made, smoke_variant
from ci.core.model import Variant
from ci.core.oci import Descriptor, Manifest, read_image_config
from ci.registry import RegistryClient
from ci.release.destination import Login
from ci.release.request import Staged, Target

_CHECKS_AT_A_TIME = 4
_CHUNK = 1024 * 1024  # bytes
_MAX_CONFIG = 4 * 1024 * 1024  # bytes of a variant's configuration


async def push_target(client: RegistryClient, images: Mapping[str, Made], target: Target) -> tuple[Descriptor, ...]:
    """Push the archives that were smoked, all variants of one image, each by its digest; return what an index names.

    Raises:
        RegistryError: the registry did not take one, after repetitions where those could help.

    """
    entries = []
    for variant in target.variants:
        made = images[str(variant)]
        manifest = made.documents.manifest
        await _push_blobs(client, target.name, made)
        await client.put_manifest(target.name, manifest.digest, manifest.body, manifest.media_type)
        entries.append(
            Descriptor(
                media_type=manifest.media_type,
                digest=manifest.digest,
                size=len(manifest.body),
                platform=variant.platform,
            )
        )
    return tuple(entries)


async def _push_blobs(client: RegistryClient, repository: str, made: Made) -> None:
    """Send the layers and the configuration that the registry does not have yet."""
    image = made.documents.manifest.image
    wanted = {blob.digest: blob for blob in (*image.layers, image.config)}
    missing = [blob for blob in wanted.values() if await client.blob_size(repository, blob.digest) != blob.size]
    if not missing:
        return
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        await made.archive.export(str(archive))
        with tarfile.open(archive) as members:
            places = {member.name: member.offset_data for member in members}
        for blob in missing:
            place = places[f"blobs/{blob.digest.replace(':', '/')}"]
            await client.put_blob(repository, blob, _reader(archive, place, blob.size))


def _reader(file: Path, start: int, size: int) -> Callable[[], AsyncIterator[bytes]]:
    """Hand out a part of a file, as often as it is asked for."""

    async def read() -> AsyncIterator[bytes]:
        left = size
        with file.open("rb") as stream:  # a local file, a megabyte at a time
            stream.seek(start)
            while left and (chunk := stream.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk

    return read


async def smoke_published(
    client: RegistryClient, staged: Staged, *, login: Login | None, made: Mapping[str, Made]
) -> Sequence[str]:
    """Pull every variant by its digest and run its smoke checks; return what failed.

    Args:
        client: of the registry.
        staged: what was pushed.
        login: to the registry.
        made: what the same run has built, by variant: what checks start beside an image is taken from there.

    """
    failures: list[str] = []
    for variant, entry in zip(staged.target.variants, staged.index.entries, strict=True):
        container = dagger.dag.container(platform=dagger.Platform(variant.platform))
        if login:
            container = login.on(container, staged.target.repository)
        container = container.from_(f"{staged.target.repository}@{entry.digest}")
        manifest = await client.get_manifest(staged.target.name, entry.digest)
        failures += await _smoke(client, container, made, staged.target, manifest, variant)
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
    return [f"{variant} as published: {failure.step}: {failure.reason}" for failure in found]
