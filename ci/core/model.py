"""Values the pipeline passes from stage to stage: no behaviour beyond what they can say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ci.core.checks import TARGET, Service, SmokeCheck
from ci.core.findings import Acceptance
from ci.core.supply import Promised, ProvenanceMode, Require, Scan

# What a named context begins with, as bake writes it; any other is a folder of the source.
IMAGE_CONTEXT = "docker-image://"
TARGET_CONTEXT = TARGET


@dataclass(frozen=True, kw_only=True, slots=True)
class Affixes:
    """What an image puts around all of its tags, so that another image may have the same repository."""

    prefix: str = ""
    suffix: str = ""
    prefix_latest: bool = False  # whether it is put around `latest` too
    suffix_latest: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One image of the configuration."""

    name: str
    dockerfile: str  # relative to the source
    context: str  # relative to the source, "." for all of it
    platforms: tuple[str, ...]
    title: str | None = None
    description: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)  # the same for all platforms
    platform_args: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # besides these, by platform
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
    services: tuple[Service, ...] = ()  # beside it in checks; each reaches those before it
    smoke: tuple[SmokeCheck, ...] = ()
    smoke_reason: str | None = None  # why there is none
    labels: Mapping[str, str] = field(default_factory=dict)  # besides those that say what it is
    annotations: Mapping[str, str] = field(default_factory=dict)
    affixes: Affixes = field(default_factory=Affixes)  # of its flavor, as far as no event changes them
    release: bool = True  # whether it gets a name in a registry, or is only built for those that are built on it
    repositories: tuple[str, ...] = ()  # templates in place of the configuration's
    tags: tuple[str, ...] | None = None  # rules in place of the configuration's
    flavor: tuple[str, ...] = ()  # what holds for all of them, besides the configuration's
    sbom: str = ""  # reference of the image that lists its packages when it is released; "": none does

    @property
    def built_on(self) -> tuple[str, ...]:
        """The names of the images of the same configuration that are contexts of its build, each once."""
        targets = (value for value in self.contexts.values() if value.startswith(TARGET_CONTEXT))
        return tuple(dict.fromkeys(value.removeprefix(TARGET_CONTEXT) for value in targets))

    def arguments(self, platform: str) -> dict[str, str]:
        """Return the arguments of its build for a platform."""
        return {**self.build_args, **self.platform_args.get(platform, {})}

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the images of the same configuration that come before it: for its build, or for its checks."""
        targets = (service.target for service in self.services if service.target)
        return tuple(dict.fromkeys((*self.built_on, *targets)))


ENGINE = "engine"  # begins the name of the machine that the engine is on

REBUILD_AFTER = 7 * 86400  # seconds; what RUN fetches from the network is not older, unless told otherwise


class Compression(StrEnum):
    """How layers are compressed."""

    GZIP = "gzip"  # what everything that pulls images can read
    ZSTD = "zstd"  # see schema.ZSTD_NEEDS


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
class Runners:
    """The labels of the runners that a workflow builds on."""

    shared: tuple[str, ...] = ()  # of the one runner that builds for every platform; none: each has its own
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by platform, in place of GitHub's own


class Attest(StrEnum):
    """Whether every digest has to be attested, at GitHub or in its registry, before a tag names it."""

    REQUIRED = "required"
    OPTIONAL = "optional"  # the release says what is missing, and goes on
    OFF = "off"


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A whole configuration file."""

    repositories: tuple[str, ...]  # templates, such as "ghcr.io/acme/{name}"; the first one has the layer cache
    images: tuple[Image, ...]
    source: str | None = None  # URL of the source code, for the labels
    compression: Compression = Compression.GZIP
    cache: Cache = field(default_factory=Cache)
    accepted: tuple[Acceptance, ...] = ()  # findings of `validate` that are right as they are
    baseline: str | None = None  # a file of such findings, relative to the source
    rebuild_after: int | None = REBUILD_AFTER  # seconds that an image may be reused for; None: for ever
    tags: tuple[str, ...] | None = None  # rules by which an event names the images; None: the usual ones
    flavor: tuple[str, ...] = ()  # what holds for all of them
    runners: Runners = field(default_factory=Runners)
    attest: Attest | None = None  # None: required of a public repository, optional in a private one
    provenance: ProvenanceMode = ProvenanceMode.MAX
    require: Require = field(default_factory=Require)
    trusted_root: str = ""  # the text of a trusted_root.json, in place of that of the public Sigstore
    scans: tuple[Scan, ...] = ()  # of what is in each image, before it is released

    def templates(self, image: Image) -> tuple[str, ...]:
        """Return the templates of the repositories that an image goes to."""
        return image.repositories or self.repositories

    def promised(self, image: Image) -> Promised:
        """Return what a release attests of an image."""
        return Promised(provenance=self.provenance, generator=image.sbom, require=self.require)


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
    mark: str = ""  # of a version, where it is built differently from the same commit without one

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
    logs: Mapping[str, str] = field(default_factory=dict)  # the last lines of each service beside it, by name


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
class Stage:
    """One part of what was done for a variant or an image, and when."""

    name: str  # "build", "import", "smoke", "push", or another of ci.core.timeline.STAGES
    began: float  # seconds since 1970 in UTC, by the clock of the machine that ran it
    seconds: float
    detail: str = ""  # such as "7 of 9 steps cached"
    ok: bool = True

    @property
    def ended(self) -> float:
        """When it was over, as `began`."""
        return self.began + self.seconds


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
    stages: tuple[Stage, ...] = ()  # what was done for it, in order; what lies between two it waited
    machine: str = ""  # what built it, such as "engine (linux/amd64)"; nothing where it was not built
    emulated: tuple[str, ...] = ()  # which of its build and its smoke were by a processor of another platform

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures
