"""Finds the name that a project gives itself."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping

MANIFESTS = ("pyproject.toml", "package.json", "go.mod", "Cargo.toml")
DEFAULT = "app"

_MODULE = re.compile(r"^module\s+\"?([^\s\"]+)", re.MULTILINE)
_VERSION = re.compile(r"v[0-9]+")


def project_name(texts: Mapping[str, str]) -> str:
    """Read the name from the first manifest that tells one; "app" where none does.

    Args:
        texts: those of the MANIFESTS that the root of the repository holds.

    """
    for file in MANIFESTS:
        try:
            name = _name(file, texts[file]) if file in texts else None
        except (ValueError, RecursionError):
            continue  # what is wrong with the file is for its own tools to say
        if isinstance(name, str) and (found := re.search("[A-Za-z0-9][A-Za-z0-9_.-]*$", name)):
            return found[0]
    return DEFAULT


def _name(file: str, text: str) -> object:
    if file == "go.mod":
        parts = (found := _MODULE.search(text)) and found[1].split("/")
        while parts and _VERSION.fullmatch(parts[-1]):
            parts.pop()
        return parts[-1] if parts else None
    values = json.loads(text) if file == "package.json" else tomllib.loads(text)
    tables = {
        "pyproject.toml": (("project",), ("tool", "poetry")),
        "Cargo.toml": (("package",),),
        "package.json": ((),),
    }
    names = (_at(values, (*table, "name")) for table in tables[file])
    return next((name for name in names if name), None)


def _at(value: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
