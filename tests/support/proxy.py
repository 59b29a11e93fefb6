"""A reverse proxy that numbers the requests to a registry and spoils those it is told to.

It speaks HTTP/1.1 without TLS on a loopback address, from a thread of its own, so that any process can go through it.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from types import TracebackType
from typing import Self

_HEAD = 128 * 1024  # bytes; the longest head of a message
_CHUNK = 64 * 1024
_STARTING = 10.0  # seconds
_QUIET = 10  # milliseconds without a connection, before the loop ends
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST


class Kind(StrEnum):
    STATUS = "status"  # answers with a status of its own
    RESET = "reset"  # RST instead of an answer
    EOF = "eof"  # half of the answer's body, or of its head where it has no body, then the end
    STALL = "stall"  # no answer, for as long as the client waits
    STALL_BODY = "stall-body"  # half of the answer's body, then nothing
    WITHOUT = "without"  # the registry's answer without the headers that are named


_NEEDS_AN_ANSWER = frozenset((Kind.EOF, Kind.STALL_BODY, Kind.WITHOUT))


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What happens to one request.

    `after` lets the registry do what it is asked before the answer is spoilt; EOF, STALL_BODY and WITHOUT need its
    answer, so they always do. `only` spoils no answer but those of a status; it comes with `after`. `run` is called
    first, such as to kill the client.
    """

    kind: Kind
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    after: bool = False
    only: int | None = None
    run: Callable[[], None] | None = None
    name: str = ""  # in place of what it does

    def __str__(self) -> str:
        name = self.name or (str(self.status) if self.kind is Kind.STATUS else self.kind)
        return f"{name} after" if self.after else name


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A request that came by, without its body and its secrets."""

    number: int  # from 1
    method: str
    path: str  # without the query
    authorized: bool  # whether it carried an Authorization header
    agent: str = ""  # the User-Agent header
    fault: Fault | None = None


Rule = Callable[[Seen], Fault | None]


def no_fault(_seen: Seen) -> None:
    """Let everything pass."""


def at(position: int, fault: Fault) -> Rule:
    """Spoil one request, by its number."""
    return lambda seen: fault if seen.number == position else None


def since(position: int, fault: Fault) -> Rule:
    """Spoil one request, by its number, and all after it."""
    return lambda seen: fault if seen.number >= position else None


def always(fault: Fault, method: str = "", path: str = "") -> Rule:
    """Spoil every request of a method (any by default) whose path holds a text."""
    return lambda seen: fault if method in {"", seen.method} and path in seen.path else None


@dataclass(frozen=True, slots=True)
class _Head:
    start: str
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        return next((value for key, value in self.fields if key.lower() == name), "")

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    def without(self, *names: str) -> "_Head":
        return replace(self, fields=tuple(f for f in self.fields if f[0].lower() not in names))

    def bytes(self) -> bytes:
        lines = [self.start, *(f"{key}: {value}" for key, value in self.fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read_head(reader: asyncio.StreamReader) -> _Head | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return _Head(start, tuple((key, value.strip()) for key, _, value in fields))


class FaultProxy:
    """The proxy, to be used as a context manager. Change `rule` at any time; `seen` is everything so far."""

    def __init__(self, upstream: int, *, port: int = 0, rule: Rule = no_fault) -> None:
        """Prepare it: `upstream` is the registry's port on 127.0.0.1, `port` the proxy's (0: a free one)."""
        self.upstream, self.port, self.rule = upstream, port, rule
        self.seen: list[Seen] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._started: Future[int] = Future()
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._started.result(_STARTING)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STARTING)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reset(self, rule: Rule = no_fault) -> None:
        """Forget what was seen, number from 1 again, and follow another rule."""
        self.rule, self.seen = rule, []

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._started.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=_HEAD)
        self._started.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        # A connection that was just accepted begins its task some rounds of the loop later. Until then neither may the
        # server be closed nor the task be cancelled: its socket would stay open. So tasks end with their connections.
        self._loop.remove_reader(server.sockets[0].fileno())
        quiet = 0
        while quiet < _QUIET:
            for writer in self._open:
                writer.transport.abort()
            quiet = quiet + 1 if asyncio.all_tasks() == {asyncio.current_task()} else 0
            await asyncio.sleep(0.001)
        server.close()
        await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)  # the loop itself holds no task for as long as its connection is quiet
        # A client that goes away in the middle is what some tests are about.
        async with self._closing(writer):
            with suppress(OSError, asyncio.IncompleteReadError):
                while head := await _read_head(reader):
                    if not await self._handle(head, reader, writer):
                        break
        self._tasks.discard(task)

    @asynccontextmanager
    async def _closing(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._open.discard(writer)

    def _note(self, head: _Head) -> Fault | None:
        method, target, _ = head.start.split(" ", 2)
        seen = Seen(
            number=len(self.seen) + 1,
            method=method,
            path=target.partition("?")[0],
            authorized=bool(head.get("authorization")),
            agent=head.get("user-agent"),
        )
        fault = self.rule(seen)
        self.seen.append(replace(seen, fault=fault))
        return fault

    async def _handle(self, head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; tell whether the connection can serve another."""
        fault = self._note(head)
        if head.get("expect").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fault and fault.run:
            await asyncio.to_thread(fault.run)
        if fault is None or fault.after or fault.kind in _NEEDS_AN_ANSWER:
            return await self._forward(head, reader, writer, fault)
        await _copy_body(head, reader, None)
        return await self._spoil(fault, head, reader, writer)

    async def _spoil(
        self, fault: Fault, head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        match fault.kind:
            case Kind.STATUS:
                body = fault.body or b'{"errors":[{"code":"INJECTED","message":"by the proxy"}]}'
                fields = (*fault.headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body))))
                writer.write(_Head(f"HTTP/1.1 {fault.status} Injected", fields).bytes())
                writer.write(b"" if head.start.startswith("HEAD ") else body)
                await writer.drain()
                return True
            case Kind.RESET:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            case _:
                await reader.read(1)  # returns when the client gives up
        return False

    async def _forward(
        self, head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None
    ) -> bool:
        source, target = await asyncio.open_connection("127.0.0.1", self.upstream, limit=_HEAD)
        async with self._closing(target):
            # The registry closes after its answer, so the answer ends where the connection does.
            sent = head.without("connection", "expect")
            target.write(replace(sent, fields=(*sent.fields, ("Connection", "close"))).bytes())
            pump = asyncio.ensure_future(_copy_body(head, reader, target))
            try:
                answer = await _read_head(source)
                if not answer:
                    raise ConnectionResetError("the registry closed the connection")
                answer = self._localize(answer, head)
                if fault and (fault.kind is Kind.WITHOUT or fault.only not in {None, answer.status}):
                    answer = answer.without(*(name.lower() for name, _ in fault.headers))
                    fault = None
                if fault is None:
                    alive = await _relay(head, answer, source, writer)
                elif fault.kind in {Kind.EOF, Kind.STALL_BODY}:
                    await _half(answer, source, writer)
                    alive = False
                else:
                    await source.read()
                    alive = True
                await pump  # reads what the client still sends, so that it reads the answer
                if fault and fault.kind is not Kind.EOF:
                    alive = await self._spoil(fault, head, reader, writer)
            finally:
                pump.cancel()
        return alive

    def _localize(self, answer: _Head, head: _Head) -> _Head:
        """Keep the client on the proxy, where an address of the registry itself is named."""
        real = f"http://127.0.0.1:{self.upstream}/"
        here = f"http://{head.get('host')}/"
        answer = answer.without("connection")
        fields = ((k, v.replace(real, here) if k.lower() == "location" else v) for k, v in answer.fields)
        return replace(answer, fields=tuple(fields))


