"""Writes the configuration's reference from its schema, so that neither can say what the parser does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ci.config.schema import INEXPRESSIBLE, config_schema

_HEAD = """\
# The configuration

<!-- Written by `make reference` from ci/config/schema.py. -->

`deploy/images.yaml`, or the file that `--config` names, says which images there are, how each is built, and what is
checked before a release. It is read strictly: every mistake is reported at once, with file, line, key, the bad value,
what is accepted and the nearest match. YAML anchors and `<<` work.

[deploy/images.schema.json](../deploy/images.schema.json) is the same as a JSON Schema, for editors. A first line
such as `# yaml-language-server: $schema=images.schema.json` makes an editor complete keys and mark mistakes while one
types. A schema cannot say everything; the parser, which every command runs, also sees:

"""
_SECTIONS = (
    # name in the schema, title, where it stands
    ("image", "An image", "One entry of `images`."),
    ("cache", "The layer cache", "The value of `cache`, where a word does not say it all."),
    ("validate", "What validate accepts", "The value of `validate`."),
    ("acceptance", "An accepted finding", "One entry of `accept`."),
    ("check", "A smoke check", "One entry of `smoke`."),
    ("http", "An HTTP check", "The value of `http`."),
    ("file", "A file check", "The value of `file`."),
    ("config", "A check of the image's configuration", "The value of `config`."),
    ("text", "What a text has to look like", "`stdout`, `stderr`, `body` and `content` are held against it."),
)
_TITLES = {name: title for name, title, _ in _SECTIONS}
_TYPES = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "`true`, `false`",
    "object": "mapping of names to texts",
}
_COUNTED = 1 << 20  # a limit that is worth telling


def render_reference() -> str:
    """Write the whole page."""
    schema = config_schema()
    lines = [_HEAD + "\n".join(f"- {what}" for what in INEXPRESSIBLE), "", "## The file", "", *_table(schema)]
    for name, title, where in _SECTIONS:
        record = schema["$defs"][name]
        lines += ["", f"## {title}", "", f"{where} {record['description']}", "", *_table(record)]
    return "\n".join(lines) + "\n"


def _table(record: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in record["properties"].items():
        required = key in record.get("required", ())
        default = _code(field["default"]) if "default" in field else "required" if required else ""
        yield f"| `{key}` | {_value(field)} | {default} | {field['description']} |"


def _value(field: Mapping[str, Any]) -> str:
    """Say what a key takes, by example where there is one."""
    kind = _kind(field)
    examples = " or ".join(_code(example) for example in field.get("examples", ()))
    return f"{kind}: {examples}" if examples else kind


def _kind(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(option) for option in field["anyOf"]))
    if "$ref" in field:
        title = _TITLES[field["$ref"].rpartition("/")[2]]
        anchor = title.lower().replace("'", "").replace(" ", "-")  # as GitHub makes it
        return f"[{title[0].lower()}{title[1:]}](#{anchor})"
    if options := field.get("enum") or ([field["const"]] if "const" in field else []):
        return ", ".join(_code(option) for option in options)
    if field["type"] == "array":
        items = _kind(field["items"])
        return f"list of {'texts' if items == 'text' else items}"
    if field["type"] == "integer" and field["maximum"] < _COUNTED:
        return f"{field['minimum']} to {field['maximum']}"
    return _TYPES[field["type"]]


def _code(value: object) -> str:
    """Write a value as it stands in YAML, on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=True)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"
