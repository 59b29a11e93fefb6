"""Runs one variant's smoke checks on its own platform: container and checks in, failures out."""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from itertools import groupby

import anyio
import dagger

from ci.build import probe
from ci.build.probe import Match, Request, compare
from ci.core.engine import failure_of, fan_out
from ci.core.model import ConfigCheck, Failure, FileCheck, HttpCheck, RunCheck, SmokeCheck, TextMatch, Variant
from ci.core.oci import ImageConfig
from ci.core.text import last_lines

# Asks a started image from outside, since that may have no shell. Any Python will do.
_CLIENT = "python:3.13-slim"
_HOST = "image"  # of the started image, for the client alone
_LAST_WORDS = 20  # seconds to learn why an image ended
_STOP = 3  # seconds to stop a service; one that is still starting ends with the session
_GRACE = 5  # seconds that a client may take to start and to end, besides its deadline


async def smoke_variant(
    container: dagger.Container, config: ImageConfig, variant: Variant, *, limit: int
) -> tuple[Failure, ...]:
    """Run every check of a variant; return what failed, in the order of the checks.

    Args:
        container: made of the variant.
        config: its configuration, as its archive or its registry has it.
        variant: of the plan.
        limit: how many checks run at a time.

    """
    http = [c for c in variant.checks if isinstance(c.check, HttpCheck)]
    others = [c for c in variant.checks if not isinstance(c.check, HttpCheck)]
    found: dict[str, Failure] = {}

    async def service_checks() -> None:
        ports = [list(checks) for _, checks in groupby(sorted(http, key=_port), key=_port)]
        for failures in await fan_out(ports, partial(_smoke_http, container), limit=limit):
            found.update(failures)

    async def container_checks() -> None:
        results = await fan_out(others, partial(_smoke_one, container, config), limit=limit)
        found.update({f.step: f for f in results if f})

    async with anyio.create_task_group() as group:
        group.start_soon(service_checks)
        group.start_soon(container_checks)
    return tuple(found[_step(c)] for c in variant.checks if _step(c) in found)


def _step(check: SmokeCheck) -> str:
    return f"smoke: {check.name}"


async def _smoke_one(container: dagger.Container, config: ImageConfig, smoke: SmokeCheck) -> Failure | None:
    """Run one check that needs no running service; every way it can end is an answer."""
    step = _step(smoke)
    try:
        match smoke.check:
            case RunCheck() as check:
                return await _run(container, check, step)
            case FileCheck() as check:
                problems = await _file(container, check)
            case ConfigCheck() as check:
                problems = _config(config, check)
            case HttpCheck():
                raise AssertionError("HTTP checks share one service")
    except dagger.DaggerError as error:
        return failure_of(error, step)
    return Failure(step=step, reason="; ".join(problems)) if problems else None


async def _run(container: dagger.Container, check: RunCheck, step: str) -> Failure | None:
    # The engine keeps what it does not take for a failure; one that it does runs again at the next call.
    expect = dagger.ReturnType.ANY if check.exit_code else dagger.ReturnType.SUCCESS
    done = container.with_exec(list(check.argv), expect=expect)
    command = shlex.join(check.argv)
    try:
        with anyio.fail_after(check.deadline):
            # Each question takes some milliseconds, and there are many checks: one that is to succeed fails each.
            told = not check.exit_code and bool(check.stdout or check.stderr)
            code = 0 if told else await done.exit_code()
            failed = code != check.exit_code
            out = await done.stdout() if failed or check.stdout else ""
            err = await done.stderr() if failed or check.stderr else ""
    except dagger.ExecError as error:
        failed, code, out, err = True, error.exit_code, error.stdout, error.stderr
    except TimeoutError:
        return Failure(step=step, reason=f"did not end within {check.deadline:g} s", command=command)
    problems = []
    if failed:
        problems.append(f"expected exit code {check.exit_code}, got {code}")
    problems += compare(out, _match(check.stdout), "stdout") + compare(err, _match(check.stderr), "stderr")
    if not problems:
        return None
    return Failure(
        step=step,
        reason="; ".join(problems),
        command=command,
        exit_code=code,
        stderr=last_lines(err or out),
    )


async def _file(container: dagger.Container, check: FileCheck) -> list[str]:
    if await container.exists(check.path) != check.exists:
        wanted, found = ("to exist", "does not") if check.exists else ("not to exist", "does")
        return [f"expected {check.path} {wanted}, and it {found}"]
    problems = []
    if check.mode is not None:
        mode = await container.stat(check.path).permissions() & 0o7777
        if mode != check.mode:
            problems.append(f"expected {check.path} to have mode {check.mode:04o}, it has {mode:04o}")
    if check.content is not None:
        problems += compare(await container.file(check.path).contents(), _match(check.content), check.path)
    return problems


