"""Takes a plan to its end: built and smoke-checked, and then, where everything passed, released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import dagger

from ci.build import pipeline
from ci.build.definition import read_definition
from ci.build.report import Report, finish_gate
from ci.build.resolution import label_base
from ci.core.engine import fan_out
from ci.core.model import Plan
from ci.core.names import LATEST, sha_tag
from ci.core.text import Format
from ci.release import release
from ci.release.destination import connect
from ci.release.outcome import Release
from ci.release.push import PUSH_POLICY, Login, push_target, smoke_published
from ci.release.report import finish_release
from ci.release.request import Target
from ci.release.reuse import Search, describe_plan, find_reusable

_AT_A_TIME = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a build and a release work with."""

    source: dagger.Directory
    secrets: Sequence[dagger.Secret] = ()
    parallel: int = 0
    login: Login | None = None
    registry: dagger.Service | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What came of a build and of the release after it; either may have had no need to run."""

    built: Report | None = None
    released: Release | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(part.ok for part in (self.built, self.released) if part is not None)


def finish_delivery(delivery: Delivery, wanted: Format) -> str:
    """Print what was built and what was released.

    Raises:
        PipelineError: something failed; its text is the report.

    """
    before = finish_gate(delivery.built, wanted) if delivery.built else ""
    return finish_release(delivery.released, wanted, before=before) if delivery.released else before


async def look(
    plan: Plan, targets: Sequence[Target], means: Means, tags: Sequence[str], *, rebuild: bool = False
) -> Search:
    """Look in the registry for images that need not be built again; with `rebuild`, only say what they are made from.

    The commit's own tag comes first, so that what is released already stays as it is; then `latest`, then `tags`.
    """
    labels = {target.image.name: target.labels for target in targets}
    described = await describe_plan(plan, means.source, labels)
    if rebuild:
        return Search(described=described)
    own = (sha_tag(plan.revision),) if plan.revision else ()
    async with connect(targets, means.login, means.registry) as client:
        return await find_reusable(client, plan, targets, described, (*own, LATEST, *tags))


async def build(plan: Plan, targets: Sequence[Target], means: Means, search: Search | None = None) -> pipeline.Built:
    """Build and smoke-check a plan, with the labels of its release; what a search has found is not built."""
    search = search or Search()
    return await pipeline.build_all(
        plan,
        means.source,
        secrets=means.secrets,
        parallel=means.parallel,
        labels={target.image.name: target.labels for target in targets},
        reused=search.outcomes(plan),
        reasons=search.reasons,
    )


async def deliver(
    plan: Plan, wish: release.Wish, means: Means, *, resmoke: bool = False, rebuild: bool = False
) -> Delivery:
    """Build, smoke-check and release all images of a plan; nothing is pushed where anything failed.

    What the registry has already, made from the same inputs, is not built again unless `rebuild` says so.
    """
    wish = replace(wish, targets=await _name_bases(plan, wish.targets, means.source))
    search = await look(plan, wish.targets, means, wish.tags, rebuild=rebuild)
    built = await build(plan, wish.targets, means, search)
    if not built.report.ok:
        return Delivery(built=built.report)
    wish = replace(wish, reused=search.entries, records=search.described.records)
    push = partial(push_target, built.containers, plan.config.compression, means.login, PUSH_POLICY)
    again = partial(smoke_published, means.login) if resmoke else None
    async with connect(wish.targets, means.login, means.registry) as client:
        released = await release.release(client, wish, push=push, resmoke=again)
    return Delivery(built=built.report, released=released)


async def _name_bases(plan: Plan, targets: Sequence[Target], source: dagger.Directory) -> tuple[Target, ...]:
    """Add to the labels of each target what it is based on, where that is known."""
    native = str(await dagger.dag.default_platform())

    async def one(target: Target) -> Target:
        definition = await read_definition(source, target.image)
        base = await label_base(definition, native=native, revision=plan.revision)
        return replace(target, labels={**target.labels, **base})

    return await fan_out(targets, one, limit=_AT_A_TIME)
