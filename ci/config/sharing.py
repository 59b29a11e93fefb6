"""Looks for images that would get the same name in the same repository, which each would take from the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

from ci.config.cursor import Cursor
from ci.core.model import Affixes, Config, Image
from ci.core.names import fill_repository
from ci.core.text import show
from ci.tags import Event, RuleError, names_of, rules_for

_REVISION = "0123456789abcdef0123456789abcdef01234567"
_TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
_HEAD, _TAG = "refs/heads/", "refs/tags/"
# What happens in most repositories; the names that a run really gives are looked at again before it builds anything.
_EVENTS = (
    ("push", f"{_HEAD}main"),
    ("push", f"{_HEAD}develop"),
    ("push", f"{_TAG}v1.2.3"),
    ("push", f"{_TAG}1.2.3"),
    ("push", f"{_TAG}v1.2.3-rc.1"),
    ("release", f"{_TAG}v1.2.3"),
    ("schedule", f"{_HEAD}main"),
)
ACCEPTED = "a flavor such as suffix=-alpine,onlatest=true, other rules, or a repository of its own"


def affix(config: Config) -> Config:
    """Say of each image what its flavor puts around its tags, as far as no event changes it."""
    return replace(config, images=tuple(replace(image, affixes=_affixes(config, image)) for image in config.images))


def _affixes(config: Config, image: Image) -> Affixes:
    try:
        _, flavor = rules_for(config, image)
    except RuleError:  # which has been written down where it stands
        return Affixes()
    return Affixes(
        prefix=flavor.prefix.fixed or "",
        suffix=flavor.suffix.fixed or "",
        prefix_latest=flavor.prefix_latest,
        suffix_latest=flavor.suffix_latest,
    )


def check_sharing(config: Config, entries: Sequence[Cursor]) -> None:
    """Write down which images of one repository would get the same name.

    Args:
        config: whose images are affixed.
        entries: what the images are written as.

    """
    placed: dict[str, list[int]] = {}
    for number, image in enumerate(config.images):
        for template in config.templates(image) if image.release and image.name else ():
            placed.setdefault(fill_repository(template, name=image.name, owner="{owner}"), []).append(number)
    sharing = {number for numbers in placed.values() if len(numbers) > 1 for number in numbers}
    names = {number: _names(config, config.images[number]) for number in sorted(sharing)}
    told: set[tuple[int, int]] = set()
    for repository, numbers in placed.items():
        for one, other in combinations(numbers, 2):
            if one == other or (one, other) in told:
                continue
            clash = next((f"{tag}{when}" for tag, when in names[one] if (tag, when) in names[other]), "")
            if not clash:
                continue
            told.add((one, other))
            entry = entries[other]
            where = entry.quiet().entries()
            key = next((key for key in ("flavor", "repository", "name") if key in where), "name")
            entry.report(
                f"{show(config.images[one].name)} and {show(config.images[other].name)} would both be "
                f"{repository}:{clash}",
                accepted=ACCEPTED,
                key=f"{entry.key}.{key}",
                line=where[key].line,
            )


def _names(config: Config, image: Image) -> dict[tuple[str, str], None]:
    """List the names that an image would get, each with what tells when."""
    affixes = image.affixes
    names = {(f"{affixes.prefix}sha-...{affixes.suffix}", ""): None}
    for name, ref in _EVENTS:
        event = Event(name=name, ref=ref, default_branch="main", revision=_REVISION, committed=_TIME, now=_TIME)
        with suppress(RuleError):  # which has been written down where it stands
            tags = names_of(*rules_for(config, image), event).tags
            names |= dict.fromkeys((tag, f" (by a {name} of {ref})") for tag in tags)
    return names
