"""What a configuration says of the supply chain: what is attested of an image, and what a release insists on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
class SbomRule:
    """What lists the packages of an image."""

    generator: str = GENERATOR  # reference of an image that follows BuildKit's protocol
    stages: tuple[str, ...] = ()  # of the Dockerfile, that are listed besides the image itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Promised:
    """What has to be attested of an image."""

    provenance: ProvenanceMode = ProvenanceMode.OFF
    sbom: bool = False
    before: bool = False  # whether an earlier release made it: what it lacks is said, and is no fault
