"""Reads versions as git tags write them: Semantic Versioning, and Python's PEP 440."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

_NUMBER = r"(?:0|[1-9]\d*)"
_IDENTIFIER = rf"(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    rf"v?(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>{_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
_LONGEST = 256  # characters; node-semver reads no more
_GREATEST = 2**53 - 1  # and no greater number


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """A version, and what a pattern may ask of it."""

    words: Mapping[str, str]
    unstable: bool  # a pre-release, or what PEP 440 calls a post or a development release


SEMVER_WORDS = ("version", "major", "minor", "patch", "raw", "prerelease", "build")
PEP440_WORDS = ("version", "major", "minor", "patch", "raw")


def parse_semver(text: str) -> Parsed | None:
    """Read a version by Semantic Versioning, with or without a v; None where it is none."""
    found = _SEMVER.fullmatch(text) if len(text) <= _LONGEST else None
    if not found or any(int(found[part]) > _GREATEST for part in ("major", "minor", "patch")):
        return None
    parts = found.groupdict(default="")
    core = f"{parts['major']}.{parts['minor']}.{parts['patch']}"
    words = {
        **parts,
        "raw": text,
        "version": f"{core}-{parts['prerelease']}" if parts["prerelease"] else core,
        "prerelease": parts["prerelease"].replace(".", ","),
        "build": parts["build"].replace(".", ","),
    }
    return Parsed(words=words, unstable=bool(parts["prerelease"]))


def parse_pep440(text: str) -> Parsed | None:
    """Read a version by PEP 440; None where it is none."""
    try:
        version = Version(text)
    except InvalidVersion:
        return None
    local = f"+{version.local.replace('.', ',')}" if version.local else ""  # as the action's own library has it
    words = {
        "raw": text,
        "version": f"{version.public}{local}",
        "major": str(version.major),
        "minor": str(version.minor),
        "patch": str(version.micro),
    }
    return Parsed(words=words, unstable=version.is_prerelease or version.is_postrelease)


def compare_versions(one: str, other: str) -> int | None:
    """Say which of two versions is greater: 1, 0 or -1; None where one of them is no version.

    Args:
        one: by Semantic Versioning or PEP 440, with or without a v.
        other: the same.

    """
    if parse_semver(one) and parse_semver(other):
        left, right = _order(one), _order(other)
        return (left > right) - (left < right)
    try:
        return (Version(one) > Version(other)) - (Version(one) < Version(other))
    except InvalidVersion:
        return None


# Of a pre-release, numbers come before words; a release comes after all of its own. Source: semver.org, section 11.
_Order = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def _order(text: str) -> _Order:
    found = _SEMVER.fullmatch(text)
    assert found  # noqa: S101  # the caller has looked
    words = (found["prerelease"] or "").split(".") if found["prerelease"] else []
    parts = tuple((not word.isdigit(), int(word) if word.isdigit() else 0, word) for word in words)
    return int(found["major"]), int(found["minor"]), int(found["patch"]), not words, parts
