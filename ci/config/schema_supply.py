"""What is attested of the images, as a JSON Schema."""

from __future__ import annotations

import re

from ci.config import checks, periods, supply
from ci.config.schema_parts import FILE, VALUE, Schema, list_of, record, ref, text
from ci.core.names import REFERENCE
from ci.core.supply import ProvenanceMode

_IMAGE = re.compile(rf"(?=.*[/:@]){REFERENCE.pattern}")


def provenance_schema() -> Schema:
    """Describe how much a release says of how its images were made."""
    return {
        "description": "How much a release says of how its images were made: max is commit, base images, arguments, "
        "Dockerfile and steps, min is commit and base images. An SBOM brings that little along even where it is off.",
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


def require_schema() -> Schema:
    """Describe what a release insists on."""
    boolean = {"type": "boolean", "default": False}
    properties = {
        "provenance": {"description": "That each image has provenance; verify finds those that do not.", **boolean},
        "sbom": {"description": "That each image has an SBOM; verify finds those that do not.", **boolean},
        "signed": {
            "description": "Who has to have signed each digest that a release names, of an index or of a variant: "
            "true is a workflow of the repository that source names. The signature is verified before any tag is "
            "written. It is a bundle of Sigstore, at GitHub or in a registry.",
            "anyOf": [{"type": "boolean"}, ref("signed")],
            "default": False,
        },
        "base-age": {
            **text(periods.PERIOD, "How old a base image may be when something is released on it.", "30d"),
            "default": "never",
        },
        "reproducible": {
            "description": "That what a release builds comes out the same when it is built a second time, from "
            "nothing, before any tag. Both builds do without caches.",
            **boolean,
        },
        "without": list_of(
            text(checks.LINE),
            "Packages that no image may have, by the names in its SBOM; a pattern has * and ?. A kind and a slash "
            "before it restrict it to packages of that kind, such as deb, apk, rpm, pypi, npm or golang.",
            ["curl", "deb/*-dev", "pypi/pip"],
        ),
    }
    return {"description": "Each is a check of its own.", **record(properties, (), supply.REQUIRE_KEYS)}


def signed_definition() -> Schema:
    """Describe who has to have signed."""
    properties = {
        "by": list_of(
            text(checks.LINE),
            "Identities that certificates name, such as workflows or e-mail addresses; a pattern has * and ?.",
            ["https://github.com/acme/app/.github/workflows/*"],
        ),
        "issuer": {
            **text(supply.URL, "Who vouches for these identities.", "https://accounts.google.com"),
            "default": supply.GITHUB,
        },
        "key": text(FILE, "A file of the source with the public key that signs, in PEM.", "cosign.pub"),
    }
    made = record(properties, (), supply.SIGNED_KEYS)
    either = [{"required": ["by"], "not": {"required": ["key"]}}, {"required": ["key"], "maxProperties": 1}]
    return {"description": "Either a key, or identities.", **made, "oneOf": either}


def trusted_root_schema() -> Schema:
    """Describe who is trusted to say who has signed."""
    return text(
        FILE,
        "A file of the source that says which authorities certify who has signed, in place of the public Sigstore: a "
        "trusted_root.json. attest and inspect go by it too.",
        "trusted_root.json",
    )


def scan_schema() -> Schema:
    """Describe the scanners of a release."""
    return {
        "description": "A program that judges the SBOM of each image before it is released, or a list of programs.",
        "anyOf": [ref("scan"), {"type": "array", "minItems": 1, "items": ref("scan")}],
    }


def scan_definition() -> Schema:
    """Describe one scanner."""
    properties = {
        "image": text(REFERENCE, "The image that it is in.", "anchore/grype:v0.121.3"),
        "run": {
            "description": "The words of its command, without a shell. It reads the SBOM from /sbom.spdx.json; any "
            "exit code but 0 ends the release.",
            "type": "array",
            "minItems": 1,
            "items": VALUE,
            "examples": [["/grype", "sbom:/sbom.spdx.json", "--fail-on", "high"]],
        },
    }
    return {"description": "It runs in the engine.", **record(properties, supply.SCAN_KEYS, ())}
