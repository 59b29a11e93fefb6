"""Writes the configuration's reference from its schema, so that neither can say what the parser does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ci.config.schema import INEXPRESSIBLE, config_schema
from ci.core.values import MEANING

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
    ("require", "What a release insists on", "The value of `require`."),
    ("signed", "Who has to have signed", "The value of `signed`, where true does not say it all."),
    ("scan", "A scanner", "The value of `scan`, or one entry of it."),
    ("service", "A service beside an image", "One entry of `services`, by its host name."),
    ("validate", "What validate accepts", "The value of `validate`."),
    ("acceptance", "An accepted finding", "One entry of `accept`."),
    ("check", "A smoke check", "One entry of `smoke`."),
    ("http", "An HTTP check", "The value of `http`."),
    ("tcp", "A TCP check", "The value of `tcp`."),
    ("grpc", "A gRPC check", "The value of `grpc`."),
    ("file", "A file check", "The value of `file`."),
    ("config", "A check of the image's configuration", "The value of `config`."),
    (
        "text",
        "What a text has to look like",
        "`stdout`, `stderr`, `body`, `content` and each of `response-headers` are held against it.",
    ),
)
_TITLES = {name: title for name, title, _ in _SECTIONS}
_TYPES = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "`true`, `false`",
    "object": "mapping of names to texts",
}
_VALUES = """
## Values of the run

In `build-args`, `labels` and `annotations` these words stand for what is known of a run. `{word:-TEXT}` is TEXT where
it is empty; TEXT may hold words too, as in `{version:-{ref}}`. Any other word in braces is a mistake. A brace that is
to stay has a backslash before it: `\\{word}`. Nothing is done with `${word}`, with `{{word}}` of a template, and with
braces around anything else than a word. No secret is among the words: an image's history shows what they stand for.

| word | stands for |
|---|---|
"""
_VALUES_END = """
`{version}` and `{tag}` need a `:-TEXT`, which may be empty, since most runs have neither. A build that is not released
takes what it is given, and else, so that its steps stay cached, always the same: a revision of zeros, the time 0, the
ref HEAD. A release that is not told one of them is refused. [What they do to unchanged images and to the layer
cache](releasing.md#values-of-the-run) is said there.

## Several images of one entry

An image with `matrix` stands for several: each has all keys of the entry, with the placeholders filled in.

```yaml
images:
  - matrix:
      tool: [regctl, regsync]
      base: [{target: release-scratch, suffix: ""}, {target: release-alpine, suffix: -alpine}]
    name: "{tool}{base.suffix}" # regctl, regctl-alpine, regsync, regsync-alpine
    dockerfile: "build/Dockerfile.{tool}"
    target: "{base.target}"
    platforms: [linux/amd64, linux/arm64]
    smoke: [{run: ["/{tool}", version]}]
```

A mapping makes an image of each combination of its lists; a list of mappings makes one of each:
`matrix: [{tool: regctl, port: 8080}, {tool: regsync, port: 8081}]`. A placeholder that is the whole of a value becomes
that value, be it a number, a list or a mapping; YAML wants quotes around it. It may stand in every key of the image.
Braces are read as above, and a word that the matrix does not have is a mistake. The images are known by their names
everywhere, and errors tell both the line and the image.
"""
_COUNTED = 1 << 20  # a limit that is worth telling


def render_reference() -> str:
    """Write the whole page."""
    schema = config_schema()
    lines = [_HEAD + "\n".join(f"- {what}" for what in INEXPRESSIBLE), "", "## The file", "", *_table(schema)]
    for name, title, where in _SECTIONS:
        record = schema["$defs"][name]
        lines += ["", f"## {title}", "", f"{where} {record['description']}", "", *_table(record)]
        if name == "image":
            words = "\n".join(f"| `{{{word}}}` | {what} |" for word, what in MEANING.items())
            lines.append(f"{_VALUES}{words}\n{_VALUES_END}".rstrip())
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
    field = field.get("else", field)  # one image, of what is one or several
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
    # Whatever is taken as it is written is a text.
    return "text" if isinstance(field["type"], list) else _TYPES[field["type"]]


def _code(value: object) -> str:
    """Write a value as it stands in YAML, on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=True)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"
