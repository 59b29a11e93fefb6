"""The fan-out: order, bound, completeness; and the stopwatch."""

import anyio
import pytest

from ci.build.capacity import variants_at_a_time
from ci.core.engine import Stopwatch, fan_out


async def test_results_come_in_the_order_of_the_items() -> None:
    async def work(item: int) -> int:
        await anyio.sleep((3 - item) / 100)
        return item * 10

    assert await fan_out([0, 1, 2], work, limit=3) == (0, 10, 20)


async def test_no_more_than_the_bound_run_at_a_time() -> None:
    running = peak = 0

    async def work(_: int) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await anyio.sleep(0.01)
        running -= 1

    await fan_out(range(9), work, limit=2)
    assert peak == 2


async def test_nothing_to_do_is_done() -> None:
    async def work(item: int) -> int:
        return item

    assert await fan_out([], work, limit=1) == ()


async def test_a_stopwatch_notes_what_is_done_at_once_and_what_fails() -> None:
    watch = Stopwatch()
    watch.so_far("all", "prepare")

    async def work(label: str) -> None:
        with watch.step(label, "build") as remark:
            await anyio.sleep(0.02)
            remark.detail = "7 of 9 steps cached"
        with pytest.raises(ValueError, match="no"), watch.step(label, "smoke"):
            raise ValueError("no")

    await fan_out(["one", "two"], work, limit=2)
    assert [row.label for row in watch.rows()] == ["all", "one", "two"]
    for label in ("one", "two"):
        build, smoke = watch.stages(label)
        assert (build.name, build.ok, build.detail) == ("build", True, "7 of 9 steps cached")
        assert (smoke.name, smoke.ok) == ("smoke", False)
        assert watch.began <= build.began <= build.ended <= smoke.began
        assert watch.lasted(label, "build") == build.seconds > 0
    assert watch.stages("nothing") == ()
    assert watch.lasted("nothing", "build") == 0


@pytest.mark.parametrize(
    ("processors", "gigabytes", "expected"),
    [(2, 24, 2), (4, 16, 4), (64, 16, 10), (8, 2, 1), (1, 64, 1), (4, 0, 1)],
)
def test_the_bound_follows_from_processors_and_memory(processors: int, gigabytes: int, expected: int) -> None:
    assert variants_at_a_time(processors=processors, memory=gigabytes * 10**9) == expected
