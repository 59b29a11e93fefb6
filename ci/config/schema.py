"""The configuration as a JSON Schema, made of the very tables and patterns that the parser reads by."""

from __future__ import annotations

import json
import re
from typing import Any

from ci.config import checks
from ci.config import parse as config
from ci.core.model import Compression
from ci.core.names import COMPONENT, TEMPLATE

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ADDRESS = "https://raw.githubusercontent.com/drydock/drydock/HEAD/deploy/images.schema.json"

# What no schema can say; the parser looks at it alone.
INEXPRESSIBLE = (
    "that the paths exist in the source, and lead nowhere else",
    "that no key is given twice, and how a value is spelled: 0x10, 1e3, 1.0, a date or an unquoted on",
    "that the names of all images differ, and the names of an image's checks",
    "that a check's platforms are its image's, and that each platform has a check",
    "that a repository is legal once an image's name is filled in",
    "that a port is listed once, as 80 or as 80/tcp",
    "that a regular expression is one in Python's syntax",
    "that a text with a unit comes to at least a byte, and to no more than an hour",
    "the limits on the size and depth of the file",
)

Schema = dict[str, Any]

_NUL_FREE = re.compile("[^\x00]*")
_RELATIVE = re.compile(r"(?!/)(?!(?:[^\\]*/)?\.\.(?:/|$))[^\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FILE = re.compile(r"(?!(?:\.?/)*\.?$)" + _RELATIVE.pattern)
_TEXT_DEADLINE = re.compile(r"(?![0.]+(?:ms|s|m)?$)" + checks.DEADLINE.pattern)
_TEXT_BUDGET = re.compile(
    r"(?![0.]+ ?[A-Za-z])(?:" + config.BUDGET.pattern.replace("[A-Za-z]+", "|".join(config.UNITS)) + ")"
)
_TO_65535 = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_TEXT_PORT = re.compile(checks.PORT.pattern.replace("[1-9][0-9]{0,4}", _TO_65535))
_MOST_BYTES = 10**18 - 1


def render_schema() -> str:
    """Write the schema as the file that editors read."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=True) + "\n"


def config_schema() -> Schema:
    """Build the schema of a whole configuration."""
    properties = {
        "repository": _text(
            TEMPLATE,
            "Where images are released. {name} is an image's name, {owner} is given by the caller.",
            "ghcr.io/{owner}/{name}",
        ),
        "source": _text(config.URL, "Address of the source code, for the labels.", "https://github.com/acme/app"),
        "compression": {
            "description": "Of the layers; zstd needs Docker 23 or containerd 1.5 to pull.",
            "enum": [known.value for known in Compression],
            "default": Compression.ZSTD.value,
        },
        "rebuild-after": {
            **_text(
                config.PERIOD,
                "How long a release may reuse an image whose inputs have not changed; never: for ever.",
                "14d",
            ),
            "default": "7d",
        },
        "images": {"description": "The images.", "type": "array", "minItems": 1, "items": _ref("image")},
    }
    return {
        "$schema": DRAFT,
        "$id": ADDRESS,
        "title": "Drydock: the images of a repository",
        "description": "It cannot say " + "; ".join(INEXPRESSIBLE) + ".",
        **_record(properties, [*config.TOP_REQUIRED]),
        # One name for several images would let each replace the one before.
        "if": {"properties": {"images": {"minItems": 2}}},
        "then": {"properties": {"repository": {"pattern": r"\{name\}"}}},
        "$defs": {
            "image": _image(),
            "check": _check(),
            "http": _http(),
            "file": _file(),
            "config": _config(),
            "text": _text_match(),
        },
    }


def _image() -> Schema:
    none = {"properties": {"smoke": {"const": checks.NO_SMOKE}}, "required": ["smoke"]}
    properties = {
        "name": {
            **_text(COMPONENT, "Fills {name} in the repository, and names the image everywhere.", "backend"),
            "maxLength": config.MAX_NAME,
        },
        "title": _text(checks.LINE, "For the labels.", "Backend"),
        "description": _text(config.PROSE, "For the labels.", "Answers requests"),
        "dockerfile": _text(_FILE, "Relative to the source.", "backend/Dockerfile"),
        "context": {
            **_text(
                _RELATIVE, "The folder that COPY reads, relative to the source; .dockerignore is honoured.", "backend"
            ),
            "default": ".",
        },
        "platforms": _list(
            {"enum": [*checks.PLATFORMS]}, "What the image is built for.", ["linux/amd64", "linux/arm64"]
        ),
        "build-args": _map(config.VARIABLE, "As in docker build --build-arg.", {"PYTHON": "3.13"}),
        "target": _text(config.TARGET, "The name of the stage to build; the last unless given.", "runtime"),
        "secrets": _list(
            _text(config.SECRET),
            "Names that the Dockerfile mounts by --mount=type=secret,id=NAME; given as --secrets env:NAME.",
            ["PIP_TOKEN"],
        ),
        "budget": {
            "description": "The most a variant may weigh, compressed.",
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": _MOST_BYTES}, _text(_TEXT_BUDGET)],
            "examples": ["60MB", "1.5GiB"],
        },
        "smoke": {
            "description": "What is checked of each variant before anything is released; none needs a smoke-reason.",
            "anyOf": [
                {"const": checks.NO_SMOKE},
                {"type": "array", "minItems": 1, "items": _ref("check")},
            ],
        },
        "smoke-reason": _text(checks.LINE, "Why there are no smoke checks.", "holds data only"),
    }
    return {
        "description": "It says how an image is built, and what is checked.",
        **_record(properties, [*config.REQUIRED], [*config.OPTIONAL]),
        "if": none,
        "then": {"required": ["smoke-reason"]},
        "else": {"properties": {"smoke-reason": False}},
    }


def _check() -> Schema:
    properties = {
        "name": _text(checks.LINE, "As the report calls the check; made of the check unless given.", "health"),
        "platforms": _list({"enum": [*checks.PLATFORMS]}, "Where it runs; everywhere unless given.", ["linux/arm64"]),
        "run": {**_argv("A command, in place of the entrypoint."), "examples": [["python", "-c", "import app"]]},
        "http": _ref("http", "A GET request to the image, started as it would run."),
        "file": _ref("file", "A path in the image."),
        "config": _ref("config", "What the image says of itself."),
        "exit": {"description": "Of run: its exit code.", **_integer(0, 255), "default": 0},
        "stdout": _ref("text", "Of run: its standard output."),
        "stderr": _ref("text", "Of run: its standard error."),
        "deadline": _deadline("Of run: how long it may take."),
    }
    return {
        "description": "It has exactly one of " + ", ".join(checks.KINDS) + ".",
        **_record(properties, [], [*checks.CHECK_KEYS]),
        "oneOf": [{"required": [kind]} for kind in checks.KINDS],
        "dependentRequired": {key: ["run"] for key in checks.RUN_KEYS},
    }


def _http() -> Schema:
    properties = {
        "port": {"description": "The port the image listens on.", **_integer(1, checks.MAX_PORT), "examples": [8000]},
        "path": {**_text(checks.URL_PATH, "Of the URL, its query included.", "/health"), "default": "/"},
        "status": {"description": "Of the answer.", **_integer(200, 599), "default": 200},
        "body": _ref("text", "Of the answer."),
        "deadline": _deadline("For the port to open, and from then on for the right answer."),
    }
    return {
        "description": "Passes when the image, started as it would run, gives that answer in time. It is asked from "
        "outside, so it needs neither a shell nor curl.",
        **_record(properties, ["port"], [*checks.HTTP_KEYS]),
    }


def _file() -> Schema:
    properties = {
        "path": _text(checks.IMAGE_PATH, "Absolute, in the image.", "/app/model.onnx"),
        "exists": {"description": "Whether it has to be there, or must not.", "type": "boolean", "default": True},
        "mode": _text(checks.MODE, "Its permission bits, as quoted octal.", "0644"),
        "content": _ref("text", "What the file holds."),
    }
    return {
        "description": "Passes when the path is there, or not, with that mode and content.",
        **_record(properties, ["path"], [*checks.FILE_KEYS]),
        "if": {"properties": {"exists": {"const": False}}, "required": ["exists"]},
        "then": {"properties": {"mode": False, "content": False}},
    }


def _config() -> Schema:
    port = {"anyOf": [_integer(1, checks.MAX_PORT), _text(_TEXT_PORT)]}
    properties = {
        "user": _text(checks.LINE, "As USER says it.", "10001:10001"),
        "entrypoint": {**_argv("The whole of it."), "examples": [["/usr/bin/tini", "--"]]},
        "env": _map(checks.ENV_NAME, "Variables that have to have these values.", {"PORT": "8000"}),
        "labels": _map(
            checks.LINE, "Labels that have to have these values.", {"org.opencontainers.image.title": "App"}
        ),
        "ports": _list(port, "All exposed ports, the base's included.", [8000, "53/udp"]),
        "healthcheck": {"description": "Whether one is declared.", "type": "boolean"},
        "architecture": {"description": "Of the image.", "enum": [*checks.ARCHITECTURES]},
    }
    return {
        "description": "Passes when the image says exactly that; what is not given is not compared.",
        **_record(properties, [], [*checks.CONFIG_KEYS]),
    }


def _text_match() -> Schema:
    part = _text(checks.SOME)
    parts = [part, _list(part)]
    properties = {
        "equals": _text(_NUL_FREE, "The whole text, but for white space at its end.", "ok"),
        "contains": {
            "description": "What has to occur: a text, or a list of them.",
            "anyOf": parts,
            "examples": ["ok"],
        },
        "excludes": {"description": "What must not occur.", "anyOf": parts, "examples": [["Traceback"]]},
        "matches": {
            **_text(checks.SOME, "A regular expression of Python, searched for.", "^v[0-9]+"),
            "format": "regex",
        },
    }
    return {
        "description": "Every condition given has to hold.",
        **_record(properties, [], [*checks.TEXT_KEYS]),
    }


def _record(properties: Schema, required: list[str], optional: list[str] | None = None) -> Schema:
    """Describe a mapping of known keys; the parser's own tables say which there are."""
    known = {*required, *(config.TOP_OPTIONAL if optional is None else optional)}
    if known != properties.keys():
        raise ValueError(f"the parser and the schema differ in {sorted(known ^ properties.keys())}")
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": properties,
        **({"required": required} if required else {}),
    }


