"""What is wrong at a place in a file, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: only errors fail a validation."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing, and what to do about it."""

    severity: Severity
    file: str  # relative to the source
    line: int  # from 1
    rule: str  # such as "base-unpinned", or "hadolint/DL3008"
    message: str  # what is wrong, with the bad value
    remedy: str = ""
    # Of a value in the configuration:
    key: str = ""  # such as "images[0].platforms[1]"; "" for the whole file
    accepted: str = ""  # what would be right
    nearest: str = ""  # the accepted value closest to the bad one

    @property
    def place(self) -> str:
        """Where it is, as editors and terminals link it."""
        return f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """The message, behind the key that it is about."""
        return f"{self.key}: {self.message}" if self.key else self.message

    def __str__(self) -> str:
        text = f"{self.place}: {self.text}"
        if self.accepted:
            text += f"; accepted: {self.accepted}"
        if self.nearest:
            text += f"; did you mean {self.nearest!r}?"
        return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """What the configuration says is right as it is."""

    rule: str  # its name, or the beginning of names and a star: "hadolint/*"
    reason: str
    line: int  # in the configuration
    files: tuple[str, ...] = ()  # patterns; none: wherever it is found


def error(file: str, line: int, rule: str, message: str, remedy: str = "") -> Finding:
    """Make a finding that fails the validation."""
    return Finding(severity=Severity.ERROR, file=file, line=line, rule=rule, message=message, remedy=remedy)


def mistake(file: str, line: int, key: str, message: str, *, accepted: str = "", nearest: str = "") -> Finding:
    """Make an error about a value in the configuration that is not accepted."""
    close = f"Did you mean {nearest!r}?" if nearest else ""
    options = f"Accepted: {accepted}." if accepted else ""
    return Finding(
        severity=Severity.ERROR,
        file=file,
        line=line,
        rule="config",
        message=message,
        remedy=" ".join(filter(None, (close, options))) or "See what the configuration takes in the documentation.",
        key=key,
        accepted=accepted,
        nearest=nearest,
    )


def warning(file: str, line: int, rule: str, message: str, remedy: str = "") -> Finding:
    """Make a finding that should be looked at, and fails nothing."""
    return Finding(severity=Severity.WARNING, file=file, line=line, rule=rule, message=message, remedy=remedy)


def note(file: str, line: int, rule: str, message: str, remedy: str = "") -> Finding:
    """Make a finding that is worth knowing."""
    return Finding(severity=Severity.NOTE, file=file, line=line, rule=rule, message=message, remedy=remedy)
