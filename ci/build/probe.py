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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

_BODY_LIMIT = 1_000_000  # bytes of an answer that are read; a check looks at text, not at downloads
_SHOWN = 200  # characters of a text that a failure quotes
_POLL = 0.5  # seconds between two requests
_PATIENCE = 10  # seconds for one answer


@dataclass(frozen=True, kw_only=True)
class Match:
    """What a text has to look like; see ci.core.model.TextMatch."""

    equals: str | None = None
    contains: Sequence[str] = ()
    excludes: Sequence[str] = ()
    matches: str | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """One GET and the answer that is expected within `deadline` seconds."""

    host: str
    port: int
    path: str
    status: int
    deadline: float
    body: Match = field(default_factory=Match)


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
    if match.matches is not None and not re.search(match.matches, text):
        problems.append(f"expected {what} to match {match.matches!r}, got {quote(text)}")
    return problems


def quote(text: str) -> str:
    """Quote a text, shortened to what a report can show."""
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def ask(request: Request) -> str:
    """Ask until the answer is as expected or the deadline is over; return what is wrong with the last answer."""
    end = time.monotonic() + request.deadline
    while (last := _get(request, min(_PATIENCE, max(0.1, end - time.monotonic())))) and time.monotonic() < end:
        # The server sends no event when it is ready.
        time.sleep(min(_POLL, max(0.0, end - time.monotonic())))
    return last


def _get(request: Request, limit: float) -> str:
    connection = HTTPConnection(request.host, request.port, timeout=limit)
    try:
        # Frameworks that check the host accept localhost.
        connection.request("GET", request.path, headers={"Host": f"localhost:{request.port}", "Accept": "*/*"})
        answer = connection.getresponse()
        body = answer.read(_BODY_LIMIT + 1)
        charset = answer.headers.get_content_charset() or "utf-8"
    except (OSError, HTTPException) as error:
        return f"expected status {request.status}, got no answer ({type(error).__name__})"
    finally:
        connection.close()
    if len(body) > _BODY_LIMIT:
        return f"an answer of more than {_BODY_LIMIT} bytes"
    try:
        text = body.decode(charset, errors="replace")
    except LookupError:
        text = body.decode(errors="replace")
    if answer.status != request.status:
        return f"expected status {request.status}, got {answer.status} {quote(text)}"
    return "; ".join(compare(text, request.body, "body"))


def main() -> int:
    """Put all requests at once, and print what is wrong with each answer."""
    requests = [Request(**{**fields, "body": Match(**fields["body"])}) for fields in json.loads(sys.argv[1])]
    with ThreadPoolExecutor(len(requests)) as pool:
        problems = list(pool.map(ask, requests))
    sys.stdout.write(json.dumps(problems))
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
