"""The smoke checks of an image: what each looks at, and what it expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class TextMatch:
    """What a text has to look like: every condition given must hold.

    `equals` compares after trailing white space is dropped, `contains` lists substrings,
    `excludes` lists substrings that must not occur, `matches` is a regular expression searched for.
    """

    equals: str | None = None
    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    matches: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCheck:
    """Run a command in the image and compare its exit code and output."""

    argv: tuple[str, ...]
    exit_code: int = 0
    stdout: TextMatch | None = None
    stderr: TextMatch | None = None
    deadline: float = 60.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpCheck:
    """Start the image as it would run, and ask it one HTTP GET until it answers as expected."""

    port: int
    path: str = "/"
    status: int = 200
    body: TextMatch | None = None
    deadline: float = 60.0  # seconds for the port to open, and as many for the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCheck:
    """Look at one path of the image's file system."""

    path: str
    exists: bool = True
    mode: int | None = None  # permission bits, such as 0o755
    content: TextMatch | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigCheck:
    """Compare the image's configuration; None means: not compared."""

    user: str | None = None
    entrypoint: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] | None = None  # "8000/tcp"
    healthcheck: bool | None = None  # declared or not
    architecture: str | None = None  # "amd64", "arm64"


Check = RunCheck | HttpCheck | FileCheck | ConfigCheck


@dataclass(frozen=True, kw_only=True, slots=True)
class SmokeCheck:
    """One named check, and the platforms it runs on (none given: all of the image's)."""

    name: str
    check: Check
    platforms: tuple[str, ...] = ()
