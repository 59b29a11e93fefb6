"""Reads what a tag names: each variant, its bases, its packages, and who has signed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ci.build import find_base
from ci.core.attestations import Attested
from ci.core.engine import fan_out, step
from ci.core.errors import DrydockError
from ci.core.names import (
    BASE_DIGEST,
    BASE_NAME,
    CREATED,
    REVISION,
    VERSION,
    image_tag,
    short_reference,
    utc_text,
    whole_reference,
)
from ci.core.oci import Descriptor, Manifest, read_image_config
from ci.registry import RegistryAddress, RegistryClient, RetryPolicy, parse_repository
from ci.release.ages import read_created
from ci.release.inspected import (
    BaseFact,
    Inspected,
    InspectedImage,
    InspectedVariant,
    PackageDiff,
    Signature,
    compare_packages,
)
from ci.release.registries import Registries
from ci.release.released import attested_of
from ci.release.request import Target
from ci.release.signatures import read_signatures
from ci.release.tags import read_live
from ci.release.trust import Trust

_AT_A_TIME = 4
_MAX_CONFIG = 4 * 1024 * 1024  # bytes
_ONCE = RetryPolicy(attempts=1, deadline=10.0)  # a registry of bases that is not reached fails nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What is wanted to be known of a release."""

    tag: str
    trust: Trust  # verifies who has signed
    before: str = ""  # a tag of another release, whose packages are compared
    platforms: tuple[str, ...] = ()  # of these alone
    key: str = ""  # the public key (PEM) that signs, where the configuration names one


async def inspect(registries: Registries, targets: Sequence[Target], wanted: Looked) -> Inspected:
    """Read what a tag names, in the first repository of each image.

    Args:
        registries: that the targets are in.
        targets: of the images.
        wanted: the tag, without what an image puts around it.

    """
    first: dict[str, Target] = {}
    for target in targets:
        first.setdefault(target.image.name, target)
    bases = _Bases(registries)
    with step(f"read {wanted.tag}"):
        images = await fan_out(list(first.values()), partial(_image, registries, bases, wanted), limit=_AT_A_TIME)
    return Inspected(tag=wanted.tag, before=wanted.before, images=images)


async def _image(registries: Registries, bases: _Bases, wanted: Looked, target: Target) -> InspectedImage:
    client, tag = registries.of(target), image_tag(target.image, wanted.tag)
    known = InspectedImage(image=target.image.name, repository=target.repository, tag=tag)
    try:
        live = await read_live(client, target.name, tag)
        if live is None:
            return replace(known, problems=(f"{target.repository}:{tag} does not exist",))
        if not live.is_index:
            return replace(known, digest=live.digest, problems=(f"{target.repository}:{tag} is not an index",))
        notes = live.annotations
        entries = [entry for entry in live.entries if not wanted.platforms or entry.platform in wanted.platforms]
        variants = await fan_out(entries, partial(_variant, client, bases, target, live), limit=_AT_A_TIME)
        if wanted.before:
            variants = await _compared(client, target, wanted.before, variants)
        signatures: list[Signature] = []
        for digest in (live.digest, *(entry.digest for entry in entries)):
            signatures += await read_signatures(client, target.name, digest, trust=wanted.trust, key=wanted.key)
    except DrydockError as error:
        return replace(known, problems=(f"{target.repository}:{tag}: {error}",))
    return replace(
        known,
        digest=live.digest,
        revision=notes.get(REVISION, ""),
        version=notes.get(VERSION, ""),
        created=notes.get(CREATED, ""),
        variants=tuple(variants),
        signatures=tuple(signatures),
    )


