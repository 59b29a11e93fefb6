"""Turns what a repository's own files say of its releases into images, and says where each comes from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from ci.core.model import TARGET_CONTEXT
from ci.init.facts import Facts
from ci.init.project import DEFAULT
from ci.init.proposed import REPOSITORY, Proposal, Proposed, component
from ci.init.released import Built, Released, beginning, unique
from ci.init.search import LeftOut
from ci.init.supply import for_all, sbom_of
from ci.tags import parse_flavor

_LATEST = "type=raw,value=latest"  # of a version, by itself
_NOT_RELEASED = "no workflow releases it"


def take_over(
    released: Released,
    paths: Collection[str],
    told: Callable[[str, str | None], Facts],
    guess: Callable[[str, str, Built], Proposed],
    owner: str,
) -> Proposal:
    """Make the images that are released, and leave out every other Dockerfile.

    Args:
        released: what the repository's files say.
        paths: of the Dockerfiles.
        told: what a Dockerfile tells of one of its targets.
        guess: makes an image of a Dockerfile and a name, which may be empty, from what is built of it.
        owner: of the repository on GitHub; "" where it is not known.

    """
    there = [image for image in released.images if image.dockerfile in paths]
    images = _told_apart(_last_wins([_plain_owner(_suffixed(image, there), owner) for image in there]))
    facts = [told(image.dockerfile, image.target) for image in images]
    names = _names(images, facts)
    local = {reference: name for image, name in zip(images, names, strict=True) for reference in image.local}
    made = [
        _image(image, name, guess(image.dockerfile, name, image), its, local, released)
        for image, name, its in zip(images, names, facts, strict=True)
    ]
    # One that others are built on comes first.
    made.sort(key=lambda proposed: proposed.image.release)
    return _shared(made, released, [path for path in paths if path not in {image.dockerfile for image in images}])


def _plain_owner(image: Built, owner: str) -> Built:
    """Drop a repository of {owner} where the same is there with the owner's name."""
    same = {name.replace("{owner}", owner.lower()) for name in image.repositories if "{owner}" in name}
    kept = [name for name in image.repositories if name not in same]
    return replace(image, repositories=tuple(kept)) if owner else image


def _last_wins(images: Sequence[Built]) -> list[Built]:
    """Take a name away from an image, where another one that is pushed after it gets the same."""
    kept = []
    for number, one in enumerate(images):
        later = [other for other in images[number + 1 :] if set(other.repositories) & set(one.repositories)]
        taken = {rule for other in later for rule in other.rules if rule.endswith(",suffix=") or ",suffix=," in rule}
        image = one
        if _moves_latest(one) and any(map(_moves_latest, later)):
            taken.add(_LATEST)
            image = replace(one, rules=(*one.rules, _LATEST), flavor=(*one.flavor, "latest=false"))
        lost = tuple(
            f"{image.place}: {rule!r} names an image that is pushed later" for rule in image.rules if rule in taken
        )
        rules = tuple(rule for rule in image.rules if rule not in taken)
        kept.append(replace(image, rules=rules, lost=(*image.lost, *lost)))
    return kept


def _moves_latest(image: Built) -> bool:
    """Tell whether a version moves latest by itself, and not a name of its own such as latest-alpine."""
    flavor = parse_flavor(image.flavor)
    own = (flavor.suffix.fixed and flavor.suffix_latest) or (flavor.prefix.fixed and flavor.prefix_latest)
    return flavor.latest.fixed != "false" and not own and any(rule.startswith("type=semver") for rule in image.rules)


