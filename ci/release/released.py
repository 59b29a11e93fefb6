"""Reads of what was released with which commit, time, version and bases it was built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ci.core.attestations import Attested
from ci.core.engine import gather
from ci.core.errors import DrydockError
from ci.core.model import Variant
from ci.core.names import BASE_DIGEST, BASE_NAME, CREATED, REVISION, VERSION, short_reference
from ci.core.oci import REFERENCE, Descriptor, Manifest, read_image_config
from ci.registry import RegistryClient
from ci.release.attested import read_attested
from ci.release.registries import Registries
from ci.release.request import Target
from ci.release.tags import read_live

_MAX_CONFIG = 4 * 1024 * 1024  # bytes
_AT_A_TIME = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a variant was built from, besides the source."""

    revision: str
    created: str  # when that commit was made (RFC 3339)
    version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """One variant of a release."""

    variant: Variant
    target: Target
    manifest: Manifest
    config: bytes
    origin: Origin
    bases: Mapping[str, str] = field(default_factory=dict)  # digests by short reference
    complete: bool = False  # whether these are all that its build took


async def read_released(
    registries: Registries, targets: Sequence[Target], variants: Sequence[Variant]
) -> tuple[dict[str, Released], dict[str, DrydockError]]:
    """Read variants of a release by the tag that marks its commit, in the first repository of each image.

    Returns:
        Each variant by its name; and why the others could not be read.

    """
    first: dict[str, Target] = {}
    for target in targets:
        first.setdefault(target.image.name, target)
    indexes, unread = await gather(first, lambda target: _index(registries.of(target), target), limit=_AT_A_TIME)

    async def read(variant: Variant) -> Released:
        name = variant.image.name
        if name in unread:
            raise unread[name]
        return await _read(registries.of(first[name]), first[name], indexes[name], variant)

    named = {str(variant): variant for variant in variants if variant.image.name in first}
    return await gather(named, read, limit=_AT_A_TIME)


async def _index(client: RegistryClient, target: Target) -> Manifest:
    live = await read_live(client, target.name, target.own)
    if live is None:
        raise DrydockError(f"{target.repository}:{target.own} does not exist: this commit was not released there")
    if not live.is_index:
        raise DrydockError(f"{target.repository}:{target.own} is not an index of platforms")
    return live


async def _read(client: RegistryClient, target: Target, index: Manifest, variant: Variant) -> Released:
    where = f"{target.repository}:{target.own}"
    entry = next((entry for entry in index.entries if entry.platform == variant.platform), None)
    if entry is None:
        raise DrydockError(f"{where} has no {variant.platform}")
    manifest = await client.get_manifest(target.name, entry.digest)
    digest = manifest.image.config.digest
    body = await client.get_blob(target.name, digest, limit=_MAX_CONFIG)
    labels = read_image_config(body, digest).labels
    if not labels.get(REVISION) or not labels.get(CREATED):
        raise DrydockError(f"{where}: the labels of {variant.platform} do not say which commit it is of, and of when")
    attested = await attested_of(client, target.name, index, entry)
    bases = dict(attested.provenance.bases) if attested.provenance else {}
    if labels.get(BASE_NAME):
        bases.setdefault(short_reference(labels[BASE_NAME]), labels.get(BASE_DIGEST, ""))
    return Released(
        variant=variant,
        target=target,
        manifest=manifest,
        config=body,
        origin=Origin(revision=labels[REVISION], created=labels[CREATED], version=labels.get(VERSION, "")),
        bases={reference: base for reference, base in bases.items() if base},
        complete=attested.provenance is not None,
    )


async def attested_of(client: RegistryClient, name: str, index: Manifest, entry: Descriptor) -> Attested:
    """Read what is attested of a variant of an index; nothing where nothing is."""
    of = next((each for each in index.attestations if each.annotations.get(REFERENCE) == entry.digest), None)
    return await read_attested(client, name, of, entry.digest) if of else Attested()
