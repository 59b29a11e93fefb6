"""Builds a second time, from nothing, what a release has built, where its configuration insists on the same outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from ci.build import Builder, Built, CacheUse, Definition, Made, build_all
from ci.core.engine import fan_out, step
from ci.core.errors import DrydockError
from ci.core.model import Failure, Outcome, Plan
from ci.core.order import needed_variants
from ci.release.comparison import Side, compare_builds
from ci.release.reproduce import unchecked
from ci.release.reproduce_report import tell_differences
from ci.release.uploads import from_archive

_STEP = "reproducible"


def from_nothing(plan: Plan, caches: Mapping[str, CacheUse]) -> dict[str, CacheUse]:
    """Have a plan built without what was built before: a step from a cache of before the commit has other times."""
    needed = [str(variant) for variant in needed_variants(plan)]
    return {name: replace(caches.get(name, CacheUse()), read=(), none=True) for name in needed}


async def build_twice(
    plan: Plan,
    built: Built,
    builder: Builder,
    *,
    definitions: Mapping[str, Definition],
    created: datetime,
    labels: Mapping[str, Mapping[str, str]],
) -> Built:
    """Build again what was built, and fail each variant that comes out different.

    What was reused from an earlier release is not built, and so not built twice.

    Args:
        plan: that was built.
        built: what came of it.
        builder: that has built it.
        definitions: of the images by name.
        created: when the commit was made.
        labels: of each image by its name.

    """
    if not built.report.ok or not built.images:
        return built
    again = unchecked(replace(plan, variants=tuple(v for v in plan.variants if str(v) in built.images)))
    second = await build_all(
        again,
        builder,
        definitions=definitions,
        created=created,
        caches=from_nothing(again, {}),
        labels=labels,
    )
    failed = {str(outcome.variant): outcome.failures for outcome in second.report.outcomes}

    async def judge(outcome: Outcome) -> Outcome:
        name = str(outcome.variant)
        first, other = built.images.get(name), second.images.get(name)
        if first is None:
            return outcome
        if other is None:
            return replace(outcome, failures=tuple(replace(each, step=_STEP) for each in failed.get(name, ())))
        same = first.documents.manifest.digest == other.documents.manifest.digest
        return outcome if same else replace(outcome, failures=(await _tell(name, first, other),))

    # One at a time: both archives of a variant are on the disk while they are compared.
    outcomes = await fan_out(built.report.outcomes, judge, limit=1)
    seconds = built.report.seconds + second.report.seconds
    return replace(built, report=replace(built.report, outcomes=outcomes, seconds=seconds))


async def _tell(name: str, first: Made, second: Made) -> Failure:
    digests = [made.documents.manifest.digest for made in (first, second)]
    reason = f"built a second time, from nothing, it is {digests[1]}, and was {digests[0]}"
    try:
        with step(f"{name} compare"):
            async with from_archive(first.archive) as old, from_archive(second.archive) as new:
                documents, layers = await compare_builds(
                    Side(manifest=first.documents.manifest, locate=old),
                    Side(manifest=second.documents.manifest, locate=new),
                )
    except DrydockError as error:
        return Failure(step=_STEP, reason=f"{reason}; {error}")
    return Failure(step=_STEP, reason=reason, stderr="\n".join(tell_differences(documents, layers)))