def _suffixed(image: Built, images: Sequence[Built]) -> Built:
    """Say once, as a flavor, what all rules of an image end with, or else begin with."""
    beside = any(other is not image and {*other.repositories} & {*image.repositories} for other in images)
    ends = Counter(found[1] for rule in image.rules if (found := _end(rule, bare=beside)))
    end, count = ends.most_common(1)[0] if ends else ("", 0)
    if not count or (count < max(2, len(image.rules) - 1) and count != len(image.rules)):
        if not (start := beginning(image.rules)):
            return image
        plain = (rule.replace(f",prefix={start}", "") for rule in image.rules)
        rest = tuple(rule.replace(f"=raw,value={start}", "=raw,value=") for rule in plain)
        return replace(image, rules=rest, flavor=(*image.flavor, f"prefix={start}"))
    rules = []
    for rule in image.rules:
        found = _end(rule, bare=beside)
        if found and found[1] == end:
            rules.append(rule.replace(f",suffix={end}", "").replace(f"{end},enable", ",enable").removesuffix(end))
        else:
            rules.append(f"{rule},suffix=")
    return replace(image, rules=tuple(rules), flavor=(*image.flavor, f"suffix={end}"))


def _end(rule: str, *, bare: bool) -> re.Match[str] | None:
    """Find what a rule ends with; a bare one, which always holds, may be a name with a hyphen."""
    written = r"type=raw,value=[\w.]+(-[\w.-]+)" + ("(?:,enable|$)" if bare else ",enable")
    return re.search(r",suffix=(-[\w.-]+)", rule) or re.match(written, rule)


def _told_apart(images: Sequence[Built]) -> list[Built]:
    """Say as a flavor what tells an image from another one of its repository, where all its names are written out."""
    kept: list[Built] = []
    for image in images:
        plain = [found[1] for rule in image.rules if (found := re.match(r"type=raw,value=([\w.-]+)", rule))]
        others = [other for other in kept if set(other.repositories) & set(image.repositories)]
        if others and plain and len(plain) == len(image.rules) and _plainer(image) and any(map(_plainer, others)):
            rules = tuple(rule if ",suffix=" in rule else f"{rule},suffix=" for rule in image.rules)
            image = replace(image, rules=rules, flavor=(*image.flavor, f"suffix=-{plain[0]}"))  # noqa: PLW2901
        kept.append(image)
    return kept


def _names(images: Sequence[Built], facts: Sequence[Facts]) -> list[str]:
    """Name each image as its repository is called, with what tells it from the others of that repository."""
    found = [_name(image) for image in images]
    names: list[str] = []
    for image, name, its in zip(images, found, facts, strict=True):
        own = name or _titled(its.labels.get("org.opencontainers.image.title", ""))
        flavor = parse_flavor(image.flavor)
        if found.count(name) > 1 and name:
            suffix = flavor.suffix.fixed or flavor.prefix.fixed or ""
            others = [other for other, same in zip(images, found, strict=True) if same == name and other is not image]
            if suffix:
                own = component(f"{name}-{suffix.strip('-._')}")
            elif image.target and any(other.target != image.target for other in others):
                own = name if not any(_plainer(other) for other in others) else component(f"{name}-{image.target}")
        if own in names and not image.repositories:
            # Services of several compose files, such as those of a folder of examples.
            own = component("-".join([*image.dockerfile.split("/")[:1], own]))
        names.append(next(option for option in _numbered(own) if not option or option not in names))
    return names


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _titled(title: str) -> str:
    return component(title) if title else ""


def _plainer(other: Built) -> bool:
    """Tell whether another image of the repository has no suffix either."""
    flavor = parse_flavor(other.flavor)
    return not (flavor.suffix.fixed or flavor.prefix.fixed)


def _name(image: Built) -> str:
    if image.repositories:
        counted = Counter(repository.rpartition("/")[2] for repository in image.repositories)
        return component(counted.most_common(1)[0][0])
    if image.local:
        return component(re.sub("[:/]", "-", image.local[0].partition("/")[2].rpartition("/")[2]))
    return component(image.name) if image.name else ""


