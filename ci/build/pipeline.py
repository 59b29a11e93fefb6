"""The main job: every variant of a plan built, measured and smoke-checked, whatever becomes of the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import dagger

from ci.build.container import build_variant, compressed_size
from ci.build.definition import Definition, read_definitions
from ci.build.report import Report
from ci.build.smoke import smoke_variant
from ci.core.engine import failure_of, fan_out, step
from ci.core.errors import DrydockError, SelectionError
from ci.core.model import Failure, Outcome, Plan, Variant
from ci.core.names import labels_of

_CHECKS_AT_A_TIME = 4
_MEMORY_OF_A_VARIANT = 1_500_000_000  # bytes: what building, starting and compressing an image of 1 GB takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """What builds a plan: the source, the build secrets, and how many variants at a time (0: as the machine bears)."""

    source: dagger.Directory
    secrets: Sequence[dagger.Secret] = ()
    parallel: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """The report of a build, and the very containers it is about, by the name of their variant."""

    report: Report
    containers: Mapping[str, dagger.Container]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What all variants of one run are built with."""

    plan: Plan
    definitions: Mapping[str, Definition]  # by image
    labels: Mapping[str, Mapping[str, str]]  # by image
    secrets: Mapping[str, dagger.Secret]
    reused: Mapping[str, Outcome]  # by variant


@dataclass(frozen=True, kw_only=True, slots=True)
class _Result:
    """What came of one variant, and its container where there is one."""

    outcome: Outcome
    container: dagger.Container | None = field(default=None, repr=False)


async def build_all(
    plan: Plan,
    builder: Builder,
    *,
    definitions: Mapping[str, Definition] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    reused: Mapping[str, Outcome] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Built:
    """Build and smoke-check every variant of a plan.

    Args:
        plan: what to build.
        builder: what builds it.
        definitions: of the images by name, where they have been read already.
        labels: of each image by its name, in place of those that are known without a release.
        reused: the outcome of each variant that needs no build, by its name.
        reasons: why an image is built though an earlier one was looked for, by its name.

    Raises:
        SelectionError: an image needs a build secret that was not given.

    """
    now = _stopwatch()
    job = _Job(
        plan=plan,
        secrets=await _name_secrets(plan, builder.secrets),
        definitions=definitions or await read_definitions(plan, builder.source),
        labels=labels or {image.name: labels_of(plan, image) for image in plan.images},
        reused=reused or {},
    )
    limit = builder.parallel if builder.parallel > 0 else _bound()
    results = await fan_out(plan.variants, lambda variant: _build(job, variant), limit=limit)
    outcomes = tuple(result.outcome for result in results)
    containers = {str(result.outcome.variant): result.container for result in results if result.container}
    return Built(
        report=Report(plan=plan, outcomes=outcomes, seconds=now(), reasons=reasons or {}), containers=containers
    )


async def _build(job: _Job, variant: Variant) -> _Result:
    """Take one variant from its Dockerfile to its outcome."""
    if outcome := job.reused.get(str(variant)):
        return _Result(outcome=outcome)
    image, now = variant.image, _stopwatch()
    try:
        with step(f"{variant} build"):
            container = await build_variant(
                job.definitions[image.name], variant.platform, labels=job.labels[image.name], secrets=job.secrets
            )
    except (dagger.DaggerError, DrydockError) as error:
        failure = failure_of(error, "build")
        total = len(variant.checks)
        return _Result(outcome=Outcome(variant=variant, build_seconds=now(), smoke_total=total, failures=(failure,)))
    built = now()
    with step(f"{variant} smoke"):
        failed = await smoke_variant(container, variant, limit=_CHECKS_AT_A_TIME)
    smoked = now()
    size, heavy = await _weigh(job, variant, container)
    outcome = Outcome(
        variant=variant,
        build_seconds=built,
        smoke_seconds=smoked - built,
        smoke_passed=len(variant.checks) - len(failed),
        smoke_total=len(variant.checks),
        size=size,
        failures=(*failed, *heavy),
    )
    return _Result(outcome=outcome, container=container)


async def _weigh(job: _Job, variant: Variant, container: dagger.Container) -> tuple[int | None, tuple[Failure, ...]]:
    """Measure a variant and hold it against its budget."""
    try:
        with step(f"{variant} size"):
            size = await compressed_size(container, job.plan.config.compression)
    except dagger.DaggerError as error:
        return None, (failure_of(error, "size"),)
    budget = variant.image.budget
    if budget is None or size <= budget:
        return size, ()
    reason = f"{size} bytes compressed, {size - budget} more than the budget of {budget}"
    return size, (Failure(step="budget", reason=reason),)


def _stopwatch() -> Callable[[], float]:
    """Start a watch; calling it says how many seconds ago that was."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


def variants_at_a_time(*, processors: int, memory: int) -> int:
    """Choose how many variants are worked on at once: one for each processor, as long as each has its memory.

    A build, an emulated start and compression are all bound by the processors.

    Args:
        processors: that may be used.
        memory: of the machine, in bytes.

    """
    return max(1, min(processors, memory // _MEMORY_OF_A_VARIANT))


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
