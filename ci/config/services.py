"""Reads what an image needs beside it while it is checked."""

from __future__ import annotations

import re

from ci.config.checks import DEFAULT_DEADLINE, ENV_NAME, MAX_PORT, PLATFORMS, read_argv, read_deadline, string_map
from ci.config.cursor import Cursor, take
from ci.config.started import read_port
from ci.core.checks import TARGET, Service
from ci.core.names import COMPONENT, REFERENCE
from ci.core.text import show

REQUIRED = {
    "image": f"a reference, such as postgres:17, or {TARGET} and an image of this configuration",
    "port": f"1 to {MAX_PORT}",
}
OPTIONAL = ("env", "command", "platform", "deadline")
# A label of a host's name (RFC 1123), and underscores, as compose files have them.
HOST = re.compile("[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
CLIENT_HOST = "image"  # the checked image itself, as those that ask it know it


def read_services(cursor: Cursor) -> tuple[Service, ...]:
    """Read the services of an image, in the order in which they reach each other."""
    services = []
    for name, item in cursor.entries().items():
        if not HOST.fullmatch(name) or name.lower() in ("localhost", CLIENT_HOST):
            accepted = f"a host's name, such as db, but localhost and {CLIENT_HOST}"
            item.report(f"the name {show(name)} is not accepted", accepted=accepted)
        services.append(_service(name, item))
    return tuple(services)


def _service(name: str, cursor: Cursor) -> Service:
    fields = cursor.record(REQUIRED, OPTIONAL)
    image = take(fields, "image", _image, "")
    if image.startswith(TARGET) and "platform" in fields:
        accepted = "no such key: it has the platform of the image that is checked"
        fields["platform"].report("an image of this configuration is given", accepted=accepted)
    return Service(
        name=name,
        image=image,
        port=read_port(fields),
        env=take(fields, "env", lambda c: string_map(c, ENV_NAME, "a name without ="), {}),
        command=take(fields, "command", read_argv, None),
        platform=take(fields, "platform", lambda c: c.choice(PLATFORMS), None),
        deadline=take(fields, "deadline", read_deadline, DEFAULT_DEADLINE),
    )


def _image(cursor: Cursor) -> str:
    written = cursor.text()
    pattern = COMPONENT if written.startswith(TARGET) else REFERENCE
    if written and not pattern.fullmatch(written.removeprefix(TARGET)):
        cursor.report(f"{show(written)} names no image", accepted=REQUIRED["image"])
        return ""
    return written