def _image(
    image: Built, name: str, guessed: Proposed, facts: Facts, local: Mapping[str, str], released: Released
) -> Proposed:
    unknown = not name and guessed.image.name == DEFAULT
    name = name or guessed.image.name
    last = Counter(repository.rpartition("/")[2] for repository in image.repositories)
    templates = tuple(
        repository.removesuffix(f"/{name}") + "/{name}" if repository.endswith(f"/{name}") else repository
        for repository in image.repositories
    )
    given = {
        name: f"{TARGET_CONTEXT}{local[value]}" if value in local else value for name, value in image.contexts.items()
    }
    contexts = given | {base: f"{TARGET_CONTEXT}{local[base]}" for base in facts.bases if base in local}
    own = bool(image.local and not image.repositories)
    rules = image.rules
    notes = [f"from {image.place}"]
    if not rules and not own:
        rules = fallback_rules(released)
        notes += ["tags: a guess, since a script makes them"] if rules else []
    platforms = image.platforms or guessed.image.platforms
    made = replace(
        guessed.image,
        name=name,
        context=image.context,
        target=image.target,
        platforms=platforms,
        build_args=_arguments(image),
        contexts=contexts,
        repositories=() if own else templates,
        tags=rules or None if not own else None,
        flavor=() if own else image.flavor,
        release=not own,
        generated=guessed.missing,
    )
    if not image.platforms:
        notes.append("platforms: a guess")
    if len(last) > 1:
        notes.append("pushed under several names")
    return Proposed(
        image=made,
        notes=unique([*notes, *image.notes, *guessed.notes]),
        inputs=guessed.inputs,
        guessed_name=unknown,
        supply=image.supply,
        lost=(*image.lost, *image.supply.lost),
    )


def _arguments(image: Built) -> dict[str, str]:
    return {name: value for name, value in image.build_args.items() if name != "BUILDKIT_INLINE_CACHE"}


def fallback_rules(released: Released) -> tuple[str, ...]:
    """Write rules for a workflow whose names cannot be read, so that nothing moves that was not asked for."""
    rules = ("type=ref,event=branch",) if released.triggers.branches else ()
    tags = ("type=ref,event=tag",) if released.triggers.tags or released.triggers.release else ()
    return (*rules, *tags)


def _shared(made: Sequence[Proposed], released: Released, others: Sequence[str]) -> Proposal:
    """Say for the whole file what is the same for all images."""
    given = Counter(p.image.repositories for p in made if p.image.release and p.image.repositories)
    common = given.most_common(1)[0][0] if given else ()
    rules = {p.image.tags for p in made if p.image.release}
    same = next(iter(rules)) if len(rules) == 1 else None
    flavors = {p.image.flavor for p in made if p.image.release}
    flavor = next(iter(flavors)) if len(flavors) == 1 else ()
    supplies = [(p.notes[0].removeprefix("from "), p.supply) for p in made if p.image.release]
    provenance, fewer = for_all(supplies)
    sboms = {sbom_of(supply, provenance) for _, supply in supplies}
    sbom = sboms.pop() if len(sboms) == 1 else ""
    images = []
    for proposed in made:
        image = proposed.image
        image = replace(
            image,
            repositories=() if image.repositories == common else image.repositories,
            tags=None if same is not None else image.tags,
            flavor=() if flavor else image.flavor,
        )
        own = sbom_of(proposed.supply, provenance) if image.release else ""
        images.append(replace(proposed, image=image, sbom=own if own != sbom else ""))
    return Proposal(
        images=tuple(images),
        left_out=tuple(LeftOut(path=path, reason=_NOT_RELEASED) for path in others),
        repositories=common or (REPOSITORY,),
        guessed_repository=not common,
        tags=same,
        flavor=flavor,
        lost=unique([*released.lost, *(line for proposed in made for line in proposed.lost), *fewer]),
        triggers=released.triggers,
        released=True,
        runners=released.runners,
        attest=released.attest,
        provenance=provenance,
        sbom=sbom,
    )
