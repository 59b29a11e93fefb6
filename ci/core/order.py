"""What has to be built for a plan, and what of it comes first: an image may be built on another one, or need it."""

from __future__ import annotations

from ci.core.model import Plan, Variant


def needed_variants(plan: Plan) -> tuple[Variant, ...]:
    """List the variants to build for a plan, in the order of the configuration.

    They are those of the plan, which are released, and those that they are built on or checked beside, which are built
    only: whoever selects an image selects what it needs for the build, and for nothing else. That is built for the
    platform of what needs it.
    """
    images = {image.name: image for image in plan.config.images}
    needed: set[tuple[str, str]] = set()
    left = [(variant.image.name, variant.platform) for variant in plan.variants]
    while left:
        name, platform = left.pop()
        if (name, platform) not in needed:
            needed.add((name, platform))
            left += [(other, platform) for other in images[name].needs]
    return tuple(
        Variant(image=image, platform=platform)
        for image in plan.config.images
        for platform in image.platforms
        if (image.name, platform) in needed
    )


def build_levels(plan: Plan) -> tuple[tuple[Variant, ...], ...]:
    """Part what has to be built for a plan into levels: a variant needs those of earlier levels alone.

    The variants of one level may be built at the same time. No configuration has images that need each other in a
    circle.
    """
    levels: list[tuple[Variant, ...]] = []
    left = needed_variants(plan)
    while left:
        waiting = {variant.image.name for variant in left}
        levels.append(tuple(variant for variant in left if waiting.isdisjoint(variant.image.needs)))
        left = tuple(variant for variant in left if not waiting.isdisjoint(variant.image.needs))
    return tuple(levels)
