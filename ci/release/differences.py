"""Says how what was built again differs from what was released: files of a layer by kind, and words of a document."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any  # documents of others

CONTENT, TIME, MODE, OWNER, TYPE, TARGET, ATTRIBUTES = (
    "content",
    "time",
    "mode",
    "owner",
    "type",
    "target",
    "attributes",
)
GONE, NEW = "only in the released one", "only in the new one"
_SHOWN = 20  # files of a layer, and lines of a document
_LONG = 60  # characters of a value


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file of a layer, as its archive describes it."""

    path: str
    type: str  # file, folder, link, ...
    content: str = ""  # the digest of a file's
    time: float = 0.0  # seconds since 1970
    mode: int = 0
    owner: str = ""  # "0:0 root:root"
    target: str = ""  # of a link; numbers of a device
    attributes: str = ""  # such as capabilities


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDifference:
    """One file that is not the same."""

    path: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDifferences:
    """How the files of two layers differ."""

    files: tuple[FileDifference, ...] = ()  # the first of them
    kinds: Mapping[str, int] = field(default_factory=dict)  # how many files differ in each
    differing: int = 0  # how many there are
    moved: int = 0  # files that are the same ones in another order
    entries: int = 0  # files that both have
    earlier: int = 0  # files that differ by a time alone, which is earlier in the released one

    @property
    def only_earlier(self) -> bool:
        """Whether the released one differs by earlier times, and by nothing else."""
        return self.differing == self.earlier > 0 and not self.moved


def compare_entries(released: Iterable[Entry], built: Iterable[Entry]) -> FileDifferences:
    """Compare two layers file by file.

    Both are read once, side by side: what is kept meanwhile are the entries that the other one has not shown yet.
    """
    waiting: tuple[dict[str, deque[tuple[int, Entry]]], dict[str, deque[tuple[int, Entry]]]] = ({}, {})
    tally = _Tally()
    for number, pair in enumerate(zip_longest(released, built)):
        for side, entry in enumerate(pair):
            if entry is None:
                continue
            mine, theirs = waiting[side], waiting[1 - side]
            if others := theirs.get(entry.path):
                place, other = others.popleft()
                if not others:
                    del theirs[entry.path]
                if side == 0:
                    tally.pair(entry, other, (number, place))
                else:
                    tally.pair(other, entry, (place, number))
            else:
                mine.setdefault(entry.path, deque()).append((number, entry))
    for kind, left in zip((GONE, NEW), waiting, strict=True):
        for path, entries in left.items():
            for _ in entries:
                tally.add(path, (kind,))
    return tally.result()


class _Tally:
    """Counts differences, and keeps the first of them."""

    def __init__(self) -> None:
        self._files: list[FileDifference] = []
        self._kinds: dict[str, int] = {}
        self._count = self._earlier = 0
        # For each file that both have, its place in one and in the other, as numbers of eight bytes.
        self._places = array("Q"), array("Q")

    def pair(self, released: Entry, built: Entry, places: tuple[int, int]) -> None:
        """Count a file that both have."""
        for kept, place in zip(self._places, places, strict=True):
            kept.append(place)
        if released != built:
            kinds = tuple(_kinds(released, built))
            self.add(released.path, kinds)
            self._earlier += kinds == (TIME,) and released.time < built.time

    def add(self, path: str, kinds: tuple[str, ...]) -> None:
        """Count a file that differs."""
        self._count += 1
        if len(self._files) < _SHOWN:
            self._files.append(FileDifference(path=path, kinds=kinds))
        for kind in kinds:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def result(self) -> FileDifferences:
        """Return what was counted."""
        ones, others = self._places
        order = sorted(range(len(ones)), key=ones.__getitem__)
        moved, last = 0, -1
        for number in order:
            moved += others[number] < last
            last = max(last, others[number])
        return FileDifferences(
            files=tuple(self._files),
            kinds=dict(self._kinds),
            differing=self._count,
            moved=moved,
            entries=len(ones),
            earlier=self._earlier,
        )


def _kinds(released: Entry, built: Entry) -> Iterator[str]:
    kinds = (TYPE, CONTENT, TIME, MODE, OWNER, TARGET, ATTRIBUTES)
    yield from (kind for kind in kinds if getattr(released, kind) != getattr(built, kind))


def compare_documents(released: Mapping[str, Any], built: Mapping[str, Any], *, leave: frozenset[str]) -> list[str]:
    """List what two documents do not have in common, each with its place and both values.

    Args:
        released: as JSON is read.
        built: as JSON is read.
        leave: places that only follow from others, such as "rootfs".

    """
    lines = list(_compare("", released, built, leave))
    return [*lines[:_SHOWN], *([f"... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])]


def _compare(place: str, released: object, built: object, leave: frozenset[str]) -> Iterator[str]:
    if place in leave or released == built:
        return
    if isinstance(released, dict) and isinstance(built, dict):
        for key in sorted({*released, *built}):
            yield from _compare(f"{place}.{key}" if place else key, released.get(key), built.get(key), leave)
    elif isinstance(released, list) and isinstance(built, list):
        for number, (one, other) in enumerate(zip_longest(released, built)):
            yield from _compare(f"{place}[{number}]", one, other, leave)
    else:
        yield f"{place} was {_text(released)}, and is {_text(built)}"


def _text(value: object) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
