"""Finds, in the registry, images of an earlier release that a build would only make again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dagger

from ci.build import INPUTS, Definition, Fleet, Inputs, digest_inputs, why_not_reusable
from ci.core.engine import gather, step
from ci.core.errors import DrydockError
from ci.core.model import Image, Outcome, Plan
from ci.core.names import REVISION, of_commit, origin_of
from ci.core.oci import Descriptor, Manifest
from ci.release.inspection import inspect_image
from ci.release.outcome import VariantFact
from ci.release.registries import Registries
from ci.release.request import Reusable, Target, made_before
from ci.release.tags import read_live

_AT_A_TIME = 4
_OF_A_RUN = frozenset(f"org.opencontainers.image.{key}" for key in ("version", "base.name", "base.digest"))
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
class Reuse:
    """What of a plan is in the registry already."""

    inputs: PlanInputs = field(default_factory=PlanInputs)
    found: Mapping[str, Reusable] = field(default_factory=dict)  # by image
    reasons: Mapping[str, str] = field(default_factory=dict)  # by image: why it has to be built

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


async def describe_plan(
    plan: Plan,
    definitions: Mapping[str, Definition],
    targets: Sequence[Target],
    *,
    images: Sequence[Image] = (),
    fleet: Fleet | None = None,
) -> PlanInputs:
    """Reduce what each variant is made from to a digest.

    Args:
        plan: to be built.
        definitions: of its images, by name.
        targets: of its images.
        images: of the whole plan that it is a part of; none given: its own.
        fleet: builders on other machines: what another version of BuildKit makes is something else.

    """
    engine, fleet = await dagger.dag.version(), fleet or Fleet()
    builders = {
        str(each): f"BuildKit {fleet.version_for(plan.config, each.image.name, each.platform)}, engine {engine}"
        for each in plan.variants
    }
    with step("read what the images are made from"):
        named = {target.image.name: target for target in targets}  # one repository of each: it decides nothing
        inputs, unknown = await gather(
            named, partial(_describe, plan, images or plan.images, definitions, builders), limit=_AT_A_TIME
        )
    return PlanInputs(
        inputs={variant: one for each in inputs.values() for variant, one in each.items()},
        unknown={name: str(error) for name, error in unknown.items()},
    )


async def _describe(
    plan: Plan,
    images: Sequence[Image],
    definitions: Mapping[str, Definition],
    builders: Mapping[str, str],
    target: Target,
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
    if needing := [other.name for other in images if image.name in other.needs]:
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
            builder=builders[str(variant)],
            history=" ".join(filter(None, (plan.revision, plan.mark))) if definition.history else None,
        )
        for variant in plan.variants
        if variant.image.name == image.name
    }


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def find_reusable(
    registries: Registries,
    plan: Plan,
    targets: Sequence[Target],
    inputs: PlanInputs,
    tags: Mapping[str, Sequence[str]],
    *,
    once: bool = False,
    now: Now = _utc_now,
) -> Reuse:
    """Look at what tags name: an image all of whose variants have the same inputs need not be built again.

    One repository that has it is enough: the others get it from there, byte for byte.

    Args:
        registries: that the targets are in.
        plan: to be built.
        targets: of its images.
        inputs: what its variants are made from.
        tags: to look at, in this order, by image.
        once: take what the commit's own tag names without a look at the inputs: it is what the commit is.
        now: the time, in UTC.

    """
    look = _Look(registries=registries, plan=plan, inputs=inputs, tags=tags, once=once, now=now)
    named: dict[str, list[Target]] = {}
    for target in targets:
        named.setdefault(target.image.name, []).append(target)
    with step("look for the same images in the registry"):
        found, missing = await gather(named, partial(_find, look), limit=_AT_A_TIME)
    return Reuse(inputs=inputs, found=found, reasons={name: str(why) for name, why in missing.items()})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """What is looked for, and where."""

    registries: Registries
    plan: Plan
    inputs: PlanInputs
    tags: Mapping[str, Sequence[str]]
    once: bool
    now: Now


async def _find(look: _Look, targets: Sequence[Target]) -> Reusable:
    """Find an image that can be reused, in any of its repositories.

    Raises:
        DrydockError: there is none; the text says why the first that was looked at cannot be.

    """
    name = targets[0].image.name
    unknown = look.inputs.unknown.get(name)
    reasons: list[str] = []
    for tag in dict.fromkeys(look.tags[name]):
        for target in targets:
            own = look.once and tag == target.own
            if unknown and not own:
                continue
            try:
                if live := await read_live(look.registries.of(target), target.name, tag):
                    return await (_take(look, target, live) if own else _compare(look, target, live))
            except _DiffersError as why:
                reasons.append(str(why))
            except DrydockError as error:
                reasons.append(f"{target.repository}:{tag} could not be read: {error}")
    raise DrydockError(unknown or next(iter(reasons), "no earlier release of it is in the registry"))


def as_named(target: Target) -> Target:
    """Leave out of a target's labels what another run may have put on the same commit: the version, and the base."""
    labels = {key: value for key, value in target.labels.items() if key not in _OF_A_RUN}
    return replace(made_before(target), labels=labels, pins={})


async def _take(look: _Look, target: Target, live: Manifest) -> Reusable:
    """Take what the commit's own tag names, if it is the commit's and all there.

    A run that was cut off while it named the commit has left it. Another build of it may have another digest.
    """
    inspection = await inspect_image(look.registries.of(target), as_named(target), live)
    if inspection.problems:
        raise _DiffersError(f"{target.own} is not as it was promised: {inspection.problems[0]}")
    facts = tuple(replace(fact, reused=fact.reused or target.own) for fact in inspection.fact.variants)
    return Reusable(source=target, entries=live.entries, attestations=live.attestations, facts=facts, index=live)


async def _compare(look: _Look, target: Target, live: Manifest) -> Reusable:
    """Hold what a tag names against what would be built: the inputs, then all of it, then its age."""
    if not live.is_index:
        raise _DiffersError(f"{target.repository}@{live.digest} is not an index of platforms")
    client, plan = look.registries.of(target), look.plan
    notes, entries = live.annotations, live.entries
    wanted = {v.platform: look.inputs.inputs[str(v)] for v in plan.variants if v.image.name == target.image.name}
    if difference := _difference(target, wanted, entries, origin_of(notes.get(REVISION, ""))):
        raise _DiffersError(difference)
    # Which commit it is of, the release decides; all other labels are as they would be put on now.
    inspection = await inspect_image(client, replace(target, labels={**target.labels, **of_commit(notes)}), live)
    if inspection.problems:
        raise _DiffersError(f"not as it was promised: {inspection.problems[0]}")
    facts = inspection.fact.variants
    if old := next(filter(None, (_too_old(fact, plan.config.rebuild_after, look.now()) for fact in facts)), ""):
        raise _DiffersError(old)
    origins = {entry.digest: origin_of(entry.annotations.get(REVISION, "")) for entry in entries}
    order = target.image.platforms
    return Reusable(
        source=target,
        entries=tuple(sorted(entries, key=lambda entry: order.index(entry.platform))),
        attestations=live.attestations,
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
