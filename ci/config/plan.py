"""Turns a configuration and a user's selection into the plan: which variants, in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ci.core.errors import SelectionError
from ci.core.model import Config, Plan, Variant
from ci.core.names import check_revision, fill_repository, own_tag
from ci.core.order import needed_variants
from ci.core.text import clean, columns, nearest, split_values


def plan_build(
    config: Config, *, only: Sequence[str] = (), platforms: Sequence[str] = (), revision: str | None = None
) -> Plan:
    """List the variants to build and to release, in the order of the configuration.

    What they are built on need not be among them: `core/order.py` lists it, to be built and not to be released.

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
    released = [image.name for image in config.images if image.release]
    names = _select("image", only, [image.name for image in config.images]) if only else released
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
    wanted = split_values(given)
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


def render_plan(
    plan: Plan, *, repositories: Sequence[str] = (), owner: str | None = None, missing: Sequence[str] = ()
) -> str:
    """Write what would be built for a terminal: the variants, what is built for them alone, and their checks.

    Args:
        plan: what would be built.
        repositories: templates in place of the configuration's.
        owner: fills {owner}.
        missing: what a build needs and would not find.

    """
    head = ("VARIANT", "PLATFORM", "DOCKERFILE", "CONTEXT", "CHECKS", "IMAGE")
    rows = [
        (
            str(variant),
            variant.platform,
            variant.image.dockerfile,
            variant.image.context,
            str(len(variant.checks)) if variant.checks else "none",
            ", ".join(_references(plan, variant, repositories, owner)) or "not released",
        )
        for variant in plan.variants
    ]
    only_built = _only_built(plan)
    built = f"Built for these, and not released: {', '.join(only_built)}\n\n" if only_built else ""
    absent = "".join(["A build would not find\n", *(f"{line}\n" for line in missing), "\n"]) if missing else ""
    checks = [(f"{variant}:", _check_names(variant)) for variant in plan.variants]
    table = columns([head, *rows], right=frozenset((4,)))
    return clean(f"{table}\n\n{built}{absent}Smoke checks\n{columns(checks)}")


def render_plan_json(
    plan: Plan, *, repositories: Sequence[str] = (), owner: str | None = None, missing: Sequence[str] = ()
) -> str:
    """Write what would be built as JSON.

    Keys: schema (1), revision (or null), only_built (the names of variants that these are built on, and that are not
    released), missing (what a build needs and would not find, a list of texts), and variants, a list of variant,
    image, platform, dockerfile, context, target (or null), build_args (with the words that the plan is not told, such
    as "{created}"), checks (their names), smoke_reason (or null), budget
    (bytes, or null) and references (each of its repositories, with the tag where the revision is known).
    """
    variants = [
        {
            "variant": str(variant),
            "image": variant.image.name,
            "platform": variant.platform,
            "dockerfile": variant.image.dockerfile,
            "context": variant.image.context,
            "target": variant.image.target,
            "build_args": variant.image.arguments(variant.platform),
            "checks": [check.name for check in variant.checks],
            "smoke_reason": variant.image.smoke_reason,
            "budget": variant.image.budget,
            "references": _references(plan, variant, repositories, owner),
        }
        for variant in plan.variants
    ]
    value = {
        "schema": 1,
        "revision": plan.revision,
        "only_built": _only_built(plan),
        "missing": [*missing],
        "variants": variants,
    }
    return json.dumps(value, indent=2)


def _only_built(plan: Plan) -> list[str]:
    return [str(variant) for variant in needed_variants(plan) if variant not in plan.variants]


def _check_names(variant: Variant) -> str:
    if not variant.checks:
        return f"none ({variant.image.smoke_reason})"
    return ", ".join(check.name for check in variant.checks)


def list_repositories(plan: Plan, given: Sequence[str], owner: str | None) -> dict[str, list[str]]:
    """Name the repositories of each image, by its name; where nobody says who the owner is, {owner} stays.

    Args:
        plan: knows the images, and the configuration's templates.
        given: templates in place of those.
        owner: fills {owner}.

    """
    filler = owner.lower() if owner else "{owner}"
    return {
        image.name: [
            fill_repository(template, name=image.name, owner=filler)
            for template in given or plan.config.templates(image)
        ]
        for image in plan.images
    }


def _references(plan: Plan, variant: Variant, repositories: Sequence[str], owner: str | None) -> list[str]:
    if not variant.image.release:
        return []
    tag = f":{own_tag(variant.image, plan.revision, plan.mark)}" if plan.revision else ""
    return [f"{repository}{tag}" for repository in list_repositories(plan, repositories, owner)[variant.image.name]]
