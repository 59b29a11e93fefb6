"""What is attested of the images, as a JSON Schema."""

from __future__ import annotations

import re

from ci.config import supply
from ci.config.schema_parts import Schema, text
from ci.core.names import REFERENCE
from ci.core.supply import ProvenanceMode

_IMAGE = re.compile(rf"(?=.*[/:@]){REFERENCE.pattern}")


def provenance_schema() -> Schema:
    """Describe how much a release says of how its images were made."""
    return {
        "description": "How much a release says of how its images were made: max is commit, base images, arguments, "
        "Dockerfile and steps, min is commit and base images.",
        "enum": [*supply.MODES],
        "default": ProvenanceMode.MAX.value,
    }


def sbom_schema(description: str) -> Schema:
    """Describe what lists the packages of an image."""
    return {
        "description": f"{description} An image that follows BuildKit's protocol may stand in the place of "
        "docker/buildkit-syft-scanner.",
        "anyOf": [{"enum": [supply.ON, supply.OFF]}, text(_IMAGE, "", "docker/buildkit-syft-scanner:1.12.0")],
    }
