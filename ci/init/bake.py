"""Reads the targets of bake files that are written in JSON; those in HCL are named, and not read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ci.init.released import Built
from ci.init.tagging import is_plain, read_name, rules_of
from ci.init.values import list_arguments, list_platforms

_FILE = re.compile(r"(?:.*/)?docker-bake(?:\.override)?\.(?:json|hcl)")
_DEEPEST = 8


def is_bake(path: str) -> bool:
    """Tell whether a file is one that bake takes by itself."""
    return bool(_FILE.fullmatch(path)) and path.count("/") <= 1


def read_bake(files: Mapping[str, str]) -> tuple[list[Built], list[str]]:
    """Read the targets of the default group, or all that have tags; return also what was not read."""
    built: list[Built] = []
    lost: list[str] = []
    for file, text in files.items():
        if file.endswith(".hcl"):
            lost.append(f"{file}: HCL is not read; docker buildx bake --print writes it as JSON")
            continue
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            lost.append(f"{file}: it is not JSON")
            continue
        targets = _table(document, "target")
        for name in _wanted(document, targets):
            made = _inherited(targets, name)
            if _texts(made, "tags"):
                built.append(_built(f"{file}, target {name}", made))
    return built, lost


def _table(document: object, key: str) -> dict[str, Any]:
    found = document.get(key) if isinstance(document, dict) else None
    return {name: value for name, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}


def _wanted(document: object, targets: Mapping[str, Any]) -> list[str]:
    groups = _table(document, "group")
    wanted = _texts(groups.get("default", {}), "targets")
    for name in [name for name in wanted if name in groups]:
        wanted += _texts(groups[name], "targets")
    return [name for name in dict.fromkeys(wanted) if name in targets] or [*targets]


def _texts(values: Mapping[str, Any], key: str) -> list[str]:
    found = values.get(key)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _inherited(targets: Mapping[str, Any], name: str, deep: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {}
    own = targets.get(name, {})
    for parent in _texts(own, "inherits") if deep < _DEEPEST else ():
        made.update(_inherited(targets, parent, deep + 1))
    arguments = {**_table_of(made, "args"), **_table_of(own, "args")}
    return {**made, **own, "args": arguments}


def _table_of(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _built(place: str, made: Mapping[str, Any]) -> Built:
    context = str(made.get("context") or ".").removeprefix("./") or "."
    file = str(made.get("dockerfile") or "Dockerfile").removeprefix("./")
    names = [read_name(tag) for tag in _texts(made, "tags")]
    found = rules_of([name.tag for name in names], place, "")
    platforms, strange = list_platforms(",".join(_texts(made, "platforms")), place)
    given = "\n".join(f"{key}={value}" for key, value in _table_of(made, "args").items() if isinstance(value, str))
    arguments = list_arguments(given, place, ())
    return Built(
        place=place,
        dockerfile=file if context == "." else f"{context}/{file}",
        context=context,
        target=str(made["target"]) if made.get("target") else None,
        platforms=platforms,
        build_args=arguments.values,
        repositories=tuple(dict.fromkeys(name.repository for name in names if is_plain(name.repository))),
        rules=found.rules,
        flavor=found.flavor,
        notes=arguments.notes,
        lost=(*strange, *arguments.lost, *found.lost),
    )
