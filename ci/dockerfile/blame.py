"""Finds the line of a Dockerfile that BuildKit refuses, where it names none, or another."""

from __future__ import annotations

from collections.abc import Mapping

from ci.dockerfile.parser import Dockerfile
from ci.dockerfile.stages import read_stages

_MAX_LINE = 65535  # bytes (frontend/dockerfile/parser, by bufio.MaxScanTokenSize)
TOO_LONG = "max allowed size"  # is in what BuildKit says of a longer one


def find_line(
    why: str, named: int | None, *, text: str, dockerfile: Dockerfile, arguments: Mapping[str, str], platform: str
) -> int | None:
    """Find the line that a refusal is about; None where it is about none.

    Args:
        why: BuildKit's sentence.
        named: the line that BuildKit names, from 1; None where it names none.
        text: the Dockerfile.
        dockerfile: the same, as it is read.
        arguments: of the build, by name.
        platform: that is built for, such as "linux/arm64".

    """
    if TOO_LONG in why:  # BuildKit names the last line that it could read
        lines = text.split("\n")
        return next((number for number, line in enumerate(lines, 1) if len(line.encode()) > _MAX_LINE), named)
    if named:
        return named
    scopes = read_stages(dockerfile, arguments=arguments, platform=platform, undeclared=None)
    for origin in (origin for scope in scopes for origin in scope.origins):
        unfilled = "--from" in why and "$" in origin.written
        meant = f'"{origin.written}"' in why or why == f"invalid stage index {origin.written}"
        if (not origin.outer and (unfilled or meant)) or why.startswith(f"{origin.reference}: "):
            return origin.line
    return None
