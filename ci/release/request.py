"""Turns a plan into the targets of a release: which repository each image goes to, and what it will say of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ci.core.errors import DrydockError
from ci.core.model import Config, Image, Plan, Variant
from ci.core.names import LATEST, STAGING, check_tag, labels_of, repository_of


def plan_targets(
    plan: Plan, *, repository: str | None, owner: str | None, version: str | None, created: datetime | None
) -> tuple[Target, ...]:
    """List the targets of a plan, one for each image.

    Args:
        plan: what is built; a release takes all variants of an image.
        repository: a template in place of the configuration's.
        owner: fills {owner}.
        version: of the software.
        created: when the commit was made.

    Raises:
        DrydockError: a repository is not legal, or the images of a plan go to several registries.

    """
    config: Config = replace(plan.config, repository=repository) if repository else plan.config
    targets = []
    for image in plan.images:
        full = repository_of(config, image, owner=owner)
        targets.append(
            Target(
                image=image,
                repository=full,
                name=full.partition("/")[2],
                variants=tuple(Variant(image=image, platform=platform) for platform in image.platforms),
                labels=labels_of(plan, image, version=version, created=created),
            )
        )
    return tuple(targets)


def parse_created(text: str) -> datetime:
    """Read the time of a commit, as `git log -1 --format=%cI` prints it."""
    try:
        created = datetime.fromisoformat(text)
    except ValueError:
        created = None
    if created is None or created.tzinfo is None:
        raise DrydockError(
            f"--created {text!r} is not a time with its zone, such as 2026-01-31T12:00:00+00:00; "
            "git log -1 --format=%cI prints a commit's"
        )
    return created


def parse_tags(tags: Sequence[str], *, latest: bool) -> tuple[str, ...]:
    """List the tags to move, `latest` last; a value may hold several, with commas between them."""
    given = [tag.strip() for text in tags for tag in text.split(",") if tag.strip()]
    for tag in given:
        if check_tag(tag).startswith("sha-") or tag == STAGING:
            raise DrydockError(f"The tag {tag!r} is not for moving: a sha- tag names one commit, {STAGING} none")
    return tuple(
        dict.fromkeys([*(tag for tag in given if tag != LATEST), *([LATEST] if latest or LATEST in given else [])])
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One image of a release, and the repository it goes to."""

    image: Image
    repository: str  # whole, such as "ghcr.io/acme/backend"
    name: str  # as the registry knows it: "acme/backend"
    variants: tuple[Variant, ...]
    labels: Mapping[str, str]  # of every variant, and annotations of the index
