"""Every request of a release to two registries, spoilt in every way; and after each, what is live and what was said.

`make test` takes a sample in which every request and every fault is. DRYDOCK_MATRIX=whole takes all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest
import pytest_asyncio

from ci.core.engine import fan_out
from ci.release.outcome import Change, Release, TagOutcome
from ci.release.verification import verify
from tests.support.proxy import Fault, FaultProxy, Kind, Rule, at, no_fault, since
from tests.support.servers import Registry

from .conftest import Commit, connect, live, publish

ROOT = Path(__file__).resolve().parents[3]
WHOLE = os.environ.get("DRYDOCK_MATRIX") == "whole"
EVERY = 1 if WHOLE else 5  # of the cells, one; there are twelve faults, so that each request and each fault is in
KILLS = 1 if WHOLE else 3  # of the requests, one

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(3600 if WHOLE else 900)]


def refusal(status: int, code: str, *headers: tuple[str, str]) -> Fault:
    body = f'{{"errors":[{{"code":"{code}","message":"injected"}}]}}'.encode()
    return Fault(kind=Kind.STATUS, status=status, headers=(("Content-Type", "application/json"), *headers), body=body)


DOWN = Fault(kind=Kind.RESET, name="down")  # and every later request to that registry
FINAL = (refusal(401, "UNAUTHORIZED"), refusal(403, "DENIED"), refusal(404, "NAME_UNKNOWN"), DOWN)
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
OLD_STATE = "old"  # the prefix of both registries whose release is the old one


State = dict[tuple[int, str], str]  # what latest names, by the number of the registry and by image


@dataclass(frozen=True, kw_only=True)
class Cell:
    registry: int
    position: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault} at request {self.position} to registry {self.registry}"

    def rules(self) -> list[Rule]:
        """Say what each registry's proxy does."""
        spoilt = (since if self.fault is DOWN else at)(self.position, self.fault)
        return [spoilt if number == self.registry else no_fault for number in range(2)]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A release without a fault: how many requests each registry is sent, and what latest names before and after."""

    requests: tuple[int, ...]
    was: State
    will: State

    def positions(self, every: int) -> list[tuple[int, int]]:
        return [(r, p) for r, most in enumerate(self.requests) for p in range(1, most + 1) if (p + r) % every == 0]


async def state(both: Sequence[Registry], prefix: str) -> State:
    found = [await live(registry.host, prefix) for registry in both]
    return {(number, name): digest for number, one in enumerate(found) for name, digest in one.items()}


def hosts(both: Sequence[Registry] | Sequence[FaultProxy]) -> tuple[str, ...]:
    return tuple(one.host for one in both)


@pytest.fixture(scope="module")
def both(plain: Registry, other: Registry) -> tuple[Registry, Registry]:
    return plain, other


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def facts(old: Commit, new: Commit, both: tuple[Registry, Registry]) -> Facts:
    with FaultProxy(both[0].port) as first, FaultProxy(both[1].port) as second:
        assert (await publish(old, hosts(both), "count")).ok
        for registry in both:
            registry.copy("count", OLD_STATE)
        was = await state(both, "count")
        assert (await publish(new, (first.host, second.host), "count")).ok
        return Facts(requests=(len(first.seen), len(second.seen)), was=was, will=await state(both, "count"))


def told_of(done: Release, used: Sequence[str]) -> dict[tuple[int, str], TagOutcome]:
    """Read what a report says of latest, by the number of the registry and by image."""
    parts = ((outcome, outcome.repository.split("/")) for outcome in done.tags if outcome.tag == "latest")
    return {(used.index(host), name): outcome for outcome, (host, _, name) in parts}


def judge(done: Release, facts: Facts, now: State, used: Sequence[str]) -> str:
    """Say what is wrong with the state of the registries, or with what the report says of it."""
    if done.ok:
        return "" if now == facts.will else f"it says ok, and latest names {now}"
    told = told_of(done, used)
    if told.keys() != now.keys():
        return f"the report tells of latest of {sorted(told)} only"
    for name, outcome in told.items():
        if outcome.change is not Change.UNKNOWN and (outcome.after or "") != now[name]:
            return f"latest of {name} names {now[name]}, and the report says {outcome.after} ({outcome.change})"
    if now not in (facts.was, facts.will):
        silent = [name for name, outcome in told.items() if now[name] != facts.was[name] and not outcome.note]
        if silent:
            return f"latest is neither all old nor all new, and the report does not say so of {silent}"
        if not any(used[number] in done.next for number, _ in now):
            return f"latest is neither all old nor all new, and what to type names no registry: {done.next}"
    return "" if done.problems and done.next else "it fails without a reason and a remedy"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one cell: whether the release said ok, what it left, and what was wrong."""

    cell: Cell
    ok: bool
    left: str
    fault: str
    problems: tuple[str, ...] = ()


