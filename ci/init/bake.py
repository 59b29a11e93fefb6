"""Reads bake files, of HCL and of JSON alike: which targets are built, and with what."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import islice, product
from typing import Any

from ci.init.hcl import Block, HclError, Node, Scope, labelled, read_blocks, work_out
from ci.init.hcl_functions import has_hole, written
from ci.init.holes import HOLE, shown, split
from ci.init.released import BY_DIGEST, Built, unique
from ci.init.supply import read_supply
from ci.init.values import list_arguments, list_platforms

_FILE = re.compile(r"(?:[\w.-]+/){0,2}[\w.-]*bake[\w.-]*\.(?:json|hcl)")
_USUAL = re.compile(r"(?:.*/)?docker-bake(?:\.override)?\.(?:json|hcl)")
_DEEPEST = 8
_MOST_CASES = 64
_LISTS = ("tags", "platforms", "output")
# What --set calls them.
_SETTINGS = {"platform": "platforms"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A target as it stands in its file, without what it inherits."""

    place: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bake:
    """What bake files say."""

    targets: Mapping[str, Target] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Baked:
    """One target as it is built, and the names that it is given."""

    built: Built
    tags: tuple[str, ...]
    outputs: tuple[str, ...]
    parents: tuple[str, ...]  # all targets that it inherits from


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a call says of attestations, for all targets."""

    provenance: str = ""
    sbom: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def is_bake(path: str) -> bool:
    """Tell whether a file is one of bake's by its name."""
    return bool(_FILE.fullmatch(path))


def usual_files(paths: Iterable[str]) -> list[str]:
    """List those that bake takes by itself, where nothing names others."""
    return sorted(path for path in paths if _USUAL.fullmatch(path) and path.count("/") <= 1)


def read_bake(files: Mapping[str, str], environment: Mapping[str, str]) -> Bake:
    """Read bake files that are given together.

    Args:
        files: their texts, in order: a later one adds to the targets of those before.
        environment: variables, by names in lower case; they stand before what a file says.

    """
    targets: dict[str, Target] = {}
    groups: dict[str, tuple[str, ...]] = {}
    lost: list[str] = []
    blocks: list[tuple[str, Block]] = []
    for file, text in files.items():
        try:
            blocks += [(file, block) for block in (_from_json(text) if file.endswith(".json") else read_blocks(text))]
        except HclError as error:
            lost.append(f"{file}: {error}")
    try:
        scope = _variables([block for _, block in blocks], environment)
    except HclError as error:
        return Bake(lost=(*lost, f"{' and '.join(files)}: {error}"))
    for file, block in blocks:
        try:
            values = {key: work_out(node, scope) for key, node in block.keys.items() if key not in _UNREAD}
            if block.kind == "group" and block.labels:
                groups[block.labels[0]] = (*groups.get(block.labels[0], ()), *_texts(values.get("targets")))
            elif block.kind == "target" and block.labels:
                names = []
                for name, case in _cases(block, values, scope):
                    names.append(name)
                    made = Target(place=f"{file}:{block.line}", values=case)
                    before = targets.get(name)
                    targets[name] = replace(before, values=_also(before.values, case)) if before else made
                if "matrix" in values:
                    groups[block.labels[0]] = tuple(names)
        except HclError as error:
            lost.append(f"{file}:{block.line}: {error}")
    return Bake(targets=targets, groups=groups, lost=tuple(lost))


_UNREAD = frozenset("labels annotations cache-from cache-to secret ssh description".split())


def _variables(blocks: Sequence[Block], environment: Mapping[str, str]) -> Scope:
    values: dict[str, Any] = {}
    scope = Scope(values=values, functions=dict(labelled(blocks, "function")))
    outside = [("", block) for block in blocks if not block.kind]
    for name, block in [*labelled(blocks, "variable"), *outside]:
        for key, node in block.keys.items():
            own = name or key
            if not name or key == "default":
                usual = work_out(node, scope)
                given = environment.get(own.lower())
                values[own] = usual if given is None else given == "true" if isinstance(usual, bool) else given
        if name and name not in values and name.lower() in environment:
            values[name] = environment[name.lower()]
    return scope


def _cases(block: Block, values: Mapping[str, Any], scope: Scope) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """List the targets that one with a matrix stands for."""
    matrix = values.get("matrix")
    if not isinstance(matrix, dict):
        return [(block.labels[0], values)]
    axes = {name: each if isinstance(each, list) else [each] for name, each in matrix.items()}
    cases = (dict(zip(axes, one, strict=True)) for one in islice(product(*axes.values()), _MOST_CASES))
    made = []
    for number, case in enumerate(cases):
        inner = scope.within(case)
        its = {key: work_out(node, inner) for key, node in block.keys.items() if key not in (*_UNREAD, "matrix")}
        made.append((written(its.get("name", f"{block.labels[0]}-{number}")), its))
    return made


