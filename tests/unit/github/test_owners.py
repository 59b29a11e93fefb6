"""What 16 public repositories release today, held against what their owners' configurations would release here.

`owners/NAME.yaml` is the configuration, written by hand. `owners/NAME.theirs.yaml` is what their own workflow builds
and pushes on each event, read in the commit that it names, with what differs and why. The table of all:

    python -m tests.unit.github.test_owners
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.config import list_repositories, parse_config, plan_build
from ci.core.model import Plan
from ci.core.text import columns
from ci.github.preview import preview_event
from ci.tags import Event

FOLDER = Path(__file__).parent / "owners"
ROOT = Path(__file__).resolve().parents[3]
THEIRS = ".theirs.yaml"
OWNERS = sorted(path.name.removesuffix(THEIRS) for path in FOLDER.glob(f"*{THEIRS}"))
REVISION = "0123456789abcdef0123456789abcdef01234567"
COMMITTED = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = datetime(2026, 2, 1, 0, 30, tzinfo=UTC)
OWN = re.compile(r"(?:^|.*-)?sha-0123456(?:-|$).*")  # what marks the commit is Drydock's, and left out

Names = frozenset[str]  # whole references
Values = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One event of an owner: what their workflow does, and what is expected to differ here."""

    owner: str
    event: Event
    note: str
    pushed: Names
    arguments: Mapping[str, Values]  # by image, or by image@platform
    labels: Mapping[str, Values]
    missing: Names  # of what they push
    extra: Names
    ours: Values = field(default_factory=dict)  # arguments and labels of other values
    why: str = ""

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.owner}: {self.event.name} {self.event.ref}{note}"


def read(owner: str) -> dict[str, Any]:
    """Read what an owner's own workflow does."""
    # This loader makes texts and nothing else: 1.10 is no number, and a time no time.
    found: dict[str, Any] = yaml.load((FOLDER / f"{owner}{THEIRS}").read_text(), yaml.BaseLoader)  # noqa: S506
    return found


def cases(owner: str) -> Iterator[Case]:
    """List the events of an owner."""
    known = read(owner)
    for entry in known["events"]:
        differs = entry.get("differs", {})
        name, _, ref = entry["event"].partition(" ")
        yield Case(
            owner=owner,
            event=Event(
                name=name,
                ref=ref,
                default_branch=known["default-branch"],
                revision=REVISION,
                committed=COMMITTED,
                now=NOW,
            ),
            note=entry.get("note", ""),
            pushed=_names(known, entry["pushes"]),
            arguments=entry.get("arguments", {}),
            labels=entry.get("labels", {}),
            missing=_names(known, differs.get("missing", {})),
            extra=_names(known, differs.get("extra", {})),
            ours=differs.get("arguments", {}) | differs.get("labels", {}),
            why=differs.get("why", ""),
        )


def _names(known: Mapping[str, Any], pushes: Mapping[str, str]) -> Names:
    groups: Mapping[str, list[str]] = known.get("repositories", {})
    return frozenset(
        f"{repository}:{tag}"
        for place, tags in pushes.items()
        for repository in groups.get(place, [place])
        for tag in tags.split()
        if not OWN.fullmatch(tag)
    )