async def attempt(new: Commit, both: tuple[Registry, Registry], facts: Facts, cell: Cell) -> Result:
    prefix = f"matrix-{cell.registry}-{cell.position}-{str(cell.fault).replace(' ', '-')}"
    for registry in both:
        registry.copy(OLD_STATE, prefix)
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(FaultProxy(registry.port, rule=rule))
            for registry, rule in zip(both, cell.rules(), strict=True)
        ]
        used = hosts(proxies)
        done = await publish(new, used, prefix)
        happened = any(seen.fault for proxy in proxies for seen in proxy.seen)
    now = await state(both, prefix)
    left = "old" if now == facts.was else "new" if now == facts.will else "named"
    if not happened:
        return Result(cell=cell, ok=done.ok, left=left, fault="the fault did not happen")
    fault = judge(done, facts, now, used)
    if not done.ok:
        again = await publish(new, hosts(both), prefix)
        if not again.ok or await state(both, prefix) != facts.will:
            fault = fault or f"a second run does not complete it: {again.problems}"
    return Result(cell=cell, ok=done.ok, left=left, fault=fault, problems=done.problems)


async def test_a_fault_at_every_request(
    new: Commit, both: tuple[Registry, Registry], facts: Facts, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = (*FINAL, *PASSING)
    every = [(place, fault) for place in facts.positions(1) for fault in faults]
    cells = [Cell(registry=r, position=p, fault=f) for (r, p), f in every[::EVERY]]
    results = await fan_out(cells, partial(attempt, new, both, facts), limit=AT_A_TIME)
    wrong = [f"{one.cell}: {one.fault}" for one in results if one.fault]
    with capsys.disabled():
        requests = sum(facts.requests)
        print(f"\nmatrix: {requests} requests to two registries x {len(faults)} faults: {len(cells)} releases")
        for fault in faults:
            mine = [one for one in results if one.cell.fault is fault]
            counted = Counter("ok" if one.ok else one.left for one in mine)
            print(f"  {fault!s:12} {len(mine):3}: {', '.join(f'{n} {what}' for what, n in sorted(counted.items()))}")
    assert not wrong, "\n".join(wrong)
    # What may pass is repeated until it has.
    assert not [f"{one.cell}: {one.problems}" for one in results if not one.ok and one.cell.fault in PASSING]
    # Only a registry that can be reached no more is not taken back, and then it is named.
    assert {one.cell.fault for one in results if not one.ok and one.left == "named"} <= {DOWN}


async def kill(old: Commit, both: tuple[Registry, Registry], facts: Facts, place: tuple[int, int]) -> str:
    number, position = place
    prefix = f"killed-{number}-{position}"
    for registry in both:
        registry.copy(OLD_STATE, prefix)
    victim: list[subprocess.Popen[bytes]] = []

    def strike() -> None:
        os.killpg(victim[0].pid, signal.SIGKILL)

    cell = Cell(registry=number, position=position, fault=Fault(kind=Kind.RESET, run=strike))
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(FaultProxy(registry.port, rule=rule))
            for registry, rule in zip(both, cell.rules(), strict=True)
        ]
        command = [sys.executable, "-m", "tests.real.release.victim", "publish", prefix, *hosts(proxies)]
        victim.append(subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL))  # noqa: ASYNC220
        code = await anyio.to_thread.run_sync(victim[0].wait)
    if code != -signal.SIGKILL:
        return f"killed at {place}: it ended by itself, with {code}"
    now = await state(both, prefix)
    mixed = now not in (facts.was, facts.will)
    async with connect(hosts(both)) as registries:
        told = await verify(registries, old.at(hosts(both), prefix, "latest"), old.revision)
    if told.ok != (now == facts.was):
        return f"killed at {place}: latest names {now}, and verify says ok: {told.ok}"
    return "mixed" if mixed else "old" if now == facts.was else "new"


async def test_killed_at_every_request(
    old: Commit, new: Commit, both: tuple[Registry, Registry], facts: Facts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can compensate after a kill; verify names what is live, and a second run completes the release."""
    positions = facts.positions(KILLS)
    results = await fan_out(positions, partial(kill, old, both, facts), limit=2)
    with capsys.disabled():
        print(f"\nkilled at {len(positions)} of {sum(facts.requests)} requests: {dict(Counter(results))}")
    assert set(results) <= {"old", "new", "mixed"}, [text for text in results if " " in text]
    # Between the first and the last tag moved, and at no other moment.
    assert results.count("mixed") <= len(facts.was) - 1
    for number, position in positions:
        prefix = f"killed-{number}-{position}"
        assert (await publish(new, hosts(both), prefix)).ok
        assert await state(both, prefix) == facts.will
