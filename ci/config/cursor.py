"""One value of a YAML file, which knows where it stands and says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import yaml

from ci.core.findings import Finding, mistake
from ci.core.text import nearest, show

CORE = "tag:yaml.org,2002:"  # what the names of YAML's own types begin with

T = TypeVar("T")
D = TypeVar("D")

_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "timestamp": "a date",
}
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_./-]{1,80}")
# No program can be handed these, whatever the key: the end of a C string, and half a character.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """One value of the file, and where it stands.

    A reader that meets a mistake writes it down in `findings` and returns an empty value of its type, so
    that a single pass finds every mistake.
    """

    node: yaml.Node
    key: str
    line: int
    file: str
    findings: list[Finding]

    def report(self, message: str, *, accepted: str = "", nearest: str = "", key: str = "", line: int = 0) -> None:
        """Write down a mistake in this value, or at one of its keys."""
        self.findings.append(
            mistake(self.file, line or self.line, key or self.key, message, accepted=accepted, nearest=nearest)
        )

    def quiet(self) -> Cursor:
        """Return the same value for a second look, since a first one has written its mistakes down."""
        return replace(self, findings=[])

    @property
    def kind(self) -> str:
        """What YAML takes the value for: "str", "int", "float", "bool", "null", "map", "seq" and so on."""
        if isinstance(self.node, yaml.MappingNode):
            return "map"
        return "seq" if isinstance(self.node, yaml.SequenceNode) else self.node.tag.removeprefix(CORE)

    @property
    def single(self) -> bool:
        """Whether one value is given, of whatever type: no mapping, no list, not nothing."""
        return self.kind not in ("map", "seq", "null")

    @property
    def shown(self) -> str:
        """The value as a message shows it."""
        if self.kind in ("map", "seq"):
            return "a mapping" if self.kind == "map" else "a list"
        if self.kind == "null":
            return "no value"
        return show(self.node.value) if self.kind == "str" else show(self.node.value)[1:-1]

    def raw(self) -> str:
        """Read a scalar as it is written: 3.10 stays "3.10", and on stays "on"."""
        if not self.single:
            self.report(f"{self.shown} is given", accepted='text (write "" for an empty one)')
            return ""
        return self._usable()

    def text(self) -> str:
        """Read a text, and refuse what YAML takes for something else."""
        if not self.single:
            self.report(f"{self.shown} is given", accepted="text")
            return ""
        if self.kind != "str":
            what = _KINDS.get(self.kind, "a special sign")
            self.report(f"YAML reads {self.shown} as {what}", accepted=f'text; quote it: "{self.shown}"')
            return ""
        return self._usable()

    def matching(self, pattern: re.Pattern[str], accepted: str) -> str:
        """Read a text that the whole of a pattern matches."""
        before = len(self.findings)
        value = self.text()
        if len(self.findings) == before and not pattern.fullmatch(value):
            self.report(f"{show(value)} is not accepted", accepted=accepted)
            return ""
        return value

    def choice(self, options: Iterable[str]) -> str:
        """Read a text that is one of the options."""
        options = tuple(options)
        value = self.text()
        if value in options:
            return value
        if self.kind == "str":
            self.report(f"{show(value)} is not known", accepted=", ".join(options), nearest=nearest(value, options))
        return ""

    def integer(self, low: int, high: int) -> int:
        """Read a decimal whole number within bounds."""
        if self.kind == "int" and _DECIMAL.fullmatch(self.node.value) and low <= int(self.node.value) <= high:
            return int(self.node.value)
        quoted = " in quotes" if self.kind == "str" and _DECIMAL.fullmatch(self.node.value) else ""
        self.report(f"{self.shown}{quoted} is given", accepted=f"a decimal whole number from {low} to {high}")
        return low

    def boolean(self) -> bool:
        """Read true or false, and refuse the other words YAML 1.1 takes for them."""
        if self.kind == "bool" and self.node.value in ("true", "false"):
            return bool(self.node.value == "true")
        self.report(f"{self.shown} is given", accepted="true, false")
        return False

    def items(self) -> tuple[Cursor, ...]:
        """Read a list that is not empty."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.report(f"{self.shown} is given", accepted="a list")
            return ()
        if not self.node.value:
            self.report("the list is empty", accepted="a list with at least one entry")
        return tuple(self._child(f"{self.key}[{n}]", child) for n, child in enumerate(self.node.value))

    def unique(self, read: Callable[[Cursor], str]) -> tuple[str, ...]:
        """Read a list of texts that are all different; empty if one of them could not be read."""
        items = self.items()
        values = tuple(read(item) for item in items)
        seen: set[str] = set()
        for item, value in zip(items, values, strict=True):
            if value and value in seen:
                item.report(f"{show(value)} is in the list twice", accepted="each value once")
            seen.add(value)
        return () if "" in seen else values

    def entries(self, known: Collection[str] | None = None) -> dict[str, Cursor]:
        """Read a mapping that is not empty, its merge keys included; `known` are the keys there may be."""
        if not isinstance(self.node, yaml.MappingNode):
            self.report(f"{self.shown} is given", accepted="a mapping (key: value)")
            return {}
        if not self.node.value:
            self.report("the mapping is empty", accepted="at least one key")
        found: dict[str, Cursor] = {}
        first: dict[str, int] = {}
        merged: Cursor | None = None
        for key_node, node in self.node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.report("a list or a mapping is used as a key", accepted="text as a key", line=line)
                continue
            name: str = key_node.value
            key = _join(self.key, name)
            child = self._child(key, node, line)
            if name in first:
                message = f"the key {show(name)} is given twice, first on line {first[name]}"
                self.report(message, accepted="each key once", key=key, line=line)
                continue
            first[name] = line
            if key_node.tag == f"{CORE}merge":
                merged = child
            elif known is not None and name not in known:
                self.report(
                    f"the key {show(name)} is not known",
                    accepted=", ".join(known),
                    nearest=nearest(name, known),
                    key=key,
                    line=line,
                )
            else:
                found[name] = child
        return found | {k: v for k, v in self._merge(merged, known).items() if k not in found}

    def record(self, required: Mapping[str, str], optional: Collection[str]) -> dict[str, Cursor]:
        """Read a mapping of known keys; `required` says for each key that must be there what it takes."""
        found = self.entries((*required, *optional))
        if isinstance(self.node, yaml.MappingNode) and self.node.value:
            for name in [name for name in required if name not in found]:
                self.report("the key is missing", accepted=required[name], key=_join(self.key, name))
        return found

    def _merge(self, merged: Cursor | None, known: Collection[str] | None) -> dict[str, Cursor]:
        """Read what a merge key brings: of a list of mappings, the first that has a key gives its value."""
        if merged is None:
            return {}
        sources = merged.node.value if isinstance(merged.node, yaml.SequenceNode) else [merged.node]
        found: dict[str, Cursor] = {}
        for node in sources:
            if isinstance(node, yaml.MappingNode):
                found = self._child(self.key, node).entries(known) | found
            else:
                merged.report(f"{merged.shown} is given", accepted="an alias of a mapping, or a list of them")
        return found

    def _child(self, key: str, node: yaml.Node, key_line: int = 0) -> Cursor:
        # A block stands under its key, which is the line a reader looks for; a scalar is its own place.
        line = key_line if key_line and not isinstance(node, yaml.ScalarNode) else node.start_mark.line + 1
        return Cursor(node=node, key=key, line=line, file=self.file, findings=self.findings)

    def _usable(self) -> str:
        value: str = self.node.value
        if bad := _UNUSABLE.search(value):
            self.report(f"{show(value)} holds the character {bad[0]!r}", accepted="text without it")
            return ""
        return value


def take(fields: Mapping[str, Cursor], key: str, read: Callable[[Cursor], T], default: D) -> T | D:
    """Read one field of a record, or give the default where it is absent."""
    return read(fields[key]) if key in fields else default


def _join(key: str, name: str) -> str:
    if not _PLAIN_KEY.fullmatch(name):
        return f"{key}[{show(name)}]"
    return f"{key}.{name}" if key else name
