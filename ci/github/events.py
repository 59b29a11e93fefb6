"""Decides what an event on GitHub asks for: a check, or a release and the tags it moves."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci.core.errors import DrydockError
from ci.core.names import LATEST, check_tag
from ci.core.text import clean

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_PULL_REQUEST, _RELEASING = "pull_request", ("push", "workflow_dispatch")
_VERSION = re.compile(r"v[0-9].*", re.DOTALL)  # v1, v1.2.3, v1.2.3-rc.1; what a tag may hold, check_tag says
_SHOWN = 200  # characters of a value in a message


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What GitHub says of a run; whoever pushes a branch or a tag chooses the ref's text."""

    name: str  # GITHUB_EVENT_NAME
    ref: str  # GITHUB_REF, such as "refs/heads/main"
    default_branch: str  # such as "main"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do. Without tags to move, nothing is published."""

    why: str  # one sentence for the summary
    tags: tuple[str, ...] = ()  # to be moved after sha-…
    version: str | None = None  # of the software, for the labels

    @property
    def publish(self) -> bool:
        """Whether anything is published."""
        return bool(self.tags)


def decide(event: Event) -> Decision:
    """Say what an event asks for.

    A pull request, and any branch but the default one, is built and checked. The default branch is released as
    `latest`, a tag such as v1.2.3 as v1.2.3 with the label's version 1.2.3.

    Raises:
        DrydockError: the event or the ref is not one that this was made for; nothing may be published.

    """
    if event.name == _PULL_REQUEST:
        return Decision(why="A pull request is built and checked; nothing is published.")
    if event.name not in _RELEASING:
        raise DrydockError(
            f"The event {_shown(event.name)} has no meaning here, and nothing was published; "
            f"accepted: {', '.join((_PULL_REQUEST, *_RELEASING))}"
        )
    if event.ref.startswith(_TAGS):
        tag = event.ref.removeprefix(_TAGS)
        if not _VERSION.fullmatch(tag):
            raise DrydockError(
                f"The git tag {_shown(tag)} is not a version such as v1.2.3, and nothing was published; "
                "give versions tags that start with v and a digit"
            )
        check_tag(tag)
        return Decision(why=f"The version {tag} is to be released.", tags=(tag,), version=tag.removeprefix("v"))
    branch = event.ref.removeprefix(_HEADS)
    if branch == event.ref or not branch or not event.default_branch:
        raise DrydockError(
            f"The ref {_shown(event.ref)} with the default branch {_shown(event.default_branch)} is neither a branch "
            "nor a tag of a known repository, and nothing was published; give --ref and --default-branch as GitHub does"
        )
    if branch != event.default_branch:
        return Decision(
            why=f"Only {_shown(event.default_branch)} and versions are published; "
            f"the branch {_shown(branch)} is built and checked."
        )
    return Decision(why=f"The default branch {_shown(branch)} is to be released.", tags=(LATEST,))


def _shown(text: str) -> str:
    """Quote a text that somebody else chose."""
    return repr(clean(text[:_SHOWN]))
