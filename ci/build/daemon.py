"""What builds: a BuildKit daemon that has an address, and the one of the engine's own.

That is a service of the engine, which lives while something is built and says what it waits for. `remote.py` has those
of other machines.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import dagger

from ci.build.addresses import is_native
from ci.core.buildkit import BUILDKIT, IMAGE, NO_ROOT, needs_root
from ci.core.engine import engine_platform, explain, first_error, step, with_variables
from ci.core.errors import DrydockError
from ci.core.model import ENGINE, Config, Failure

WAITING = "waiting for another call of this repository, which most likely builds on this engine: let it end, or end it"
_ROOT = "/var/lib/buildkit"
_PORT = 1234
_HOST = "buildkitd"
# Go reads the certificates of all these folders, besides its usual file (crypto/x509, root_unix.go).
_USUAL_AUTHORITIES, _AUTHORITIES = "/etc/ssl/certs", "/etc/drydock/authorities"
_ENVIRONMENT = {
    # The genuine image sets it too: without it a control group of the daemon's cannot limit a step.
    "BUILDKIT_SETUP_CGROUPV2_ROOT": "1",
    # By default a step's output ends after 2 MiB, and the line that says why is lost.
    "BUILDKIT_STEP_LOG_MAX_SIZE": "-1",
    "BUILDKIT_STEP_LOG_MAX_SPEED": "-1",
}
_PATIENCE = 4.0  # seconds after which a build is not one that the engine has kept
_START = 6.0  # more seconds that a daemon may take to start, whoever else is at work


class Daemon(Protocol):
    """A daemon that has an address."""

    @property
    def name(self) -> str:
        """What a report calls the machine, such as "engine (linux/amd64)"."""

    @property
    def words(self) -> tuple[str, ...]:
        """What buildctl is told before its command."""

    def client(self) -> dagger.Container:
        """Describe the container that asks it."""

    def emulates(self, platform: str) -> bool:
        """Tell whether its machine emulates a platform."""

    def watched(self) -> AbstractAsyncContextManager[None]:
        """Look after a build that it is asked for, and end it where the daemon cannot."""

    async def blame(self, failure: Failure) -> Failure:
        """Say so where a build has failed because of the daemon itself."""


@dataclass(kw_only=True, slots=True)
class EngineDaemon:
    """A daemon that the engine starts when a build needs it."""

    base: dagger.Container  # of its image
    service: dagger.Service
    waited: float = 0.0  # seconds for another call of the same repository
    _up: bool = False
    _asking: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def name(self) -> str:
        """What a report calls the machine: its daemon and its checks are the engine's."""
        return f"{ENGINE} ({engine_platform()})"

    @property
    def words(self) -> tuple[str, ...]:
        """What buildctl is told before its command: to wait for a daemon that has only begun."""
        return ("--wait",)

    def emulates(self, platform: str) -> bool:
        """Tell whether the engine's machine emulates a platform."""
        return not is_native(platform, engine_platform())

    async def blame(self, failure: Failure) -> Failure:
        """Leave a failure as it is: what the engine has to say of the daemon it says elsewhere."""
        return failure

    def client(self) -> dagger.Container:
        """Describe the container that asks it."""
        bound = self.base.with_service_binding(_HOST, self.service)
        return bound.with_env_variable("BUILDKIT_HOST", f"tcp://{_HOST}:{_PORT}")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look after a build that may be waiting for the daemon: an engine does not say so, and waits for ever.

        Raises:
            DrydockError: the engine refuses what the daemon needs.

        """
        async with beside(self._watch):
            yield

    async def _watch(self) -> None:
        await anyio.sleep(_PATIENCE)
        async with self._asking:  # of several builds, one asks at a time
            if not self._up:
                await self._wait()
                self._up = True

    async def _wait(self) -> None:
        """Wait until the daemon is up, and say so where that takes long: its state is for one call at a time."""
        began = time.monotonic()
        async with anyio.create_task_group() as group:
            up = anyio.Event()
            group.start_soon(self._start, up)
            with anyio.move_on_after(_START):
                await up.wait()
            if up.is_set():
                return
            await self._check_root()
            with step(WAITING):
                await up.wait()
            self.waited = _PATIENCE + time.monotonic() - began

    async def _check_root(self) -> None:
        """Ask for root capabilities in a command: where they are refused, a service never starts (engine 0.21.8)."""
        try:
            await asked_now(self.base).with_exec(["true"], insecure_root_capabilities=True).sync()
        except dagger.DaggerError as error:
            if needs_root(str(error)):
                raise DrydockError(NO_ROOT) from None
            raise DrydockError(f"the engine could not run BuildKit: {explain(error)}") from None

    async def _start(self, up: anyio.Event) -> None:
        """Run a command that needs the daemon: the engine lets go of it some seconds after the last one has ended.

        `start` would hold it for the whole session, and after `stop` the engine may end the next one too (0.21.8).
        """
        # Whoever needs it starts it too, and is told why it does not.
        with suppress(dagger.DaggerError):
            await asked_now(self.client()).with_exec(["true"]).sync()
        up.set()


@asynccontextmanager
async def beside(watch: Callable[[], Coroutine[object, object, None]]) -> AsyncIterator[None]:
    """Have something watched for as long as it lasts; what the watch raises ends it."""
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            yield
            group.cancel_scope.cancel()
    except ExceptionGroup as several:
        raise first_error(several) from None


def asked_now(container: dagger.Container) -> dagger.Container:
    """Keep the engine from answering from before."""
    return container.with_env_variable("DRYDOCK_ASKED", uuid.uuid4().hex)


def client_base(authorities: dagger.File | None = None) -> dagger.Container:
    """Describe the container that a daemon and its client are of.

    Args:
        authorities: certificates in PEM that are trusted besides the usual ones.

    """
    base = with_variables(dagger.dag.container().from_(IMAGE), _ENVIRONMENT)
    if authorities:
        # The client too: it asks for tokens.
        base = base.with_file(f"{_AUTHORITIES}/registry.pem", authorities)
        base = base.with_env_variable("SSL_CERT_DIR", f"{_USUAL_AUTHORITIES}:{_AUTHORITIES}")
    return base


def open_daemon(
    config: Config, services: Mapping[str, dagger.Service], authorities: dagger.File | None = None
) -> EngineDaemon:
    """Describe the daemon of a repository.

    Two repositories do not share a daemon's state, so that neither waits for the other.

    Args:
        config: of the repository.
        services: what the daemon reaches by a name, besides the network.
        authorities: certificates in PEM that are trusted besides the usual ones.

    """
    base = reached = client_base(authorities)
    for host, service in services.items():
        reached = reached.with_service_binding(host, service)
    daemon = (
        # Two daemons on one state would spoil it: the second waits.
        reached.with_mounted_cache(_ROOT, open_state(config), sharing=dagger.CacheSharingMode.LOCKED)
        .with_exposed_port(_PORT)
        .as_service(
            args=["buildkitd", "--addr", f"tcp://0.0.0.0:{_PORT}", "--root", _ROOT], insecure_root_capabilities=True
        )
    )
    return EngineDaemon(base=base, service=daemon)


def open_state(config: Config) -> dagger.CacheVolume:
    """Name the volume that holds the state of a repository's daemon."""
    named = [*config.repositories, config.source, *(image.name for image in config.images)]
    key = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:12]
    return dagger.dag.cache_volume(f"drydock-buildkit-{BUILDKIT}-{key}")
