"""What came of building a released commit again."""

from __future__ import annotations

from dataclasses import dataclass

from ci.release.differences import FileDifferences


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerDifference:
    """One layer that is not the same."""

    released: str  # digest; empty where there is no such layer
    built: str
    number: int = 0  # from 1
    layers: int = 0  # how many the released image has
    step: str = ""  # what made it, as the history of the image says
    files: FileDifferences | None = None  # None where they could not be compared
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduced:
    """One variant, as it was released and as it was built again."""

    variant: str
    repository: str
    released: str  # digest
    built: str = ""  # empty where the build failed
    revision: str = ""  # the commit that it was built from
    documents: tuple[str, ...] = ()  # what manifest and configuration do not have in common
    layers: tuple[LayerDifference, ...] = ()
    problems: tuple[str, ...] = ()  # why it could not be built, or not be compared

    @property
    def same(self) -> bool:
        """Whether it came out as it was released."""
        return self.built == self.released


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """What came of all variants."""

    revision: str
    variants: tuple[Reproduced, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there is something, and all of it came out as it was released."""
        return bool(self.variants) and not self.problems and all(one.same for one in self.variants)
