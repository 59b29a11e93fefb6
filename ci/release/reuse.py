"""Finds, in the registry, images of an earlier release that a build would only make again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dagger

from ci.build import INPUTS, Definition, Inputs, digest_inputs, why_not_reusable
from ci.core.buildkit import BUILDKIT
from ci.core.engine import gather, step
from ci.core.errors import DrydockError
from ci.core.model import Outcome, Plan
from ci.core.names import REVISION, of_commit, origin_of
from ci.core.oci import Descriptor, Manifest
from ci.registry import RegistryClient
from ci.release.inspection import inspect_image
from ci.release.outcome import VariantFact
from ci.release.request import Target
from ci.release.tags import read_live

_AT_A_TIME = 4
_SKEW = timedelta(minutes=10)  # between the clocks of two machines

Now = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanInputs:
    """What the variants of a plan are made from."""

    inputs: Mapping[str, Inputs] = field(default_factory=dict)  # by variant
    unknown: Mapping[str, str] = field(default_factory=dict)  # by image: why nobody can tell

    @property
    def records(self) -> dict[str, dict[str, str]]:
        """The annotations that a release writes of each variant it builds."""
        return {variant: inputs.annotations for variant, inputs in self.inputs.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reusable:
    """An image of an earlier release that is what a build would make."""

    entries: tuple[Descriptor, ...]
    facts: tuple[VariantFact, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reuse:
    """What of a plan is in the registry already."""

    inputs: PlanInputs = field(default_factory=PlanInputs)
    found: Mapping[str, Reusable] = field(default_factory=dict)  # by image
    reasons: Mapping[str, str] = field(default_factory=dict)  # by image: why it has to be built

    @property
    def entries(self) -> dict[str, tuple[Descriptor, ...]]:
        """What the index of each image that is reused names."""
        return {name: found.entries for name, found in self.found.items()}

    def outcomes(self, plan: Plan) -> dict[str, Outcome]:
        """Say of each variant that needs no build what came of it, by its name."""
        facts = {fact.variant: fact for found in self.found.values() for fact in found.facts}
        return {
            str(variant): Outcome(variant=variant, build_seconds=0.0, size=fact.size, reused=fact.reused)
            for variant in plan.variants
            if (fact := facts.get(str(variant)))
        }


class _DiffersError(DrydockError):
    """What a tag names is not what would be built."""


async def describe_plan(plan: Plan, definitions: Mapping[str, Definition], targets: Sequence[Target]) -> PlanInputs:
    """Reduce what each variant is made from to a digest."""
    builder = f"BuildKit {BUILDKIT}, engine {await dagger.dag.version()}"
    with step("read what the images are made from"):
        named = {target.image.name: target for target in targets}
        inputs, unknown = await gather(named, partial(_describe, plan, definitions, builder), limit=_AT_A_TIME)
    return PlanInputs(
        inputs={variant: one for each in inputs.values() for variant, one in each.items()},
        unknown={name: str(error) for name, error in unknown.items()},
    )


async def _describe(
    plan: Plan, definitions: Mapping[str, Definition], builder: str, target: Target
) -> dict[str, Inputs]:
    image = target.image
    definition = definitions[image.name]
    faults = (
        definition.fault,
        *map(definition.fault_of, image.platforms),
        why_not_reusable(image, definition.dockerfile),
    )
    if reason := next(filter(None, faults), ""):
        raise DrydockError(reason)
    if definition.history and not plan.revision:
        raise DrydockError("its build is given .git, and no --revision says at which commit")
    # What needs it is built, and a registry's image is nothing to build on.
    if needing := [other.name for other in plan.images if image.name in other.needs]:
        raise DrydockError(f"another image of the same run needs it: {', '.join(needing)}")
    try:
        folders = (definition.context, *definition.folders.values())
        context = " ".join([await folder.digest() for folder in folders])
    except dagger.DaggerError:
        raise DrydockError("the engine could not read its context") from None
    return {
        str(variant): digest_inputs(
            variant,
            dockerfile=definition.text,
            context=context,
            bases={str(base): digest for base, digest in definition.bases(variant.platform).items()},
            arguments=definition.arguments(variant.platform),
            labels=target.labels,
            compression=plan.config.compression,
            builder=builder,
            history=plan.revision if definition.history else None,
        )
        for variant in plan.variants
        if variant.image.name == image.name
    }


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def find_reusable(
    client: RegistryClient,
    plan: Plan,
    targets: Sequence[Target],
    inputs: PlanInputs,
    tags: Mapping[str, Sequence[str]],
    *,
    now: Now = _utc_now,
) -> Reuse:
    """Look at what tags name: an image all of whose variants have the same inputs need not be built again.

    Args:
        client: of the registry.
        plan: to be built.
        targets: of its images.
        inputs: what its variants are made from.
        tags: to look at, in this order, by image.
        now: the time, in UTC.

    """
    with step("look for the same images in the registry"):
        named = {target.image.name: target for target in targets}
        found, missing = await gather(named, partial(_find, client, plan, inputs, tags, now), limit=_AT_A_TIME)
    return Reuse(inputs=inputs, found=found, reasons={name: str(why) for name, why in missing.items()})


async def _find(
    client: RegistryClient, plan: Plan, inputs: PlanInputs, tags: Mapping[str, Sequence[str]], now: Now, target: Target
) -> Reusable:
    """Find an image that can be reused.

    Raises:
        DrydockError: there is none; the text says why the first that was looked at cannot be.

    """
    if reason := inputs.unknown.get(target.image.name):
        raise DrydockError(reason)
    reasons: list[str] = []
    for tag in dict.fromkeys(tags[target.image.name]):
        try:
            if live := await read_live(client, target.name, tag):
                return await _compare(client, plan, inputs, now, target, live)
        except _DiffersError as why:
            reasons.append(str(why))
        except DrydockError as error:
            reasons.append(f"{target.repository}:{tag} could not be read: {error}")
    raise DrydockError(next(iter(reasons), "no earlier release of it is in the registry"))


async def _compare(
    client: RegistryClient, plan: Plan, inputs: PlanInputs, now: Now, target: Target, live: Manifest
) -> Reusable:
    """Hold what a tag names against what would be built: the inputs, then all of it, then its age."""
    if not live.is_index:
        raise _DiffersError(f"{target.repository}@{live.digest} is not an index of platforms")
    notes, entries = live.annotations, live.entries
    wanted = {v.platform: inputs.inputs[str(v)] for v in plan.variants if v.image.name == target.image.name}
    if difference := _difference(target, wanted, entries, origin_of(notes.get(REVISION, ""))):
        raise _DiffersError(difference)
    # Which commit it is of, the release decides; all other labels are as they would be put on now.
    inspection = await inspect_image(client, replace(target, labels={**target.labels, **of_commit(notes)}), live)
    if inspection.problems:
        raise _DiffersError(f"not as it was promised: {inspection.problems[0]}")
    facts = inspection.fact.variants
    if old := next(filter(None, (_too_old(fact, plan.config.rebuild_after, now()) for fact in facts)), ""):
        raise _DiffersError(old)
    origins = {entry.digest: origin_of(entry.annotations.get(REVISION, "")) for entry in entries}
    order = target.image.platforms
    return Reusable(
        entries=tuple(sorted(entries, key=lambda entry: order.index(entry.platform))),
        facts=tuple(replace(fact, reused=origins[fact.digest]) for fact in facts),
    )


def _difference(target: Target, wanted: Mapping[str, Inputs], entries: Sequence[Descriptor], origin: str) -> str:
    """Say what differs between the variants of an index and those that are wanted, by their platform."""
    if sorted(entry.platform for entry in entries) != sorted(target.image.platforms):
        return f"changed since {origin}: platforms"
    for entry in entries:
        if inputs := wanted.get(entry.platform):
            if INPUTS not in entry.annotations:
                return f"{origin} does not say what it was made from"
            if changed := inputs.changed(entry.annotations):
                return f"changed since {origin}: {changed}"
    return ""


def _too_old(fact: VariantFact, most: int | None, now: datetime) -> str:
    """Say that a variant was built too long ago; one that does not say when is too old."""
    if most is None:
        return ""
    try:
        age = now - datetime.fromisoformat(fact.built)
    except (ValueError, TypeError):
        return f"{fact.variant} does not say when it was built"
    if age < -_SKEW:
        return f"{fact.variant} says that it will be built at {fact.built}"
    if age > timedelta(seconds=most):
        return f"built {age.days} days ago, at {fact.built}: rebuild-after is over"
    return ""
