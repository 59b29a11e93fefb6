"""What a clean-up came to: what it keeps and why, what goes, and what became of that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Doomed:
    """A manifest that nothing refers to which stays."""

    digest: str
    tags: tuple[str, ...]  # that name it, and go with it
    made: str = ""  # as it says itself (RFC 3339)
    deleted: bool = False
    note: str = ""  # why it was left after all


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What became of one repository."""

    repository: str
    kept: tuple[tuple[str, str], ...] = ()  # each tag of a commit that stays, and why
    others: int = 0  # tags that no clean-up looks at
    manifests: int = 0  # that stay
    doomed: tuple[Doomed, ...] = ()  # in the order in which they go
    freed: int = 0  # bytes, if all of it goes


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaning:
    """What a clean-up came to."""

    dry: bool
    repositories: tuple[Pruned, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.problems
