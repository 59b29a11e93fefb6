"""Reads what a build is given besides its files: arguments, agents, and the settings of its RUN steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from ci.config.checks import LINE, PLATFORMS
from ci.config.cursor import Cursor
from ci.config.matrix import unquoted_word
from ci.config.values import read_template
from ci.core.text import nearest, show
from ci.core.values import MEANING

VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
EPOCH = "SOURCE_DATE_EPOCH"
SECONDS = re.compile("0|[1-9][0-9]{0,10}")  # up to the year 5138
SECRET = re.compile("[A-Za-z0-9_.-]+")
COMMITTED = tuple(f"org.opencontainers.image.{key}" for key in ("created", "revision", "base.name", "base.digest"))
RESERVED = "dev.drydock."
NETWORKS = ("none", "host")
STAGE = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]*")
HOST = re.compile("[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
ADDRESS = re.compile("[0-9A-Fa-f:.]+")
_ADDRESS_HELP = "an IP address, such as 10.0.0.5 or fd00::5"
_GATEWAY = "host-gateway"
# As github.com/docker/go-units has them.
LIMITS = tuple(
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()
)
_LIMIT = "(-1|0|[1-9][0-9]{0,17})"
ULIMIT = re.compile(f"({'|'.join(LIMITS)})={_LIMIT}(?::{_LIMIT})?")
SIZE = re.compile(r"((?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?) ?([A-Za-z]+)|([1-9][0-9]{0,17})")
UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def read_arguments(cursor: Cursor, platforms: Sequence[str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Read the build arguments, BuildKit's own included: those of all platforms, and those that each has for itself."""
    same: dict[str, str] = {}
    each: dict[str, dict[str, str]] = {}
    for name, value in cursor.entries().items():
        if not VARIABLE.fullmatch(name):
            value.report(f"the name {show(name)} is not accepted", accepted="letters, digits and underscores")
        if value.kind == "map" and not unquoted_word(value.node, MEANING):
            for platform, text in _by_platform(value, platforms).items():
                each.setdefault(platform, {})[name] = text
        else:
            same[name] = read_template(value)
        given = value.quiet()
        text = "" if value.kind == "map" else given.raw()
        if name == EPOCH and not given.findings and not SECONDS.fullmatch(text):
            accepted = "a whole number of seconds since 1970, such as 1700000000"
            value.report(f"{value.shown} is not a time", accepted=accepted)
    return same, each


def _by_platform(cursor: Cursor, platforms: Sequence[str]) -> dict[str, str]:
    """Read a text for each platform of an image; others may be there, since images may share what is written."""
    texts = cursor.entries()
    for platform, text in texts.items():
        if platform not in PLATFORMS:
            close = nearest(platform, PLATFORMS)
            text.report(f"the platform {show(platform)} is not known", accepted=", ".join(PLATFORMS), nearest=close)
    if texts and (missing := [platform for platform in platforms if platform not in texts]):
        cursor.report(f"it has no value for {', '.join(missing)}", accepted="a value for each platform of the image")
    return {platform: read_template(text) for platform, text in texts.items()}


def read_labels(cursor: Cursor) -> dict[str, str]:
    """Read labels, or annotations; those that say which commit and which base an image is of are not the user's."""
    texts = cursor.entries()
    for name, text in texts.items():
        if not LINE.fullmatch(name):
            text.report(f"the name {show(name)} is not accepted", accepted="text on one line")
        elif name in COMMITTED or name.startswith(RESERVED):
            text.report(f"each release writes {show(name)} itself", accepted="other keys")
    return {name: read_template(text) for name, text in texts.items()}


def read_names(cursor: Cursor) -> tuple[str, ...]:
    """Read the names of secrets, or of SSH agents."""
    return cursor.unique(lambda c: c.matching(SECRET, "letters, digits and . _ -"))


def read_hosts(cursor: Cursor) -> dict[str, str]:
    """Read the hosts that RUN steps know, and their addresses."""
    entries = cursor.entries()
    for name, value in entries.items():
        if not HOST.fullmatch(name):
            value.report(f"the name {show(name)} is not accepted", accepted="a host's name, such as db.internal")
    return {name: _address(value) for name, value in entries.items()}


def _address(cursor: Cursor) -> str:
    before = len(cursor.findings)
    written = cursor.raw()
    if len(cursor.findings) > before:
        return ""
    if written == _GATEWAY:
        message = f"{show(written)} is known to Docker's own daemon alone, and BuildKit takes addresses only"
        cursor.report(message, accepted=_ADDRESS_HELP)
        return ""
    try:
        if ADDRESS.fullmatch(written):
            return str(ip_address(written))
    except ValueError:
        pass
    cursor.report(f"{cursor.shown} is not an address", accepted=_ADDRESS_HELP)
    return ""


def read_ulimits(cursor: Cursor) -> tuple[str, ...]:
    """Read the limits of RUN steps, each resource once."""
    limits: dict[str, str] = {}
    for item in cursor.items():
        before = len(item.findings)
        written = item.text()
        found = ULIMIT.fullmatch(written)
        if not found and len(item.findings) == before:
            name, _, rest = written.partition("=")
            close = nearest(name, LIMITS) if name not in LIMITS else ""
            item.report(
                f"{show(written)} is not a limit",
                accepted=f"SOFT or SOFT:HARD behind one of {', '.join(f'{name}=' for name in LIMITS)}",
                nearest=close and f"{close}={rest}",
            )
        elif found and found[1] in limits:
            item.report(f"the limit {found[1]} is given twice", accepted="each limit once")
        elif found and _above(found[2], found[3] or found[2]):
            item.report(f"{show(written)} has a soft limit above the hard one", accepted="SOFT at most HARD; -1: none")
        if found:
            limits[found[1]] = written
    return tuple(limits.values())


def _above(soft: str, hard: str) -> bool:
    return hard != "-1" and (soft == "-1" or int(soft) > int(hard))


def read_size(cursor: Cursor) -> int:
    """Read a number of bytes, which may have a unit."""
    raw = cursor.raw()
    found = SIZE.fullmatch(raw)
    if found and found[3]:
        return int(found[3])
    size = round(float(found[1]) * UNITS.get(found[2], 0)) if found else 0
    if not size and cursor.single:
        unit = nearest(found[2], UNITS) if found else ""
        cursor.report(
            f"{cursor.shown} is not a size",
            accepted=f"bytes, or a number and one of {', '.join(UNITS)}",
            nearest=f"{found[1]}{unit}" if found and unit and found[2] != unit else "",
        )
    return size
