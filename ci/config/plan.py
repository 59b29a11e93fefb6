"""Turns a configuration and a user's selection into the plan: which variants, in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ci.core.errors import SelectionError
from ci.core.model import Config, Plan, Variant
from ci.core.names import check_revision, fill_repository, sha_tag
from ci.core.text import clean, columns, nearest


def plan_build(
    config: Config, *, only: Sequence[str] = (), platforms: Sequence[str] = (), revision: str | None = None
) -> Plan:
    """List the variants to build, in the order of the configuration.

    Args:
        config: all there is to build.
        only: names of images; a value may hold several, with commas between them. None given: all images.
        platforms: platforms, in the same form. None given: all platforms of the images.
        revision: the commit the source is at.

    Raises:
        SelectionError: an image or a platform is not in the configuration, or nothing is selected.
        DrydockError: the revision is not a commit id.

    """
    if revision is not None:
        check_revision(revision)
    names = _select("image", only, [image.name for image in config.images])
    images = [image for image in config.images if image.name in names]
    wanted = _select("platform", platforms, [p for image in images for p in image.platforms])
    variants = tuple(
        Variant(image=image, platform=platform)
        for image in images
        for platform in image.platforms
        if platform in wanted
    )
    return Plan(config=config, variants=variants, revision=revision)


def _select(what: str, given: Sequence[str], accepted: Sequence[str]) -> Sequence[str]:
    """Split what a user gives at commas, and hold it against what there is."""
    if not given:
        return accepted
    options = ", ".join(dict.fromkeys(accepted))
    wanted = [value.strip() for text in given for value in text.split(",") if value.strip()]
    if not wanted:
        raise SelectionError(f"The selection names no {what}; accepted: {options}")
    unknown = []
    for value in dict.fromkeys(wanted):
        if value not in accepted:
            close = nearest(value, accepted)
            unknown.append(f"{value!r} (did you mean {close!r}?)" if close else repr(value))
    if unknown:
        raise SelectionError(f"Nothing selected has the {what} {', '.join(unknown)}; accepted: {options}")
    return wanted


def render_plan(plan: Plan, *, repository: str | None = None, owner: str | None = None) -> str:
    """Write what would be built for a terminal: a row for each variant, then the names of its checks."""
    head = ("VARIANT", "PLATFORM", "DOCKERFILE", "CONTEXT", "CHECKS", "IMAGE")
    rows = [
        (
            str(variant),
            variant.platform,
            variant.image.dockerfile,
            variant.image.context,
            str(len(variant.checks)) if variant.checks else "none",
            _reference(plan, variant, repository, owner),
        )
        for variant in plan.variants
    ]
    checks = [(f"{variant}:", _check_names(variant)) for variant in plan.variants]
    return clean(f"{columns([head, *rows], right=frozenset((4,)))}\n\nSmoke checks\n{columns(checks)}")


def render_plan_json(plan: Plan, *, repository: str | None = None, owner: str | None = None) -> str:
    """Write what would be built as JSON.

    Keys: schema (1), revision (or null), and variants, a list of variant, image, platform, dockerfile,
    context, target (or null), checks (their names), smoke_reason (or null), budget (bytes, or null) and
    reference (repository, and tag where the revision is known).
    """
    variants = [
        {
            "variant": str(variant),
            "image": variant.image.name,
            "platform": variant.platform,
            "dockerfile": variant.image.dockerfile,
            "context": variant.image.context,
            "target": variant.image.target,
            "checks": [check.name for check in variant.checks],
            "smoke_reason": variant.image.smoke_reason,
            "budget": variant.image.budget,
            "reference": _reference(plan, variant, repository, owner),
        }
        for variant in plan.variants
    ]
    return json.dumps({"schema": 1, "revision": plan.revision, "variants": variants}, indent=2)


def _check_names(variant: Variant) -> str:
    if not variant.checks:
        return f"none ({variant.image.smoke_reason})"
    return ", ".join(check.name for check in variant.checks)


def _reference(plan: Plan, variant: Variant, repository: str | None, owner: str | None) -> str:
    template = repository or plan.config.repository
    name = fill_repository(template, name=variant.image.name, owner=owner.lower() if owner else "{owner}")
    return f"{name}:{sha_tag(plan.revision)}" if plan.revision else name
