"""Finds, in the registry, images of an earlier release that a build would only make again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dagger

from ci.build.definition import Definition, build_arguments, read_definition
from ci.build.inputs import INPUTS, Inputs, digest_inputs, doubt
from ci.build.resolution import resolve_bases
from ci.core.engine import fan_out, step
from ci.core.errors import DrydockError
from ci.core.model import Image, Outcome, Plan
from ci.core.names import origin_of
from ci.registry.client import RegistryClient
from ci.registry.manifests import REVISION, Descriptor, Manifest, is_index, of_commit, read_annotations, read_entries
from ci.release.inspection import inspect_image
from ci.release.outcome import VariantFact
from ci.release.request import Target
from ci.release.tags import read_live

_AT_A_TIME = 4
_SKEW = timedelta(minutes=10)  # between the clocks of two machines

Now = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What the variants of a plan are made from."""

    inputs: Mapping[str, Inputs] = field(default_factory=dict)  # by variant
    doubts: Mapping[str, str] = field(default_factory=dict)  # by image: why nobody can tell

    @property
    def records(self) -> dict[str, dict[str, str]]:
        """The annotations that a release writes of each variant it builds."""
        return {variant: inputs.annotations for variant, inputs in self.inputs.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An image of an earlier release that is what a build would make."""

    entries: tuple[Descriptor, ...]
    facts: tuple[VariantFact, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What of a plan is in the registry already."""

    described: Described = field(default_factory=Described)
    found: Mapping[str, Found] = field(default_factory=dict)  # by image
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


async def describe_plan(plan: Plan, source: dagger.Directory, labels: Mapping[str, Mapping[str, str]]) -> Described:
    """Reduce what each variant is made from to a digest; `labels` are those of each image by its name."""
    native, engine = str(await dagger.dag.default_platform()), await dagger.dag.version()

    async def one(image: Image) -> dict[str, Inputs] | str:
        try:
            return await _describe(plan, image, source, labels[image.name], native, engine)
        except DrydockError as error:
            return str(error)
        except dagger.DaggerError:
            return "the engine could not read its context"

    with step("read what the images are made from"):
        results = await fan_out(plan.images, one, limit=_AT_A_TIME)
    named = [(image.name, result) for image, result in zip(plan.images, results, strict=True)]
    return Described(
        inputs={name: inputs for _, r in named if isinstance(r, dict) for name, inputs in r.items()},
        doubts={image: reason for image, reason in named if isinstance(reason, str)},
    )


async def _describe(
    plan: Plan, image: Image, source: dagger.Directory, labels: Mapping[str, str], native: str, engine: str
) -> dict[str, Inputs]:
    definition = await read_definition(source, image)
    if reason := definition.fault or doubt(image, definition.dockerfile):
        raise DrydockError(reason)
    arguments = build_arguments(image, native=native, revision=plan.revision)
    digest = await definition.context.digest()
    return {
        str(variant): digest_inputs(
            variant,
            dockerfile=definition.text,
            context=digest,
            bases=await _digests(definition, arguments, variant.platform),
            arguments=arguments,
            labels=labels,
            compression=plan.config.compression,
            engine=engine,
        )
        for variant in plan.variants
        if variant.image.name == image.name
    }


async def _digests(definition: Definition, arguments: Mapping[str, str], platform: str) -> dict[str, str]:
    _, digests = await resolve_bases(definition, arguments=arguments, platform=platform)
    return {str(base): digest for base, digest in digests.items()}


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def find_reusable(
    client: RegistryClient,
    plan: Plan,
    targets: Sequence[Target],
    described: Described,
    tags: Sequence[str],
    *,
    now: Now = _utc_now,
) -> Search:
    """Look at what tags name: an image all of whose variants have the same inputs need not be built again.

    Args:
        client: of the registry.
        plan: to be built.
        targets: of its images.
        described: what its variants are made from.
        tags: to look at, in this order.
        now: the time, in UTC.

    """
    with step("look for the same images in the registry"):
        results = await fan_out(targets, partial(_find, client, plan, described, tags, now), limit=_AT_A_TIME)
    named = [(target.image.name, result) for target, result in zip(targets, results, strict=True)]
    return Search(
        described=described,
        found={name: result for name, result in named if isinstance(result, Found)},
        reasons={name: result for name, result in named if isinstance(result, str)},
    )


async def _find(
    client: RegistryClient, plan: Plan, described: Described, tags: Sequence[str], now: Now, target: Target
) -> Found | str:
    """Find an image that can be reused, or say why the first that was looked at cannot."""
    if reason := described.doubts.get(target.image.name):
        return reason
    reasons: list[str] = []
    for tag in dict.fromkeys(tags):
        try:
            live = await read_live(client, target.name, tag)
            result = await _compare(client, plan, described, now, target, live) if live else ""
        except DrydockError as error:
            result = f"{target.repository}:{tag} could not be read: {error}"
        if isinstance(result, Found):
            return result
        reasons += [result] if result else []
    return next(iter(reasons), "no earlier release of it is in the registry")


async def _compare(
    client: RegistryClient, plan: Plan, described: Described, now: Now, target: Target, live: Manifest
) -> Found | str:
    """Hold what a tag names against what would be built: the inputs, then all of it, then its age."""
    if not is_index(live):
        return f"{target.repository}@{live.digest} is not an index of platforms"
    notes, entries = read_annotations(live), read_entries(live)
    wanted = {v.platform: described.inputs[str(v)] for v in plan.variants if v.image.name == target.image.name}
    if difference := _difference(target, wanted, entries, origin_of(notes.get(REVISION, ""))):
        return difference
    # Which commit it is of, the release decides; all other labels are as they would be put on now.
    inspection = await inspect_image(client, replace(target, labels={**target.labels, **of_commit(notes)}), live)
    if inspection.problems:
        return f"not as it was promised: {inspection.problems[0]}"
    facts = inspection.fact.variants
    if old := next(filter(None, (_too_old(fact, plan.config.rebuild_after, now()) for fact in facts)), ""):
        return old
    origins = {entry.digest: origin_of(entry.annotations.get(REVISION, "")) for entry in entries}
    order = target.image.platforms
    return Found(
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
