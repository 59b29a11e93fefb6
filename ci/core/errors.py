"""The errors a user can meet, each with a message that stands alone: what, where, why, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DrydockError(Exception):
    """Base of every error that is the user's to mend; its text is all that is shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake in the configuration."""

    file: str
    line: int  # from 1
    key: str  # such as "images[0].platforms[1]"; "" for the whole file
    message: str  # what is wrong, with the bad value
    accepted: str = ""  # what would be right
    nearest: str = ""  # the accepted value closest to the bad one

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        text = f"{self.file}:{self.line}:{key} {self.message}"
        if self.accepted:
            text += f"; accepted: {self.accepted}"
        if self.nearest:
            text += f"; did you mean {self.nearest!r}?"
        return text


class ConfigError(DrydockError):
    """The configuration has mistakes; all of them are in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{count} problem{'' if count == 1 else 's'} in the configuration"
        super().__init__("\n".join([head, *(f"  {p}" for p in self.problems)]))


class SelectionError(DrydockError):
    """`--only` or `--platforms` selects nothing, or names what does not exist."""


class PipelineError(DrydockError):
    """At least one variant failed; the text is the whole report."""
