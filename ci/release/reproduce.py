"""Builds a released commit again, from nothing, and says where it comes out different."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ci.build import Builder, Built, CacheUse, build_all, pin_bases, read_definitions
from ci.core.engine import step
from ci.core.errors import DrydockError
from ci.core.fill import Missing, fill_plan
from ci.core.model import Image, Plan
from ci.core.names import labels_of
from ci.core.order import needed_variants
from ci.core.values import Values
from ci.release.comparison import Side, compare_builds
from ci.release.destination import Destination
from ci.release.registries import Registries
from ci.release.released import Origin, Released, read_released
from ci.release.reproduced import Reproduced, Reproduction
from ci.release.request import parse_created
from ci.release.uploads import from_archive, from_repository

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
    plan = unchecked(fill_plan(plan, _values(destination, wish, origin), Missing.IS_REFUSED))
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


def unchecked(plan: Plan) -> Plan:
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
            async with from_archive(made.archive) as new, from_repository(registries, one.target) as old:
                documents, layers = await compare_builds(
                    Side(manifest=one.manifest, locate=old), Side(manifest=made.documents.manifest, locate=new)
                )
    except DrydockError as error:
        return replace(known, problems=(str(error),))
    return replace(known, documents=documents, layers=layers)
