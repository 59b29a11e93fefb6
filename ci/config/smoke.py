"""Reads the smoke checks of an image: cursors in, checks out, mistakes written down on the way."""

from __future__ import annotations

from collections.abc import Sequence

from ci.config.checks import (
    ENV_NAME,
    LINE,
    NO_SMOKE,
    read_config_check,
    read_deadline,
    read_file_check,
    read_run,
    string_map,
)
from ci.config.cursor import Cursor, take
from ci.config.paths import Source
from ci.config.started import read_grpc, read_http, read_tcp
from ci.config.structure import DEADLINE, read_structure_tests
from ci.core.checks import Check, RunCheck, Service, SmokeCheck
from ci.core.text import nearest, show

STRUCTURE = "structure-test"
STARTED = ("http", "tcp", "grpc")
KINDS = ("run", *STARTED, "file", "config", STRUCTURE)
# Keys beside the kind, and the kinds that they belong to.
BELONGS = {
    "exit": ("run",),
    "stdout": ("run",),
    "stderr": ("run",),
    "deadline": ("run", STRUCTURE),
    "env": ("run", *STARTED),
    "services": ("run", *STARTED, STRUCTURE),
}
CHECK_KEYS = ("name", "platforms", *KINDS, *BELONGS)


def read_smoke(
    smoke: Cursor, image_platforms: Sequence[str], *, services: Sequence[Service], source: Source
) -> tuple[SmokeCheck, ...]:
    """Read an image's checks; none where it says `smoke: none`."""
    if smoke.kind != "seq":
        word = smoke.text() if smoke.kind == "str" else ""
        if word != NO_SMOKE:
            smoke.report(
                f"{smoke.shown} is given",
                accepted=f"a list of checks, or {NO_SMOKE} together with smoke-reason",
                nearest=nearest(word, (NO_SMOKE,)),
            )
        return ()
    before = len(smoke.findings)
    checks: list[SmokeCheck] = []
    for item in smoke.items():
        runs = sum(isinstance(check.check, RunCheck) for check in checks)
        for check in _checks(item, image_platforms, services, source, runs + 1):
            if any(check.name == other.name for other in checks):
                item.report(
                    f"two checks are called {show(check.name)}",
                    accepted="a name of its own for each",
                    key=f"{item.key}.name",
                )
            checks.append(check)
    if len(smoke.findings) == before:
        for platform in image_platforms:
            if not any(not check.platforms or platform in check.platforms for check in checks):
                smoke.report(f"no check runs on {platform}", accepted="at least one check for each platform")
    return tuple(checks)


def _checks(
    item: Cursor, image_platforms: Sequence[str], services: Sequence[Service], source: Source, number: int
) -> Sequence[SmokeCheck]:
    fields = item.record({}, CHECK_KEYS)
    kinds = [key for key in fields if key in KINDS]
    if len(kinds) != 1:
        if fields:
            count = " and ".join(kinds) or "no kind of check"
            item.report(f"{count} given", accepted=f"exactly one of {', '.join(KINDS)}")
        return ()
    (kind,) = kinds
    for key, owners in BELONGS.items():
        if key in fields and kind not in owners:
            owner = f"{' or '.join(owners)} check"
            message = f"it belongs to a {owner}, and this is a {kind} check"
            fields.pop(key).report(message, accepted="no such key")
    platforms = take(fields, "platforms", lambda c: c.unique(lambda p: p.choice(image_platforms)), ())
    on = f" on {', '.join(platforms)}" if platforms else ""
    name = take(fields, "name", lambda c: c.matching(LINE, "text on one line"), "")
    # Whatever starts the image needs what is beside it; most commands do not.
    all_of_them = tuple(service.name for service in services) if kind in STARTED else ()
    beside = take(fields, "services", lambda c: _beside(c, services), all_of_them)
    if kind == STRUCTURE:
        return read_structure_tests(
            fields[kind],
            source,
            name=name,
            suffix=on,
            platforms=platforms,
            services=beside,
            deadline=take(fields, "deadline", read_deadline, DEADLINE),
        )
    check, default = _check(kind, fields, number)
    return (
        SmokeCheck(
            name=name or f"{default}{on}",
            check=check,
            platforms=platforms,
            env=take(fields, "env", lambda c: string_map(c, ENV_NAME, "a name without ="), {}),
            services=beside,
        ),
    )


def _beside(cursor: Cursor, services: Sequence[Service]) -> tuple[str, ...]:
    if not services:
        cursor.report("the image has no services", accepted="no such key, or services of the image")
        return ()
    return cursor.unique(lambda name: name.choice(service.name for service in services))


def _check(kind: str, fields: dict[str, Cursor], number: int) -> tuple[Check, str]:
    """Read what is asked, and what it is called where nobody names it."""
    match kind:
        case "run":
            return read_run(fields), f"run {number}"
        case "http":
            http = read_http(fields[kind])
            return http, f"http {http.port} {http.path}"
        case "tcp":
            tcp = read_tcp(fields[kind])
            return tcp, f"tcp {tcp.port}"
        case "grpc":
            grpc = read_grpc(fields[kind])
            return grpc, f"grpc {grpc.port} {grpc.service}".rstrip()
        case "file":
            file = read_file_check(fields[kind])
            return file, f"file {file.path}"
        case _:
            return read_config_check(fields[kind]), "config"
