"""Reads YAML for what it says of a build: mappings that know their line, and texts for everything else."""

from __future__ import annotations

from typing import Any

import yaml

from ci.config import read_tree
from ci.core.errors import ConfigError


class Lines(dict[str, Any]):
    """A mapping that knows where it stands."""

    line: int = 0


def read_document(text: str, file: str) -> Lines:
    """Read one document; an empty mapping where it is none."""
    try:
        found = _value(read_tree(text, file=file).node)
    except ConfigError:
        return Lines()
    return found if isinstance(found, Lines) else Lines()


def _value(node: yaml.Node) -> Any:  # noqa: ANN401  # a tree
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        made = Lines()
        made.line = node.start_mark.line + 1
        merged = Lines()
        for key, value in node.value:
            read = _value(value)
            if key.value == "<<":
                for one in read if isinstance(read, list) else [read]:
                    merged.update(one if isinstance(one, dict) else {})
            elif isinstance(key, yaml.ScalarNode):
                made[key.value] = read
        for name, value in merged.items():
            made.setdefault(name, value)
        return made
    return "" if node.tag.endswith(":null") else node.value


def mapping(value: object) -> Lines:
    """Return a mapping, or an empty one."""
    return value if isinstance(value, Lines) else Lines()


def text_of(values: Lines, key: str) -> str:
    """Return the text of a key, or an empty one."""
    found = values.get(key, "")
    return found if isinstance(found, str) else ""


def texts(value: object) -> list[str]:
    """List the texts of a list; a text alone is a list of one."""
    if isinstance(value, str):
        return [value] if value else []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def mappings(value: object) -> list[Lines]:
    """List the mappings of a list."""
    return [item for item in value if isinstance(item, Lines)] if isinstance(value, list) else []
