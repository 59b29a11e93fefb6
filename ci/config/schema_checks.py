"""The smoke checks as a JSON Schema, made of the very tables and patterns that the parser reads by."""

from __future__ import annotations

import re

from ci.config import checks, services, smoke, started, structure
from ci.config.schema_parts import FILE, NUL_FREE, Schema, integer, list_of, map_of, record, ref, text
from ci.core.checks import TARGET
from ci.core.names import COMPONENT, REFERENCE

_TEXT_DEADLINE = re.compile(r"(?![0.]+(?:ms|s|m)?$)" + checks.DEADLINE.pattern)
_ANSWER = "For the port to open, and from then on for the right answer."
_TO_65535 = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_TEXT_PORT = re.compile(checks.PORT.pattern.replace("[1-9][0-9]{0,4}", _TO_65535))


def check_definitions() -> dict[str, Schema]:
    """Describe a check and all that it is made of, each by the name that others refer to it by."""
    return {
        "service": service_schema(),
        "check": check_schema(),
        "http": http_schema(),
        "tcp": tcp_schema(),
        "grpc": grpc_schema(),
        "file": file_schema(),
        "config": image_config_schema(),
        "text": text_match_schema(),
    }


def check_schema() -> Schema:
    """Describe a smoke check."""
    properties = {
        "name": text(checks.LINE, "As the report calls the check; made of the check unless given.", "health"),
        "platforms": list_of({"enum": [*checks.PLATFORMS]}, "Where it runs; everywhere unless given.", ["linux/arm64"]),
        "run": {**argv("A command, in place of the entrypoint."), "examples": [["python", "-c", "import app"]]},
        "http": ref("http", "A GET request to the image, started as it would run."),
        "tcp": ref("tcp", "A port that the image, started as it would run, has to open."),
        "grpc": ref("grpc", "A question to the gRPC health service of the image, started as it would run."),
        "file": ref("file", "A path in the image."),
        "config": ref("config", "What the image says of itself."),
        "structure-test": text(
            FILE, "A file of container-structure-test, relative to the source: a check for each test.", "tests/app.yaml"
        ),
        "exit": {"description": "Of run: its exit code.", **integer(0, 255), "default": 0},
        "stdout": ref("text", "Of run: its standard output."),
        "stderr": ref("text", "Of run: its standard error."),
        "deadline": deadline(
            "Of run: how long it may take. Of structure-test: each of its commands, "
            f"{structure.DEADLINE / 60:g}m unless given."
        ),
        "env": map_of(
            checks.ENV_NAME,
            "Variables that the image, or the command of run, is given besides its own.",
            {"DATABASE_URL": "postgresql://postgres:check@db/postgres"},
        ),
        "services": list_of(
            text(services.HOST),
            "Which of the image's services are beside it: all of them for http, tcp and grpc, and none for the others, "
            "unless given.",
            ["db"],
        ),
    }
    return {
        "description": "It has exactly one of " + ", ".join(smoke.KINDS) + ".",
        **record(properties, [], smoke.CHECK_KEYS),
        "oneOf": [{"required": [kind]} for kind in smoke.KINDS],
        "dependentSchemas": {
            key: {"anyOf": [{"required": [kind]} for kind in kinds]} for key, kinds in smoke.BELONGS.items()
        },
    }


def service_schema() -> Schema:
    """Describe what an image needs beside it."""
    target = re.compile(re.escape(TARGET) + f"(?:{COMPONENT.pattern})")
    image = re.compile(f"{target.pattern}|(?!{re.escape(TARGET)})(?:{REFERENCE.pattern})")
    properties = {
        "image": {
            **text(image, "A reference, or target: and another image of this configuration, which is built first."),
            "examples": ["postgres:17", "target:fixtures"],
        },
        "port": {"description": "The port that is waited for.", **integer(1, checks.MAX_PORT), "examples": [5432]},
        "env": map_of(checks.ENV_NAME, "Variables besides its image's own.", {"POSTGRES_PASSWORD": "check"}),
        "command": {
            **argv("In place of its image's command, behind the entrypoint."),
            "examples": [["redis-server", "--save", ""]],
        },
        "platform": {
            "description": "Of its image; the engine's own unless given. An image of this configuration has that of "
            "the image that is checked.",
            "enum": [*checks.PLATFORMS],
        },
        "deadline": deadline("For the port to open, the pull not counted."),
    }
    return {
        "description": "Each check that it is beside has one of its own, started anew. It reaches the services that "
        "stand above it by their names.",
        **record(properties, services.REQUIRED, services.OPTIONAL),
        "if": {"properties": {"image": text(re.compile(target.pattern))}, "required": ["image"]},
        "then": {"properties": {"platform": False}},
    }


