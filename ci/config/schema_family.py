"""An image with a matrix as a JSON Schema: a placeholder may stand for any value of it, or for a part of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci.config import matrix
from ci.config.schema_parts import Schema

_OF_MATRIX = "-of-matrix"
_PLACE = r"(?:^|[^\\$])\{[A-Za-z_]"
_KEPT = ("description", "default", "examples")


def matrix_schema() -> Schema:
    """Describe the cases of a matrix."""
    words = {"propertyNames": {"pattern": f"^{matrix.WORD.pattern}$"}, "minProperties": 1}
    record = {"type": "object", **words, "additionalProperties": {"not": {"type": "null"}}}
    return {
        "description": "Makes [several images](#several-images-of-one-entry) of this entry: one for each case of a "
        "list, or for each combination of the values of several lists.",
        "anyOf": [
            {"type": "array", "minItems": 1, "maxItems": matrix.MAX_CASES, "items": record},
            {
                "type": "object",
                **words,
                "additionalProperties": {"type": "array", "minItems": 1, "items": {"not": {"type": "null"}}},
            },
        ],
        "examples": [
            [{"tool": "server", "port": 8080}, {"tool": "worker", "port": 8081}],
            {"os": ["alpine", "debian"]},
        ],
    }


def family_schemas(definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """Describe an image with a matrix, and all that it refers to, by the names that they get."""
    return {f"{name}{_OF_MATRIX}": _record(schema) for name, schema in definitions.items()}


def image_or_family(image: Schema) -> Schema:
    """Describe an entry of the images: one image, or several by a matrix."""
    return {
        "if": {"required": [matrix.KEY]},
        "then": {"$ref": f"{image['$ref']}{_OF_MATRIX}"},
        "else": image,
    }


def _record(schema: Schema) -> Schema:
    """Let placeholders stand for the values of a mapping; its keys are known."""
    kept = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
    placed = {key: value if key == matrix.KEY else _placed(value) for key, value in schema["properties"].items()}
    return {**kept, "properties": placed}


def _placed(schema: Schema) -> Schema:
    """Let a placeholder stand for a value, or for any part of it."""
    kept = {key: schema[key] for key in _KEPT if key in schema}
    value = {key: _inside(key, part) for key, part in schema.items() if key not in (*_KEPT, "propertyNames")}
    options = value["anyOf"] if [*value] == ["anyOf"] else [value]
    return {**kept, "anyOf": [*options, {"type": "string", "pattern": _PLACE}]}


def _inside(key: str, part: Any) -> Any:  # noqa: ANN401  # whatever a keyword of JSON Schema holds
    match key:
        case "$ref":
            return f"{part}{_OF_MATRIX}"
        case "items" | "additionalProperties" if isinstance(part, dict):
            return _placed(part)
        case "anyOf" | "prefixItems":
            return [_placed(option) for option in part]
        case "properties":
            return {name: _placed(option) for name, option in part.items()}
        case _:
            return part
