"""Reads back what a registry serves and compares it with what was promised; says every difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ci.build import INPUTS
from ci.core.engine import fan_out
from ci.core.errors import DrydockError
from ci.core.names import BASE_DIGEST, BASE_NAME, BUILT, CREATED, REVISION, of_commit, origin_of
from ci.core.oci import Descriptor, Manifest, read_image_config
from ci.core.supply import Promised
from ci.core.text import size_text
from ci.registry import RegistryClient
from ci.release.attested import Expected, inspect_attestations
from ci.release.outcome import ImageFact, VariantFact
from ci.release.request import Target

_MAX_CONFIG = 4 * 1024 * 1024  # bytes of a variant's configuration
_AT_A_TIME = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What one image is, and all that is wrong with it."""

    fact: ImageFact
    problems: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()  # what is not attested of what was released before that was a rule


async def inspect_image(client: RegistryClient, target: Target, manifest: Manifest) -> Inspection:
    """Compare one index in the registry, and everything it names, with its target.

    The platforms have to be exactly the target's; of each variant the configuration's platform, the labels, the
    presence and size of every layer, the budget, and what is attested of it. All documents are read by digest. A
    variant that was reused from an earlier release names the commit it was built from, as its entry in the index has
    to say too.
    """
    where = f"{target.repository}@{manifest.digest}"
    known = ImageFact(image=target.image.name, repository=target.repository, digest=manifest.digest)
    if not manifest.is_index:
        return Inspection(
            fact=known,
            problems=(f"{where} is not an index of platforms",),
        )
    try:
        entries = manifest.entries
        annotations = manifest.annotations
    except DrydockError as error:
        return Inspection(fact=known, problems=(f"{target.repository}: {error}",))
    problems = [
        f"{where}: {text}"
        for text in _differences("annotation", {**target.labels, **target.image.annotations}, annotations)
    ]
    wanted, found = [v.platform for v in target.variants], [entry.platform for entry in entries]
    if sorted(wanted) != sorted(found):
        problems.append(f"{where} has the platforms {', '.join(found) or 'none'} instead of {', '.join(wanted)}")
    seen = await fan_out(entries, partial(_inspect_variant, client, target, annotations), limit=_AT_A_TIME)
    problems += [f"{target.repository}: {one.fact.variant}: {text}" for one in seen for text in one.problems]
    facts = {one.fact.digest: one.fact for one in seen}
    lacks: list[str] = []
    if manifest.attestations or target.promised != Promised(before=target.promised.before):
        expected = [
            Expected(
                digest=one.fact.digest,
                revision=one.labels.get(REVISION, ""),
                base=annotations.get(BASE_NAME, ""),
                base_digest=annotations.get(BASE_DIGEST, ""),
                pins=target.pins.get(entry.platform),
            )
            for one, entry in zip(seen, entries, strict=True)
            if one.labels is not None
        ]
        readings, texts = await inspect_attestations(client, target.name, manifest, expected, target.promised)
        problems += [f"{where}: {text}" for text in texts]
        for digest, reading in readings.items():
            name = facts[digest].variant
            problems += [f"{target.repository}: {name}: {text}" for text in reading.problems]
            lacks += [f"{target.repository}: {name}: {text}" for text in reading.lacks]
            facts[digest] = replace(facts[digest], attested=reading.attested)
    variants = tuple(facts[entry.digest] for entry in entries)
    return Inspection(fact=replace(known, variants=variants), problems=tuple(problems), lacks=tuple(lacks))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What the registry serves for one variant, and what is wrong with it."""

    fact: VariantFact
    problems: Sequence[str]
    labels: Mapping[str, str] | None = None  # None where its configuration could not be read


async def _inspect_variant(
    client: RegistryClient, target: Target, annotations: Mapping[str, str], entry: Descriptor
) -> _Seen:
    name = f"{target.image.name}@{entry.platform}"
    # Only what a release has recorded the inputs of may be of another commit.
    recorded = entry.annotations if INPUTS in entry.annotations else {}
    built_from = of_commit(recorded)
    labels = {**target.labels, **{key: value for key, value in built_from.items() if key in target.labels}}
    labels |= target.image.labels
    revision = built_from.get(REVISION, "")
    reused = origin_of(revision) if revision and revision != annotations.get(REVISION, "") else ""
    fact = VariantFact(variant=name, digest=entry.digest, size=entry.size)
    try:
        manifest = await client.get_manifest(target.name, entry.digest)
        image = manifest.image
        fact = replace(fact, size=image.size, reused=reused)
        body = await client.get_blob(target.name, image.config.digest, limit=_MAX_CONFIG)
        config = read_image_config(body, image.config.digest)
    except DrydockError as error:
        return _Seen(fact=fact, problems=[str(error)])
    # The configuration's own time is what its SOURCE_DATE_EPOCH says, which may be any.
    fact = replace(fact, built=recorded.get(BUILT) or config.labels.get(CREATED) or config.created)
    problems = _differences("label", labels, config.labels)
    layers = await fan_out(image.layers, partial(_layer_problem, client, target), limit=_AT_A_TIME)
    problems += [problem for problem in layers if problem]
    if len(manifest.body) != entry.size:
        problems.append(f"the manifest has {len(manifest.body)} bytes, the index says {entry.size}")
    if config.platform != entry.platform:
        problems.append(f"the configuration is of {config.platform}")
    if len(config.diff_ids) != len(image.layers):
        problems.append(f"{len(image.layers)} layers, and the configuration names {len(config.diff_ids)}")
    budget = target.image.budget
    if budget is not None and image.size > budget:
        problems.append(f"{size_text(image.size)} compressed, over the budget of {size_text(budget)}")
    return _Seen(fact=fact, problems=problems, labels=config.labels)


async def _layer_problem(client: RegistryClient, target: Target, layer: Descriptor) -> str:
    try:
        size = await client.blob_size(target.name, layer.digest)
    except DrydockError as error:
        return str(error)
    if size is None:
        return f"layer {layer.digest} is not there"
    return "" if size == layer.size else f"layer {layer.digest} has {size} bytes instead of {layer.size}"


def _differences(what: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    return [
        f"the {what} {key} is {found.get(key)!r} instead of {value!r}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]