def http_schema() -> Schema:
    """Describe an HTTP check."""
    properties = {
        "port": _port(),
        "path": {**text(started.URL_PATH, "Of the URL, its query included.", "/health"), "default": "/"},
        "status": {"description": "Of the answer.", **integer(200, 599), "default": 200},
        "body": ref("text", "Of the answer."),
        "redirects": {
            "description": f"How many redirects are followed; {started.FOLLOW} is {started.FOLLOWED}.",
            "anyOf": [{"const": started.FOLLOW}, integer(0, started.MOST_REDIRECTS)],
            "default": 0,
        },
        "headers": {
            **map_of(started.HEADER, "Of the request.", {"X-Forwarded-Proto": "https"}),
            "additionalProperties": {
                "type": ["string", "number", "boolean"],
                "pattern": text(started.HEADER_VALUE)["pattern"],
            },
        },
        "response-headers": {
            "description": "Headers that the answer has to have, and what each looks like.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": text(started.HEADER),
            "additionalProperties": ref("text"),
            "examples": [{"Content-Type": {"contains": "json"}}],
        },
        "deadline": deadline(_ANSWER),
    }
    return {
        "description": "Passes when the image, started as it would run, gives that answer in time. It is asked from "
        "outside, so it needs neither a shell nor curl.",
        **record(properties, ["port"], started.HTTP_KEYS),
    }


def tcp_schema() -> Schema:
    """Describe a TCP check."""
    properties = {"port": _port(), "deadline": deadline("For the port to open.")}
    return {
        "description": "Passes when the image, started as it would run, opens that port in time.",
        **record(properties, ["port"], started.TCP_KEYS),
    }


def grpc_schema() -> Schema:
    """Describe a gRPC check."""
    properties = {
        "port": _port(),
        "service": {
            **text(started.GRPC_SERVICE, "The service that is asked about; the whole server unless given."),
            "examples": ["acme.v1.Orders"],
            "default": "",
        },
        "deadline": deadline(_ANSWER),
    }
    return {
        "description": "Passes when the image, started as it would run, answers grpc.health.v1.Health/Check with "
        "SERVING in time. It is asked from outside and without TLS, so it needs no grpc_health_probe.",
        **record(properties, ["port"], started.GRPC_KEYS),
    }


def file_schema() -> Schema:
    """Describe a file check."""
    properties = {
        "path": text(checks.IMAGE_PATH, "Absolute, in the image.", "/app/model.onnx"),
        "exists": {"description": "Whether it has to be there, or must not.", "type": "boolean", "default": True},
        "mode": text(checks.MODE, "Its permission bits, as quoted octal; setuid, setgid and sticky count.", "0644"),
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
        "entrypoint": {**argv("The whole of it."), "examples": [["/usr/bin/tini", "--"]]},
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


def _port() -> Schema:
    return {"description": "The port the image listens on.", **integer(1, checks.MAX_PORT), "examples": [8000]}


def deadline(description: str) -> Schema:
    """Describe a time."""
    return {
        "description": description,
        "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": checks.LONGEST}, text(_TEXT_DEADLINE)],
        "default": f"{checks.DEFAULT_DEADLINE:g}s",
        "examples": ["500ms", "30s", "2m"],
    }


def argv(description: str) -> Schema:
    """Describe a command."""
    return {
        "description": description,
        "type": "array",
        "minItems": 1,
        "prefixItems": [text(checks.SOME)],
        "items": text(NUL_FREE),
    }
