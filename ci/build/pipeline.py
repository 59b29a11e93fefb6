"""The main job: every variant of a plan built, measured and smoke-checked, whatever becomes of the others."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import dagger

from ci.build.container import build_variant, compressed_size
from ci.build.definition import read_definition
from ci.build.report import Report
from ci.build.smoke import smoke_variant
from ci.core.engine import failure_of, fan_out, step
from ci.core.errors import DrydockError, SelectionError
from ci.core.model import Failure, Outcome, Plan, Variant
from ci.core.names import labels_of

_CHECKS_AT_A_TIME = 4
_IMAGES_AT_A_TIME = 8  # whose ignore files are read
_MEMORY_OF_A_VARIANT = 1_500_000_000  # bytes: what building, starting and compressing an image of 1 GB takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """The report of a build, and the very containers it is about, by the name of their variant."""

    report: Report
    containers: Mapping[str, dagger.Container]


async def build_all(
    plan: Plan,
    source: dagger.Directory,
    *,
    secrets: Sequence[dagger.Secret],
    parallel: int,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    reused: Mapping[str, Outcome] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Built:
    """Build and smoke-check every variant of the plan, `parallel` at a time (0: what the machine bears).

    Args:
        plan: what to build.
        source: the repository.
        secrets: of the builds.
        parallel: the bound.
        labels: of each image by its name, in place of those that are known without a release.
        reused: the outcome of each variant that needs no build, by its name.
        reasons: why an image is built though an earlier one was looked for, by its name.

    """
    begin = time.monotonic()
    named = await _name_secrets(plan, secrets)
    native = str(await dagger.dag.default_platform())
    reused = reused or {}
    labels = labels or {image.name: labels_of(plan, image) for image in plan.images}
    images = {variant.image.name: variant.image for variant in plan.variants if str(variant) not in reused}
    found = await fan_out(list(images.values()), partial(read_definition, source), limit=_IMAGES_AT_A_TIME)
    definitions = dict(zip(images, found, strict=True))
    containers: dict[str, dagger.Container] = {}

    async def work(variant: Variant) -> Outcome:
        if outcome := reused.get(str(variant)):
            return outcome
        image = variant.image
        making = build_variant(
            definitions[image.name],
            variant,
            native=native,
            revision=plan.revision,
            labels=labels[image.name],
            secrets=named,
        )
        return await _variant(plan, variant, making, containers)

    outcomes = await fan_out(plan.variants, work, limit=parallel if parallel > 0 else _bound())
    report = Report(plan=plan, outcomes=outcomes, seconds=time.monotonic() - begin, reasons=reasons or {})
    return Built(report=report, containers=containers)


async def _variant(
    plan: Plan, variant: Variant, making: Awaitable[dagger.Container], containers: dict[str, dagger.Container]
) -> Outcome:
    """Take one variant from its Dockerfile to its outcome, and its container into `containers`."""
    start = time.monotonic()
    try:
        with step(f"{variant} build"):
            container = containers[str(variant)] = await making
    except (dagger.DaggerError, DrydockError) as error:
        return Outcome(
            variant=variant,
            build_seconds=time.monotonic() - start,
            smoke_total=len(variant.checks),
            failures=(failure_of(error, "build"),),
        )
    built = time.monotonic()
    with step(f"{variant} smoke"):
        failures = await smoke_variant(container, variant, limit=_CHECKS_AT_A_TIME)
    smoked = time.monotonic()
    passed = len(variant.checks) - len(failures)
    size: int | None = None
    try:
        with step(f"{variant} size"):
            size = await compressed_size(container, plan.config.compression)
    except dagger.DaggerError as error:
        failures += (failure_of(error, "size"),)
    budget = variant.image.budget
    if size is not None and budget is not None and size > budget:
        reason = f"{size} bytes compressed, {size - budget} more than the budget of {budget}"
        failures += (Failure(step="budget", reason=reason),)
    return Outcome(
        variant=variant,
        build_seconds=built - start,
        smoke_seconds=smoked - built,
        smoke_passed=passed,
        smoke_total=len(variant.checks),
        size=size,
        failures=failures,
    )


def _bound() -> int:
    """Look at the machine, which is the engine's: a function runs in one of its containers."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return variants_at_a_time(processors=len(os.sched_getaffinity(0)), memory=memory)


async def _name_secrets(plan: Plan, secrets: Sequence[dagger.Secret]) -> dict[str, dagger.Secret]:
    """Give each secret the name its images use: the last part of its address, as in env://PIP_TOKEN."""
    wanted = {name for image in plan.images for name in image.secrets}
    given: dict[str, dagger.Secret] = {}
    for secret in secrets:
        name = (await secret.uri()).rpartition("://")[2].rpartition("/")[2]
        if name in wanted:
            given[name] = dagger.dag.set_secret(name, await secret.plaintext())
    if missing := sorted(wanted - given.keys()):
        flags = " ".join(f"--secrets env:{name}" for name in missing)
        raise SelectionError(f"The images need build secrets that were not given: {', '.join(missing)}; add {flags}")
    return given


def variants_at_a_time(*, processors: int, memory: int) -> int:
    """Choose how many variants are worked on at once: one for each processor, as long as each has its memory.

    A build, an emulated start and compression are all bound by the processors.

    Args:
        processors: that may be used.
        memory: of the machine, in bytes.

    """
    return max(1, min(processors, memory // _MEMORY_OF_A_VARIANT))
