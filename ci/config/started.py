"""Reads the checks that start an image: over HTTP, by TCP, and by gRPC's health service."""

from __future__ import annotations

import re

from ci.config.checks import DEFAULT_DEADLINE, MAX_PORT, read_deadline, read_text_match, string_map
from ci.config.cursor import Cursor, take
from ci.core.checks import GrpcCheck, HttpCheck, TcpCheck, TextMatch
from ci.core.text import show

# Besides port.
HTTP_KEYS = ("path", "status", "body", "redirects", "headers", "response-headers", "deadline")
TCP_KEYS = ("deadline",)
GRPC_KEYS = ("service", "deadline")
URL_PATH = re.compile(r"/[!-~]*")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token (RFC 9110, section 5.6.2)
HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?|")
GRPC_SERVICE = re.compile(r"[!-~]*")
FOLLOW = "follow"
MOST_REDIRECTS = 20
FOLLOWED = 10  # where no number is given
_PORT_HELP = {"port": f"1 to {MAX_PORT}"}


def read_http(cursor: Cursor) -> HttpCheck:
    """Read an HTTP check."""
    fields = cursor.record(_PORT_HELP, HTTP_KEYS)
    return HttpCheck(
        port=read_port(fields),
        path=take(fields, "path", lambda c: c.matching(URL_PATH, "a path of a URL, such as /health"), "/"),
        status=take(fields, "status", lambda c: c.integer(200, 599), 200),
        body=take(fields, "body", read_text_match, None),
        redirects=take(fields, "redirects", _redirects, 0),
        headers=take(fields, "headers", _headers, {}),
        response_headers=take(fields, "response-headers", _response_headers, {}),
        deadline=take(fields, "deadline", read_deadline, DEFAULT_DEADLINE),
    )


def read_tcp(cursor: Cursor) -> TcpCheck:
    """Read a TCP check."""
    fields = cursor.record(_PORT_HELP, TCP_KEYS)
    return TcpCheck(port=read_port(fields), deadline=take(fields, "deadline", read_deadline, DEFAULT_DEADLINE))


def read_grpc(cursor: Cursor) -> GrpcCheck:
    """Read a gRPC check."""
    fields = cursor.record(_PORT_HELP, GRPC_KEYS)
    return GrpcCheck(
        port=read_port(fields),
        service=take(fields, "service", lambda c: c.matching(GRPC_SERVICE, "a service, such as acme.v1.Orders"), ""),
        deadline=take(fields, "deadline", read_deadline, DEFAULT_DEADLINE),
    )


def read_port(fields: dict[str, Cursor]) -> int:
    """Read the port of a record; 0 where it is missing, which has been written down."""
    return take(fields, "port", lambda c: c.integer(1, MAX_PORT), 0)


def _redirects(cursor: Cursor) -> int:
    if cursor.kind == "int":
        return cursor.integer(0, MOST_REDIRECTS)
    if not (cursor.kind == "str" and cursor.text() == FOLLOW):
        accepted = f"{FOLLOW}, or how many, up to {MOST_REDIRECTS}"
        cursor.report(f"{cursor.shown} is given", accepted=accepted)
    return FOLLOWED


def _headers(cursor: Cursor) -> dict[str, str]:
    found = string_map(cursor, HEADER, "the name of a header, such as X-Forwarded-Proto")
    for name, value in cursor.quiet().entries().items():
        if value.single and not HEADER_VALUE.fullmatch(found[name]):
            cursor.report(
                f"{show(found[name])} is no value of a header",
                accepted="visible ASCII characters, with spaces between them",
                key=value.key,
                line=value.line,
            )
    _distinct(cursor)
    return found


def _response_headers(cursor: Cursor) -> dict[str, TextMatch]:
    entries = cursor.entries()
    for name, value in entries.items():
        if not HEADER.fullmatch(name):
            value.report(f"the name {show(name)} is not accepted", accepted="the name of a header, such as Location")
    _distinct(cursor)
    return {name: read_text_match(value) for name, value in entries.items()}


def _distinct(cursor: Cursor) -> None:
    seen: dict[str, str] = {}
    for name, value in cursor.quiet().entries().items():
        if other := seen.get(name.lower()):
            message = f"{show(name)} is {show(other)} once more: case does not count in a header's name"
            cursor.report(message, accepted="each header once", key=value.key, line=value.line)
        seen[name.lower()] = name
