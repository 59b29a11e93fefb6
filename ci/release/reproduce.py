"""Builds a released commit again, from nothing, and says where it comes out different."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import Any  # configurations of images

import anyio.to_thread

from ci.build import Builder, Built, CacheUse, Made, build_all, pin_bases, read_definitions
from ci.core.engine import gather, step
from ci.core.errors import DrydockError
from ci.core.fill import Missing, fill_plan
from ci.core.model import Image, Plan
from ci.core.names import labels_of
from ci.core.oci import Descriptor
from ci.core.order import needed_variants
from ci.core.values import Values
from ci.release.destination import Destination
from ci.release.differences import compare_documents
from ci.release.layers import compare_layers
from ci.release.registries import Registries
from ci.release.released import Origin, Released, read_released
from ci.release.reproduced import LayerDifference, Reproduced, Reproduction
from ci.release.request import parse_created
from ci.release.uploads import Locate, from_archive, from_repository

# What follows from the layers, which are compared themselves.
_OF_MANIFEST, _OF_CONFIG = frozenset(("layers", "config")), frozenset(("rootfs",))
# What BuildKit writes where the history of a base has fewer entries than the base has layers (exporter/containerimage).
_OF_CACHE = "buildkit.exporter.image.v0"
_FILLED_UP = (
    "The history of a base names fewer layers than it has. BuildKit fills it up with what it called the steps when it "
    "first ran them, so that such an image depends on what was built before it."
)
_EARLIER = (
    "Only times differ, and those of the release are earlier: it took this step from a cache, of a build before its "
    'commit was made. With build-args: {SOURCE_DATE_EPOCH: "0"} the time of a build decides nothing.'
)
_NO_PROVENANCE = (
    "{} has no provenance: of its bases only the one in its labels is known, and others are taken as they are now."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What of a commit is to be built again, as its release was told it."""

    revision: str
    version: str = ""
    ref: str = ""


async def reproduce(plan: Plan, builder: Builder, destination: Destination, wish: Wish) -> Reproduction:
    """Build the variants of a plan as they were released, from nothing, and compare what comes out by digest.

    The commit, its time, the version and the bases are those of the release. The source is the caller's.

    Args:
        plan: of the commit's configuration.
        builder: what builds, from the source of the commit.
        destination: where it was released.
        wish: which commit, and what its release was told.

    """
    start = time.monotonic()
    marked = fill_plan(plan, _values(destination, wish, Origin(revision=wish.revision, created="")), Missing.STAYS)
    targets = destination.targets(marked)
    builder = replace(builder, login=await destination.log_in(plan))
    async with destination.connect(targets) as registries:
        released, unread = await read_released(registries, targets, plan.variants)
        problems = list(dict.fromkeys(str(error) for error in unread.values()))
        notes: list[str] = []
        done: dict[str, Reproduced] = {}
        for origin in dict.fromkeys(one.origin for one in released.values()):
            of_origin = {name: one for name, one in released.items() if one.origin == origin}
            built, said = await _build(plan, builder, destination, wish, of_origin)
            notes += said
            done |= {name: await _compare(registries, one, built) for name, one in of_origin.items()}
    if not released and not problems:
        problems.append("no image of the plan is released")
    return Reproduction(
        revision=wish.revision,
        variants=tuple(done[str(variant)] for variant in plan.variants if str(variant) in done),
        problems=tuple(problems),
        notes=tuple(dict.fromkeys(notes)),
        seconds=time.monotonic() - start,
    )


def _values(destination: Destination, wish: Wish, origin: Origin) -> Values:
    return Values(
        revision=origin.revision,
        created=origin.created,
        ref=wish.ref,
        version=wish.version or origin.version,
        owner=destination.owner or "",
    )


async def _build(
    plan: Plan, builder: Builder, destination: Destination, wish: Wish, released: Mapping[str, Released]
) -> tuple[Built, list[str]]:
    """Build variants that were built from one commit; say also what is not as it was."""
    origin = next(iter(released.values())).origin
    plan = replace(plan, revision=origin.revision, variants=tuple(v for v in plan.variants if str(v) in released))
    plan = _unchecked(fill_plan(plan, _values(destination, wish, origin), Missing.IS_REFUSED))
    created = parse_created(origin.created)
    notes = [_NO_PROVENANCE.format(name) for name, one in released.items() if not one.complete]
    definitions = dict(await read_definitions(plan, builder.source, git=builder.git))
    bases = {reference: digest for one in released.values() for reference, digest in one.bases.items()}
    for name, definition in definitions.items():
        definitions[name], moved = pin_bases(definition, bases)
        notes += moved
    version = wish.version or origin.version or None
    labels = {
        image.name: {
            **labels_of(plan, image, version=version, created=created),
            **definitions[image.name].base_labels(),
        }
        for image in plan.images
    }
    built = await build_all(
        plan,
        builder,
        definitions=definitions,
        created=created,
        caches={str(variant): CacheUse(none=True) for variant in needed_variants(plan)},
        labels=labels,
    )
    return built, notes


