"""How often and how long something is tried, with a clock that only sleeping moves."""

import anyio
import pytest

from ci.registry.retry import Clock, Effort, ExhaustedError, Retry, RetryPolicy


class PassingError(Exception):
    """May not happen the next time; the server asks for a wait."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait
        super().__init__()


class Time:
    def __init__(self, chance: float = 1.0) -> None:
        self.now = 100.0
        self.sleeps: list[float] = []
        self.clock = Clock(monotonic=lambda: self.now, wall=lambda: self.now, sleep=self.sleep, random=lambda: chance)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def wait_of(error: Exception) -> float | None:
    return error.wait if isinstance(error, PassingError) else None


def retry(time: Time, **policy: float) -> Retry:
    return Retry(wait_of=wait_of, clock=time.clock, policy=RetryPolicy(**policy))  # type: ignore[arg-type]


class Work:
    """Fails as told, one error after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_success_at_once_waits_for_nothing() -> None:
    time = Time()
    tries = retry(time)
    assert await tries.run(Work()) == "done"
    assert time.sleeps == []
    assert tries.effort == Effort()


async def test_waits_double_and_effort_adds_up() -> None:
    time = Time()
    tries = retry(time)
    assert await tries.run(Work(*(PassingError() for _ in range(5)))) == "done"
    assert time.sleeps == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert await tries.run(Work(PassingError())) == "done"
    assert tries.effort == Effort(retries=6, seconds=16.0)


async def test_jitter_takes_any_part_of_the_wait() -> None:
    time = Time(chance=0.25)
    await retry(time).run(Work(PassingError(), PassingError()))
    assert time.sleeps == [0.125, 0.25]


async def test_attempts_end() -> None:
    time, work = Time(), Work(*(PassingError() for _ in range(9)))
    with pytest.raises(ExhaustedError) as caught:
        await retry(time, attempts=3).run(work)
    assert (work.count, caught.value.attempts, caught.value.seconds) == (3, 3, 1.5)
    assert isinstance(caught.value.last, PassingError)
    assert caught.value.__context__ is None


async def test_what_lasts_is_not_repeated() -> None:
    time, work = Time(), Work(ValueError("no"))
    with pytest.raises(ExhaustedError) as caught:
        await retry(time).run(work)
    assert isinstance(caught.value.last, ValueError)
    assert (work.count, time.sleeps) == (1, [])


async def test_a_wait_that_is_asked_for_is_kept() -> None:
    """However long the operation may take otherwise: the other side knows when it answers again."""
    time = Time()
    assert await retry(time, longest=20.0, deadline=30.0).run(Work(PassingError(7.0), PassingError(60.0))) == "done"
    assert time.sleeps == [7.0, 60.0]


async def test_a_wait_that_is_asked_for_and_too_long_is_not_begun() -> None:
    time, work = Time(), Work(*(PassingError(9.0) for _ in range(9)))
    with pytest.raises(ExhaustedError) as caught:
        await retry(time, patience=20.0).run(work)
    assert time.sleeps == [9.0, 9.0]
    assert caught.value.seconds == 18.0
    hours, work = Time(), Work(PassingError(21600.0))
    with pytest.raises(ExhaustedError):
        await retry(hours).run(work)
    assert (hours.sleeps, work.count) == ([], 1)


async def test_no_wait_of_its_own_goes_past_the_deadline() -> None:
    time, work = Time(), Work(*(PassingError() for _ in range(9)))
    with pytest.raises(ExhaustedError) as caught:
        await retry(time, attempts=9, deadline=4.0).run(work)
    assert time.sleeps == [0.5, 1.0, 2.0]
    assert caught.value.seconds == 3.5


async def test_what_was_waited_for_takes_nothing_from_the_deadline() -> None:
    time, work = Time(), Work(PassingError(50.0), *(PassingError() for _ in range(9)))
    with pytest.raises(ExhaustedError):
        await retry(time, attempts=9, deadline=4.0).run(work)
    assert time.sleeps == [50.0, 1.0, 2.0]


async def test_the_deadline_cuts_an_attempt() -> None:
    tries = Retry(wait_of=wait_of, policy=RetryPolicy(deadline=0.05))
    with pytest.raises(ExhaustedError) as caught:
        await tries.run(anyio.sleep_forever)
    assert caught.value.last is None
    assert caught.value.attempts == 1
