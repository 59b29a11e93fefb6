"""Bounded fan-out that never stops silently."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

T = TypeVar("T")
R = TypeVar("R")


async def fan_out(items: Sequence[T], work: Callable[[T], Awaitable[R]], *, limit: int) -> tuple[R, ...]:
    """Work on all items, at most `limit` at a time; return the results in the order of the items.

    `work` reports failure by what it returns: an exception would cancel its neighbours.
    """
    limiter = anyio.CapacityLimiter(limit)
    results: dict[int, R] = {}

    async def one(index: int, item: T) -> None:
        async with limiter:
            results[index] = await work(item)

    async with anyio.create_task_group() as group:
        for index, item in enumerate(items):
            group.start_soon(one, index, item)
    return tuple(results[index] for index in range(len(items)))
