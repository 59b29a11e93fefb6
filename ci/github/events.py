"""Decides what an event on GitHub asks for: a check, or a release and the names that the rules give each image."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ci.core.errors import DrydockError
from ci.core.model import Image, Plan
from ci.core.names import LATEST, check_tag, image_tag, own_tag, utc_text
from ci.core.text import clean
from ci.core.values import Values
from ci.tags import Event, Names, names_of, rules_for

_CHECKING = {
    "pull_request": "A pull request is built and checked; nothing is published.",
    "merge_group": "What waits in the merge queue is built and checked; nothing is published.",
}
SCHEDULE = "schedule"
_RELEASING = ("push", "release", SCHEDULE, "workflow_dispatch", "workflow_call", "repository_dispatch")
ACCEPTED = (*_CHECKING, *_RELEASING)
_REFUSED = {
    "pull_request_target": "it runs what a stranger wrote with this repository's secrets; use pull_request",
    "workflow_run": "it runs for what another workflow did, with this repository's secrets; call this workflow instead",
}
_SHOWN = 200  # characters of a value in a message
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # git allows them in no ref
_OF_COMMIT = re.compile(r"sha-(?P<revision>[0-9a-f]{7,64})(?![0-9a-zA-Z])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do: to check, or to publish under the commit's own tag and others."""

    why: str  # one sentence for the summary
    publish: bool = False
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)  # to be moved after sha-…, by image
    version: str | None = None  # of the software, for the labels
    notes: tuple[str, ...] = ()  # why a rule gives no name


def decide(event: Event, plan: Plan) -> Decision:
    """Say what an event asks for.

    A pull request, and what waits in a merge queue, is built and checked. Everything else is released under the names
    that the rules give, or, where they give none, built and checked too.

    Raises:
        DrydockError: the event or the ref is not one that this was made for, or a name is not legal; nothing may be
            published.

    """
    if why := _CHECKING.get(event.name):
        return Decision(why=why)
    if event.name not in _RELEASING:
        reason = f"{_REFUSED[event.name]}; " if event.name in _REFUSED else ""
        raise DrydockError(
            f"The event {_shown(event.name)} has no meaning here, and nothing was published; "
            f"{reason}accepted: {', '.join(ACCEPTED)}"
        )
    known = event.tag or (event.branch and event.default_branch)
    if not known or _CONTROL.search(event.ref):
        raise DrydockError(
            f"The ref {_shown(event.ref)} with the default branch {_shown(event.default_branch)} is neither a branch "
            "nor a tag of a known repository, and nothing was published; give --ref and --default-branch as GitHub does"
        )
    named = {image.name: name_image(event, plan, image) for image in plan.images}
    what = f"the tag {_shown(event.tag)}" if event.tag else f"the branch {_shown(event.branch)}"
    what = f"{what}, on the event {event.name}," if event.name != "push" else what
    notes = tuple(dict.fromkeys(note for names in named.values() for note in names.notes))
    if not any(names.tags for names in named.values()):
        why = f"No rule for tags gives {what} a name: it is built and checked, and nothing is published."
        return Decision(why=why, notes=notes)
    own = {image.name: own_tag(image, event.revision) if event.revision else "" for image in plan.images}
    return Decision(
        why=f"{what[0].upper()}{what[1:]} is to be released.",
        publish=True,
        tags={name: tuple(tag for tag in names.tags if tag != own[name]) for name, names in named.items()},
        version=next((names.version for names in named.values() if names.tags and names.version), None),
        notes=notes,
    )


def values_of(event: Event, decision: Decision, *, owner: str | None) -> Values:
    """Say what the texts of the configuration are told of an event."""
    return Values(
        revision=event.revision or None,
        created=utc_text(event.committed) if event.committed else "",
        ref=event.ref,
        version=decision.version or "",
        owner=owner or "",
    )


def name_image(event: Event, plan: Plan, image: Image) -> Names:
    """Say how the rules name an image on an event, as it is spelled in its repositories; `latest` comes last.

    Raises:
        DrydockError: a name is not legal, or marks another commit.

    """
    rules, flavor = rules_for(plan.config, image)
    names = names_of(rules, flavor, event)
    tags = [_checked(check_tag(tag), event) for tag in names.tags]
    last = image_tag(image, LATEST)
    ordered = (*(tag for tag in tags if tag != last), *(tag for tag in tags if tag == last))
    return Names(tags=ordered, version=names.version, notes=names.notes)


def _checked(tag: str, event: Event) -> str:
    """Refuse a name that marks a commit, unless it is this one."""
    found = _OF_COMMIT.match(tag)
    if found and not event.revision.startswith(found["revision"]):
        raise DrydockError(
            f"The tag {_shown(tag)}, which a rule gives, marks the commit {found['revision']}, and this is "
            f"{event.revision or 'of an unknown one'}; nothing was published. Give the rule another prefix"
        )
    return tag


def _shown(text: str) -> str:
    """Quote a text that somebody else chose."""
    return repr(clean(text[:_SHOWN]))
