"""Reads the smoke checks of an image: cursors in, checks out, mistakes written down on the way."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence

from ci.config.cursor import Cursor, take
from ci.core.checks import Check, ConfigCheck, FileCheck, HttpCheck, RunCheck, SmokeCheck, TextMatch
from ci.core.text import nearest, show

PLATFORMS = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/386",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
)
NO_SMOKE = "none"
LINE = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # text on one line

ARCHITECTURES = tuple(dict.fromkeys(platform.split("/")[1] for platform in PLATFORMS))
SOME = re.compile(r"[\s\S]+")
RUN_KEYS = ("exit", "stdout", "stderr", "deadline")
KINDS = ("run", "http", "file", "config")
CHECK_KEYS = ("name", "platforms", *KINDS, *RUN_KEYS)
HTTP_KEYS = ("path", "status", "body", "deadline")  # besides port
FILE_KEYS = ("exists", "mode", "content")  # besides path
CONFIG_KEYS = ("user", "entrypoint", "env", "labels", "ports", "healthcheck", "architecture")
TEXT_KEYS = ("equals", "contains", "excludes", "matches")
DEADLINE = re.compile(r"((?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?)(ms|s|m)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
LONGEST = 3600.0
DEFAULT_DEADLINE = 60.0
PORT = re.compile(r"([1-9][0-9]{0,4})(?:/(tcp|udp|sctp))?")
MAX_PORT = 65535
URL_PATH = re.compile(r"/[!-~]*")
IMAGE_PATH = re.compile("/[^\x00-\x1f\x7f-\x9f]*")
MODE = re.compile("0?[0-7]{3,4}")
ENV_NAME = re.compile("[^\x00-\x1f\x7f=]+")


def read_smoke(smoke: Cursor, image_platforms: Sequence[str]) -> tuple[SmokeCheck, ...]:
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
        if check := _check(item, image_platforms, runs + 1):
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


def _check(item: Cursor, image_platforms: Sequence[str], number: int) -> SmokeCheck | None:
    fields = item.record({}, CHECK_KEYS)
    kinds = [key for key in fields if key in KINDS]
    if len(kinds) != 1:
        if fields:
            count = " and ".join(kinds) or "no kind of check"
            item.report(f"{count} given", accepted=f"exactly one of {', '.join(KINDS)}")
        return None
    for key in RUN_KEYS:
        if key in fields and "run" not in fields:
            fields[key].report(f"it belongs to a run check, and this is a {kinds[0]} check", accepted="no such key")
    check: Check
    match kinds[0]:
        case "run":
            check, default = _run(fields), f"run {number}"
        case "http":
            check = _http(fields["http"])
            default = f"http {check.port} {check.path}"
        case "file":
            check = _file(fields["file"])
            default = f"file {check.path}"
        case _:
            check, default = _config(fields["config"]), "config"
    platforms = take(fields, "platforms", lambda c: c.unique(lambda p: p.choice(image_platforms)), ())
    if platforms:
        default += f" on {', '.join(platforms)}"
    return SmokeCheck(
        name=take(fields, "name", lambda c: c.matching(LINE, "text on one line"), default),
        check=check,
        platforms=platforms,
    )


def _run(fields: dict[str, Cursor]) -> RunCheck:
    return RunCheck(
        argv=_argv(fields["run"]),
        exit_code=take(fields, "exit", lambda c: c.integer(0, 255), 0),
        stdout=take(fields, "stdout", _text_match, None),
        stderr=take(fields, "stderr", _text_match, None),
        deadline=take(fields, "deadline", _deadline, DEFAULT_DEADLINE),
    )


def _http(cursor: Cursor) -> HttpCheck:
    fields = cursor.record({"port": f"1 to {MAX_PORT}"}, HTTP_KEYS)
    return HttpCheck(
        port=take(fields, "port", lambda c: c.integer(1, MAX_PORT), 0),
        path=take(fields, "path", lambda c: c.matching(URL_PATH, "a path of a URL, such as /health"), "/"),
        status=take(fields, "status", lambda c: c.integer(200, 599), 200),
        body=take(fields, "body", _text_match, None),
        deadline=take(fields, "deadline", _deadline, DEFAULT_DEADLINE),
    )


def _file(cursor: Cursor) -> FileCheck:
    help_text = "an absolute path in the image, such as /app/model.onnx"
    fields = cursor.record({"path": help_text}, FILE_KEYS)
    for key in ("mode", "content"):
        if key in fields and "exists" in fields and fields["exists"].shown == "false":
            fields[key].report("a file that must not exist has none", accepted="no such key with exists: false")
    return FileCheck(
        path=take(fields, "path", lambda c: c.matching(IMAGE_PATH, help_text), ""),
        exists=take(fields, "exists", Cursor.boolean, default=True),
        mode=take(fields, "mode", _mode, None),
        content=take(fields, "content", _text_match, None),
    )


def _config(cursor: Cursor) -> ConfigCheck:
    fields = cursor.record({}, CONFIG_KEYS)
    return ConfigCheck(
        user=take(fields, "user", lambda c: c.matching(LINE, "a user, such as app"), None),
        entrypoint=take(fields, "entrypoint", _argv, None),
        env=take(fields, "env", lambda c: string_map(c, ENV_NAME, "a name without ="), {}),
        labels=take(fields, "labels", lambda c: string_map(c, LINE, "text on one line"), {}),
        ports=take(fields, "ports", lambda c: c.unique(_port), None),
        healthcheck=take(fields, "healthcheck", Cursor.boolean, None),
        architecture=take(fields, "architecture", lambda c: c.choice(ARCHITECTURES), None),
    )


def string_map(cursor: Cursor, names: re.Pattern[str], accepted: str) -> dict[str, str]:
    """Read a mapping of names to texts as they are written."""
    entries = cursor.entries()
    for name, value in entries.items():
        if not names.fullmatch(name):
            value.report(f"the name {show(name)} is not accepted", accepted=accepted)
    return {name: value.raw() for name, value in entries.items()}


def _argv(cursor: Cursor) -> tuple[str, ...]:
    items = cursor.items()
    return tuple(item.text() if n else item.matching(SOME, "a program") for n, item in enumerate(items))


def _text_match(cursor: Cursor) -> TextMatch:
    fields = cursor.record({}, TEXT_KEYS)
    return TextMatch(
        equals=take(fields, "equals", Cursor.text, None),
        contains=take(fields, "contains", _parts, ()),
        excludes=take(fields, "excludes", _parts, ()),
        matches=take(fields, "matches", _regex, None),
    )


def _parts(cursor: Cursor) -> tuple[str, ...]:
    read: Callable[[Cursor], str] = lambda c: c.matching(SOME, "text that is not empty")  # noqa: E731
    return cursor.unique(read) if cursor.kind == "seq" else (read(cursor),)


def _regex(cursor: Cursor) -> str:
    pattern = cursor.matching(SOME, "a regular expression")
    try:
        with warnings.catch_warnings():
            # A pattern Python warns of means something else in its next version.
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        reason = str(error) or type(error).__name__
        cursor.report(f"{show(pattern)} is no regular expression: {reason}", accepted="Python's syntax")
    return pattern


def _deadline(cursor: Cursor) -> float:
    found = DEADLINE.fullmatch(cursor.raw())
    seconds = float(found[1]) * _SECONDS[found[2] or "s"] if found else 0.0
    if not 0 < seconds <= LONGEST and cursor.single:
        cursor.report(f"{cursor.shown} is not accepted", accepted="more than 0 and up to 60m: 500ms, 30s, 2m, 45")
    return seconds


def _mode(cursor: Cursor) -> int:
    return int(cursor.matching(MODE, 'permission bits as quoted octal, such as "0644"') or "0", 8)


def _port(cursor: Cursor) -> str:
    found = PORT.fullmatch(cursor.raw())
    if not found or int(found[1]) > MAX_PORT:
        cursor.report(f"{cursor.shown} is not a port", accepted="8000, 8000/tcp, 53/udp")
        return ""
    return f"{found[1]}/{found[2] or 'tcp'}"