async def _relay(head: _Head, answer: _Head, source: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    bodiless = head.start.startswith("HEAD ") or answer.status in {204, 304}
    framed = bodiless or bool(answer.get("transfer-encoding") or answer.get("content-length"))
    if not framed:  # then only the end of the connection ends the body
        answer = replace(answer, fields=(*answer.fields, ("Connection", "close")))
    writer.write(answer.bytes())
    while data := await source.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    await writer.drain()
    return framed


async def _half(answer: _Head, source: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = await source.read()
    raw = answer.bytes()
    writer.write(raw + body[: len(body) // 2] if body else raw[: len(raw) // 2])
    await writer.drain()


async def _copy_body(  # noqa: C901  # the two ways a body is framed
    head: _Head, reader: asyncio.StreamReader, target: asyncio.StreamWriter | None
) -> None:
    """Read a request's body to its end, and pass it on for as long as the other side takes it."""

    async def give(data: bytes) -> None:
        nonlocal target
        if target is None:
            return
        try:
            target.write(data)
            await target.drain()
        except OSError:
            target = None  # it answers without reading everything

    async def exactly(count: int) -> None:
        while count > 0:
            data = await reader.read(min(count, _CHUNK))
            if not data:
                raise asyncio.IncompleteReadError(b"", count)
            count -= len(data)
            await give(data)

    if "chunked" not in head.get("transfer-encoding").lower():
        await exactly(int(head.get("content-length") or 0))
        return
    while True:
        line = await reader.readuntil(b"\r\n")
        await give(line)
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        await exactly(size + 2)
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":  # trailers
        await give(line)
    await give(line)
