"""Bounded fan-out that never stops silently."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

T = TypeVar("T")
R = TypeVar("R")

_MEMORY_OF_A_VARIANT = 1_500_000_000  # bytes: what building, starting and compressing an image of 1 GB takes


def variants_at_a_time(*, processors: int, memory: int) -> int:
    """Choose how many variants are worked on at once: one for each processor, as long as each has its memory.

    A build, an emulated start and compression are all bound by the processors.

    Args:
        processors: that may be used.
        memory: of the machine, in bytes.

    """
    return max(1, min(processors, memory // _MEMORY_OF_A_VARIANT))


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