def _ref(name: str, description: str = "") -> Schema:
    return {**({"description": description} if description else {}), "$ref": f"#/$defs/{name}"}


def _text(pattern: re.Pattern[str], description: str = "", example: str = "") -> Schema:
    return {
        **({"description": description} if description else {}),
        "type": "string",
        "pattern": _ecma(pattern),
        **({"examples": [example]} if example else {}),
    }


def _ecma(pattern: re.Pattern[str]) -> str:
    """Write a pattern that matches the whole of a text as ECMA-262 has it, in visible characters."""
    shown = (c if c.isprintable() else f"\\u{ord(c):04x}" for c in pattern.pattern)
    return f"^(?:{''.join(shown)})$"


def _integer(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _deadline(description: str) -> Schema:
    return {
        "description": description,
        "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": checks.LONGEST}, _text(_TEXT_DEADLINE)],
        "default": f"{checks.DEFAULT_DEADLINE:g}s",
        "examples": ["500ms", "30s", "2m"],
    }


def _list(items: Schema, description: str = "", example: list[object] | None = None) -> Schema:
    return {
        **({"description": description} if description else {}),
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": items,
        **({"examples": [example]} if example else {}),
    }


def _argv(description: str) -> Schema:
    return {
        "description": description,
        "type": "array",
        "minItems": 1,
        "prefixItems": [_text(checks.SOME)],
        "items": _text(_NUL_FREE),
    }


def _map(names: re.Pattern[str], description: str, example: dict[str, str]) -> Schema:
    """Describe a mapping of names to texts, which are taken as they are written: 3.10 and on need no quotes."""
    return {
        "description": description,
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _ecma(names)},
        "additionalProperties": {"type": ["string", "number", "boolean"], "pattern": _ecma(_NUL_FREE)},
        "examples": [example],
    }