def _unchecked(plan: Plan) -> Plan:
    """Leave out the checks, and what is built for them alone: they change nothing of an image."""
    bare = {image.name: _bare(image) for image in plan.config.images}
    config = replace(plan.config, images=tuple(bare.values()))
    variants = tuple(replace(variant, image=bare[variant.image.name]) for variant in plan.variants)
    return replace(plan, config=config, variants=variants)


def _bare(image: Image) -> Image:
    return replace(image, smoke=(), smoke_reason="built again to be compared", services=(), budget=None)


async def _compare(registries: Registries, one: Released, built: Built) -> Reproduced:
    name = str(one.variant)
    known = Reproduced(
        variant=name,
        repository=one.target.repository,
        released=one.manifest.digest,
        revision=one.origin.revision,
    )
    made = built.images.get(name)
    if made is None:
        outcome = next(outcome for outcome in built.report.outcomes if str(outcome.variant) == name)
        texts = [f"{each.step}: {each.reason}\n{each.stderr or ''}".strip() for each in outcome.failures]
        return replace(known, problems=tuple(texts))
    known = replace(known, built=made.documents.manifest.digest)
    if known.same:
        return known
    try:
        with step(f"{name} compare"):
            return await _differ(registries, one, made, known)
    except DrydockError as error:
        return replace(known, problems=(str(error),))


async def _differ(registries: Registries, one: Released, made: Made, known: Reproduced) -> Reproduced:
    now = made.documents.manifest
    async with from_archive(made.archive) as new, from_repository(registries, one.target) as old:
        config = json.loads(await _bytes(new, now.image.config))
        documents = [
            *compare_documents(json.loads(one.manifest.body), json.loads(now.body), leave=_OF_MANIFEST),
            *compare_documents(json.loads(one.config), config, leave=_OF_CONFIG),
        ]
        if _filled_up(config) and any(line.startswith("history[") for line in documents):
            documents.append(_FILLED_UP)
        steps = _steps(config)
        pairs = list(zip_longest(one.manifest.image.layers, now.image.layers))
        changed = {number: pair for number, pair in enumerate(pairs, start=1) if _digest(pair[0]) != _digest(pair[1])}
        look = partial(_layer, old, new)
        # One at a time: a layer may have gigabytes.
        layers, failed = await gather(changed, look, limit=1)
    count = len(one.manifest.image.layers)
    found: list[LayerDifference] = []
    for number, pair in changed.items():
        layer = layers.get(number) or LayerDifference(released=_digest(pair[0]), built=_digest(pair[1]))
        made_by = steps[number - 1] if number <= len(steps) else ""
        note = str(failed[number]) if number in failed else layer.note
        found.append(replace(layer, number=number, layers=count, step=made_by, note=note))
    return replace(known, documents=tuple(documents), layers=tuple(found))


def _filled_up(config: Mapping[str, Any]) -> bool:
    return any(each.get("comment") == _OF_CACHE for each in config.get("history") or ())


def _steps(config: Mapping[str, Any]) -> list[str]:
    """List what made each layer; "" where a history that was filled up does not say which is whose."""
    history = [each for each in config.get("history") or () if not each.get("empty_layer")]
    known = not _filled_up(config)
    return [str(each.get("created_by", "")) if known or each.get("comment") == _OF_CACHE else "" for each in history]


def _digest(layer: Descriptor | None) -> str:
    return layer.digest if layer else ""


async def _layer(old: Locate, new: Locate, pair: Sequence[Descriptor | None]) -> LayerDifference:
    released, built = pair
    known = LayerDifference(released=_digest(released), built=_digest(built))
    if released is None or built is None:
        return known
    one, other = (*await old(released), released.size), (*await new(built), built.size)
    files = await anyio.to_thread.run_sync(compare_layers, released.media_type, one, other)
    return replace(known, files=files, note=_EARLIER if files.only_earlier else "")


async def _bytes(locate: Locate, blob: Descriptor) -> bytes:
    file, start = await locate(blob)
    with file.open("rb") as stream:  # a small local file
        stream.seek(start)
        return stream.read(blob.size)
