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
    deadline: float = 120.0  # seconds, all attempts and the waits between them that nobody asked for
    base: float = 0.5  # seconds; the longest first wait, doubled each time
    longest: float = 30.0  # seconds; no wait is longer that nobody asked for
    patience: float = 600.0  # seconds, all waits that the other side asks for: a limit of GitHub's lasts minutes


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

        An attempt that runs past the deadline is cancelled. A wait that would end after the deadline is not begun, nor
        one that is asked for and too long: to come back earlier than asked would only prolong it.

        Raises:
            ExhaustedError: there was none.

        """
        start = self.clock.monotonic()
        attempt = 0
        asked = 0.0  # seconds of waits that the other side asked for; the deadline does not count them
        last: Exception | None = None
        try:
            while True:
                attempt += 1
                left = self.policy.deadline + asked - (self.clock.monotonic() - start)
                with anyio.move_on_after(left) as scope:
                    try:
                        return await work()
                    except Exception as error:  # noqa: BLE001  # wait_of says which end the work
                        last = error
                wait = None if scope.cancelled_caught or last is None else self.wait_of(last)
                if wait is None or attempt >= self.policy.attempts:
                    break
                backoff = self.clock.random() * min(self.policy.longest, self.policy.base * 2.0 ** (attempt - 1))
                asked += wait if wait > backoff else 0.0
                pause = max(wait, backoff)
                late = self.clock.monotonic() - start + pause >= self.policy.deadline + asked
                if late or asked > self.policy.patience:
                    break
                await self.clock.sleep(pause)
        finally:
            seconds = self.clock.monotonic() - start
            self.effort += Effort(retries=attempt - 1, seconds=seconds)
        raise ExhaustedError(last, attempts=attempt, seconds=seconds)
