"""Makes of an entry of `images` that has a matrix one entry for each of its cases, before anything else is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import yaml

from ci.config.cursor import CORE, Cursor
from ci.core.findings import Finding
from ci.core.text import nearest, show
from ci.core.values import MEANING, fill, list_places

KEY = "matrix"
MAX_CASES = 256  # of one matrix, as on GitHub
WORD = re.compile("[A-Za-z_][A-Za-z0-9_-]*")
WORD_HELP = "a word of letters, digits, _ and -, such as flavor"
# Here words of the run, or of a tag's rule, may stand too; whoever reads these keys says what is wrong with them.
OPEN = ("repository", "build-args", "labels", "annotations", "tags", "flavor")

_Case = Mapping[str, Cursor]  # a value by its word


def list_entries(images: Cursor) -> tuple[Cursor, ...]:
    """List the images of a configuration, those of a matrix one by one; each has findings of its own.

    `unite_findings` puts them back together. What is wrong with a matrix itself, the list is told.
    """
    return tuple(entry for item in images.items() for entry in _expand(item))


def unite_findings(entries: Iterable[Cursor]) -> list[Finding]:
    """List the findings of entries; what is wrong with several images of one matrix is listed once."""
    found: dict[tuple[str, int, str, str], Finding] = {}
    for entry in entries:
        written = f"{entry.key.partition(']')[0]}]"
        for finding in entry.findings:
            key = finding.key.replace(entry.key, written, 1)
            found.setdefault((key, finding.line, finding.message, finding.accepted), finding)
    return list(found.values())


def _expand(item: Cursor) -> Iterator[Cursor]:
    """Give the entry itself, or the entries that its matrix makes of it; none where the matrix has mistakes."""
    fields = item.quiet().entries() if item.kind == "map" else {}
    if KEY not in fields:
        yield item.quiet()
        return
    before = len(item.findings)
    matrix = replace(fields[KEY], findings=item.findings)
    cases = _read_list(matrix) if matrix.kind == "seq" else _read_product(matrix)
    if len(item.findings) == before:
        for case in cases:
            yield _Expansion(item=item.quiet(), case=case).entry()


def _read_list(cursor: Cursor) -> Sequence[_Case]:
    """Read cases that are written one by one."""
    cases = [_record(item) for item in cursor.items()]
    _check_same(cursor.items(), cases)
    _check_count(cursor, len(cases))
    return cases


def _read_product(cursor: Cursor) -> Sequence[_Case]:
    """Read lists of which every value meets every other."""
    axes: list[Sequence[_Case]] = []
    for name, values in cursor.entries().items():
        _check_word(values, name)
        items = values.items()
        axis = [
            {f"{name}.{word}": value for word, value in _record(item, alone=False).items()}
            if item.kind == "map"
            else {name: item}
            for item in items
        ]
        _check_same(items, axis)
        axes.append(axis)
    if not _check_count(cursor, prod(map(len, axes))):
        return ()
    return [{word: value for part in parts for word, value in part.items()} for parts in product(*axes)]


def _record(cursor: Cursor, *, alone: bool = True) -> dict[str, Cursor]:
    """Read the values of a case; its words stand `alone`, or behind that of their list, as in {list.word}."""
    values = cursor.entries()
    for word, value in values.items():
        _check_word(value, word, alone=alone)
        if value.kind == "null":
            value.report("no value is given", accepted='a value; "" is an empty text')
    return values


def _check_word(cursor: Cursor, word: str, *, alone: bool = True) -> None:
    if not WORD.fullmatch(word):
        cursor.report(f"{show(word)} cannot be written as a placeholder", accepted=WORD_HELP)
    elif alone and word in MEANING:
        cursor.report(f"{{{word}}} stands for {MEANING[word]}", accepted="another word")


def _check_same(items: Sequence[Cursor], cases: Sequence[_Case]) -> None:
    """Write down where a case has other words than the first one."""
    for item, case in zip(items, cases, strict=True):
        if case.keys() != cases[0].keys():
            words = ", ".join(cases[0])
            item.report(f"it has {', '.join(case) or 'nothing'}, and the first has {words}", accepted=f"all of {words}")


def _check_count(cursor: Cursor, count: int) -> bool:
    if count > MAX_CASES:
        cursor.report(f"the matrix makes {count} images", accepted=f"at most {MAX_CASES} of one entry")
    return count <= MAX_CASES


@dataclass(frozen=True, kw_only=True, slots=True)
class _Expansion:
    """One case of a matrix, and the entry that it is filled into."""

    item: Cursor
    case: _Case

    @property
    def words(self) -> dict[str, str]:
        """The values that may stand inside a text."""
        return {word: value.node.value for word, value in self.case.items() if value.single}

    def entry(self) -> Cursor:
        """Fill in the entry."""
        entry = replace(self.item, node=self._filled(self.item.node, self.item.key, top=True))
        name = entry.quiet().entries().get("name")
        return replace(entry, key=f"{entry.key}[{name.node.value}]" if name and name.single else entry.key)

    def _filled(self, node: yaml.Node, key: str, *, open_: bool = False, top: bool = False) -> yaml.Node:
        """Fill in a value; the keys of the entry itself, which is on `top`, are no texts."""
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key, open_=open_) if node.tag == f"{CORE}str" else node
        if isinstance(node, yaml.MappingNode):
            self._check_quoted(node, key)
            pairs = [self._pair(name, value, key, open_=open_, top=top) for name, value in node.value]
            return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark, node.flow_style)
        values = [self._filled(value, f"{key}[{n}]", open_=open_, top=top) for n, value in enumerate(node.value)]
        return yaml.SequenceNode(node.tag, values, node.start_mark, node.end_mark)

    def _pair(
        self, name: yaml.Node, value: yaml.Node, key: str, *, open_: bool, top: bool
    ) -> tuple[yaml.Node, yaml.Node]:
        if name.tag == f"{CORE}merge":  # what it brings stands where it does
            return name, self._filled(value, key, open_=open_, top=top)
        if not top:
            filled = self._filled(name, key, open_=open_)
            return filled, self._filled(value, f"{key}.{filled.value}", open_=open_)
        if name.value == KEY:
            return name, value
        return name, self._filled(value, f"{key}.{name.value}", open_=name.value in OPEN)

    def _scalar(self, node: yaml.ScalarNode, key: str, *, open_: bool) -> yaml.Node:
        unknown: dict[str, str] = {}
        for place in list_places(node.value):
            if place.written == node.value and place.word in self.case:
                return self.case[place.word].node
            if place.twice or place.word in self.words or (open_ and place.word in MEANING):
                continue
            unknown[place.word] = place.word
            if place.word in self.case:
                self._report(node, key, f"{place.written} is a list or a mapping", "it alone, as the whole value")
                continue
            options = [*self.case, *(MEANING if open_ else ())]
            close = nearest(place.word, options)
            self._report(
                node,
                key,
                f"{place.written} stands for nothing",
                ", ".join(f"{{{word}}}" for word in options) + r"; \{ where the brace is to stay",
                nearest=close and f"{{{close}}}",
            )
        value = fill(node.value, {**self.words, **unknown}, rest=open_)
        return yaml.ScalarNode(node.tag, value, node.start_mark, node.end_mark, node.style)

    def _check_quoted(self, node: yaml.MappingNode, key: str) -> None:
        """Say that {word} without quotes is no text to YAML."""
        if word := unquoted_word(node, self.case):
            self._report(node, key, f"YAML reads {{{word}}} as a mapping", f'quotes around it: "{{{word}}}"')

    def _report(self, node: yaml.Node, key: str, message: str, accepted: str, *, nearest: str = "") -> None:
        line = node.start_mark.line + 1
        self.item.report(message, accepted=accepted, nearest=nearest, key=key, line=line)


def unquoted_word(node: yaml.Node, words: Iterable[str]) -> str:
    """Return the word of a {word} that was written without quotes, which YAML takes for a mapping of it to nothing."""
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        name, value = node.value[0]
        if name.value in words and value.tag == f"{CORE}null" and not value.value:
            return str(name.value)
    return ""
