"""Runs one variant's smoke checks on its own platform: container and checks in, failures out."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from itertools import groupby

import anyio
import dagger
import httpx

from ci.boundary import failure_of
from ci.concurrency import fan_out
from ci.model import ConfigCheck, Failure, FileCheck, HttpCheck, RunCheck, SmokeCheck, TextMatch, Variant
from ci.plaintext import last_lines

# Makes a started service reachable: yields "host:port" for a port of it.
Endpoint = Callable[[dagger.Service, int], AbstractAsyncContextManager[str]]

_BODY_LIMIT = 1_000_000  # bytes of an answer that are read; a check looks at text, not at downloads
_SHOWN = 200  # characters of a text that a failure quotes
_LAST_WORDS = 20  # seconds to learn why an image ended
_STOP = 3  # seconds to stop a service; one that is still starting ends with the session
_POLL = 0.5  # seconds between two requests


@asynccontextmanager
async def direct(service: dagger.Service, port: int) -> AsyncIterator[str]:
    """Reach a service from inside the engine's network, where a module's functions run."""
    yield await service.endpoint(port=port)


@asynccontextmanager
async def tunnelled(service: dagger.Service, port: int) -> AsyncIterator[str]:
    """Reach a service from outside the engine, through a tunnel to a port of the host."""
    tunnel = dagger.dag.host().tunnel(service, ports=[dagger.PortForward(backend=port)])
    await tunnel.start()
    try:
        yield await tunnel.endpoint()
    finally:
        await tunnel.stop()


async def smoke_variant(
    container: dagger.Container, variant: Variant, *, endpoint: Endpoint, limit: int
) -> tuple[Failure, ...]:
    """Run every check of a variant, at most `limit` at a time; return what failed, in the checks' order."""
    http = [c for c in variant.checks if isinstance(c.check, HttpCheck)]
    others = [c for c in variant.checks if not isinstance(c.check, HttpCheck)]
    found: dict[str, Failure] = {}

    async def service_checks() -> None:
        ports = [list(checks) for _, checks in groupby(sorted(http, key=_port), key=_port)]
        for failures in await fan_out(ports, partial(_smoke_http, container, endpoint), limit=limit):
            found.update(failures)

    async def container_checks() -> None:
        results = await fan_out(others, partial(_smoke_one, container), limit=limit)
        found.update({f.step: f for f in results if f})

    async with anyio.create_task_group() as group:
        group.start_soon(service_checks)
        group.start_soon(container_checks)
    return tuple(found[_step(c)] for c in variant.checks if _step(c) in found)


def _step(check: SmokeCheck) -> str:
    return f"smoke: {check.name}"


async def _smoke_one(container: dagger.Container, smoke: SmokeCheck) -> Failure | None:
    """Run one check that needs no running service; every way it can end is an answer."""
    step = _step(smoke)
    try:
        match smoke.check:
            case RunCheck() as check:
                return await _run(container, check, step)
            case FileCheck() as check:
                problems = await _file(container, check)
            case ConfigCheck() as check:
                problems = await _config(container, check)
            case HttpCheck():
                raise AssertionError("HTTP checks share one service")
    except dagger.DaggerError as error:
        return failure_of(error, step)
    return Failure(step=step, reason="; ".join(problems)) if problems else None


async def _run(container: dagger.Container, check: RunCheck, step: str) -> Failure | None:
    done = container.with_exec(list(check.argv), expect=dagger.ReturnType.ANY)
    command = shlex.join(check.argv)
    try:
        with anyio.fail_after(check.deadline):
            code = await done.exit_code()
            out, err = await done.stdout(), await done.stderr()
    except TimeoutError:
        return Failure(step=step, reason=f"did not end within {check.deadline:g} s", command=command)
    problems = []
    if code != check.exit_code:
        problems.append(f"expected exit code {check.exit_code}, got {code}")
    problems += compare(out, check.stdout, "stdout") + compare(err, check.stderr, "stderr")
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
        problems += compare(await container.file(check.path).contents(), check.content, check.path)
    return problems


