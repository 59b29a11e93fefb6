"""What a configuration says of the supply chain: what is attested of an image, and what a release insists on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate

# Writes SBOMs by BuildKit's protocol. The version is of 2026-08; the digest is that of its index on Docker Hub.
GENERATOR = (
    "docker/buildkit-syft-scanner:1.12.0@sha256:ae4f3b554449e7e25548e7d8ccc029d17357348e30c6e3df01b92bc93654d6a9"
)


class ProvenanceMode(StrEnum):
    """How much a release says of how an image was made."""

    MAX = "max"  # with the arguments, the Dockerfile and each step
    MIN = "min"  # commit and base images
    OFF = "off"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """Who has to have signed what a release names; where neither a key nor an identity is, a workflow of its source."""

    by: tuple[str, ...] = ()  # patterns of identities, such as "https://github.com/acme/app/.github/workflows/*"
    issuer: str = ""  # who vouches for these identities
    key: str = ""  # a public key, as PEM


def issuer_of(repository: str) -> str:
    """Name who tells the identities of GitHub's runs: on github.com, or on a host of its own.

    Args:
        repository: its address, such as https://github.com/acme/app.

    """
    host = repository.partition("://")[2].partition("/")[0]
    return f"https://token.actions.{'githubusercontent.com' if host == 'github.com' else host}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Require:
    """What a release insists on, of what was released before too."""

    provenance: bool = False
    sbom: bool = False
    signed: Signed | None = None  # None: by nobody
    base_age: int | None = None  # seconds that a base image may be old
    reproducible: bool = False  # that what is built comes out the same when it is built a second time, from nothing
    without: tuple[str, ...] = ()  # packages that may not be there: names, or patterns, as in deb/curl or *-dev


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """A program of the user's choice that judges an SBOM by its exit code."""

    image: str  # reference
    run: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Promised:
    """What has to be attested of an image."""

    provenance: ProvenanceMode = ProvenanceMode.OFF
    generator: str = ""  # reference of the image that lists packages; "" where none does
    require: Require = field(default_factory=Require)
    before: bool = False  # whether an earlier release made it: what it lacks is said, and is a fault where required

    @property
    def any(self) -> bool:
        """Whether anything is; an SBOM comes with a little provenance."""
        return bool(self.generator) or self.provenance is not ProvenanceMode.OFF


def match_package(pattern: str, name: str, kind: str) -> bool:
    """Tell whether a package is meant by a name or a pattern.

    Args:
        pattern: such as "curl", "*-dev" or "deb/curl"; a kind and a slash before it restrict it to packages of that.
        name: of the package.
        kind: of its address, such as "deb", "pypi" or "npm".

    """
    of, slash, rest = pattern.partition("/")
    # Names of npm and of Go hold slashes of their own; only a known kind before the first is one.
    wanted = rest if slash and of == kind else pattern
    return re.fullmatch(translate(wanted), name) is not None
