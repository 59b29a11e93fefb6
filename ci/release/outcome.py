"""What a release came to: what the registry serves, and what became of every tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ci.build import Report
from ci.core.attestations import Attested
from ci.core.timeline import Row, merge_rows
from ci.release.inspected import PackageDiff

STAGING = "staging"  # what has an index of its own only when it is finished


class Change(StrEnum):
    """What became of one tag."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    MOVED = "moved"
    RESTORED = "restored"
    KEPT = "kept"  # not moved, on purpose
    NOT_WRITTEN = "not written"
    UNKNOWN = "unknown"
    AS_PROMISED = "as promised"  # of a verification
    DIFFERS = "differs"


@dataclass(frozen=True, kw_only=True, slots=True)
class TagOutcome:
    """One tag before and after."""

    repository: str
    tag: str
    before: str | None  # digest; None: there was no such tag
    after: str | None
    change: Change
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantFact:
    """What the registry serves for one variant."""

    variant: str
    digest: str
    size: int
    built: str = ""  # when it was, or when the commit was made that it was built from (RFC 3339)
    reused: str = ""  # the sha- tag of the commit it was built from, where that is not the release's own
    attested: Attested | None = None  # how it was made, and what is in it


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFact:
    """What one repository serves for one image."""

    image: str
    repository: str
    digest: str | None
    variants: tuple[VariantFact, ...] = ()


def differing(images: Sequence[ImageFact]) -> list[str]:
    """Say of which images not all repositories have the same."""
    problems = []
    for name in dict.fromkeys(image.image for image in images):
        found = {image.repository: image.digest for image in images if image.image == name and image.digest}
        if len(set(found.values())) > 1:
            each = ", ".join(f"{digest} in {repository}" for repository, digest in found.items())
            problems.append(f"{name} is not the same everywhere: {each}")
    return problems


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChanges:
    """What came, went and changed in a variant since an earlier release."""

    variant: str
    since: str  # the sha- tag of that one's commit
    diff: PackageDiff


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """What a release, a promotion or a verification came to."""

    what: str  # "release", "verification", "promotion", "preparation", "check", or STAGING
    images: tuple[ImageFact, ...] = ()
    tags: tuple[TagOutcome, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next: str = ""  # what to type, where something failed or is left to do
    named: bool = False  # whether the commit has its own tags: what failed of a release came after
    retries: int = 0
    seconds: float = 0.0
    rows: tuple[Row, ...] = ()  # what was done when
    changes: tuple[PackageChanges, ...] = ()  # since what the tags named before

    @property
    def ok(self) -> bool:
        """Whether everything is as it was promised."""
        return not self.problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What came of a build and of the release after it; either may have had no need to run."""

    built: Report | None = None
    released: Release | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(part.ok for part in (self.built, self.released) if part is not None)

    @property
    def rows(self) -> tuple[Row, ...]:
        """What was done when, of both."""
        return merge_rows(row for part in (self.built, self.released) if part is not None for row in part.rows)
