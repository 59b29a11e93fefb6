"""The configuration as a JSON Schema, made of the very tables and patterns that the parser reads by."""

from __future__ import annotations

import json
import re

from ci.config import build, checks, contexts, image, matrix, parse, repository, services
from ci.config.schema_acceptance import acceptance_schema, validate_schema
from ci.config.schema_checks import (
    check_schema,
    file_schema,
    grpc_schema,
    http_schema,
    image_config_schema,
    service_schema,
    tcp_schema,
    text_match_schema,
)
from ci.config.schema_family import family_schemas, image_or_family, matrix_schema
from ci.config.schema_parts import FILE, RELATIVE, VALUE, Schema, integer, list_of, map_of, record, ref, text
from ci.core.model import Cache, Compression
from ci.core.names import COMPONENT, REFERENCE, TEMPLATE

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
)

_GENERATED = re.compile(r"(?![^\[\]]*[\[\]])" + FILE.pattern)
_CONTEXT = re.compile(
    f"docker-image://{REFERENCE.pattern}|target:{COMPONENT.pattern}|(?!{contexts.ELSEWHERE.pattern}){RELATIVE.pattern}"
)
_FIXED = rf"(?:(?:index\.)?docker\.io/)?(?:library/)?(?:{'|'.join(contexts.FIXED)})(?::latest)?"
_CONTEXT_NAME = re.compile(rf"(?!{_FIXED}$){REFERENCE.pattern}")
_RULE = re.compile("(?=\\s*[^\\s])[^\x00]*")
_SIZE = re.compile(r"(?![0.]+ ?[A-Za-z])(?:" + build.SIZE.pattern.replace("[A-Za-z]+", "|".join(build.UNITS)) + ")")
_OWN = "|".join(map(re.escape, build.COMMITTED))
_LABEL = re.compile(rf"(?!(?:{_OWN})$|{re.escape(build.RESERVED)}){checks.LINE.pattern}")
_MOST_BYTES = 10**18 - 1
# Of whatever case.
_TAKEN = f"^(?:{'|'.join(''.join(f'[{c.upper()}{c}]' for c in name) for name in ('localhost', services.CLIENT_HOST))})$"
_LATEST = 10**11 - 1  # seconds, as build.SECONDS has them

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
        "repository": _repository(
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
                parse.PERIOD,
                "How long a release may reuse an image whose inputs have not changed; never: for ever.",
                "14d",
            ),
            "default": "7d",
        },
        "tags": _rules(
            "Rules by which an event names the images, as docker/metadata-action has them. Without any, a commit of "
            "the default branch is latest, and the git tag v1.2.3 is v1.2.3.",
            ["type=semver,pattern={{version}}", "type=edge"],
        ),
        "flavor": _rules(
            "What holds for all rules: latest, a prefix, a suffix.", ["latest=false", "suffix=-alpine,onlatest=true"]
        ),
        "validate": ref("validate", "What `validate` is to accept; it says nothing of a build."),
        "images": {
            "description": "The images.",
            "type": "array",
            "minItems": 1,
            "items": image_or_family(ref("image")),
        },
    }
    of_images = {
        "image": _image(),
        "check": check_schema(),
        "http": http_schema(),
        "tcp": tcp_schema(),
        "grpc": grpc_schema(),
        "service": service_schema(),
        "file": file_schema(),
        "config": image_config_schema(),
        "text": text_match_schema(),
    }
    return {
        "$schema": DRAFT,
        "$id": ADDRESS,
        "title": "Drydock: the images of a repository",
        "description": "It cannot say " + "; ".join(INEXPRESSIBLE) + ".",
        **record(properties, parse.TOP_REQUIRED, parse.TOP_OPTIONAL),
        "$defs": {
            "cache": _cache(),
            "validate": validate_schema(),
            "acceptance": acceptance_schema(),
            **of_images,
            **family_schemas(of_images),
        },
    }