def _from_json(text: str) -> list[Block]:
    """Read the same from JSON, whose texts may hold variables too."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HclError("it is not JSON") from error
    blocks = []
    for kind, held in document.items() if isinstance(document, dict) else ():
        for label, keys in held.items() if isinstance(held, dict) else ():
            if isinstance(keys, dict):
                nodes = {key: _json_node(value) for key, value in keys.items()}
                blocks.append(Block(kind=kind, labels=(label,), line=_line(text, label), keys=nodes))
    return blocks


def _line(text: str, label: str) -> int:
    return text[: max(text.find(f'"{label}": {{'), 0)].count("\n") + 1


def _json_node(value: object) -> Node:
    (block,) = read_blocks(f"value = {json.dumps(value, ensure_ascii=False)}")
    return block.keys["value"]


def choose(bake: Bake, wanted: Sequence[str]) -> list[str]:
    """List the targets of names, of which some may be groups; without any, those of the default group, or all."""
    left = [*(wanted or ("default",))]
    found: list[str] = []
    for _ in range(_DEEPEST):
        inner = [name for group in left for name in bake.groups.get(group, ())]
        found += [name for name in left if name in bake.targets]
        left = inner
    return [*dict.fromkeys(found)] or ([] if wanted else [*bake.targets])


def bake_target(bake: Bake, name: str, settings: Iterable[str] = (), asked: Asked = Asked()) -> Baked:
    """Say what is built of a target.

    Args:
        bake: what the files say.
        name: of a target.
        settings: as --set takes them, such as *.platform=linux/arm64.
        asked: what is said of attestations for all targets.

    """
    target = bake.targets[name]
    values, parents = _inherited(bake.targets, name)
    values = _set(values, name, settings)
    place = target.place
    context = written(values.get("context") or ".")
    remote = "://" in context or bool(HOLE.search(context))
    folder = "." if remote else posixpath.normpath(context)
    file = posixpath.normpath(posixpath.join(folder, written(values.get("dockerfile") or "Dockerfile")))
    platforms, strange = list_platforms(",".join(_texts(values.get("platforms"))), place)
    arguments = _table(values.get("args"))
    given = "\n".join(f"{key}={written(value)}" for key, value in arguments.items() if value is not None)
    taken = list_arguments(given, place, ())
    outputs = _texts(values.get("output"))
    tags = [tag for text in _texts(values.get("tags")) for tag in split(text, r"[,\s]+")]
    built = Built(
        place=place,
        dockerfile=file,
        context=folder,
        target=written(values["target"]) if values.get("target") else None,
        platforms=platforms,
        build_args=taken.values,
        contexts={key: written(value) for key, value in _table(values.get("contexts")).items() if not has_hole(value)},
        name=name,
        notes=taken.notes,
        open_args=taken.open,
        by_digest=any(BY_DIGEST in output for output in outputs),
        supply=read_supply(_lines(values.get("attest")), asked.provenance, asked.sbom, place, asked.environment),
        lost=(
            *strange,
            *taken.lost,
            *([f"{place}: the context {shown(context)} is none of the source; it is taken for ."] if remote else []),
            *([f"{place}: dockerfile-inline is no file of the source"] if "dockerfile-inline" in values else []),
        ),
    )
    return Baked(built=built, tags=tuple(tags), outputs=tuple(outputs), parents=parents)


def _inherited(targets: Mapping[str, Target], name: str, deep: int = 0) -> tuple[dict[str, Any], tuple[str, ...]]:
    own = targets[name].values if name in targets else {}
    made: dict[str, Any] = {}
    parents: list[str] = []
    for parent in _texts(own.get("inherits")) if deep < _DEEPEST else ():
        values, more = _inherited(targets, parent, deep + 1)
        made = _over(made, values)
        parents += [parent, *more]
    return _over(made, own), unique(parents)


def _over(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    tables = {key: {**_table(one.get(key)), **_table(other.get(key))} for key in ("args", "contexts")}
    given = {key: value for key, value in other.items() if value is not None}
    return {**_also(one, given), **tables}


def _also(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Add what a later file says of a target."""
    return {**before, **more, "attest": [*_lines(before.get("attest")), *_lines(more.get("attest"))]}


def _lines(value: object) -> list[str]:
    """Write what is attested as --attest takes it; in HCL it may be a table."""
    found = value if isinstance(value, list) else [value]
    written_out = [
        ",".join(f"{k}={written(v)}" for k, v in one.items()) if isinstance(one, dict) else one for one in found
    ]
    return _texts(written_out)


def _set(values: Mapping[str, Any], name: str, settings: Iterable[str]) -> dict[str, Any]:
    made = dict(values)
    replaced: dict[str, list[str]] = {}
    for setting in settings:
        key, equals, value = setting.strip().partition("=")
        pattern, _, what = key.partition(".")
        what, _, inner = what.partition(".")
        what = _SETTINGS.get(what, what)
        if not equals or not fnmatchcase(name, pattern):
            continue
        if what == "platforms" and HOLE.search(value):
            continue  # one job for each, of those that the file lists
        if inner:
            made[what] = {**_table(made.get(what)), inner: value}
        elif what == "attest":
            made[what] = [*_lines(made.get(what)), value]
        elif what in _LISTS:
            replaced.setdefault(what, []).extend(split(value, ",") if what == "platforms" else [value])
        else:
            made[what] = value
    return {**made, **replaced}


def _texts(value: object) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [text for text in found if isinstance(text, str) and text]


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
