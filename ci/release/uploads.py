"""Brings blobs and manifests to repositories, each blob at most once to each registry."""

from __future__ import annotations

import tarfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import dagger

from ci.core.oci import Descriptor, Manifest
from ci.release.registries import Registries
from ci.release.request import Target

_CHUNK = 1024 * 1024  # bytes

# Says where a blob is on this machine: the file, and its first byte there. It is asked when the first byte is needed.
Locate = Callable[[Descriptor], Awaitable[tuple[Path, int]]]


class Uploads:
    """What the registries of a release have of its blobs."""

    def __init__(self, registries: Registries) -> None:
        """Begin with nothing known."""
        self.registries = registries
        self._places: dict[tuple[str, str], str] = {}  # a repository that has it, by host and digest
        self._locks: defaultdict[tuple[str, str], anyio.Lock] = defaultdict(anyio.Lock)

    def found(self, target: Target, blob: Descriptor) -> None:
        """Note that a repository has a blob."""
        self._places.setdefault((target.host, blob.digest), target.name)

    async def send(self, target: Target, manifest: Manifest, locate: Locate) -> None:
        """Make a repository have a variant's manifest, byte for byte and under no tag, and all that it names.

        A blob that the registry has in another repository of the release is mounted from there.

        Raises:
            RegistryError: the registry did not take it, after repetitions where those could help.

        """
        image = manifest.image
        for blob in {blob.digest: blob for blob in (*image.layers, image.config)}.values():
            await self._send_blob(target, blob, locate)
        client = self.registries.of(target)
        await client.put_manifest(target.name, manifest.digest, manifest.body, manifest.media_type)

    async def _send_blob(self, target: Target, blob: Descriptor, locate: Locate) -> None:
        client = self.registries.of(target)
        key = target.host, blob.digest
        async with self._locks[key]:  # another image of the release may be sending it
            if await client.blob_size(target.name, blob.digest) != blob.size:
                content = partial(_read, blob, locate)
                await client.put_blob(target.name, blob, content, beside=self._places.get(key))
            self.found(target, blob)


async def _read(blob: Descriptor, locate: Locate) -> AsyncIterator[bytes]:
    file, start = await locate(blob)
    left = blob.size
    with file.open("rb") as stream:  # a local file, a megabyte at a time
        stream.seek(start)
        while left and (chunk := stream.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


@asynccontextmanager
async def from_archive(archive: dagger.File) -> AsyncIterator[Locate]:
    """Find blobs in an OCI archive, which is exported once and only if one is needed."""
    lock = anyio.Lock()
    places: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "image.tar"

        async def locate(blob: Descriptor) -> tuple[Path, int]:
            async with lock:
                if not places:
                    await archive.export(str(file))
                    with tarfile.open(file) as members:
                        places.update({member.name: member.offset_data for member in members})
            return file, places[f"blobs/{blob.digest.replace(':', '/')}"]

        yield locate


@asynccontextmanager
async def from_repository(registries: Registries, source: Target) -> AsyncIterator[Locate]:
    """Find blobs in another repository; each that is needed is fetched once."""
    locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
    with TemporaryDirectory() as folder:

        async def locate(blob: Descriptor) -> tuple[Path, int]:
            file = Path(folder) / blob.digest.replace(":", "-")
            async with locks[blob.digest]:
                if not file.exists():
                    part = file.with_suffix(".part")
                    await registries.of(source).save_blob(source.name, blob, part)
                    part.rename(file)
            return file, 0

        yield locate


@asynccontextmanager
async def from_bytes(content: bytes) -> AsyncIterator[Locate]:
    """Find the one blob that is at hand."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "blob"
        file.write_bytes(content)

        async def locate(_blob: Descriptor) -> tuple[Path, int]:
            return file, 0

        yield locate
