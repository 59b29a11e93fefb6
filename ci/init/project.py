"""Finds the name that a project gives itself."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping

MANIFESTS = ("pyproject.toml", "package.json", "go.mod", "Cargo.toml")
DEFAULT = "app"

# Files that say which version of a tool a repository is built with, by the arguments that are called after them.
_TOOLS = (
    ("GO_VERSION", "go.mod", r"(?m)^(?:toolchain go|go )(\d[\w.]*)"),
    ("NODE_VERSION", ".nvmrc", r"^\s*v?(\d[\w.]*)"),
    ("NODE_VERSION", ".node-version", r"^\s*v?(\d[\w.]*)"),
    ("PYTHON_VERSION", ".python-version", r"^\s*(\d[\w.]*)"),
    ("RUBY_VERSION", ".ruby-version", r"^\s*(?:ruby-)?(\d[\w.]*)"),
)
VERSIONS = tuple(dict.fromkeys(file for _, file, _ in _TOOLS))

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


def tool_version(argument: str, texts: Mapping[str, str]) -> tuple[str, str] | None:
    """Find the version that a build argument is named for, and the file that says it.

    Args:
        argument: its name, such as GO_VERSION.
        texts: those of the VERSIONS that the root of the repository holds.

    """
    for name, file, pattern in _TOOLS:
        found = re.findall(pattern, texts.get(file, "")) if name == argument else []
        if found:
            return found[-1], file  # a toolchain stands behind the oldest version that will do
    return None
