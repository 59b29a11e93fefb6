"""Tells which files of a context a .dockerignore leaves out, as BuildKit does: the last pattern that matches counts."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from ci.core.findings import Finding, error, warning
from ci.core.text import show

_SLASH = "Delete the line, or write * to leave everything out: a slash at the beginning or the end means nothing."


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """One line of a .dockerignore."""

    line: int
    text: str  # as it is written
    path: str  # without needless parts and the slash at its beginning
    keep: bool  # written with !: brings back what an earlier pattern left out
    expression: re.Pattern[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnoreFile:
    """A whole .dockerignore."""

    patterns: tuple[Pattern, ...] = ()
    faults: tuple[Finding, ...] = ()  # the lines that are no pattern
    remarks: tuple[Finding, ...] = ()  # the lines that do nothing
    _seen: dict[str, tuple[bool, ...]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def excludes(self) -> list[str]:
        """The patterns as the engine's Directory.filter takes them."""
        return [f"!{pattern.path}" if pattern.keep else pattern.path for pattern in self.patterns]

    def excluded_by(self, path: str) -> Pattern | None:
        """Find the pattern that leaves a path out; None where it stays."""
        last: Pattern | None = None
        for pattern, matched in zip(self.patterns, self._matches(path), strict=True):
            if matched:
                last = None if pattern.keep else pattern
        return last

    def brings_back(self, path: str) -> Pattern | None:
        """Find the line that asks by ! for a path, or for something in it; None where no line does."""
        kept = (p for p in self.patterns if p.keep and (p.path == path or p.path.startswith(f"{path}/")))
        return next((p for p in kept if not self.excluded_by(p.path)), None)

    def _matches(self, path: str) -> tuple[bool, ...]:
        """Say of each pattern whether it matches a path or a folder above it."""
        if not path or path == ".":
            return (False,) * len(self.patterns)
        if path not in self._seen:
            above = self._matches(posixpath.dirname(path))
            self._seen[path] = tuple(
                up or bool(p.expression.fullmatch(path)) for up, p in zip(above, self.patterns, strict=True)
            )
        return self._seen[path]


def ignore_files(dockerfile: str, context: str) -> tuple[str, str]:
    """Name the ignore files that a build looks for: the first that exists counts, even an empty one.

    Source: BuildKit, frontend/dockerui/config.go, ReadEntrypoint and dockerIgnorePatterns.

    Args:
        dockerfile: the path of the Dockerfile in the source.
        context: the path of the build context in the source.

    """
    return f"{dockerfile}.dockerignore", posixpath.normpath(posixpath.join(context, ".dockerignore"))


def parse_ignore(text: str, *, file: str = ".dockerignore") -> IgnoreFile:
    """Read a .dockerignore; what is no pattern is in `faults`.

    Args:
        text: the ignore file.
        file: the path of the ignore file in the source, for the faults.

    """
    patterns: list[Pattern] = []
    faults: list[Finding] = []
    remarks: list[Finding] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if not line or raw.startswith("#"):
            continue
        keep = line.startswith("!")
        bare = line[1:].strip() if keep else line
        path = posixpath.normpath(bare).lstrip("/") if bare else ""
        try:
            expression = glob_expression(path)
        except ValueError:
            expression = None
        if bare.startswith("/") and not path:
            remarks.append(warning(file, number, "dockerignore-slash", f"{show(line)} leaves nothing out", _SLASH))
        elif expression is None or not path:
            remedy = "Close the bracket, or put a backslash before it." if "[" in line else "Write a path behind it."
            faults.append(error(file, number, "dockerignore-pattern", f"{show(line)} is no pattern", remedy))
        elif path != ".":  # which BuildKit passes over
            patterns.append(Pattern(line=number, text=line, path=path, keep=keep, expression=expression))
    return IgnoreFile(patterns=tuple(patterns), faults=tuple(faults), remarks=tuple(remarks))


def glob_expression(pattern: str) -> re.Pattern[str]:
    """Turn a pattern with *, **, ? and [...] into a regular expression for whole paths.

    Raises:
        ValueError: a bracket is not closed, or holds no range.

    """
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            at += 3
        elif rest.startswith("**"):
            parts.append(".*")
            at += 2
        elif rest[0] == "[":
            end = pattern.find("]", at + 2)
            if end < 0:
                raise ValueError(pattern)
            inside = pattern[at + 1 : end]
            negated = inside.startswith("^")
            body = re.sub(r"([\[\\&~|])", r"\\\1", inside.removeprefix("^"))
            parts.append(f"(?!/)[{'^' if negated else ''}{body}]")
            at = end + 1
        elif rest[0] == "\\" and len(rest) > 1:
            parts.append(re.escape(rest[1]))
            at += 2
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0]) or re.escape(rest[0]))
            at += 1
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error as error:
        raise ValueError(pattern) from error
