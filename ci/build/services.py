"""Starts what an image needs beside it while it is checked, and says what became of it."""

from __future__ import annotations

import hashlib
import shlex
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import anyio
import dagger

from ci.core.checks import Service
from ci.core.engine import PYTHON, failure_of, with_variables
from ci.core.model import Failure
from ci.core.text import last_lines

STOP = 3  # seconds to stop a service; one that is still starting ends with the session
_LOGS = "/.drydock"
_SHELL = "/bin/sh"
# The engine hands out what a service prints only where it fails to start. Its user may be any.
_KEEP = 'exec >"$0" 2>&1; exec "$@"'
_LABEL = "dev.drydock.check"
_ANSWER = 10.0  # seconds to learn whether one runs, or why it ended


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """The services beside one container, each by its name, in the order in which they reach each other."""

    key: str = ""  # of the container: no other has the same services
    known: Mapping[str, Service] = field(default_factory=dict)
    running: Mapping[str, dagger.Service] = field(default_factory=dict)
    bound: tuple[str, ...] = ()  # to the container itself

    @property
    def patience(self) -> float:
        """Seconds that they may take to start."""
        return sum(service.deadline for service in self.known.values())

    def bind(self, container: dagger.Container) -> dagger.Container:
        """Let a container reach them by their names."""
        for name in self.bound:
            container = container.with_service_binding(name, self.running[name])
        return container

    async def why_one_failed(self, step: str) -> Failure | None:
        """Find the first that does not run, and say why; nothing where all do."""
        for service in self.known.values():
            if failure := await self._why(service):
                logs = await self.logs((service.name,))
                return replace(failure, step=step, logs=logs or failure.logs)
        return None

    async def _why(self, service: Service) -> Failure | None:
        name = f"its service {service.name} ({service.image})"
        try:
            with anyio.fail_after(_ANSWER):
                await self.running[service.name].start()
        except TimeoutError:
            waited = f"nothing listened on port {service.port} within {service.deadline:g} s"
            return Failure(step="", reason=f"{name}: {waited}")
        except dagger.ExecError as error:
            ended = f"ended with exit code {error.exit_code} instead of listening on port {service.port}"
            return Failure(
                step="",
                reason=f"{name} {ended}",
                command=shlex.join(service.command) if service.command else None,
                exit_code=error.exit_code,
                logs={service.name: last_lines(error.stderr or error.stdout)},
            )
        except dagger.DaggerError as error:
            failure = failure_of(error, "")
            return replace(failure, reason=f"{name}: {failure.reason}")
        return None

    async def explain(self, failure: Failure) -> Failure:
        """Put the last lines of all of them to a failure."""
        return replace(failure, logs={**failure.logs, **await self.logs(tuple(self.known))})

    async def logs(self, names: Sequence[str]) -> dict[str, str]:
        """Read the last lines of services, as far as those were kept."""
        reader = _with_logs(dagger.dag.container().from_(PYTHON), self.key)
        reader = reader.with_env_variable("DRYDOCK_ASKED", uuid.uuid4().hex)  # what is there now
        found: dict[str, str] = {}
        for name in names:
            with suppress(dagger.DaggerError):
                text = await reader.with_exec(["tail", "-c", "20000", _log(name)]).stdout()
                found |= {name: last_lines(text)} if text.strip() else {}
        return found


@asynccontextmanager
async def beside(
    services: Sequence[Service], names: Sequence[str], images: Mapping[str, dagger.Container], key: str
) -> AsyncIterator[Beside]:
    """Describe the services of one container; the engine starts them when it is started. Stop them afterwards.

    Args:
        services: of the image, in the order in which they reach each other.
        names: those that the container reaches itself.
        images: containers of the images of the same run, by name.
        key: what makes these services others than those of any other container.

    Raises:
        dagger.DaggerError: the image of a service cannot be had.

    """
    if not names:
        yield Beside()
        return
    last = max(number for number, service in enumerate(services) if service.name in names)
    known = {service.name: service for service in services[: last + 1]}
    running: dict[str, dagger.Service] = {}
    for service in known.values():
        running[service.name] = await _service(service, running, images, key)
    made = Beside(key=key, known=known, running=running, bound=tuple(name for name in known if name in names))
    try:
        yield made
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(STOP), suppress(dagger.DaggerError):
            for each in reversed(running.values()):
                await each.stop(kill=True)


async def _service(
    service: Service, earlier: Mapping[str, dagger.Service], images: Mapping[str, dagger.Container], key: str
) -> dagger.Service:
    # It is pulled before anybody waits for it.
    container = await (images[service.target] if service.target else _pulled(service)).sync()
    shell = await container.exists(_SHELL)
    command = [*(await container.entrypoint()), *(service.command or await container.default_args())]
    # What differs in nothing is one service to the engine, and checks would find what others left.
    container = container.with_label(_LABEL, key)
    for name, other in earlier.items():
        container = container.with_service_binding(name, other)
    container = with_variables(container, service.env)
    # The engine would wait for the image's own HEALTHCHECK, at its interval, in place of the port.
    container = container.without_docker_healthcheck().with_exposed_port(service.port)
    if shell:
        command = [_SHELL, "-c", _KEEP, _log(service.name), *command]
        container = _with_logs(container, key)
    return container.as_service(args=command, use_entrypoint=False, no_init=True)


def _pulled(service: Service) -> dagger.Container:
    platform = dagger.Platform(service.platform) if service.platform else None
    return dagger.dag.container(platform=platform).from_(service.image)


def _with_logs(container: dagger.Container, key: str) -> dagger.Container:
    """Mount the folder that services of one container print to."""
    volume = dagger.dag.cache_volume(f"drydock-logs-{hashlib.sha256(key.encode()).hexdigest()[:16]}")
    folder = dagger.dag.directory().with_new_directory("logs", permissions=0o777)
    return container.with_mounted_cache(_LOGS, volume, source=folder)


def _log(name: str) -> str:
    return f"{_LOGS}/logs/{name}"
