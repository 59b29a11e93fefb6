"""What a repository's own workflows and build files say of the images that they release: values, and how they unite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ci.core.model import Attest, Runners
from ci.init.supply import Supply, join_supply

BY_DIGEST = "push-by-digest=true"  # in what an image is written to: it gets no name there
_NO_LATEST = "latest=false"
_BEGIN = re.compile(r"type=raw,value=([a-z][\w.]*-)(?=\w)|.*,prefix=([\w.]+-)(?=,|$)")


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
    open_args: Mapping[str, str] = field(default_factory=dict)  # that a script makes, and where it does
    hidden: tuple[str, ...] = ()  # repositories that only secrets and variables of the run tell
    unnamed: tuple[str, ...] = ()  # what was not taken over of its names, where nothing else tells them
    by_digest: bool = False  # pushed under no name: a later step names it
    supply: Supply = field(default_factory=Supply)
    lost: tuple[str, ...] = ()  # what was not taken over, each with its place and why


@dataclass(frozen=True, kw_only=True, slots=True)
class Triggers:
    """What starts the workflows that release; the lists are GitHub's patterns."""

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    crons: tuple[str, ...] = ()
    release: bool = False

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.branches or self.tags or self.crons or self.release)

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
    runners: Runners = field(default_factory=Runners)  # that they are built on, but the usual ones
    attest: Attest | None = None  # how they are attested; None: nothing says that they are


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
            continue
        both, rest = _divided(found[at], image)
        found[at] = _join(*both)
        found += rest
    return tuple(found)


def _divided(one: Built, other: Built) -> tuple[tuple[Built, Built], list[Built]]:
    """Take what goes to more repositories than the other apart: there it is an image of its own, built the same."""
    left, right = set(one.repositories), set(other.repositories)
    more, less = (one, right) if right < left else (other, left)
    if len(less) < 2 or not less < set(more.repositories):  # noqa: PLR2004  # one alone is most likely a step for each
        return (one, other), []
    common = replace(more, repositories=tuple(name for name in more.repositories if name in less))
    rest = replace(more, repositories=tuple(name for name in more.repositories if name not in less))
    return ((common, other) if more is one else (one, common)), [rest]


def _same(one: Built, other: Built) -> bool:
    """Tell whether two builds are of one image: of one Dockerfile, and under a common name."""
    if (one.dockerfile, one.target, one.local, _affixes(one)) != (
        other.dockerfile,
        other.target,
        other.local,
        _affixes(other),
    ):
        return False
    if beginning(one.rules) != beginning(other.rules) and _plain(one.build_args) != _plain(other.build_args):
        return False  # two variants of one Dockerfile, as their names say
    if _beside(one, other):
        return False
    names = {repository.rpartition("/")[2] for repository in one.repositories}
    others = {repository.rpartition("/")[2] for repository in other.repositories}
    return bool(names & others) or not names or not others


def _beside(one: Built, other: Built) -> bool:
    """Tell whether the same run builds both, for the same platforms, with other arguments and under other tags."""
    apart = one.platforms and other.platforms and not {*one.platforms} & {*other.platforms}
    events = ({re.sub(".*?(?:,enable=|$)", "", rule, count=1) for rule in image.rules} for image in (one, other))
    tags = one.rules and other.rules and not {*one.rules} & {*other.rules}
    other_arguments = _plain(one.build_args) != _plain(other.build_args)
    return bool(other_arguments and tags and not apart and next(events) == next(events))


def beginning(rules: Sequence[str]) -> str:
    """Find what all names of several rules begin with; "" where it is nothing, or there is one name alone."""
    found = {(match[1] or match[2]) if (match := _BEGIN.match(rule)) else "" for rule in rules}
    return found.pop() if len(found) == 1 and len(rules) > 1 else ""


def _plain(arguments: Mapping[str, str]) -> dict[str, str]:
    """Keep the arguments that no run changes."""
    return {key: value for key, value in arguments.items() if "{" not in value}


def without_platform(image: Built) -> Built:
    """Take the platform off the names of an image that is built for that one alone."""
    ends = "|".join(re.escape(end) for end in _ends(image.platforms))
    found = [re.search(rf"-(?:{ends})(?=,enable|,suffix=|$)", rule) for rule in image.rules] if ends else []
    if not found or not all(found):
        return image
    rules = (re.sub(rf",suffix=-(?:{ends})(?=,|$)|-(?:{ends})(?=,|$)", "", rule, count=1) for rule in image.rules)
    return replace(image, rules=unique(rules))


def _ends(platforms: Sequence[str]) -> list[str]:
    if len(platforms) != 1:
        return []
    architecture, _, variant = platforms[0].removeprefix("linux/").partition("/")
    return [f"{architecture}{variant}", f"linux-{architecture}{variant}", architecture]


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
        build_args=_arguments(one.build_args, other.build_args),
        contexts={**other.contexts, **one.contexts},
        repositories=unique((*one.repositories, *other.repositories)),
        rules=unique((*one.rules, *other.rules)),
        flavor=_flavors(one, other),
        notes=unique((*one.notes, *other.notes)),
        open_args={**other.open_args, **one.open_args},
        hidden=unique((*one.hidden, *other.hidden)),
        unnamed=unique((*one.unnamed, *other.unnamed)),
        supply=join_supply(one.supply, other.supply, one.place),
        lost=unique((*one.lost, *other.lost)),
    )


def _arguments(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Join the arguments of two events: where one says the version, the other says what stands for it without one."""
    made = {**other, **one}
    for key in one.keys() & other.keys():
        words = one[key].split(" "), other[key].split(" ")
        if one[key] != other[key] and len(words[0]) == len(words[1]):
            made[key] = " ".join(_joined(*pair) for pair in zip(*words, strict=True))
    return made


def _joined(one: str, other: str) -> str:
    for left, right in ((one, other), (other, one)):
        before, said, usual = left.partition("{version:-")
        if said and right.startswith(before) and usual == "{ref}}":
            return f"{before}{said}{right.removeprefix(before)}}}"
    return one
