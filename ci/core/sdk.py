"""Makes the SDK's queries cheap: dagger-io (0.20.8 to 0.21.8) makes a JSON converter for every step of every query.

Each takes a millisecond of the processor, and a call that has nothing to build has some 230 steps. What a converter
makes of a value depends on its query only where the value is an object of the API, or a list of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from dagger.client import _core

_PLAIN = (str, int, float)  # bool and the API's scalars among them


class _Converter:
    """One converter for all plain values, and one of the query's own for whatever else is asked of it."""

    def __init__(self, make: Callable[[Any], Any], shared: Callable[[], Any], context: object) -> None:
        self._own = cache(lambda: make(context))
        self._shared = shared

    def unstructure(self, value: object) -> object:
        """Write a value as JSON has it."""
        return self._shared().unstructure(value)

    def structure(self, value: object, kind: Any) -> object:  # noqa: ANN401  # whatever an annotation may be
        """Read a value of a type."""
        plain = isinstance(kind, type) and issubclass(kind, _PLAIN)
        return (self._shared() if plain else self._own()).structure(value, kind)

    def __getattr__(self, name: str) -> object:
        return getattr(self._own(), name)


def share_converters() -> None:
    """Let the steps of all queries share one converter, where the SDK is one that makes them so."""
    core: Any = _core
    make = getattr(core, "make_converter", None)
    if make and not isinstance(make, _Shared):
        core.make_converter = _Shared(make)


class _Shared:
    """Stands for the SDK's maker of converters."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        self._shared = cache(lambda: make(None))

    def __call__(self, context: object) -> _Converter:
        return _Converter(self._make, self._shared, context)
