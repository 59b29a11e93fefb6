"""What a release is asked for, and the values it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ci.build import Pins
from ci.core.errors import DrydockError
from ci.core.model import Image, Plan, Variant
from ci.core.names import LATEST, check_tag, image_tag
from ci.core.oci import Descriptor, Manifest
from ci.core.supply import Promised
from ci.core.text import split_values
from ci.release.outcome import VariantFact
from ci.release.record import Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One image of a release, and one of the repositories it goes to; another image may share that repository."""

    image: Image
    repository: str  # whole, such as "ghcr.io/acme/backend"
    name: str  # as the registry knows it: "acme/backend"
    variants: tuple[Variant, ...]
    labels: Mapping[str, str]  # of every variant, and annotations of the index
    promised: Promised = field(default_factory=Promised)  # what is attested of every variant
    pins: Mapping[str, Pins] = field(default_factory=dict)  # what its builds have to take, by platform, where known
    own: str = ""  # the tag that marks the commit, where that is known: sha-…
    tags: tuple[str, ...] = ()  # that move, as they are spelled for this image; `latest` last

    @property
    def host(self) -> str:
        """The registry that it goes to, as the repository names it."""
        return self.repository.partition("/")[0]

    @property
    def key(self) -> tuple[str, str]:
        """What no other target of a release has: the names of the image and of the repository."""
        return self.image.name, self.repository


def made_before(target: Target) -> Target:
    """Expect of a target what an earlier release made: what was not attested then is said, and no fault."""
    return replace(target, promised=replace(target.promised, before=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseRequest:
    """What a release is asked for."""

    revision: str
    created: datetime  # when the commit was made, with its time zone
    version: str | None = None  # of the software, for the labels
    mark: str = ""  # of that version, where it is built differently from the same commit without one
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # to be moved after sha-…, by image
    overwrite: bool = False  # an existing sha- tag
    allow_older: bool = False  # commits than the live one
    rebuild: bool = False  # also what an earlier release was made of the same inputs
    resmoke: bool = False  # run the smoke checks again on what the registry serves
    once: bool = False  # a commit that is released already is only given its tags
    began: datetime | None = None  # of a run that builds anew what has changed since the commit's release: its own time


@dataclass(frozen=True, kw_only=True, slots=True)
class Reusable:
    """An image that one of its repositories has already, and that need not be built."""

    source: Target  # the repository that has it
    entries: tuple[Descriptor, ...]  # its variants
    attestations: tuple[Descriptor, ...] = ()  # of these
    facts: tuple[VariantFact, ...]
    index: Manifest | None = None  # as it is, where the commit's own tag names it

    @property
    def listed(self) -> tuple[Descriptor, ...]:
        """All that its index names: what is attested of the variants stands behind them."""
        return (*self.entries, *self.attestations)


class PushError(DrydockError):
    """An image is not in all of its repositories; `problems` says what is wrong with each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """A target whose repository has all variants, and the index that will name them."""

    target: Target
    index: Manifest
    entries: tuple[Entry, ...] = ()  # its variants, in their order
    note: str = ""  # what the user should know


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
    given = split_values(tags)
    for tag in given:
        if check_tag(tag).startswith("sha-"):
            raise DrydockError(f"The tag {tag!r} is not for moving: it names one commit")
    return tuple(
        dict.fromkeys([*(tag for tag in given if tag != LATEST), *([LATEST] if latest or LATEST in given else [])])
    )


def tags_for(plan: Plan, tags: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Give all images of a plan the same tags, each spelled as the image has it; by the image's name."""
    return {image.name: tuple(image_tag(image, tag) for tag in tags) for image in plan.images}


def references(targets: Sequence[Target]) -> dict[str, tuple[str, ...]]:
    """List what will name each image, in all of its repositories."""
    named: dict[str, tuple[str, ...]] = {}
    for target in targets:
        if target.own:
            named[target.image.name] = (*named.get(target.image.name, ()), f"{target.repository}:{target.own}")
    return named


def rank_tags(targets: Sequence[Target]) -> list[tuple[int, Target, str]]:
    """List the tags of all targets, tag by tag; those of one rank move together, and `latest`, of the rank 0, last."""
    ranked = [(rank, target, tag) for target in targets for rank, tag in enumerate(reversed(target.tags))]
    return sorted(ranked, key=lambda one: -one[0])
