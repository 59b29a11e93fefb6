"""The main job: every variant of a plan built, measured and smoke-checked, whatever becomes of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import anyio
import dagger

from ci.build.buildkit import BuildKit, Made, open_buildkit
from ci.build.capacity import find_capacity
from ci.build.command import CacheUse
from ci.build.daemon import Daemon
from ci.build.definition import Definition, read_definitions
from ci.build.needs import tell_shallow
from ci.build.notes import note_caches, note_disk, note_wait
from ci.build.remote import Fleet, Remotes, find_fleet
from ci.build.report import Report
from ci.build.smoke import smoke_variant
from ci.core.engine import Stopwatch, failure_of, fan_out
from ci.core.errors import BuildError, DrydockError, SelectionError
from ci.core.model import Failure, Outcome, Plan, Variant
from ci.core.names import labels_of
from ci.core.order import build_levels
from ci.core.timeline import ALL, row_before, row_of

_CHECKS_AT_A_TIME = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """What builds a plan."""

    source: dagger.Directory
    git: dagger.Directory | None = None  # .git, for the images that ask for it
    secrets: Sequence[dagger.Secret] = ()
    agent: dagger.Socket | None = None  # the SSH agent that builds may ask
    parallel: int = 0  # variants at a time; 0: as many as the machine bears
    login: dagger.Secret | None = None  # Docker's config.json, for base images and caches
    services: Mapping[str, dagger.Service] = field(default_factory=dict)  # what BuildKit reaches by a name
    authorities: dagger.File | None = None  # certificates in PEM that BuildKit trusts besides the usual ones
    remotes: Remotes = field(default_factory=Remotes)  # builders on other machines
    fleet: Fleet | None = None  # those of them that were reached, once they were asked
    builder_id: str = ""  # address of what runs the build, for the provenance

    async def asked(self) -> Builder:
        """Ask the builders on other machines what they are, unless they have been.

        Raises:
            DrydockError: there are some, and none was reached.

        """
        return self if self.fleet else replace(self, fleet=await find_fleet(self.remotes, self.authorities))


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """The report of a build, and the images it is about, by the name of their variant."""

    report: Report
    images: Mapping[str, Made]
    needed: Mapping[str, Made] = field(default_factory=dict)  # built for these alone, and in no report


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What all variants of one run are built with."""

    plan: Plan
    buildkit: BuildKit
    definitions: Mapping[str, Definition]  # by image
    labels: Mapping[str, Mapping[str, str]]  # by image
    names: Mapping[str, tuple[str, ...]]  # by image
    sbom: bool  # whether packages are listed
    caches: Mapping[str, CacheUse]  # by variant
    reused: Mapping[str, Outcome]  # by variant
    watch: Stopwatch
    # A check that waits for an emulated start holds up no build.
    building: Mapping[str, anyio.CapacityLimiter]  # by machine
    checking: anyio.CapacityLimiter

    def daemon_of(self, variant: Variant) -> Daemon:
        """Return what builds a variant."""
        return self.buildkit.daemon_of(variant.image.name, variant.platform)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Result:
    """What came of one variant, and what was built where something was."""

    outcome: Outcome
    made: Made | None = None


