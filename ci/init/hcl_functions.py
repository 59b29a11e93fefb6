"""The functions of bake files whose results no run has to tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from ci.init.holes import HOLE, hide, show_again, split

_GROUP = re.compile(r"\$\{?(\w+)\}?")


def has_hole(value: Any) -> bool:  # noqa: ANN401  # whatever HCL can hold
    """Tell whether only a run knows a value, or a part of it."""
    if isinstance(value, dict):
        return any(map(has_hole, value.values()))
    return any(map(has_hole, value)) if isinstance(value, list) else isinstance(value, str) and bool(HOLE.search(value))


def are_equal(one: Any, other: Any) -> bool | None:  # noqa: ANN401
    """Tell whether two values are the same; None where only a run knows."""
    if not has_hole(one) and not has_hole(other):
        return bool(one == other)
    # What a workflow hands to bake is something, whatever it is.
    handed = [value for value in (one, other) if isinstance(value, str) and HOLE.match(value) and "$" not in value[:2]]
    return False if handed and ("" in (one, other) or None in (one, other)) else None


def written(value: Any) -> str:  # noqa: ANN401
    """Write a value as it stands in a text; nothing is an empty one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(written, value))
    return "" if value is None else str(value)


def _list(value: Any) -> list[Any]:  # noqa: ANN401
    """Take a text that stands for a list for one of a single value."""
    return [value] if isinstance(value, str) else list(value)


def _flatten(value: Any) -> list[Any]:  # noqa: ANN401
    return [inner for each in _list(value) for inner in (_flatten(each) if isinstance(each, list) else [each])]


def _format(pattern: str, *values: Any) -> str:  # noqa: ANN401
    left = iter(values)
    return re.sub(r"%(?:%|[sdvq])", lambda f: "%" if f[0] == "%%" else written(next(left)), pattern)


def _format_list(pattern: str, *values: Any) -> list[str]:  # noqa: ANN401
    length = max((len(value) for value in values if isinstance(value, list)), default=1)
    columns = (value if isinstance(value, list) else [value] * length for value in values)
    return [_format(pattern, *row) for row in zip_longest(*columns)]


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401
    found = are_equal(one, other)
    if found is None:
        raise ValueError("only a run knows")
    return found


def _unique(values: list[Any]) -> list[Any]:
    return [value for n, value in enumerate(values) if value not in values[:n]]


def _plain(change: Callable[[str], str]) -> Callable[[str], str]:
    """Change a text, but what stands in a hole, which is no text yet."""

    def changed(text: str) -> str:
        bare, kept = hide(text)
        return show_again(change(bare), kept)

    return changed


def _coalesce(*values: Any) -> Any:  # noqa: ANN401
    return next(value for value in values if value not in (None, ""))


def _regex_replace(text: str, pattern: str, by: str) -> str:
    return re.sub(pattern, _GROUP.sub(r"\\g<\1>", by), text)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": lambda one, other: one and other,
    "basename": lambda path: path.rstrip("/").rpartition("/")[2],
    "coalesce": _coalesce,
    "compact": lambda values: [value for value in values if value],
    "concat": lambda *lists: [value for each in lists for value in _list(each)],
    "contains": lambda values, value: value in values,
    "distinct": lambda values: _unique(_list(values)),
    "element": lambda values, number: values[number % len(values)],
    "equal": _same,
    "flatten": _flatten,
    "format": _format,
    "formatlist": _format_list,
    "index": lambda values, key: values[key],
    "join": lambda sign, *lists: sign.join(written(value) for each in lists for value in _list(each)),
    "keys": sorted,
    "length": len,
    "lookup": lambda values, key, usual=None: values.get(key, usual),
    "lower": _plain(str.lower),
    "merge": lambda *given: {key: value for each in given for key, value in (each or {}).items()},
    "not": lambda value: not value,
    "notequal": lambda one, other: not _same(one, other),
    "or": lambda one, other: one or other,
    "regex_replace": _regex_replace,
    "replace": lambda text, part, by: text.replace(part, by),
    "reverse": lambda values: _list(values)[::-1],
    "sanitize": lambda text: re.sub(r"[^a-zA-Z0-9_-]", "_", text),
    "setunion": lambda *lists: _unique([value for each in lists for value in _list(each)]),
    "sort": sorted,
    "split": lambda sign, text: split(text, re.escape(sign)) if has_hole(text) else text.split(sign),
    "strlen": len,
    "substr": lambda text, start, length: text[start : None if length < 0 else start + length],
    "trim": lambda text, signs: text.strip(signs),
    "trimprefix": lambda text, part: text.removeprefix(part),
    "trimspace": str.strip,
    "trimsuffix": lambda text, part: text.removesuffix(part),
    "upper": str.upper,
    "values": lambda given: [given[key] for key in sorted(given)],
}
# Those that are plain even of what only a run knows.
PASSED_ON = frozenset(
    "concat distinct equal notequal flatten format formatlist join lower merge reverse setunion split".split()
)
