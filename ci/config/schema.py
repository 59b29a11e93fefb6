"""The configuration as a JSON Schema, made of the very tables and patterns that the parser reads by."""

from __future__ import annotations

import json

from ci.config import checks, parse, periods, repository, runners, supply
from ci.config.schema_acceptance import acceptance_schema, validate_schema
from ci.config.schema_checks import check_definitions
from ci.config.schema_family import family_schemas, image_or_family
from ci.config.schema_image import image_schema, repository_schema, rules_schema
from ci.config.schema_parts import Schema, list_of, record, ref, text
from ci.config.schema_supply import (
    provenance_schema,
    require_schema,
    sbom_schema,
    scan_definition,
    scan_schema,
    signed_definition,
    trusted_root_schema,
)
from ci.core.model import Cache, Compression
from ci.core.names import TEMPLATE
from ci.core.runners import LABEL

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ADDRESS = "https://raw.githubusercontent.com/drydock/drydock/HEAD/deploy/images.schema.json"

# What no schema can say; the parser looks at it alone.
INEXPRESSIBLE = (
    "that the paths exist in the source, and lead nowhere else",
    "that no key is given twice, and how a value is spelled: 0x10, 1e3, 1.0, a date or an unquoted on",
    "that the names of all images differ, and the names of an image's checks",
    "that a check's platforms are its image's, and that each platform has a check",
    "that a repository is legal once an image's name is filled in, and that no two images get one name in it",
    "that a port is listed once, as 80 or as 80/tcp",
    "that a regular expression is one in Python's syntax",
    "that a text with a unit comes to at least a byte, and to no more than an hour",
    "the limits on the size and depth of the file",
    "that a check's services are its image's, and that a file of container-structure-test is one",
    "that a header is given once, whatever its case",
    "that an image which others are built on or checked beside exists, for their platforms, and that none needs itself",
    "that a context is named once, whether as alpine or as docker.io/library/alpine:latest",
    "that a host's address is an IP address",
    "that a limit is given once, and that its soft half is not above the hard one",
    "what a matrix fills into an image, that its cases have the same keys, and how many there are at most",
    "that a word in braces stands for something, and says what to take where it may be empty",
    "that each platform of an image has a value where an argument has one by platform",
    "that an image which is not released is needed for one that is",
    "that a rule for tags, or a line of a flavor, can be read",
    "that git: true needs the context '.'",
    "that signed: true needs a source, and that a key or a trusted root is one",
)

# Docker reads zstd since 23.0 (moby/moby#41759), containerd since its release 1.5.0, Quay since quay/quay#801.
ZSTD_NEEDS = (
    "zstd takes half the time, and whoever pulls needs Docker 23, containerd 1.5 (as in Kubernetes) or Podman; the "
    "registry may have to be a new one too, such as Quay 3.6."
)


def render_schema() -> str:
    """Write the schema as the file that editors read."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=True) + "\n"


def config_schema() -> Schema:
    """Build the schema of a whole configuration."""
    properties = {
        "repository": repository_schema(
            "Where images are released: one repository, or several, each of which gets all of it. {name} is an "
            "image's name, {owner} is given by the caller.",
            "ghcr.io/{owner}/{name}",
            ["ghcr.io/{owner}/{name}", "docker.io/acme/{name}"],
        ),
        "source": text(parse.URL, "Address of the source code, for the labels.", "https://github.com/acme/app"),
        "compression": {
            "description": f"Of the layers that the build adds. gzip can be pulled by everything. {ZSTD_NEEDS}",
            "enum": [known.value for known in Compression],
            "default": Compression.GZIP.value,
        },
        "cache": {
            "description": "The layer cache beside the images: a release writes it, and everything else reads it. "
            "It is the most that is done: read keeps releases from writing, off keeps all from reading too.",
            "anyOf": [{"enum": [*repository.MODES]}, ref("cache")],
            "default": Cache().mode.value,
        },
        "rebuild-after": {
            **text(
                periods.PERIOD,
                "How long a release may reuse an image whose inputs have not changed; never: for ever.",
                "14d",
            ),
            "default": "7d",
        },
        "tags": rules_schema(
            "Rules by which an event names the images, as docker/metadata-action has them. Without any, a commit of "
            "the default branch is latest, and the git tag v1.2.3 is v1.2.3.",
            ["type=semver,pattern={{version}}", "type=edge"],
        ),
        "flavor": rules_schema(
            "What holds for all rules: latest, a prefix, a suffix.", ["latest=false", "suffix=-alpine,onlatest=true"]
        ),
        "provenance": provenance_schema(),
        "sbom": {**sbom_schema("Whether a release lists the packages of its images."), "default": supply.ON},
        "require": ref("require", "What a release insists on; verify holds earlier ones to it too."),
        "trusted-root": trusted_root_schema(),
        "scan": scan_schema(),
        "validate": ref("validate", "What `validate` is to accept; it says nothing of a build."),
        "runners": _runners(),
        "attest": {
            "description": "Whether every digest has to be attested, at GitHub or in its registry, before a tag names "
            "it: required fails a release that lacks one, optional says so and goes on. Unless given, it is required "
            "in a public repository and optional in a private one.",
            "enum": [*runners.ATTEST],
        },
        "images": {
            "description": "The images.",
            "type": "array",
            "minItems": 1,
            "items": image_or_family(ref("image")),
        },
    }
    of_images = {
        "image": image_schema(),
        **check_definitions(),
    }
    return {
        "$schema": DRAFT,
        "$id": ADDRESS,
        "title": "Drydock: the images of a repository",
        "description": "It cannot say " + "; ".join(INEXPRESSIBLE) + ".",
        **record(properties, parse.TOP_REQUIRED, parse.TOP_OPTIONAL),
        "$defs": {
            "cache": _cache(),
            "require": require_schema(),
            "signed": signed_definition(),
            "scan": scan_definition(),
            "validate": validate_schema(),
            "acceptance": acceptance_schema(),
            **of_images,
            **family_schemas(of_images),
        },
    }


def _runners() -> Schema:
    labels = [text(LABEL), list_of(text(LABEL))]
    by_platform = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"enum": [*checks.PLATFORMS]},
        "additionalProperties": {"anyOf": labels},
    }
    return {
        "description": "On which of GitHub's runners a workflow builds, by their labels: one for each platform, or one "
        "for all. Without, linux/amd64 is built on ubuntu-24.04 and linux/arm64 on ubuntu-24.04-arm; every other "
        "platform is emulated on the runner of linux/amd64.",
        "anyOf": [*labels, by_platform],
        "examples": [{"linux/arm64": ["self-hosted", "linux", "arm64"]}, "ubuntu-24.04"],
    }


def _cache() -> Schema:
    default = Cache()
    properties = {
        "mode": {
            "description": "The most that is done with it.",
            "enum": [*repository.MODES],
            "default": default.mode.value,
        },
        "repository": text(
            TEMPLATE,
            "Where it is kept; the first of the image's own repositories unless given.",
            "ghcr.io/{owner}/{name}-cache",
        ),
    }
    return {
        "description": "It says what is done with the layer cache, and where it is kept.",
        **record(properties, (), repository.CACHE_KEYS),
    }
