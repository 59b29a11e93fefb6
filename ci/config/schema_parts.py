"""What the schemas of all records are made of: texts, numbers, lists and mappings, as JSON Schema has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]

NUL_FREE = re.compile("[^\x00]*")
RELATIVE = re.compile(r"(?!/)(?!(?:[^\\]*/)?\.\.(?:/|$))[^\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")
FILE = re.compile(r"(?!(?:\.?/)*\.?$)" + RELATIVE.pattern)


def record(properties: Schema, required: Iterable[str], optional: Iterable[str]) -> Schema:
    """Describe a mapping of known keys; the parser's own tables say which there are."""
    required = [*required]
    known = {*required, *optional}
    if known != properties.keys():
        raise ValueError(f"the parser and the schema differ in {sorted(known ^ properties.keys())}")
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": properties,
        **({"required": required} if required else {}),
    }


def ref(name: str, description: str = "") -> Schema:
    """Describe a value that has a description of its own."""
    return {**({"description": description} if description else {}), "$ref": f"#/$defs/{name}"}


def text(pattern: re.Pattern[str], description: str = "", example: str = "") -> Schema:
    """Describe a text that the whole of a pattern matches."""
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


def integer(low: int, high: int) -> Schema:
    """Describe a whole number within bounds."""
    return {"type": "integer", "minimum": low, "maximum": high}


def list_of(items: Schema, description: str = "", example: list[object] | None = None) -> Schema:
    """Describe a list of values that are all different."""
    return {
        **({"description": description} if description else {}),
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": items,
        **({"examples": [example]} if example else {}),
    }


def map_of(names: re.Pattern[str], description: str, example: dict[str, object]) -> Schema:
    """Describe a mapping of names to texts, which are taken as they are written: 3.10 and on need no quotes."""
    return {
        "description": description,
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _ecma(names)},
        "additionalProperties": VALUE,
        "examples": [example],
    }


VALUE: Schema = {"type": ["string", "number", "boolean"], "pattern": _ecma(NUL_FREE)}  # as it is written
