"""The configuration as a JSON Schema, made of the very tables and patterns that the parser reads by."""

from __future__ import annotations

import json
import re

from ci.config import acceptance, build, checks, contexts, image, parse, repository
from ci.config.schema_checks import check_schema, file_schema, http_schema, image_config_schema, text_match_schema
from ci.config.schema_parts import Schema, integer, list_of, map_of, record, ref, text
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
    "that a repository is legal once an image's name is filled in, and that no other image has it too",
    "that a port is listed once, as 80 or as 80/tcp",
    "that a regular expression is one in Python's syntax",
    "that a text with a unit comes to at least a byte, and to no more than an hour",
    "the limits on the size and depth of the file",
    "that an image which another one is built on exists, for its platforms, and that no circle comes of it",
    "that a context is named once, whether as alpine or as docker.io/library/alpine:latest",
    "that a host's address is an IP address",
    "that git: true needs the context '.'",
    "that a limit is given once, and that its soft half is not above the hard one",
)

_RELATIVE = re.compile(r"(?!/)(?!(?:[^\\]*/)?\.\.(?:/|$))[^\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FILE = re.compile(r"(?!(?:\.?/)*\.?$)" + _RELATIVE.pattern)
_GENERATED = re.compile(r"(?![^\[\]]*[\[\]])" + _FILE.pattern)
_CONTEXT = re.compile(
    f"docker-image://{REFERENCE.pattern}|target:{COMPONENT.pattern}|(?!{contexts.ELSEWHERE.pattern}){_RELATIVE.pattern}"
)
_FIXED = rf"(?:(?:index\.)?docker\.io/)?(?:library/)?(?:{'|'.join(contexts.FIXED)})(?::latest)?"
_CONTEXT_NAME = re.compile(rf"(?!{_FIXED}$){REFERENCE.pattern}")
_SIZE = re.compile(r"(?![0.]+ ?[A-Za-z])(?:" + build.SIZE.pattern.replace("[A-Za-z]+", "|".join(build.UNITS)) + ")")
_MOST_BYTES = 10**18 - 1
_LATEST = 10**11 - 1  # seconds, as build.SECONDS has them


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
            "description": "Of the layers; zstd needs Docker 23 or containerd 1.5 to pull.",
            "enum": [known.value for known in Compression],
            "default": Compression.ZSTD.value,
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
        "validate": ref("validate", "What `validate` is to accept; it says nothing of a build."),
        "images": {"description": "The images.", "type": "array", "minItems": 1, "items": ref("image")},
    }
    named = {"pattern": r"\{name\}"}
    own: Schema = {"required": ["repository"]}
    return {
        "$schema": DRAFT,
        "$id": ADDRESS,
        "title": "Drydock: the images of a repository",
        "description": "It cannot say " + "; ".join(INEXPRESSIBLE) + ".",
        **record(properties, parse.TOP_REQUIRED, parse.TOP_OPTIONAL),
        # One name for several images would let each replace the one before.
        "allOf": [
            {
                "if": {"properties": {"images": {"minItems": 2}}},
                "then": {"properties": {"cache": {"properties": {"repository": named}}}},
            },
            {
                "if": {"properties": {"images": {"contains": {"not": own}, "minContains": 2}}},
                "then": {"properties": {"repository": {**named, "items": named}}},
            },
        ],
        "$defs": {
            "image": _image(),
            "cache": _cache(),
            "validate": _validate(),
            "acceptance": _acceptance(),
            "check": check_schema(),
            "http": http_schema(),
            "file": file_schema(),
            "config": image_config_schema(),
            "text": text_match_schema(),
        },
    }


def _image() -> Schema:
    none = {"properties": {"smoke": {"const": checks.NO_SMOKE}}, "required": ["smoke"]}
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
        "dockerfile": text(_FILE, "Relative to the source.", "backend/Dockerfile"),
        "context": {
            **text(
                _RELATIVE, "The folder that COPY reads, relative to the source; .dockerignore is honoured.", "backend"
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
                "SOURCE_DATE_EPOCH is a whole number of seconds.",
                {"PYTHON": "3.13"},
            ),
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
        "smoke-reason": text(checks.LINE, "Why there are no smoke checks.", "holds data only"),
    }
    return {
        "description": "It says how an image is built, and what is checked.",
        **record(properties, image.REQUIRED, image.OPTIONAL),
        "if": none,
        "then": {"required": ["smoke-reason"]},
        "else": {"properties": {"smoke-reason": False}},
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


def _validate() -> Schema:
    properties = {
        "accept": list_of(ref("acceptance"), "Findings that are right as they are."),
        "baseline": text(
            _FILE,
            "A file of findings that were there before: what `validate --format baseline` printed.",
            "deploy/validate-baseline.json",
        ),
    }
    return {"description": "It says which findings are no news.", **record(properties, (), acceptance.KEYS)}


def _acceptance() -> Schema:
    properties = {
        "rule": text(
            acceptance.RULE, "Its name as `validate` prints it; a star at the end: all that begin so.", "base-unpinned"
        ),
        "files": list_of(
            text(acceptance.GLOB),
            "Where it is accepted: paths, * within a folder's name and ** across folders; everywhere unless given.",
            ["images/**"],
        ),
        "reason": text(checks.LINE, "Why it is right.", "our mirror serves tags only"),
    }
    required, optional = acceptance.ACCEPT_REQUIRED, acceptance.ACCEPT_OPTIONAL
    return {"description": "It names a rule, and says why.", **record(properties, required, optional)}


def _size(description: str, *examples: str) -> Schema:
    return {
        "description": description,
        "anyOf": [integer(1, _MOST_BYTES), text(_SIZE)],
        "examples": [*examples],
    }
