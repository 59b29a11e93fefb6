"""Brings an image to all of its repositories, byte for byte and under no tag; and runs what is published again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import dagger

from ci.build import Made, smoke_variant
from ci.core.engine import Stopwatch
from ci.core.model import Variant
from ci.core.names import of_commit
from ci.core.oci import REFERENCE, Manifest, read_image_config
from ci.registry import RegistryClient
from ci.release.logins import Logins
from ci.release.record import Entry, Record, compose_index
from ci.release.registries import Registries
from ci.release.request import Reusable, Staged, Target
from ci.release.sending import copy_manifests, keep_attested, send
from ci.release.uploads import Uploads, from_archive

_CHECKS_AT_A_TIME = 4
_MAX_CONFIG = 4 * 1024 * 1024  # bytes of a variant's configuration


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """What a release brings to its repositories: what was built, and what one of them has already."""

    revision: str = ""
    configuration: str = ""  # digest_configuration
    built: Mapping[str, Made] = field(default_factory=dict)  # by variant
    inputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # annotations of what was built, by variant
    base: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # labels of what an image is built on, by image
    run: Mapping[str, str] = field(default_factory=dict)  # annotations of all that was built
    found: Mapping[str, Reusable] = field(default_factory=dict)  # by image
    keep: bool = True  # whether a commit that has its tag keeps what is attested of the same variants


async def push_image(
    uploads: Uploads, supply: Supply, targets: Sequence[Target], watch: Stopwatch
) -> tuple[Staged, ...]:
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
    image, found = targets[0].image, supply.found.get(targets[0].image.name)
    bring = partial(_reuse, found) if found else _push
    entries = []
    for variant in targets[0].variants:
        with watch.step(str(variant), "push"):
            entries.append(await bring(uploads, supply, targets, variant))
    whole = found.index if found else None
    index = whole or compose_index(entries, targets[0].variants, {**targets[0].labels, **image.annotations})
    if supply.keep and not found:
        index = await keep_attested(uploads, targets, index)
    return tuple(Staged(target=target, index=index, entries=tuple(entries)) for target in targets)


async def _push(uploads: Uploads, supply: Supply, targets: Sequence[Target], variant: Variant) -> Entry:
    """Bring what was built to all repositories."""
    made = supply.built[str(variant)]
    manifest = made.documents.manifest
    attestation = made.documents.attestation if targets[0].promised.any else None
    await send(uploads, [one for one in (manifest, attestation) if one], targets, from_archive(made.archive))
    record = Record(
        variant=str(variant),
        digest=manifest.digest,
        revision=supply.revision,
        configuration=supply.configuration,
        annotations={**of_commit(targets[0].labels), **supply.run, **supply.inputs.get(str(variant), {})},
        base=supply.base.get(variant.image.name, {}),
        checks=tuple(check.name for check in variant.checks),
        attestation=attestation.digest if attestation else None,
        pins=targets[0].pins.get(variant.platform),
    )
    return Entry(record=record, manifest=manifest, attestation=attestation)


async def _reuse(
    found: Reusable, uploads: Uploads, supply: Supply, targets: Sequence[Target], variant: Variant
) -> Entry:
    """Bring what one repository has to the others."""
    source = found.source
    (entry,) = (entry for entry in found.entries if entry.platform == variant.platform)
    about = [one for one in found.attestations if one.annotations.get(REFERENCE) == entry.digest]
    manifest, *attested = await copy_manifests(uploads, source, [entry, *about], targets)
    attestation = attested[0] if attested else None
    record = Record(
        variant=str(variant),
        digest=manifest.digest,
        revision=supply.revision,
        configuration=supply.configuration,
        annotations=entry.annotations,
        base=supply.base.get(variant.image.name, {}),
        checks=tuple(check.name for check in variant.checks),  # its inputs are the same, and those of its checks too
        reused=next(fact.reused for fact in found.facts if fact.variant == str(variant)),
        attestation=attestation.digest if attestation else None,
        pins=targets[0].pins.get(variant.platform),
    )
    return Entry(record=record, manifest=manifest, attestation=attestation)


async def smoke_published(
    registries: Registries, staged: Staged, beside: Sequence[Staged], *, logins: Logins, made: Mapping[str, Made]
) -> Sequence[str]:
    """Pull every variant by its digest and run its smoke checks; return what failed.

    Args:
        registries: that it was pushed to.
        staged: what was pushed.
        beside: all of the release: what checks start beside an image is pulled too, where this run has not built it.
        logins: to the registries.
        made: what the same run has built, by variant.

    """
    failures: list[str] = []
    target, client = staged.target, registries.of(staged.target)
    for variant, entry in zip(target.variants, staged.index.entries, strict=True):
        container = _pull(logins, target, variant.platform, entry.digest)
        images = {}
        for name in dict.fromkeys(service.target for service in variant.image.services if service.target):
            if found := made.get(f"{name}@{variant.platform}"):
                images[name] = dagger.dag.container(platform=dagger.Platform(variant.platform)).import_(found.archive)
            elif pulled := _find(beside, name, variant.platform):
                images[name] = _pull(logins, *pulled)
        if missing := [s.target for s in variant.image.services if s.target and s.target not in images]:
            failures.append(
                f"{variant} as published in {target.repository}: it is checked beside {', '.join(missing)}, which is "
                "not released, so that there is none to pull; leave out --smoke-published"
            )
            continue
        manifest = await client.get_manifest(target.name, entry.digest)
        failures += await _smoke(client, container, images, target, manifest, variant)
    return failures


def _find(staged: Sequence[Staged], name: str, platform: str) -> tuple[Target, str, str] | None:
    """Find where a variant of another image can be pulled from."""
    for one in staged:
        if one.target.image.name == name:
            for entry in one.index.entries:
                if entry.platform == platform:
                    return one.target, platform, entry.digest
    return None


def _pull(logins: Logins, target: Target, platform: str, digest: str) -> dagger.Container:
    container = dagger.dag.container(platform=dagger.Platform(platform))
    if login := logins.of(target.host):
        password = dagger.dag.set_secret(f"password-{target.host}", login.password)
        container = container.with_registry_auth(target.host, login.username, password)
    return container.from_(f"{target.repository}@{digest}")


async def _smoke(
    client: RegistryClient,
    container: dagger.Container,
    images: Mapping[str, dagger.Container],
    target: Target,
    manifest: Manifest,
    variant: Variant,
) -> list[str]:
    digest = manifest.image.config.digest
    config = read_image_config(await client.get_blob(target.name, digest, limit=_MAX_CONFIG), digest)
    found = await smoke_variant(container, config, variant, limit=_CHECKS_AT_A_TIME, images=images)
    return [f"{variant} as published in {target.repository}: {failure.step}: {failure.reason}" for failure in found]