def plan_of(owner: str) -> Plan:
    """Read an owner's configuration."""
    return plan_build(parse_config((FOLDER / f"{owner}.yaml").read_text(), file=f"{owner}.yaml"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """What comes of an event: all names, and the asked arguments and labels of builds."""

    names: Names
    arguments: Mapping[str, Values]
    labels: Mapping[str, Values]


def expected(case: Case) -> Release:
    """Say what is to come of an event: what comes of it today, but for what is known to differ."""
    return Release(
        names=case.pushed - case.missing | case.extra,
        arguments=_changed(case.arguments, case.ours),
        labels=_changed(case.labels, case.ours),
    )


def _changed(asked: Mapping[str, Values], ours: Values) -> dict[str, dict[str, str]]:
    return {place: {key: ours.get(key, text) for key, text in one.items()} for place, one in asked.items()}


def found(case: Case, plan: Plan | None = None) -> Release:
    """Say what would come of an event here, by the owner's configuration or another one."""
    plan, owner = plan or plan_of(case.owner), read(case.owner).get("owner")
    made = preview_event(case.event, plan, list_repositories(plan, (), owner), owner=owner)
    images = {image.name: image for image in made.plan.config.images}
    arguments, labels = {}, {}
    for place, asked in case.arguments.items():
        name, _, platform = place.partition("@")
        told = images[name].arguments(platform)
        arguments[place] = {key: told.get(key, "") for key in asked}
    for name, asked in case.labels.items():
        labels[name] = {key: images[name].labels.get(key, "") for key in asked}
    names = frozenset(f"{where}:{tag}" for _, where, tags in made.names for tag in tags if not OWN.fullmatch(tag))
    return Release(names=names, arguments=arguments, labels=labels)


ALL = [case for owner in OWNERS for case in cases(owner)]


@pytest.mark.parametrize("owner", OWNERS)
def test_every_image_that_an_owner_builds_is_in_the_configuration(owner: str) -> None:
    ours = {
        image.name: [image.dockerfile, image.target or "", *sorted(image.platforms)]
        for image in plan_of(owner).config.images
    }
    theirs = {
        name: [dockerfile, target, *sorted(platforms)]
        for name, (dockerfile, target, platforms) in read(owner)["builds"].items()
    }
    assert ours == theirs
    assert {image.context for image in plan_of(owner).config.images} == {"."}


@pytest.mark.parametrize("owner", OWNERS)
def test_no_build_is_told_more_or_less_than_today(owner: str) -> None:
    images = plan_of(owner).config.images
    ours = {key for image in images for platform in image.platforms for key in image.arguments(platform)}
    assert ours == {key for case in cases(owner) for one in case.arguments.values() for key in one}


@pytest.mark.parametrize("case", ALL, ids=str)
def test_an_event_releases_what_it_releases_today(case: Case) -> None:
    assert found(case) == expected(case)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_what_differs_does_and_has_a_reason(case: Case) -> None:
    assert case.missing <= case.pushed
    assert not case.extra & case.pushed
    told = [pair for one in (*case.arguments.values(), *case.labels.values()) for pair in one.items()]
    assert case.ours.keys() <= {key for key, _ in told}
    assert not [key for key, text in told if case.ours.get(key) == text]
    assert bool(case.why) == bool(case.missing or case.extra or case.ours)


def test_the_example_of_the_documentation_is_one_of_them() -> None:
    page = (ROOT / "docs/coming-from-actions.md").read_text()
    plan = plan_build(parse_config(page.partition("```yaml images\n")[2].partition("```")[0], file="example"))
    for case in cases("miniflux"):
        assert found(case, plan) == expected(case)


def test_the_documentation_has_the_numbers() -> None:
    page = (ROOT / "docs/adopting.md").read_text()
    for line in table().partition("\n\n")[0].splitlines()[1:]:
        *numbers, wrong = line.split()
        assert wrong == "0"
        assert f"| {' | '.join(numbers)} |" in page


def test_all_of_them_are_held_against_it() -> None:
    assert len({owner.removesuffix("-edge") for owner in OWNERS}) == 16
    assert {case.event.name for case in ALL} >= {"push", "release", "schedule", "workflow_dispatch", "pull_request"}


def table() -> str:
    """Write a line for each configuration, the sum, and what differs."""
    counted: list[tuple[str, list[int]]] = []
    reasons: list[str] = []
    for owner in OWNERS:
        plan, own = plan_of(owner), [*cases(owner)]
        places = {where for listed in list_repositories(plan, (), None).values() for where in listed}
        wrong = [case for case in own if found(case) != expected(case)]
        differ = [case for case in own if case.why and case not in wrong]
        same = len(own) - len(wrong) - len(differ)
        counted.append((owner, [len(plan.images), len(places), len(own), same, len(differ), len(wrong)]))
        reasons += [f"{case}: {case.why}" for case in differ] + [f"{case}: WRONG" for case in wrong]
    counted.append(("all", [sum(column) for column in zip(*(numbers for _, numbers in counted), strict=True)]))
    head = ("OWNER", "IMAGES", "REPOSITORIES", "EVENTS", "RIGHT", "DIFFER", "WRONG")
    rows = [head, *((owner, *map(str, numbers)) for owner, numbers in counted)]
    return "\n".join([columns(rows, right=frozenset(range(1, len(head)))), "", *reasons])


if __name__ == "__main__":
    print(table())