def _image() -> Schema:
    none = {"properties": {"smoke": {"const": checks.NO_SMOKE}}, "required": ["smoke"]}
    by_platform = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"enum": [*checks.PLATFORMS]},
        "additionalProperties": VALUE,
    }
    properties = {
        "name": {
            **text(COMPONENT, "Fills {name} in the repository, and names the image everywhere.", "backend"),
            "maxLength": image.MAX_NAME,
        },
        "repository": _repository(
            "Where this image is released, in place of what all images have.", "docker.io/acme/app"
        ),
        "title": text(checks.LINE, "For the labels.", "Backend"),
        "description": text(image.PROSE, "For the labels.", "Answers requests"),
        "dockerfile": text(FILE, "Relative to the source.", "backend/Dockerfile"),
        "context": {
            **text(
                RELATIVE, "The folder that COPY reads, relative to the source; .dockerignore is honoured.", "backend"
            ),
            "default": ".",
        },
        "platforms": list_of(
            {"enum": [*checks.PLATFORMS]}, "What the image is built for.", ["linux/amd64", "linux/arm64"]
        ),
        "contexts": {
            "description": "What is put in the place of a name that a FROM or a --from has: an image of a registry, "
            "another image of this configuration, which is built first, or a folder of the source.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": text(_CONTEXT_NAME),
            "additionalProperties": text(_CONTEXT),
            "examples": [{"base": "target:base", "alpine": "docker-image://alpine:3.22", "protocol": "libs/protocol"}],
        },
        "build-args": {
            **map_of(
                build.VARIABLE,
                "As in docker build --build-arg, BuildKit's own ones too, such as BUILDKIT_DOCKERFILE_CHECK. "
                "SOURCE_DATE_EPOCH is a whole number of seconds. [Values of the run](#values-of-the-run) may stand in "
                "it. A mapping has a value for each platform.",
                {"PYTHON": "3.13", "VERSION": "{version:-dev}", "ARCH": {"linux/amd64": "x64", "linux/arm64": "arm"}},
            ),
            "additionalProperties": {"anyOf": [VALUE, by_platform]},
            "properties": {
                build.EPOCH: {"anyOf": [integer(0, _LATEST), text(build.SECONDS)]},
            },
        },
        "target": text(image.TARGET, "The name of the stage to build; the last unless given.", "runtime"),
        "secrets": list_of(
            text(build.SECRET),
            "Names that the Dockerfile mounts by --mount=type=secret,id=NAME; given as --secrets env:NAME.",
            ["PIP_TOKEN"],
        ),
        "ssh": list_of(
            text(build.SECRET),
            "Names of the SSH agents that the Dockerfile mounts by --mount=type=ssh,id=NAME; it is default without id.",
            ["default"],
        ),
        "network": {
            "description": "Of RUN: none at all, or the builder's own.",
            "enum": [*build.NETWORKS],
        },
        "extra-hosts": {
            "description": "Hosts that RUN knows, and their addresses.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": text(build.HOST),
            "additionalProperties": text(build.ADDRESS),
            "examples": [{"mirror.internal": "10.0.0.5"}],
        },
        "shm-size": _size("Of /dev/shm in RUN.", "64MB"),
        "ulimits": list_of(
            text(build.ULIMIT), "Of RUN, as in docker build --ulimit; -1 is none.", ["nofile=1024:2048"]
        ),
        "git": {
            "description": "Whether the build is given .git, as far as .dockerignore lets it. The call gives it by "
            "--git .git. An earlier release is then reused for the same commit alone.",
            "type": "boolean",
            "default": False,
        },
        "generated": list_of(
            text(_GENERATED),
            "What a step makes before the build, relative to the source: files, folders, or patterns with *, ** and ?. "
            "validate does not miss them, and a build that does not find them ends before it begins.",
            ["ui/build", "version.txt"],
        ),
        "budget": _size("The most a variant may weigh, compressed.", "60MB", "1.5GiB"),
        "smoke": {
            "description": "What is checked of each variant before anything is released; none needs a smoke-reason.",
            "anyOf": [
                {"const": checks.NO_SMOKE},
                {"type": "array", "minItems": 1, "items": ref("check")},
            ],
        },
        "services": {
            "description": "What it needs beside it in its checks, by the host name it is reached by.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"allOf": [text(services.HOST), {"not": {"pattern": _TAKEN}}]},
            "additionalProperties": ref("service"),
            "examples": [{"db": {"image": "postgres:17", "port": 5432, "env": {"POSTGRES_PASSWORD": "check"}}}],
        },
        "smoke-reason": text(checks.LINE, "Why there are no smoke checks.", "holds data only"),
        "labels": map_of(
            _LABEL,
            "More labels, or others in place of title, description, source and version. [Values of the "
            "run](#values-of-the-run) may stand in them.",
            {"org.opencontainers.image.licenses": "MIT", "com.example.release": "{version:-none}"},
        ),
        "annotations": map_of(
            _LABEL, "The same for the annotations of the index and of each variant's manifest.", {"com.example.a": "b"}
        ),
        "release": {
            "description": "Whether it is released; without, it is built and checked for those that are built on it.",
            "type": "boolean",
            "default": True,
        },
        matrix.KEY: matrix_schema(),
        "tags": _rules("Rules in place of those of the file.", ["type=raw,value=nightly"]),
        "flavor": _rules("What holds for all rules of the image, besides that of the file.", ["suffix=-alpine"]),
    }
    return {
        "description": "It says how an image is built, and what is checked.",
        **record(properties, image.REQUIRED, image.OPTIONAL),
        "if": none,
        "then": {"required": ["smoke-reason"]},
        "else": {"properties": {"smoke-reason": False}},
    }


def _rules(description: str, example: list[object]) -> Schema:
    line = text(_RULE)
    return {
        "description": description,
        "anyOf": [line, {"type": "array", "minItems": 1, "items": line}],
        "examples": [example],
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


def _repository(description: str, *examples: object) -> Schema:
    return {
        "description": description,
        "anyOf": [text(TEMPLATE), list_of(text(TEMPLATE))],
        "examples": [*examples],
    }


def _size(description: str, *examples: str) -> Schema:
    return {
        "description": description,
        "anyOf": [integer(1, _MOST_BYTES), text(_SIZE)],
        "examples": [*examples],
    }
