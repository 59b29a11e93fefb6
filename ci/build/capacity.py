"""Chooses how many variants are worked on at a time."""

from __future__ import annotations

import os

_MEMORY_OF_A_VARIANT = 1_500_000_000  # bytes: what building, starting and compressing an image of 1 GB takes


def variants_at_a_time(*, processors: int, memory: int) -> int:
    """Choose how many variants are worked on at once: one for each processor, as long as each has its memory.

    A build, an emulated start and compression are all bound by the processors.

    Args:
        processors: that may be used.
        memory: of the machine, in bytes.

    """
    return max(1, min(processors, memory // _MEMORY_OF_A_VARIANT))


def find_capacity() -> int:
    """Look at the machine, which is the engine's: a function runs in one of its containers."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return variants_at_a_time(processors=len(os.sched_getaffinity(0)), memory=memory)
