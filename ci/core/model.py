"""Values the pipeline passes from stage to stage: no behaviour beyond what they can say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ci.core.findings import Acceptance


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


# What a named context begins with, as bake writes it; any other is a folder of the source.
IMAGE_CONTEXT = "docker-image://"
TARGET_CONTEXT = "target:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One image of the configuration."""

    name: str
    dockerfile: str  # relative to the source
    context: str  # relative to the source, "." for all of it
    platforms: tuple[str, ...]
    title: str | None = None
    description: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()  # names of agents that RUN --mount=type=ssh asks for
    contexts: Mapping[str, str] = field(default_factory=dict)  # "docker-image://REF", "target:IMAGE", or a folder
    network: str | None = None  # of RUN: "none" or "host"
    extra_hosts: Mapping[str, str] = field(default_factory=dict)  # address by name
    shm_size: int | None = None  # bytes
    ulimits: tuple[str, ...] = ()  # such as "nofile=1024:2048"
    git: bool = False  # whether its build is given .git, where the ignore file lets it
    generated: tuple[str, ...] = ()  # paths and patterns in the source that a step makes before the build
    budget: int | None = None  # bytes, compressed, each variant
    smoke: tuple[SmokeCheck, ...] = ()
    smoke_reason: str | None = None  # why there is none
    repositories: tuple[str, ...] = ()  # templates in place of the configuration's

    @property
    def built_on(self) -> tuple[str, ...]:
        """The names of the images of the same configuration that are contexts of its build, each once."""
        targets = (value for value in self.contexts.values() if value.startswith(TARGET_CONTEXT))
        return tuple(dict.fromkeys(value.removeprefix(TARGET_CONTEXT) for value in targets))


REBUILD_AFTER = 7 * 86400  # seconds; what RUN fetches from the network is not older, unless told otherwise


class Compression(StrEnum):
    """How layers are compressed."""

    GZIP = "gzip"
    ZSTD = "zstd"


class CacheMode(StrEnum):
    """What is done with the layer cache in a registry."""

    OFF = "off"
    READ = "read"
    WRITE = "write"  # and read


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """The layer cache that a release leaves for later builds."""

    mode: CacheMode = CacheMode.WRITE  # the most that is done: pull requests and build-all read at most
    repository: str | None = None  # template of its repository; None: the first of the image's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A whole configuration file."""

    repositories: tuple[str, ...]  # templates, such as "ghcr.io/acme/{name}"; the first one has the layer cache
    images: tuple[Image, ...]
    source: str | None = None  # URL of the source code, for the labels
    compression: Compression = Compression.ZSTD
    cache: Cache = field(default_factory=Cache)
    accepted: tuple[Acceptance, ...] = ()  # findings of `validate` that are right as they are
    baseline: str | None = None  # a file of such findings, relative to the source
    rebuild_after: int | None = REBUILD_AFTER  # seconds that an image may be reused for; None: for ever

    def templates(self, image: Image) -> tuple[str, ...]:
        """Return the templates of the repositories that an image goes to."""
        return image.repositories or self.repositories


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One image on one platform: what is built, smoked and pushed."""

    image: Image
    platform: str

    def __str__(self) -> str:
        return f"{self.image.name}@{self.platform}"

    @property
    def checks(self) -> tuple[SmokeCheck, ...]:
        """The smoke checks that run on this platform, in the order of the configuration."""
        return tuple(c for c in self.image.smoke if not c.platforms or self.platform in c.platforms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What will be built, in order."""

    config: Config
    variants: tuple[Variant, ...]
    revision: str | None = None  # full commit id, where known

    @property
    def images(self) -> tuple[Image, ...]:
        """The images that have at least one variant in the plan, each once, in order."""
        return tuple(i for i in self.config.images if any(v.image.name == i.name for v in self.variants))


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a step failed: enough for the report to name what, where and why."""

    step: str  # "build", "smoke: <check>", "budget", "size"
    reason: str  # one sentence, or expected and actual
    command: str | None = None
    exit_code: int | None = None
    stderr: str | None = None  # the last lines


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSteps:
    """What BuildKit had to do for a variant, when it was built."""

    total: int = 0  # steps of the Dockerfile, but FROM
    cached: int = 0
    sources: tuple[str, ...] = ()  # references of the layer caches that were read
    import_seconds: float = 0.0
    export_seconds: float = 0.0  # of the layer cache
    problems: tuple[str, ...] = ()  # why a cache was not read or not written


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of one variant."""

    variant: Variant
    build_seconds: float
    smoke_seconds: float = 0.0
    smoke_passed: int = 0
    smoke_total: int = 0
    size: int | None = None  # bytes, compressed; None where it was not measured
    steps: BuildSteps | None = None  # None where it was not built
    failures: tuple[Failure, ...] = ()
    reused: str = ""  # the sha- tag of the release it was taken from: neither built nor checked again

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures
