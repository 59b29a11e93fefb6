"""A build that waits for its daemon is told why; what an engine does meanwhile is played here, as 0.21.8 does it."""

from __future__ import annotations

from typing import Self, cast

import anyio
import dagger
import pytest

from ci.build import daemon as daemons
from ci.build.daemon import EngineDaemon
from ci.core.buildkit import NO_ROOT, needs_root
from ci.core.errors import DrydockError

REFUSED = "security.insecure is not allowed"  # as the engine says it


class Container:
    """As much of a container as is asked: what needs the daemon ends when that is up, and never if it is refused."""

    def __init__(self, up: anyio.Event, *, refused: bool, bound: bool = False) -> None:
        self.up, self.refused, self.bound, self.root = up, refused, bound, False

    def with_service_binding(self, _: str, __: object) -> Container:
        return Container(self.up, refused=self.refused, bound=True)

    def with_env_variable(self, _: str, __: str) -> Self:
        return self

    def with_exec(self, _: list[str], *, insecure_root_capabilities: bool = False) -> Self:
        self.root = insecure_root_capabilities
        return self

    async def sync(self) -> None:
        if self.bound:
            await self.up.wait()
        elif self.root and self.refused:
            raise dagger.DaggerError(REFUSED)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons, "_PATIENCE", 0.01)
    monkeypatch.setattr(daemons, "_START", 0.05)


def make(*, refused: bool = False) -> tuple[EngineDaemon, anyio.Event]:
    up = anyio.Event()
    base = cast("dagger.Container", Container(up, refused=refused))
    return EngineDaemon(base=base, service=cast("dagger.Service", None)), up


async def test_a_daemon_that_is_refused_ends_all_builds_that_wait_for_it() -> None:
    daemon, _ = make(refused=True)
    said: list[str] = []

    async def build() -> None:
        with pytest.raises(DrydockError) as caught:
            async with daemon.watched():
                await anyio.sleep_forever()
        said.append(str(caught.value))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(build)
            group.start_soon(build)
    assert said == [NO_ROOT] * 2


@pytest.mark.parametrize(("later", "waits"), [(0.0, False), (0.2, True)])
async def test_a_daemon_that_comes_late_was_waited_for(*, later: float, waits: bool) -> None:
    daemon, up = make()
    with anyio.fail_after(5):
        async with daemon.watched():
            await anyio.sleep(later)
            up.set()
            await anyio.sleep(0.1)
    assert bool(daemon.waited) == waits


async def test_what_a_build_fails_for_comes_through_as_it_is() -> None:
    daemon, _ = make()
    with pytest.raises(dagger.DaggerError, match="no space"):
        async with daemon.watched():
            raise dagger.DaggerError("no space")


def test_only_a_refusal_of_root_capabilities_is_one() -> None:
    assert needs_root(f"container exec: {REFUSED}")
    assert not needs_root("network.host is not allowed")
