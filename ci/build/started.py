"""Starts an image as it would run, and asks it from outside."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path

import anyio
import dagger

from ci.build import probe, probe_grpc
from ci.build.files import match_of
from ci.build.probe import Request
from ci.build.services import STOP, Beside, beside
from ci.core.checks import GrpcCheck, HttpCheck, Service, SmokeCheck, StartedCheck, TcpCheck
from ci.core.engine import PIP, PYTHON, failure_of, with_variables
from ci.core.model import Failure
from ci.core.text import last_lines

HOST = "image"  # of the started image, for those that ask it
_LAST_WORDS = 20  # seconds to learn why an image ended
_GRACE = 30  # seconds that a client may take to start and to end, besides its deadline
_PINS = Path(__file__).parent / "grpc.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The checks that one started container answers: of one port and kind, with the same variables and services."""

    checks: tuple[SmokeCheck, ...]

    @property
    def asked(self) -> tuple[StartedCheck, ...]:
        """What they ask."""
        return tuple(c.check for c in self.checks if isinstance(c.check, StartedCheck))

    @property
    def port(self) -> int:
        """The port they ask."""
        return self.asked[0].port

    @property
    def deadline(self) -> float:
        """Seconds that the most patient of them waits."""
        return max(check.deadline for check in self.asked)

    @property
    def env(self) -> Mapping[str, str]:
        """The variables that the image is given besides its own."""
        return self.checks[0].env

    @property
    def services(self) -> tuple[str, ...]:
        """The names of what is beside it."""
        return self.checks[0].services


def group_checks(checks: Sequence[SmokeCheck]) -> list[Group]:
    """Put the checks that need a started image into as few groups as there are containers to start."""
    wanted = [check for check in checks if isinstance(check.check, StartedCheck)]
    return [Group(checks=tuple(found)) for _, found in groupby(sorted(wanted, key=_kind), key=_kind)]


def _kind(smoke: SmokeCheck) -> tuple[object, ...]:
    if not isinstance(smoke.check, StartedCheck):
        raise TypeError(smoke.name)
    surrounded = (sorted(smoke.env.items()), smoke.services)
    return (smoke.check.port, isinstance(smoke.check, GrpcCheck), str(surrounded))


async def ask_group(
    container: dagger.Container,
    services: Sequence[Service],
    images: Mapping[str, dagger.Container],
    variant: str,
    group: Group,
) -> dict[str, Failure]:
    """Start the image as it would run, and put all questions of a group; return what failed, by the check's name."""
    names = [check.name for check in group.checks]
    try:
        async with beside(services, group.services, images, f"{variant}: {', '.join(names)}") as around:
            return await _ask_group(around.bind(with_variables(container, group.env)), around, group)
    except dagger.DaggerError as error:  # a service's image
        return {name: failure_of(error, name) for name in names}


async def _ask_group(container: dagger.Container, around: Beside, group: Group) -> dict[str, Failure]:
    names = [check.name for check in group.checks]
    deadline = group.deadline
    try:
        async with _started(container, group) as client:
            listening = await _wait_for_port(client, deadline + around.patience)
            problems = await _put(listening, group)
    except TimeoutError:
        reason = f"nothing listened on port {group.port} within {deadline:g} s"
        why = await around.why_one_failed("") or await around.explain(Failure(step="", reason=reason))
        return {name: replace(why, step=name) for name in names}
    except dagger.DaggerError as error:
        why = await around.why_one_failed("") or await around.explain(await _why_it_ended(container, error))
        return {name: replace(why, step=name) for name in names}
    found = {
        check.name: Failure(step=check.name, reason=_unexpected(asked, problem))
        for check, asked, problem in zip(group.checks, group.asked, problems, strict=True)
        if problem
    }
    logs = await around.logs(tuple(around.known)) if found else {}
    return {name: replace(failure, logs=logs) for name, failure in found.items()}


