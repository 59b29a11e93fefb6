"""Reads the checks that need no started image, and what all checks are made of."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

from ci.config.cursor import Cursor, take
from ci.core.checks import ConfigCheck, FileCheck, RunCheck, TextMatch
from ci.core.text import show

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
FILE_KEYS = ("exists", "mode", "content")  # besides path
CONFIG_KEYS = ("user", "entrypoint", "env", "labels", "ports", "healthcheck", "architecture")
TEXT_KEYS = ("equals", "contains", "excludes", "matches")
DEADLINE = re.compile(r"((?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?)(ms|s|m)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
LONGEST = 3600.0
DEFAULT_DEADLINE = 60.0
PORT = re.compile(r"([1-9][0-9]{0,4})(?:/(tcp|udp|sctp))?")
MAX_PORT = 65535
IMAGE_PATH = re.compile("/[^\x00-\x1f\x7f-\x9f]*")
MODE = re.compile("0?[0-7]{3,4}")
ENV_NAME = re.compile("[^\x00-\x1f\x7f=]+")


def read_run(fields: dict[str, Cursor]) -> RunCheck:
    """Read a run check, whose keys stand beside it."""
    return RunCheck(
        argv=read_argv(fields["run"]),
        exit_code=take(fields, "exit", lambda c: c.integer(0, 255), 0),
        stdout=take(fields, "stdout", read_text_match, None),
        stderr=take(fields, "stderr", read_text_match, None),
        deadline=take(fields, "deadline", read_deadline, DEFAULT_DEADLINE),
    )


def read_file_check(cursor: Cursor) -> FileCheck:
    """Read a file check."""
    help_text = "an absolute path in the image, such as /app/model.onnx"
    fields = cursor.record({"path": help_text}, FILE_KEYS)
    for key in ("mode", "content"):
        if key in fields and "exists" in fields and fields["exists"].shown == "false":
            fields[key].report("a file that must not exist has none", accepted="no such key with exists: false")
    return FileCheck(
        path=take(fields, "path", lambda c: c.matching(IMAGE_PATH, help_text), ""),
        exists=take(fields, "exists", Cursor.boolean, default=True),
        mode=take(fields, "mode", _mode, None),
        content=take(fields, "content", read_text_match, None),
    )


def read_config_check(cursor: Cursor) -> ConfigCheck:
    """Read a check of the image's configuration."""
    fields = cursor.record({}, CONFIG_KEYS)
    return ConfigCheck(
        user=take(fields, "user", lambda c: c.matching(LINE, "a user, such as app"), None),
        entrypoint=take(fields, "entrypoint", read_argv, None),
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


def read_argv(cursor: Cursor) -> tuple[str, ...]:
    """Read a command: a program and its arguments."""
    items = cursor.items()
    return tuple(item.text() if n else item.matching(SOME, "a program") for n, item in enumerate(items))


def read_text_match(cursor: Cursor) -> TextMatch:
    """Read what a text has to look like."""
    fields = cursor.record({}, TEXT_KEYS)
    return TextMatch(
        equals=take(fields, "equals", Cursor.text, None),
        contains=take(fields, "contains", _parts, ()),
        excludes=take(fields, "excludes", _parts, ()),
        matches=take(fields, "matches", lambda c: (_regex(c),), ()),
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


def read_deadline(cursor: Cursor) -> float:
    """Read a time, in seconds."""
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
