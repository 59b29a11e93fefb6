"""Asks one server over HTTP until it answers as expected: a program of its own, run beside a started image.

It imports the standard library alone, so that any Python can run it: `python probe.py REQUESTS`, where REQUESTS is a
JSON list of Request's fields. It prints a JSON list, what is wrong with each answer or nothing, and exits with 1
where anything is.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

_BODY_LIMIT = 1_000_000  # bytes of an answer that are read; a check looks at text, not at downloads
_SHOWN = 200  # characters of a text that a failure quotes
_POLL = 0.5  # seconds between two requests
_PATIENCE = 10  # seconds for one answer
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_HTTP = 80


@dataclass(frozen=True, kw_only=True)
class Match:
    """What a text has to look like; see ci.core.model.TextMatch."""

    equals: str | None = None
    contains: Sequence[str] = ()
    excludes: Sequence[str] = ()
    matches: Sequence[str] = ()
    rejects: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """One GET and the answer that is expected within `deadline` seconds, after at most `redirects` redirects."""

    host: str
    port: int
    path: str
    status: int
    deadline: float
    body: Match = field(default_factory=Match)
    redirects: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Match] = field(default_factory=dict)  # headers of the answer


def compare(text: str, match: Match, what: str) -> list[str]:
    """Hold a text against its match; return one sentence for each condition that does not hold."""
    problems = []
    if match.equals is not None and text.rstrip() != match.equals.rstrip():
        problems.append(f"expected {what} to equal {match.equals!r}, got {quote(text)}")
    problems += [
        f"expected {what} to contain {part!r}, got {quote(text)}" for part in match.contains if part not in text
    ]
    problems += [
        f"expected {what} not to contain {part!r}, got {quote(text)}" for part in match.excludes if part in text
    ]
    problems += [
        f"expected {what} to match {pattern!r}, got {quote(text)}"
        for pattern in match.matches
        if not re.search(pattern, text)
    ]
    problems += [
        f"expected {what} not to match {pattern!r}, got {quote(text)}"
        for pattern in match.rejects
        if re.search(pattern, text)
    ]
    return problems


def quote(text: str) -> str:
    """Quote a text, shortened to what a report can show."""
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def ask(request: Request) -> str:
    """Ask until the answer is as expected or the deadline is over; return what is wrong with the last answer."""
    end = time.monotonic() + request.deadline
    last = ""
    while True:
        left = max(0.1, end - time.monotonic())
        problem = _get(request, min(_PATIENCE, left))
        # A question that the deadline cut short says less than the answer before it.
        if not (last and left < _PATIENCE and problem == _no_answer(request, TimeoutError())):
            last = problem
        if not problem or time.monotonic() >= end:
            return last
        # The server sends no event when it is ready.
        time.sleep(min(_POLL, max(0.0, end - time.monotonic())))


def _no_answer(request: Request, error: Exception) -> str:
    return f"expected status {request.status}, got no answer ({type(error).__name__})"


class _UnusableError(Exception):
    """Why an answer cannot be used, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body, as its charset says."""
        charset = self.headers.get_content_charset() or "utf-8"
        try:
            return self.body.decode(charset, errors="replace")
        except LookupError:
            return self.body.decode(errors="replace")


def _get(request: Request, limit: float) -> str:
    # Frameworks that check the host accept localhost; and what they redirect to begins with what they were asked by.
    at = urlsplit(f"http://localhost:{request.port}{request.path}")
    try:
        answer = _ask_once(request, at, limit)
        for _ in range(request.redirects):
            if answer.status not in _REDIRECTS or not (location := answer.headers.get("Location")):
                break
            at = _next(request, at, location)
            answer = _ask_once(request, at, limit)
    except (OSError, HTTPException) as error:
        return _no_answer(request, error)
    except _UnusableError as error:
        return str(error)
    return "; ".join(_judge(request, answer))


def _ask_once(request: Request, at: SplitResult, limit: float) -> _Answer:
    connection = HTTPConnection(request.host, at.port or _HTTP, timeout=limit)
    headers = {"Host": at.netloc, "Accept": "*/*"}
    for name, value in request.headers.items():
        headers = {known: kept for known, kept in headers.items() if known.lower() != name.lower()} | {name: value}
    try:
        connection.request("GET", urlunsplit(at._replace(scheme="", netloc="", fragment="")) or "/", headers=headers)
        with connection.getresponse() as answer:
            body = answer.read(_BODY_LIMIT + 1)
    finally:
        connection.close()
    if len(body) > _BODY_LIMIT:
        raise _UnusableError(f"an answer of more than {_BODY_LIMIT} bytes")
    return _Answer(status=answer.status, headers=answer.headers, body=body)


def _next(request: Request, at: SplitResult, location: str) -> SplitResult:
    """Find where a redirect leads: to the same server, as nothing else is asked."""
    found = urlsplit(urljoin(at.geturl(), location))
    host = next((value for name, value in request.headers.items() if name.lower() == "host"), "")
    names = {"localhost", "127.0.0.1", request.host, urlsplit(f"//{host}").hostname or "localhost"}
    if found.scheme != "http" or found.hostname not in names:
        raise _UnusableError(f"it redirects to {quote(location)}, which is not the image over plain HTTP")
    return found


def _judge(request: Request, answer: _Answer) -> Iterator[str]:
    if answer.status != request.status:
        location = answer.headers.get("Location") if answer.status in _REDIRECTS else None
        leads = f", a redirect to {quote(location)}," if location else ""
        yield f"expected status {request.status}, got {answer.status}{leads} {quote(answer.text)}"
        return
    for name, match in request.answers.items():
        value = answer.headers.get(name)
        if value is None:
            yield f"expected a header {name}, got none"
        else:
            yield from compare(", ".join(answer.headers.get_all(name, [])), match, f"header {name}")
    yield from compare(answer.text, request.body, "body")


def read_request(fields: dict[str, Any]) -> Request:
    """Read a request as JSON has it."""
    answers = {name: Match(**match) for name, match in fields["answers"].items()}
    return Request(**{**fields, "body": Match(**fields["body"]), "answers": answers})


def main() -> int:
    """Put all requests at once, and print what is wrong with each answer."""
    requests = [read_request(fields) for fields in json.loads(sys.argv[1])]
    with ThreadPoolExecutor(len(requests)) as pool:
        problems = list(pool.map(ask, requests))
    sys.stdout.write(json.dumps(problems))
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