@asynccontextmanager
async def _started(container: dagger.Container, group: Group) -> AsyncIterator[dagger.Container]:
    """Hand out a client beside the image, which runs as its service; stop the service afterwards.

    The client is a command like those of the other checks: the engine keeps that it passed, and starts neither it nor
    the image again where image and checks are the same.
    """
    # Dagger would wait for the image's own HEALTHCHECK, at its interval, in place of the port. It does not wait for
    # the other ports that the image exposes (0.21.8, core/healthcheck.go; a test holds it to that).
    served = container.without_docker_healthcheck().with_exposed_port(group.port)
    service = served.as_service(use_entrypoint=True, no_init=True)  # its own first process is the first, as elsewhere
    client = dagger.dag.container().from_(PYTHON)
    if any(isinstance(asked, GrpcCheck) for asked in group.asked):
        client = client.with_new_file("/grpc.txt", _PINS.read_text()).with_exec([*PIP, "/grpc.txt"])
        client = client.with_new_file("/probe.py", inspect.getsource(probe_grpc))
    else:
        client = client.with_new_file("/probe.py", inspect.getsource(probe))
    await client.sync()  # nobody waits for a port while this is fetched
    try:
        yield client.with_service_binding(HOST, service)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(STOP), suppress(dagger.DaggerError):
            await service.stop(kill=True)


async def _wait_for_port(client: dagger.Container, deadline: float) -> dagger.Container:
    """Wait until the image listens: a command with nothing to do starts once the port is open."""
    with anyio.fail_after(deadline):
        return await client.with_exec(["python", "-c", "pass"]).sync()


async def _put(client: dagger.Container, group: Group) -> list[str]:
    """Put all questions; return what is wrong with each answer, or nothing."""
    asked = [check for check in group.asked if not isinstance(check, TcpCheck)]  # an open port is its answer
    if not asked:
        return [""] * len(group.asked)
    try:
        with anyio.fail_after(group.deadline + _GRACE):
            await client.with_exec(["python", "/probe.py", *_arguments(asked)]).sync()
    except TimeoutError:
        return ["" if isinstance(check, TcpCheck) else "the client that asks did not end" for check in group.asked]
    except dagger.ExecError as error:
        if not (problems := _answers(error)):
            raise
        answers = iter(problems)
        return ["" if isinstance(check, TcpCheck) else next(answers) for check in group.asked]
    return [""] * len(group.asked)


def _arguments(asked: Sequence[StartedCheck]) -> list[str]:
    """Write the questions for the program that puts them."""
    questions = [(check.service, check.deadline) for check in asked if isinstance(check, GrpcCheck)]
    if questions:
        return [HOST, str(asked[0].port), json.dumps(questions)]
    return [json.dumps([asdict(_request(check)) for check in asked if isinstance(check, HttpCheck)])]


def _request(check: HttpCheck) -> Request:
    return Request(
        host=HOST,
        port=check.port,
        path=check.path,
        status=check.status,
        deadline=check.deadline,
        body=match_of(check.body),
        redirects=check.redirects,
        headers=check.headers,
        answers={name: match_of(match) for name, match in check.response_headers.items()},
    )


def _answers(error: dagger.ExecError) -> list[str]:
    """Read what the client said of each answer; nothing where it did not get that far."""
    try:
        return [str(problem) for problem in json.loads(error.stdout)]
    except ValueError:
        return []


def _unexpected(asked: StartedCheck, problem: str) -> str:
    match asked:
        case HttpCheck():
            url = f"http://localhost:{asked.port}{asked.path}"
            return f"GET {url}: {problem} within {asked.deadline:g} s"
        case GrpcCheck():
            whose = asked.service or "the server"
            return f"health of {whose} on port {asked.port} by gRPC: {problem} within {asked.deadline:g} s"
        case TcpCheck():
            return problem


async def _why_it_ended(container: dagger.Container, error: dagger.DaggerError) -> Failure:
    """Run an image that would not serve as a command: unlike a service, that gives its exit code and output."""
    with anyio.move_on_after(_LAST_WORDS):
        try:
            done = container.with_exec([], use_entrypoint=True, expect=dagger.ReturnType.ANY)
            code, out, err = await done.exit_code(), await done.stdout(), await done.stderr()
        except dagger.ExecError as second:  # ended by a signal, for one
            code, out, err = second.exit_code, second.stdout, second.stderr
        except dagger.DaggerError as second:
            return failure_of(second, "")
        return Failure(
            step="",
            reason=f"the image ended with exit code {code} instead of serving",
            command="(its entrypoint)",
            exit_code=code,
            stderr=last_lines(err or out),
        )
    return failure_of(error, "")
