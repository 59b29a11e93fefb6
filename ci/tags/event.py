"""What is known of the event that a run is for, as GitHub says it; nothing else decides which names it gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_HEADS, _TAGS, _PULLS = "refs/heads/", "refs/tags/", "refs/pull/"
_SHORT = 7  # digits of a commit in a name


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What GitHub says of a run; whoever pushes a branch or a tag chooses the ref's text."""

    name: str  # GITHUB_EVENT_NAME
    ref: str  # GITHUB_REF, such as "refs/heads/main"
    default_branch: str = ""  # such as "main"
    base_ref: str = ""  # of a pull request: the branch it is for; of a pushed tag: what GitHub takes it to be from
    prerelease: bool = False  # of the event release: whether it is marked as one
    revision: str = ""  # the whole commit id
    committed: datetime | None = None  # None: `now` stands for it
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)  # when the run began

    @property
    def branch(self) -> str:
        """The branch; empty where the ref is none."""
        return self.ref.removeprefix(_HEADS) if self.ref.startswith(_HEADS) else ""

    @property
    def tag(self) -> str:
        """The git tag; empty where the ref is none."""
        return self.ref.removeprefix(_TAGS) if self.ref.startswith(_TAGS) else ""

    @property
    def pull_request(self) -> str:
        """The number of the pull request; empty where the ref is of none."""
        return self.ref.removeprefix(_PULLS).removesuffix("/merge") if self.ref.startswith(_PULLS) else ""

    @property
    def base(self) -> str:
        """The branch that a pull request, or a tag, is based on; empty for a branch."""
        return self.base_ref.removeprefix(_HEADS) if self.tag or self.pull_request else ""

    @property
    def short(self) -> str:
        """The beginning of the commit id."""
        return self.revision[:_SHORT]

    @property
    def on_default_branch(self) -> bool:
        """Whether it is about the default branch; a schedule always is."""
        if not self.ref.removeprefix(_HEADS):
            return False
        return self.name == "schedule" or self.ref.removeprefix(_HEADS) == self.default_branch
