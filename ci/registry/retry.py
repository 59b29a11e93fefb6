"""Repeats what may succeed the next time, for a bounded number of times and a bounded time."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """Time and chance, so that tests can stand in for both."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    random: Callable[[], float] = random.random


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how long."""

    attempts: int = 6
    deadline: float = 120.0  # seconds, all attempts and the waits between them
    base: float = 0.5  # seconds; the longest first wait, doubled each time
    longest: float = 30.0  # seconds; no wait is longer, whoever asks for it


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """What was spent, for the report."""

    retries: int = 0
    seconds: float = 0.0

    def __add__(self, other: Effort) -> Effort:
        return Effort(retries=self.retries + other.retries, seconds=self.seconds + other.seconds)


class ExhaustedError(Exception):
    """No attempt succeeded; `last` is how the last one that ended did, None where the first ran out of time."""

    def __init__(self, last: Exception | None, *, attempts: int, seconds: float) -> None:
        self.last, self.attempts, self.seconds = last, attempts, seconds
        super().__init__(f"gave up after {attempts} attempts")


@dataclass(kw_only=True, slots=True)
class Retry:
    """Repeats work by a policy: exponential backoff with full jitter, or as long as the other side asks.

    `wait_of` tells for an exception how many seconds to wait at least, and None where no repetition can help.
    """

    wait_of: Callable[[Exception], float | None]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock)
    effort: Effort = field(default_factory=Effort)  # of all runs so far

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the first successful attempt returns.

        An attempt that runs past the deadline is cancelled. A wait that would end after the deadline is not begun.

        Raises:
            ExhaustedError: there was none.

        """
        start = self.clock.monotonic()
        attempt = 0
        last: Exception | None = None
        try:
            while True:
                attempt += 1
                with anyio.move_on_after(self.policy.deadline - (self.clock.monotonic() - start)):
                    try:
                        return await work()
                    except Exception as error:  # noqa: BLE001  # wait_of says which end the work
                        last = error
                    wait = self._wait(last, attempt)
                    spent = self.clock.monotonic() - start
                    if wait is not None and attempt < self.policy.attempts and spent + wait < self.policy.deadline:
                        await self.clock.sleep(wait)
                        continue
                break
        finally:
            seconds = self.clock.monotonic() - start
            self.effort += Effort(retries=attempt - 1, seconds=seconds)
        raise ExhaustedError(last, attempts=attempt, seconds=seconds)

    def _wait(self, error: Exception, attempt: int) -> float | None:
        asked = self.wait_of(error)
        if asked is None:
            return None
        backoff = self.clock.random() * min(self.policy.longest, self.policy.base * 2.0 ** (attempt - 1))
        return max(backoff, min(asked, self.policy.longest))
