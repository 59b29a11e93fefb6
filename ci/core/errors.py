"""The errors a user can meet, each with a message that stands alone: what, where, why, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from ci.core.findings import Finding
from ci.core.model import Failure


class DrydockError(Exception):
    """Base of every error that is the user's to mend; its text is all that is shown."""

    def __init__(self, text: str, *, line: int = 0) -> None:
        super().__init__(text)
        self.line = line  # of the file that it is about, from 1; 0 where it is about none


class ConfigError(DrydockError):
    """The configuration has mistakes; all of them are in `findings`."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        count = len(self.findings)
        head = f"{count} problem{'' if count == 1 else 's'} in the configuration"
        super().__init__("\n".join([head, *(f"  {finding}" for finding in self.findings)]))


class SelectionError(DrydockError):
    """`--only` or `--platforms` selects nothing, or names what does not exist."""


class PipelineError(DrydockError):
    """At least one variant failed; the text is the whole report."""


class BuildError(DrydockError):
    """A variant could not be built; `failure` says which step, where and why."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.reason)
