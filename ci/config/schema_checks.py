"""The smoke checks as a JSON Schema, made of the very tables and patterns that the parser reads by."""

from __future__ import annotations

import re

from ci.config import checks
from ci.config.schema_parts import NUL_FREE, Schema, integer, list_of, map_of, record, ref, text

_TEXT_DEADLINE = re.compile(r"(?![0.]+(?:ms|s|m)?$)" + checks.DEADLINE.pattern)
_TO_65535 = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_TEXT_PORT = re.compile(checks.PORT.pattern.replace("[1-9][0-9]{0,4}", _TO_65535))


def check_schema() -> Schema:
    """Describe a smoke check."""
    properties = {
        "name": text(checks.LINE, "As the report calls the check; made of the check unless given.", "health"),
        "platforms": list_of({"enum": [*checks.PLATFORMS]}, "Where it runs; everywhere unless given.", ["linux/arm64"]),
        "run": {**_argv("A command, in place of the entrypoint."), "examples": [["python", "-c", "import app"]]},
        "http": ref("http", "A GET request to the image, started as it would run."),
        "file": ref("file", "A path in the image."),
        "config": ref("config", "What the image says of itself."),
        "exit": {"description": "Of run: its exit code.", **integer(0, 255), "default": 0},
        "stdout": ref("text", "Of run: its standard output."),
        "stderr": ref("text", "Of run: its standard error."),
        "deadline": _deadline("Of run: how long it may take."),
    }
    return {
        "description": "It has exactly one of " + ", ".join(checks.KINDS) + ".",
        **record(properties, [], checks.CHECK_KEYS),
        "oneOf": [{"required": [kind]} for kind in checks.KINDS],
        "dependentRequired": {key: ["run"] for key in checks.RUN_KEYS},
    }


def http_schema() -> Schema:
    """Describe an HTTP check."""
    properties = {
        "port": {"description": "The port the image listens on.", **integer(1, checks.MAX_PORT), "examples": [8000]},
        "path": {**text(checks.URL_PATH, "Of the URL, its query included.", "/health"), "default": "/"},
        "status": {"description": "Of the answer.", **integer(200, 599), "default": 200},
        "body": ref("text", "Of the answer."),
        "deadline": _deadline("For the port to open, and from then on for the right answer."),
    }
    return {
        "description": "Passes when the image, started as it would run, gives that answer in time. It is asked from "
        "outside, so it needs neither a shell nor curl.",
        **record(properties, ["port"], checks.HTTP_KEYS),
    }


def file_schema() -> Schema:
    """Describe a file check."""
    properties = {
        "path": text(checks.IMAGE_PATH, "Absolute, in the image.", "/app/model.onnx"),
        "exists": {"description": "Whether it has to be there, or must not.", "type": "boolean", "default": True},
        "mode": text(checks.MODE, "Its permission bits, as quoted octal.", "0644"),
        "content": ref("text", "What the file holds."),
    }
    return {
        "description": "Passes when the path is there, or not, with that mode and content.",
        **record(properties, ["path"], checks.FILE_KEYS),
        "if": {"properties": {"exists": {"const": False}}, "required": ["exists"]},
        "then": {"properties": {"mode": False, "content": False}},
    }


def image_config_schema() -> Schema:
    """Describe a check of the image's configuration."""
    port = {"anyOf": [integer(1, checks.MAX_PORT), text(_TEXT_PORT)]}
    properties = {
        "user": text(checks.LINE, "As USER says it.", "10001:10001"),
        "entrypoint": {**_argv("The whole of it."), "examples": [["/usr/bin/tini", "--"]]},
        "env": map_of(checks.ENV_NAME, "Variables that have to have these values.", {"PORT": "8000"}),
        "labels": map_of(
            checks.LINE, "Labels that have to have these values.", {"org.opencontainers.image.title": "App"}
        ),
        "ports": list_of(port, "All exposed ports, the base's included.", [8000, "53/udp"]),
        "healthcheck": {"description": "Whether one is declared.", "type": "boolean"},
        "architecture": {"description": "Of the image.", "enum": [*checks.ARCHITECTURES]},
    }
    return {
        "description": "Passes when the image says exactly that; what is not given is not compared.",
        **record(properties, [], checks.CONFIG_KEYS),
    }


def text_match_schema() -> Schema:
    """Describe what a text has to look like."""
    part = text(checks.SOME)
    parts = [part, list_of(part)]
    properties = {
        "equals": text(NUL_FREE, "The whole text, but for white space at its end.", "ok"),
        "contains": {
            "description": "What has to occur: a text, or a list of them.",
            "anyOf": parts,
            "examples": ["ok"],
        },
        "excludes": {"description": "What must not occur.", "anyOf": parts, "examples": [["Traceback"]]},
        "matches": {
            **text(checks.SOME, "A regular expression of Python, searched for.", "^v[0-9]+"),
            "format": "regex",
        },
    }
    return {
        "description": "Every condition given has to hold.",
        **record(properties, [], checks.TEXT_KEYS),
    }


def _deadline(description: str) -> Schema:
    return {
        "description": description,
        "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": checks.LONGEST}, text(_TEXT_DEADLINE)],
        "default": f"{checks.DEFAULT_DEADLINE:g}s",
        "examples": ["500ms", "30s", "2m"],
    }


def _argv(description: str) -> Schema:
    return {
        "description": description,
        "type": "array",
        "minItems": 1,
        "prefixItems": [text(checks.SOME)],
        "items": text(NUL_FREE),
    }
