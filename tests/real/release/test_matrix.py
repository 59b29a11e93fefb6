"""Every request of a release, by its position, spoilt in every way; and after each, what is live and what was said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest
import pytest_asyncio

from ci.core.engine import fan_out
from ci.release.outcome import Change, Release
from ci.release.verification import verify
from tests.support.proxy import Fault, FaultProxy, Kind, at
from tests.support.servers import Registry

from .conftest import Commit, client, live, publish

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(900)]


def refusal(status: int, code: str, *headers: tuple[str, str]) -> Fault:
    body = f'{{"errors":[{{"code":"{code}","message":"injected"}}]}}'.encode()
    return Fault(kind=Kind.STATUS, status=status, headers=(("Content-Type", "application/json"), *headers), body=body)


FINAL = (refusal(401, "UNAUTHORIZED"), refusal(403, "DENIED"), refusal(404, "NAME_UNKNOWN"))
PASSING = (
    refusal(429, "TOOMANYREQUESTS", ("Retry-After", "1")),
    refusal(500, "UNKNOWN"),
    refusal(503, "UNAVAILABLE"),
    Fault(kind=Kind.RESET),
    Fault(kind=Kind.RESET, after=True),
    Fault(kind=Kind.EOF),
    Fault(kind=Kind.STALL),
    Fault(kind=Kind.STALL, after=True),
)
AT_A_TIME = 6
OLD_STATE = "old"  # the prefix of a registry whose release is the old one


State = dict[str, str]  # what latest names, by image


@dataclass(frozen=True, kw_only=True)
class Cell:
    position: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault} at request {self.position}"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A release without a fault: how many requests it takes, and what latest names before and after."""

    requests: int
    was: State
    will: State


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def facts(old: Commit, new: Commit, plain: Registry) -> Facts:
    with FaultProxy(plain.port) as proxy:
        assert (await publish(old, plain.host, "count")).ok
        plain.copy("count", OLD_STATE)
        was = await live(plain.host, "count")
        assert (await publish(new, proxy.host, "count")).ok
        return Facts(requests=len(proxy.seen), was=was, will=await live(plain.host, "count"))


def judge(done: Release, facts: Facts, now: State) -> str:
    """Say what is wrong with the state of the registry, or with what the report says of it."""
    if done.ok:
        return "" if now == facts.will else f"it says ok, and latest names {now}"
    told = {outcome.repository.rpartition("/")[2]: outcome for outcome in done.tags if outcome.tag == "latest"}
    if told.keys() != now.keys():
        return f"the report tells of latest of {sorted(told)} only"
    for name, outcome in told.items():
        if outcome.change is not Change.UNKNOWN and (outcome.after or "") != now[name]:
            return f"latest of {name} names {now[name]}, and the report says {outcome.after} ({outcome.change})"
    if now not in (facts.was, facts.will) and not any(o.note for o in told.values()):
        return "latest is neither all old nor all new, and the report does not say so"
    return "" if done.problems and done.next else "it fails without a reason and a remedy"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one cell: whether the release said ok, and what was wrong."""

    cell: Cell
    ok: bool
    fault: str
    problems: tuple[str, ...] = ()


async def attempt(new: Commit, plain: Registry, facts: Facts, cell: Cell) -> Result:
    prefix = f"matrix-{cell.position}-{str(cell.fault).replace(' ', '-')}"
    plain.copy(OLD_STATE, prefix)
    with FaultProxy(plain.port, rule=at(cell.position, cell.fault)) as proxy:
        done = await publish(new, proxy.host, prefix)
        if not any(seen.fault for seen in proxy.seen):
            return Result(cell=cell, ok=done.ok, fault="the fault did not happen")
    fault = judge(done, facts, await live(plain.host, prefix))
    if not done.ok:
        again = await publish(new, plain.host, prefix)
        if not again.ok or await live(plain.host, prefix) != facts.will:
            fault = fault or f"a second run does not complete it: {again.problems}"
    return Result(cell=cell, ok=done.ok, fault=fault, problems=done.problems)


async def test_a_fault_at_every_request(
    new: Commit, plain: Registry, facts: Facts, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [Cell(position=p, fault=f) for p in range(1, facts.requests + 1) for f in (*FINAL, *PASSING)]
    results = await fan_out(cells, partial(attempt, new, plain, facts), limit=AT_A_TIME)
    wrong = [f"{one.cell}: {one.fault}" for one in results if one.fault]
    passed = Counter(str(one.cell.fault) for one in results if one.ok)
    with capsys.disabled():
        print(f"\nmatrix: {facts.requests} requests x {len((*FINAL, *PASSING))} faults = {len(cells)} releases")
        for fault in (*FINAL, *PASSING):
            done = passed[str(fault)]
            print(f"  {fault!s:12} released all {done:3}, released none {facts.requests - done:3}")
    assert not wrong, "\n".join(wrong)
    # What may pass is repeated until it has.
    assert not [f"{one.cell}: {one.problems}" for one in results if not one.ok and one.cell.fault in PASSING]


async def kill(old: Commit, plain: Registry, facts: Facts, position: int) -> str:
    prefix = f"killed-{position}"
    plain.copy(OLD_STATE, prefix)
    victim: list[subprocess.Popen[bytes]] = []

    def strike() -> None:
        os.killpg(victim[0].pid, signal.SIGKILL)

    with FaultProxy(plain.port, rule=at(position, Fault(kind=Kind.RESET, run=strike))) as proxy:
        command = [sys.executable, "-m", "tests.real.release.victim", proxy.host, prefix]
        victim.append(subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL))  # noqa: ASYNC220
        code = await anyio.to_thread.run_sync(victim[0].wait)
    if code != -signal.SIGKILL:
        return f"killed at {position}: it ended by itself, with {code}"
    now = await live(plain.host, prefix)
    mixed = now not in (facts.was, facts.will)
    async with client(plain.host) as registry:
        told = await verify(registry, old.at(plain.host, prefix, "latest"), old.revision)
    if told.ok != (now == facts.was):
        return f"killed at {position}: latest names {now}, and verify says ok: {told.ok}"
    return "mixed" if mixed else "old" if now == facts.was else "new"


async def test_killed_at_every_request(
    old: Commit, new: Commit, plain: Registry, facts: Facts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can compensate after a kill; verify names what is live, and a second run completes the release."""
    positions = range(1, facts.requests + 1)
    results = await fan_out(positions, partial(kill, old, plain, facts), limit=2)
    with capsys.disabled():
        print(f"\nkilled at each of {facts.requests} requests: {dict(Counter(results))}")
    assert set(results) <= {"old", "new", "mixed"}, [text for text in results if " " in text]
    # Between the first and the last tag moved, and at no other moment.
    assert results.count("mixed") <= len(facts.was) - 1
    for position in positions:
        assert (await publish(new, plain.host, f"killed-{position}")).ok
        assert await live(plain.host, f"killed-{position}") == facts.will