async def build_all(
    plan: Plan,
    builder: Builder,
    *,
    definitions: Mapping[str, Definition] | None = None,
    created: datetime | None = None,
    caches: Mapping[str, CacheUse] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    names: Mapping[str, tuple[str, ...]] | None = None,
    sbom: bool = False,
    reused: Mapping[str, Outcome] | None = None,
    reasons: Mapping[str, str] | None = None,
    watch: Stopwatch | None = None,
) -> Built:
    """Build and smoke-check every variant of a plan.

    Args:
        plan: what to build.
        builder: what builds it.
        definitions: of the images by name, where they have been read already.
        created: when the commit was made; it becomes the time of what is built.
        caches: the layer caches that each variant's build reads and writes, by its name.
        labels: of each image by its name, in place of those that are known without a release.
        names: references that a release gives each image, by its name.
        sbom: whether the packages of each image are listed that is released, where the configuration says so.
        reused: the outcome of each variant that needs no build, by its name.
        reasons: why an image is built though an earlier one was looked for, by its name.
        watch: of the run, where it began earlier.

    Raises:
        SelectionError: an image needs a build secret that was not given.

    """
    now = Stopwatch()
    watch = watch or now
    limit = builder.parallel if builder.parallel > 0 else find_capacity()
    secrets = await _name_secrets(plan, builder.secrets)
    builder = await builder.asked()
    definitions = definitions or await read_definitions(plan, builder.source, git=builder.git)
    job = _Job(
        plan=plan,
        buildkit=open_buildkit(
            plan.config,
            secrets={name: secret for name, (secret, _) in secrets.items()},
            hidden=tuple(value for _, value in secrets.values() if value),
            agent=builder.agent,
            created=created,
            login=builder.login,
            services=builder.services,
            authorities=builder.authorities,
            fleet=builder.fleet,
            builder_id=builder.builder_id,
        ),
        definitions=definitions,
        labels=labels or {image.name: labels_of(plan, image) for image in plan.images},
        names=names or {},
        sbom=sbom,
        caches=caches or {},
        reused=reused or {},
        watch=watch,
        building=defaultdict(partial(anyio.CapacityLimiter, limit)),
        checking=anyio.CapacityLimiter(limit),
    )
    watch.so_far(ALL, "prepare")
    results: dict[str, _Result] = {}
    for variants in build_levels(plan):
        # What is large takes long: begun last, it would be built alone.
        level = sorted(variants, key=lambda variant: -(variant.image.budget or 0))
        done = await fan_out(level, partial(_build, job, results), limit=len(level))
        results |= {str(variant): result for variant, result in zip(level, done, strict=True)}
    released = [results[str(variant)] for variant in plan.variants]
    return Built(
        report=Report(
            plan=plan,
            outcomes=tuple(result.outcome for result in released),
            seconds=now.seconds,
            rows=(
                row_before(watch.stages(ALL), job.buildkit.own.waited),
                *(row_of(result.outcome) for result in results.values()),
            ),
            reasons=reasons or {},
            notes=(
                *(builder.fleet.notes if builder.fleet else ()),
                *note_caches([str(variant) for variant in plan.variants if _out_of_reach(job, variant)]),
                *note_wait(job.buildkit.own.waited),
                *note_disk([result.outcome for result in released]),
                *tell_shallow({n: d.history for n, d in definitions.items()}),
            ),
        ),
        images={str(result.outcome.variant): result.made for result in released if result.made},
        needed={
            name: result.made
            for name, result in results.items()
            if result.made and result.outcome.variant not in plan.variants
        },
    )


def _out_of_reach(job: _Job, variant: Variant) -> bool:
    cache = job.caches.get(str(variant))
    return bool(cache and cache.insecure) and job.daemon_of(variant) is not job.buildkit.own


