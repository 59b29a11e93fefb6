"""Turns a configuration and a user's selection into the plan: which variants, in which order."""

from __future__ import annotations

from collections.abc import Sequence

from ci.config.cursor import nearest
from ci.core.errors import SelectionError
from ci.core.model import Config, Plan, Variant
from ci.core.names import check_revision


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
