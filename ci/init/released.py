"""What a repository's own workflows and build files say of the images that they release: values, and how they unite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

_NO_LATEST = "latest=false"


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """One image as a workflow, a Makefile, a bake or a compose file builds it."""

    place: str  # file and line
    dockerfile: str  # relative to the source
    context: str
    target: str | None = None
    platforms: tuple[str, ...] = ()  # none: what it is built on
    build_args: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    repositories: tuple[str, ...] = ()  # may hold {owner}
    rules: tuple[str, ...] = ()  # of its tags, as docker/metadata-action has them
    flavor: tuple[str, ...] = ()
    local: tuple[str, ...] = ()  # references on a registry of the run itself
    name: str = ""  # that is known without a repository
    notes: tuple[str, ...] = ()  # what was guessed
    lost: tuple[str, ...] = ()  # what was not taken over, each with its place and why


@dataclass(frozen=True, kw_only=True, slots=True)
class Triggers:
    """What starts the workflows that release; the lists are GitHub's patterns."""

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    crons: tuple[str, ...] = ()
    release: bool = False

    def join(self, other: Triggers) -> Triggers:
        """Add what starts another one."""
        return Triggers(
            branches=unique((*self.branches, *other.branches)),
            tags=unique((*self.tags, *other.tags)),
            crons=unique((*self.crons, *other.crons)),
            release=self.release or other.release,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """All that was read."""

    images: tuple[Built, ...] = ()
    triggers: Triggers = field(default_factory=Triggers)
    lost: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()  # databases and queues in compose files


def unique(values: Iterable[str]) -> tuple[str, ...]:
    """Return each value once, in order."""
    return tuple(dict.fromkeys(values))


def unite(images: Iterable[Built]) -> tuple[Built, ...]:
    """Make one image of the steps that build the same: a platform each, a registry each, or an event each."""
    found: list[Built] = []
    for image in images:
        at = next((n for n, other in enumerate(found) if _same(other, image)), -1)
        if at < 0:
            found.append(image)
        else:
            found[at] = _join(found[at], image)
    return tuple(found)


def _same(one: Built, other: Built) -> bool:
    """Tell whether two builds are of one image: of one Dockerfile, and under a common name."""
    if (one.dockerfile, one.target, one.local, _affixes(one)) != (
        other.dockerfile,
        other.target,
        other.local,
        _affixes(other),
    ):
        return False
    if _other_arguments(one, other):
        return False
    names = {repository.rpartition("/")[2] for repository in one.repositories}
    others = {repository.rpartition("/")[2] for repository in other.repositories}
    return bool(names & others) or not names or not others


def _other_arguments(one: Built, other: Built) -> bool:
    """Tell whether the same run builds both, for the same platforms, with other arguments and under other tags."""
    apart = one.platforms and other.platforms and not {*one.platforms} & {*other.platforms}
    events = ({re.sub(".*?(?:,enable=|$)", "", rule, count=1) for rule in image.rules} for image in (one, other))
    tags = one.rules and other.rules and not {*one.rules} & {*other.rules}
    return bool(one.build_args != other.build_args and tags and not apart and next(events) == next(events))


def _fewer(one: Built, other: Built) -> list[str]:
    """Name what goes to some repositories of an image alone, by steps that write to several: here it goes to all."""
    left, right = set(one.repositories), set(other.repositories)
    less = other if right < left else one if left < right else None
    if less is None or len(less.repositories) <= 1:
        return []
    rules = ", ".join(less.rules)
    return [f"{less.place}: {rules} goes to {' and '.join(less.repositories)} alone: here it goes to all of them"]


def _flavors(one: Built, other: Built) -> tuple[str, ...]:
    """Join what holds for all rules; that nothing is latest only holds where both say so."""
    both = [*one.flavor, *other.flavor]
    quiet = [image for image in (one, other) if image.rules and _NO_LATEST not in image.flavor]
    return unique(line for line in both if line != _NO_LATEST or not quiet)


def _affixes(image: Built) -> tuple[str, ...]:
    return tuple(line for line in image.flavor if line.startswith(("suffix", "prefix")))


def _join(one: Built, other: Built) -> Built:
    return replace(
        one,
        place=", ".join(unique((*one.place.split(", "), other.place))),
        platforms=unique((*one.platforms, *other.platforms)),
        build_args={**other.build_args, **one.build_args},
        contexts={**other.contexts, **one.contexts},
        repositories=unique((*one.repositories, *other.repositories)),
        rules=unique((*one.rules, *other.rules)),
        flavor=_flavors(one, other),
        notes=unique((*one.notes, *other.notes)),
        lost=unique((*one.lost, *other.lost, *_fewer(one, other))),
    )
