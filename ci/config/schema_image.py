"""An image as a JSON Schema, and what the whole configuration describes in the same way."""

from __future__ import annotations

import re

from ci.config import build, checks, contexts, image, matrix, services
from ci.config.schema_family import matrix_schema
from ci.config.schema_parts import FILE, RELATIVE, VALUE, Schema, integer, list_of, map_of, record, ref, text
from ci.config.schema_supply import sbom_schema
from ci.core.names import COMPONENT, REFERENCE, TEMPLATE

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


def image_schema() -> Schema:
    """Describe an image."""
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
        "repository": repository_schema(
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
        "target": text(build.STAGE, "The name of the stage to build; the last unless given.", "runtime"),
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
        "tags": rules_schema("Rules in place of those of the file.", ["type=raw,value=nightly"]),
        "flavor": rules_schema("What holds for all rules of the image, besides that of the file.", ["suffix=-alpine"]),
        "sbom": sbom_schema("Whether a release lists the packages of this image, in place of what the file says."),
    }
    return {
        "description": "It says how an image is built, and what is checked.",
        **record(properties, image.REQUIRED, image.OPTIONAL),
        "if": none,
        "then": {"required": ["smoke-reason"]},
        "else": {"properties": {"smoke-reason": False}},
    }


def rules_schema(description: str, example: list[object]) -> Schema:
    """Describe a list of rules for tags, or a text with one on each line."""
    line = text(_RULE)
    return {
        "description": description,
        "anyOf": [line, {"type": "array", "minItems": 1, "items": line}],
        "examples": [example],
    }


def repository_schema(description: str, *examples: object) -> Schema:
    """Describe the template of a repository, or a list of them."""
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