async def _config(container: dagger.Container, check: ConfigCheck) -> list[str]:
    problems: list[str] = []

    def expect(what: str, expected: object, actual: object) -> None:
        if expected != actual:
            problems.append(f"expected {what} {expected!r}, got {actual!r}")

    if check.user is not None:
        expect("user", check.user, await container.user())
    if check.entrypoint is not None:
        expect("entrypoint", list(check.entrypoint), await container.entrypoint())
    for name, value in check.env.items():
        expect(f"env {name}", value, await container.env_variable(name))
    for name, value in check.labels.items():
        expect(f"label {name}", value, await container.label(name))
    if check.ports is not None:
        ports = [f"{await p.port()}/{(await p.protocol()).value.lower()}" for p in await container.exposed_ports()]
        expect("exposed ports", sorted(check.ports), sorted(ports))
    if check.healthcheck is not None:
        expect("a declared healthcheck", check.healthcheck, await _has_healthcheck(container))
    if check.architecture is not None:
        expect("architecture", check.architecture, (await container.platform()).split("/")[1])
    return problems


async def _has_healthcheck(container: dagger.Container) -> bool:
    try:
        return bool(await container.docker_healthcheck().args())
    except dagger.InvalidQueryError:  # how the SDK says that there is none
        return False


async def _smoke_http(
    container: dagger.Container, endpoint: Endpoint, checks: Sequence[SmokeCheck]
) -> dict[str, Failure]:
    """Start the image as it would run, and put all requests for one port of it."""
    port, deadline = _port(checks[0]), max(c.check.deadline for c in checks if isinstance(c.check, HttpCheck))
    # Dagger would wait for the image's own HEALTHCHECK, at its interval, in place of the port.
    served = container.without_docker_healthcheck().with_exposed_port(port)
    service = served.as_service(use_entrypoint=True, no_init=True)  # its own first process is the first, as elsewhere
    begin = anyio.current_time()
    try:
        with anyio.fail_after(deadline):
            await service.start()  # waits until the port is open, or the image has ended
        async with endpoint(service, port) as address:
            results = await fan_out(checks, partial(_ask, address, begin), limit=len(checks))
    except TimeoutError:
        reason = f"nothing listened on port {port} within {deadline:g} s"
        results = tuple(Failure(step=_step(c), reason=reason) for c in checks)
    except dagger.DaggerError as error:
        results = tuple([await _why_it_ended(container, error, _step(c)) for c in checks])
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_STOP), suppress(dagger.DaggerError):
            await service.stop(kill=True)
    return {f.step: f for f in results if f}


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


async def _ask(address: str, begin: float, smoke: SmokeCheck) -> Failure | None:
    """Ask until the answer is as expected or the deadline is over."""
    check = smoke.check
    assert isinstance(check, HttpCheck)  # noqa: S101  # narrows the type; the caller filters
    last = f"expected status {check.status}, got no answer"
    async with httpx.AsyncClient(trust_env=False) as client:
        with anyio.move_on_after(begin + check.deadline - anyio.current_time()):
            # The image sends no event when it is ready.
            while last := await _get(client, f"http://{address}{check.path}", check):  # noqa: ASYNC110
                await anyio.sleep(_POLL)
            return None
    url = f"http://localhost:{check.port}{check.path}"
    return Failure(step=_step(smoke), reason=f"GET {url}: {last} within {check.deadline:g} s")


async def _get(client: httpx.AsyncClient, url: str, check: HttpCheck) -> str:
    """Ask once; return what is wrong with the answer, or nothing."""
    body = b""
    try:
        async with client.stream("GET", url, timeout=10) as answer:
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _BODY_LIMIT:
                    return f"an answer of more than {_BODY_LIMIT} bytes"
            text = body.decode(answer.encoding or "utf-8", errors="replace")
            if answer.status_code != check.status:
                return f"expected status {check.status}, got {answer.status_code} {quote(text)}"
    except httpx.HTTPError as error:
        return f"expected status {check.status}, got no answer ({type(error).__name__})"
    return "; ".join(compare(text, check.body, "body"))


def compare(text: str, match: TextMatch | None, what: str) -> list[str]:
    """Hold a text against its match; return one sentence for each condition that does not hold."""
    if match is None:
        return []
    problems = []
    if match.equals is not None and text.rstrip() != match.equals.rstrip():
        problems.append(f"expected {what} to equal {match.equals!r}, got {quote(text)}")
    problems += [
        f"expected {what} to contain {part!r}, got {quote(text)}" for part in match.contains if part not in text
    ]
    problems += [
        f"expected {what} not to contain {part!r}, got {quote(text)}" for part in match.excludes if part in text
    ]
    if match.matches is not None and not re.search(match.matches, text):
        problems.append(f"expected {what} to match {match.matches!r}, got {quote(text)}")
    return problems


def quote(text: str) -> str:
    """Quote a text, shortened to what a report can show."""
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