async def _build(job: _Job, earlier: Mapping[str, _Result], variant: Variant) -> _Result:
    """Take one variant from its Dockerfile to its outcome; `earlier` has what it needs."""
    if outcome := job.reused.get(str(variant)):
        return _Result(outcome=outcome)
    label, watch, total = str(variant), job.watch, len(variant.checks)
    async with job.building[job.daemon_of(variant).name]:
        try:
            with watch.step(label, "build") as remark:
                made = await job.buildkit.build(
                    job.definitions[variant.image.name],
                    variant.platform,
                    labels=job.labels.get(variant.image.name) or labels_of(job.plan, variant.image),
                    cache=CacheUse() if _out_of_reach(job, variant) else job.caches.get(label, CacheUse()),
                    built=_needed(earlier, variant, variant.image.needs),
                    names=job.names.get(variant.image.name, ()),
                    generator=variant.image.sbom if job.sbom and variant.image.release else "",
                )
                steps = made.progress.summary
                remark.detail = f"{steps.cached} of {steps.total} steps cached" if steps.total else ""
        except (dagger.DaggerError, DrydockError) as error:
            return _failed(job, variant, error)
    async with job.checking:
        try:
            with watch.step(label, "import"):
                container = await _load(made, variant)
                beside = _needed(earlier, variant, [s.target for s in variant.image.services if s.target])
                images = {name: await _load(other, variant) for name, other in beside.items()}
        except dagger.DaggerError as error:
            return _failed(job, variant, error)
        with watch.step(label, "smoke") as remark:
            config = made.documents.config
            failed = await smoke_variant(container, config, variant, limit=_CHECKS_AT_A_TIME, images=images)
            remark.ok, remark.detail = not failed, f"{len(failed)} of {total} checks failed" if failed else ""
    outcome = Outcome(
        variant=variant,
        build_seconds=watch.lasted(label, "build"),
        smoke_seconds=watch.lasted(label, "smoke"),
        smoke_passed=total - len(failed),
        smoke_total=total,
        size=made.documents.size,
        steps=made.progress.summary,
        failures=(*failed, *_weigh(variant, made.documents.size)),
        stages=watch.stages(label),
        machine=job.daemon_of(variant).name,
        emulated=tuple(_emulated(job, variant)),
    )
    return _Result(outcome=outcome, made=made)


def _failed(job: _Job, variant: Variant, error: Exception) -> _Result:
    label = str(variant)
    outcome = Outcome(
        variant=variant,
        build_seconds=job.watch.lasted(label, "build"),
        smoke_total=len(variant.checks),
        failures=(failure_of(error, "build"),),
        stages=job.watch.stages(label),
        machine=job.daemon_of(variant).name,
        emulated=tuple(_emulated(job, variant)),
    )
    return _Result(outcome=outcome)


def _emulated(job: _Job, variant: Variant) -> Iterator[str]:
    """Name what a processor of another platform does for a variant; the engine's does all checks."""
    if job.daemon_of(variant).emulates(variant.platform):
        yield "build"
    if job.buildkit.own.emulates(variant.platform):
        yield "smoke"


def _needed(earlier: Mapping[str, _Result], variant: Variant, names: Sequence[str]) -> dict[str, Made]:
    """Hand over what a variant needs of what was built before it, by the name of the image.

    Raises:
        BuildError: one of these failed.

    """
    found: dict[str, Made] = {}
    for name in names:
        needed = earlier[f"{name}@{variant.platform}"]
        for failure in needed.outcome.failures:
            raise BuildError(replace(failure, step=f"{name}@{variant.platform} {failure.step}"))
        if needed.made is None:
            raise DrydockError(f"{name}@{variant.platform}, which it needs, was not built")
        found[name] = needed.made
    return found


async def _load(made: Made, variant: Variant) -> dagger.Container:
    """Make a container of the very archive that will be pushed."""
    return await dagger.dag.container(platform=dagger.Platform(variant.platform)).import_(made.archive).sync()


def _weigh(variant: Variant, size: int) -> tuple[Failure, ...]:
    """Hold a variant's compressed size against its budget."""
    budget = variant.image.budget
    if budget is None or size <= budget:
        return ()
    reason = f"{size} bytes compressed, {size - budget} more than the budget of {budget}"
    return (Failure(step="budget", reason=reason),)


async def _name_secrets(plan: Plan, secrets: Sequence[dagger.Secret]) -> dict[str, tuple[dagger.Secret, str]]:
    """Give each secret the name its images use: the last part of its address, as in env://PIP_TOKEN; with its value."""
    wanted = {name for image in plan.images for name in image.secrets}
    given: dict[str, tuple[dagger.Secret, str]] = {}
    for secret in secrets:
        name = (await secret.uri()).rpartition("://")[2].rpartition("/")[2]
        if name in wanted:
            value = await secret.plaintext()
            given[name] = dagger.dag.set_secret(name, value), value
    if missing := sorted(wanted - given.keys()):
        flags = " ".join(f"--secrets env:{name}" for name in missing)
        raise SelectionError(f"The images need build secrets that were not given: {', '.join(missing)}; add {flags}")
    return given