async def _variant(
    client: RegistryClient, bases: _Bases, target: Target, index: Manifest, entry: Descriptor
) -> InspectedVariant:
    known = InspectedVariant(variant=f"{target.image.name}@{entry.platform}", digest=entry.digest)
    try:
        manifest = await client.get_manifest(target.name, entry.digest)
        image = manifest.image
        config = read_image_config(
            await client.get_blob(target.name, image.config.digest, limit=_MAX_CONFIG), image.config.digest
        )
        attested = await attested_of(client, target.name, index, entry)
    except DrydockError as error:
        return replace(known, problems=(str(error),))
    labels = config.labels
    taken = dict(attested.provenance.bases) if attested.provenance else {}
    taken.pop(short_reference(target.image.sbom.partition("@")[0]), None)  # it lists packages: nothing is built on it
    if not taken and labels.get(BASE_NAME) and labels.get(BASE_DIGEST):
        taken = {short_reference(labels[BASE_NAME]): labels[BASE_DIGEST]}
    return replace(
        known,
        size=image.size,
        layers=len(image.layers),
        revision=labels.get(REVISION, ""),
        created=labels.get(CREATED) or config.created,
        builder=attested.provenance.builder if attested.provenance else "",
        bases=tuple([await bases.read(reference, digest, entry.platform) for reference, digest in taken.items()]),
        packages=attested.sbom.packages if attested.sbom else None,
        distribution=attested.sbom.distribution if attested.sbom else "",
        attested=tuple(_names(attested)),
    )


def _names(attested: Attested) -> list[str]:
    provenance = [f"provenance ({attested.provenance.mode})"] if attested.provenance else []
    stages = [f"SBOM of {stage.name}" for stage in attested.stages]
    return [*provenance, *(["SBOM"] if attested.sbom else []), *stages]


async def _compared(
    client: RegistryClient, target: Target, tag: str, variants: Sequence[InspectedVariant]
) -> tuple[InspectedVariant, ...]:
    """Compare the packages of variants with those of another release."""
    tag = image_tag(target.image, tag)
    index = await read_live(client, target.name, tag)
    if index is None:
        missing = PackageDiff(problem=f"{target.repository}:{tag} does not exist")
        return tuple(replace(one, diff=missing) for one in variants)
    before: Mapping[str, Descriptor] = {f"{target.image.name}@{entry.platform}": entry for entry in index.entries}

    async def compare(one: InspectedVariant) -> InspectedVariant:
        entry = before.get(one.variant)
        if entry is None:
            return replace(one, diff=PackageDiff(problem=f"{tag} has no such variant"))
        try:
            sbom = (await attested_of(client, target.name, index, entry)).sbom
        except DrydockError as error:
            return replace(one, diff=PackageDiff(problem=str(error)))
        if sbom is None or one.packages is None:
            return replace(one, diff=PackageDiff(problem=f"there is no SBOM of {tag if sbom is None else one.variant}"))
        return replace(one, diff=compare_packages(sbom.packages, one.packages))

    return await fan_out(variants, compare, limit=_AT_A_TIME)


class _Bases:
    """What is known of base images, each asked once."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries
        self._known: dict[tuple[str, str, str], BaseFact] = {}

    async def read(self, reference: str, digest: str, platform: str) -> BaseFact:
        """Say when a base was made, and what its tag names now."""
        key = reference, digest, platform
        if key not in self._known:
            self._known[key] = await self._read(*key)
        return self._known[key]

    async def _read(self, reference: str, digest: str, platform: str) -> BaseFact:
        reference, pinned, _ = reference.partition(":sha256:")
        fact = BaseFact(reference=reference, digest=digest, now=digest if pinned else None)
        repository, _, tag = whole_reference(reference).rpartition(":")
        try:
            address, name = parse_repository(repository)
            if own := self._registries.clients.get(address.host):
                fact = await _ask(own, name, tag, fact, platform)
            else:
                fact = await _ask_other(address, name, tag, fact, platform)
        except DrydockError:
            pass
        if fact.now is None:
            # The engine may reach it by a mirror, or with a login of its own.
            now = await find_base(whole_reference(reference), platform)
            fact = replace(fact, now=now)
        return fact


async def _ask_other(address: RegistryAddress, name: str, tag: str, fact: BaseFact, platform: str) -> BaseFact:
    async with RegistryClient(address, policy=_ONCE, timeout=5.0) as client:
        return await _ask(client, name, tag, fact, platform)


async def _ask(client: RegistryClient, name: str, tag: str, fact: BaseFact, platform: str) -> BaseFact:
    if fact.now is None:
        fact = replace(fact, now=await client.resolve(name, tag) or "")
    return replace(fact, created=utc_text(await read_created(client, name, fact.digest, platform)))
