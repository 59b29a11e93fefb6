"""Every request of a stage and of a finish to two registries, spoilt in every way, and killed; and what is live then.

`make test` takes a sample. DRYDOCK_MATRIX=whole takes all. No engine is needed: the images are written by hand.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import anyio.to_thread
import pytest
import pytest_asyncio

from ci.core.engine import fan_out
from ci.release.folder import Folder, render_folder
from ci.release.outcome import Release
from tests.support.proxy import Fault, FaultProxy, Kind
from tests.support.servers import Registry

from .hand import OLD, Hand, finish, stage, stage_both
from .test_matrix import AT_A_TIME, DOWN, FINAL, PASSING, ROOT, WHOLE, Cell, Facts, Result, hosts, judge, state

EVERY = 1 if WHOLE else 61  # of the cells, one; there are twelve faults, so that each fault is in
KILLS = 1 if WHOLE else 23  # of the requests, one
BEFORE, STAGED = "staging-old", "staging-done"  # prefixes: the old release, without and with the new one staged

pytestmark = pytest.mark.timeout(3600 if WHOLE else 600)

Both = tuple[Registry, Registry]


@dataclass(frozen=True, kw_only=True)
class Known:
    """A stage and a finish without a fault."""

    stage: Facts
    finish: Facts
    folders: tuple[Folder, ...]


@pytest.fixture(scope="module")
def both(plain: Registry, other: Registry) -> Both:
    return plain, other


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known(both: Both) -> Known:
    prefix = "staging-count"
    older = await stage_both(hosts(both), prefix, hand=Hand(commit=OLD))
    assert (await finish(hosts(both), prefix, older, commit=OLD)).ok
    was = await state(both, prefix)
    for registry in both:
        registry.copy(prefix, BEFORE)
    with FaultProxy(both[0].port) as first, FaultProxy(both[1].port) as second:
        done, folder = await stage((first.host, second.host), prefix)
        assert done.ok, done.problems
        assert await state(both, prefix) == was
        staging = Facts(requests=(len(first.seen), len(second.seen)), was=was, will=was)
        for registry in both:
            registry.copy(prefix, STAGED)
        for each in (first, second):
            each.reset()
        assert (await finish((first.host, second.host), prefix, [folder])).ok
        finishing = Facts(requests=(len(first.seen), len(second.seen)), was=was, will=await state(both, prefix))
    return Known(stage=staging, finish=finishing, folders=(folder,))


async def spoil_stage(known: Known, both: Both, prefix: str, used: tuple[str, ...]) -> tuple[Release, str]:
    """Stage through proxies; whatever becomes of it, no tag is touched, and what it left is finished or refused."""
    done, folder = await stage(used, prefix)
    if await state(both, prefix) != known.stage.was:
        return done, "a tag was moved"
    finished = await finish(hosts(both), prefix, [folder])
    if finished.ok != done.ok:
        return done, f"the stage says ok: {done.ok}, and what it left is finished: {finished.problems}"
    if done.ok:
        return done, ""
    if not (done.problems and done.next and all("has no digest" in text for text in finished.problems)):
        return done, f"it fails without a reason and a remedy: {done.problems}, {finished.problems}"
    again, folder = await stage(hosts(both), prefix)
    if not again.ok or not (await finish(hosts(both), prefix, [folder])).ok:
        return done, f"a second stage does not complete it: {again.problems}"
    return done, "" if await state(both, prefix) == known.finish.will else "the second stage gives something else"


async def spoil_finish(known: Known, both: Both, prefix: str, used: tuple[str, ...]) -> tuple[Release, str]:
    """Finish through proxies; latest is all old, all new, or named, and a second finish completes it."""
    done = await finish(used, prefix, known.folders)
    fault = judge(done, known.finish, await state(both, prefix), used)
    if not done.ok and not fault:
        again = await finish(hosts(both), prefix, known.folders)
        if not again.ok or await state(both, prefix) != known.finish.will:
            fault = f"a second finish does not complete it: {again.problems}"
    return done, fault


Spoil = Callable[[Known, Both, str, tuple[str, ...]], Awaitable[tuple[Release, str]]]


async def attempt(known: Known, both: Both, spoil: Spoil, cell: Cell) -> Result:
    what = spoil.__name__
    prefix = f"{what}-{cell.registry}-{cell.position}-{cell.fault}".replace(" ", "-").replace("_", "-")
    for registry in both:
        registry.copy(BEFORE if spoil is spoil_stage else STAGED, prefix)
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(FaultProxy(registry.port, rule=rule))
            for registry, rule in zip(both, cell.rules(), strict=True)
        ]
        done, fault = await spoil(known, both, prefix, hosts(proxies))
        if not any(seen.fault for proxy in proxies for seen in proxy.seen):
            fault = "the fault did not happen"
    left = "ok" if done.ok else "named" if "is, or is known to be" in done.next else "failed"
    return Result(cell=cell, ok=done.ok, left=left, fault=fault, problems=done.problems)


@pytest.mark.parametrize("spoil", [spoil_stage, spoil_finish], ids=["stage", "finish"])
async def test_a_fault_at_every_request(
    known: Known, both: Both, spoil: Spoil, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = known.stage if spoil is spoil_stage else known.finish
    faults = (*FINAL, *PASSING)
    every = [Cell(registry=r, position=p, fault=fault) for r, p in facts.positions(1) for fault in faults]
    results = await fan_out(every[::EVERY], partial(attempt, known, both, spoil), limit=AT_A_TIME)
    with capsys.disabled():
        print(f"\n{spoil.__name__}: {sum(facts.requests)} requests x {len(faults)} faults: {len(results)} cells")
        for fault in faults:
            counted = Counter(one.left for one in results if one.cell.fault is fault)
            print(f"  {fault!s:12} {', '.join(f'{n} {what}' for what, n in sorted(counted.items()))}")
    wrong = [f"{one.cell}: {one.fault}" for one in results if one.fault]
    assert not wrong, "\n".join(wrong)
    # What may pass is repeated until it has.
    assert not [f"{one.cell}: {one.problems}" for one in results if not one.ok and one.cell.fault in PASSING]
    assert {one.cell.fault for one in results if one.left == "named"} <= {DOWN}


async def kill(known: Known, both: Both, what: str, place: tuple[int, int]) -> str:
    number, position = place
    prefix = f"killed-{what}-{number}-{position}"
    for registry in both:
        registry.copy(BEFORE if what == "stage" else STAGED, prefix)
    victim: list[subprocess.Popen[bytes]] = []
    cell = Cell(
        registry=number,
        position=position,
        fault=Fault(kind=Kind.RESET, run=lambda: os.killpg(victim[0].pid, signal.SIGKILL)),
    )
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(FaultProxy(registry.port, rule=rule))
            for registry, rule in zip(both, cell.rules(), strict=True)
        ]
        command = [sys.executable, "-m", "tests.real.release.victim", what, prefix, *hosts(proxies)]
        lines = "".join(f"{json.dumps(json.loads(render_folder(folder)))}\n" for folder in known.folders)
        victim.append(
            subprocess.Popen(  # noqa: ASYNC220
                command, cwd=ROOT, start_new_session=True, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        )
        await anyio.to_thread.run_sync(partial(victim[0].communicate, lines.encode()))
    if victim[0].returncode != -signal.SIGKILL:
        return f"killed at {place}: it ended by itself, with {victim[0].returncode}"
    now = await state(both, prefix)
    left = "old" if now == known.finish.was else "new" if now == known.finish.will else "mixed"
    if what == "stage":
        done, folder = await stage(hosts(both), prefix)
        folders: tuple[Folder, ...] = (folder,) if done.ok else ()
    else:
        folders = known.folders
    if not folders or not (await finish(hosts(both), prefix, folders)).ok:
        return f"killed at {place}: a second run does not complete it"
    return left if await state(both, prefix) == known.finish.will else f"killed at {place}: it ends as something else"


@pytest.mark.parametrize("what", ["stage", "finish"])
async def test_killed_at_every_request(known: Known, both: Both, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    facts = known.stage if what == "stage" else known.finish
    positions = facts.positions(1)[::KILLS]
    results = await fan_out(positions, partial(kill, known, both, what), limit=2)
    with capsys.disabled():
        print(f"\n{what} killed at {len(positions)} of {sum(facts.requests)} requests: {dict(Counter(results))}")
    # A stage touches no tag. A finish leaves latest mixed between its first and its last move, and at no other moment.
    assert set(results) <= ({"old"} if what == "stage" else {"old", "new", "mixed"}), results
    assert results.count("mixed") <= len(facts.was) - 1
