"""The smoke checks of an image: what each looks at, what it expects, and what runs beside the image meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class TextMatch:
    """What a text has to look like: every condition given must hold.

    `equals` compares after trailing white space is dropped, `contains` lists substrings,
    `excludes` lists substrings that must not occur, `matches` lists regular expressions that are searched for,
    `rejects` lists those that must not be found.
    """

    equals: str | None = None
    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    rejects: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCheck:
    """Run a command in the image and compare its exit code and output."""

    argv: tuple[str, ...]
    exit_code: int = 0
    stdout: TextMatch | None = None
    stderr: TextMatch | None = None
    deadline: float = 60.0  # seconds
    setup: tuple[tuple[str, ...], ...] = ()  # commands before it, whatever they exit with
    user: str | None = None  # in place of the image's


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpCheck:
    """Start the image as it would run, and ask it one HTTP GET until it answers as expected."""

    port: int
    path: str = "/"
    status: int = 200
    body: TextMatch | None = None
    redirects: int = 0  # that are followed
    headers: Mapping[str, str] = field(default_factory=dict)  # of the request
    response_headers: Mapping[str, TextMatch] = field(default_factory=dict)
    deadline: float = 60.0  # seconds for the port to open, and as many for the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class TcpCheck:
    """Start the image as it would run, and wait until a port is open."""

    port: int
    deadline: float = 60.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class GrpcCheck:
    """Start the image as it would run, and ask its grpc.health.v1 service until it says SERVING."""

    port: int
    service: str = ""  # all of the server
    deadline: float = 60.0  # seconds for the port to open, and as many for the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCheck:
    """Look at one path of the image's file system."""

    path: str
    exists: bool = True
    mode: int | None = None  # permission bits, such as 0o755 or 0o4755
    content: TextMatch | None = None
    follow: bool = True  # a link, to what it leads to
    permissions: str | None = None  # as Go writes them, such as "-rwxr-xr-x"
    uid: int | None = None
    gid: int | None = None
    executable_by: str | None = None  # "owner", "group", "other", "any"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A variable or label, and the value it has to have."""

    name: str
    value: str
    pattern: bool = False  # whether the value is a regular expression that is searched for


@dataclass(frozen=True, kw_only=True, slots=True)
class MetadataCheck:
    """Compare the image's configuration as a structure test does; None means: not compared."""

    env: tuple[Setting, ...] = ()
    env_unset: tuple[str, ...] = ()
    labels: tuple[Setting, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    workdir: str | None = None
    user: str | None = None
    ports: tuple[str, ...] = ()  # numbers alone, such as "8000"
    ports_unset: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    volumes_unset: tuple[str, ...] = ()


StartedCheck = HttpCheck | TcpCheck | GrpcCheck
Check = RunCheck | StartedCheck | FileCheck | ConfigCheck | MetadataCheck


@dataclass(frozen=True, kw_only=True, slots=True)
class SmokeCheck:
    """One named check, the platforms it runs on (none given: all of the image's), and what surrounds the image."""

    name: str
    check: Check
    platforms: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)  # of the image or the command, besides the image's own
    services: tuple[str, ...] = ()  # the names of those that are beside it
    # Of a structure test: $NAME means the image's variables and these. None: $NAME is a text like any other.
    expands: Mapping[str, str] | None = None


# What a service's image begins with where it is another image of the configuration, as in a context.
TARGET = "target:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """What an image needs beside it while it is checked."""

    name: str  # the host name it is reached by
    image: str  # a reference, or "target:IMAGE"
    port: int  # that is waited for
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None  # in place of the image's, behind its entrypoint
    platform: str | None = None  # None: the engine's own; a target has that of the image that is checked
    deadline: float = 60.0  # seconds for the port to open

    @property
    def target(self) -> str:
        """The image of the same configuration that it is; nothing where it comes from a registry."""
        return self.image.removeprefix(TARGET) if self.image.startswith(TARGET) else ""