def _config(config: ImageConfig, check: ConfigCheck) -> list[str]:
    """Hold an image's configuration, as its archive or its registry has it, against a check."""
    problems: list[str] = []

    def expect(what: str, expected: object, actual: object) -> None:
        if expected != actual:
            problems.append(f"expected {what} {expected!r}, got {actual!r}")

    if check.user is not None:
        expect("user", check.user, config.user)
    if check.entrypoint is not None:
        expect("entrypoint", list(check.entrypoint), list(config.entrypoint))
    for name, value in check.env.items():
        expect(f"env {name}", value, config.env.get(name))
    for name, value in check.labels.items():
        expect(f"label {name}", value, config.labels.get(name))
    if check.ports is not None:
        expect("exposed ports", sorted(check.ports), sorted(config.ports))
    if check.healthcheck is not None:
        expect("a declared healthcheck", check.healthcheck, config.healthcheck)
    if check.architecture is not None:
        expect("architecture", check.architecture, config.architecture)
    return problems


async def _smoke_http(container: dagger.Container, checks: Sequence[SmokeCheck]) -> dict[str, Failure]:
    """Start the image as it would run, and put all requests for one port of it."""
    requests = [_request(c.check) for c in checks if isinstance(c.check, HttpCheck)]
    port, deadline = requests[0].port, max(request.deadline for request in requests)
    try:
        async with _started(container, port) as client:
            listening = await _wait_for_port(client, deadline)
            problems = await _put(listening, requests, deadline)
    except TimeoutError:
        reason = f"nothing listened on port {port} within {deadline:g} s"
        return {_step(c): Failure(step=_step(c), reason=reason) for c in checks}
    except dagger.DaggerError as error:
        return {_step(c): await _why_it_ended(container, error, _step(c)) for c in checks}
    return {
        _step(c): _unexpected(_step(c), request, problem)
        for c, request, problem in zip(checks, requests, problems, strict=True)
        if problem
    }


@asynccontextmanager
async def _started(container: dagger.Container, port: int) -> AsyncIterator[dagger.Container]:
    """Hand out a client beside the image, which runs as its service; stop the service afterwards.

    The client is a command like those of the other checks: the engine keeps that it passed, and starts neither it nor
    the image again where image and checks are the same.
    """
    # Dagger would wait for the image's own HEALTHCHECK, at its interval, in place of the port.
    served = container.without_docker_healthcheck().with_exposed_port(port)
    service = served.as_service(use_entrypoint=True, no_init=True)  # its own first process is the first, as elsewhere
    client = dagger.dag.container().from_(_CLIENT).with_new_file("/probe.py", inspect.getsource(probe))
    try:
        yield client.with_service_binding(_HOST, service)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_STOP), suppress(dagger.DaggerError):
            await service.stop(kill=True)


async def _wait_for_port(client: dagger.Container, deadline: float) -> dagger.Container:
    """Wait until the image listens: a command with nothing to do starts once the port is open."""
    with anyio.fail_after(deadline):
        return await client.with_exec(["python", "-c", "pass"]).sync()


async def _put(client: dagger.Container, requests: Sequence[Request], deadline: float) -> list[str]:
    """Put all requests; return what is wrong with each answer, or nothing."""
    questions = json.dumps([asdict(request) for request in requests])
    try:
        with anyio.fail_after(deadline + _GRACE):
            await client.with_exec(["python", "/probe.py", questions]).sync()
    except dagger.ExecError as error:
        if not (problems := _answers(error)):
            raise
        return problems
    return [""] * len(requests)


def _request(check: HttpCheck) -> Request:
    return Request(
        host=_HOST,
        port=check.port,
        path=check.path,
        status=check.status,
        deadline=check.deadline,
        body=_match(check.body),
    )


def _match(match: TextMatch | None) -> Match:
    return Match(**asdict(match)) if match else Match()


def _answers(error: dagger.ExecError) -> list[str]:
    """Read what the client said of each answer; nothing where it did not get that far."""
    try:
        return [str(problem) for problem in json.loads(error.stdout)]
    except ValueError:
        return []


def _unexpected(step: str, request: Request, problem: str) -> Failure:
    url = f"http://localhost:{request.port}{request.path}"
    return Failure(step=step, reason=f"GET {url}: {problem} within {request.deadline:g} s")


def _port(smoke: SmokeCheck) -> int:
    return smoke.check.port if isinstance(smoke.check, HttpCheck) else 0


async def _why_it_ended(container: dagger.Container, error: dagger.DaggerError, step: str) -> Failure:
    """Run an image that would not serve as a command: unlike a service, that gives its exit code and output."""
    with anyio.move_on_after(_LAST_WORDS):
        try:
            done = container.with_exec([], use_entrypoint=True, expect=dagger.ReturnType.ANY)
            code, out, err = await done.exit_code(), await done.stdout(), await done.stderr()
        except dagger.DaggerError as second:
            return failure_of(second, step)
        return Failure(
            step=step,
            reason=f"the image ended with exit code {code} instead of serving",
            command="(its entrypoint)",
            exit_code=code,
            stderr=last_lines(err or out),
        )
    return failure_of(error, step)
