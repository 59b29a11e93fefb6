"""Finds the images that another one of the same job is built on, which gets them by their digest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from ci.init.holes import CLOSE, HOLE, OPEN
from ci.init.run import Run

_DIGEST = re.compile(rf"(?:docker-image://)?(?:[^@{OPEN}]*@)?{OPEN}steps\.([\w-]+)\.outputs\.digest{CLOSE}")


def stack(run: Run, arguments: Iterable[str], contexts: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Put the name of an image in the place of its digest, and say which image of the same job that is.

    Args:
        run: of the job, in which each image that is built on is marked.
        arguments: of a build, a line each.
        contexts: of a build, a line each.

    Returns:
        The arguments, and the contexts as far as they are plain.

    """
    lines: list[str] = []
    made: dict[str, str] = {}
    for line in arguments:
        name, _, value = line.partition("=")
        reference = _built_on(run, value)
        own = reference.rpartition("/")[2]
        lines.append(f"{name}={own}" if reference else line)
        made |= {own: reference} if reference else {}
    for line in contexts:
        name, equals, value = line.strip().partition("=")
        reference = _built_on(run, value)
        if equals and (reference or not HOLE.search(line)):
            made[name] = reference or value
    return lines, made


def _built_on(run: Run, value: str) -> str:
    """Return what stands for an image among the references of the run; "" where a value is no digest of one."""
    found = _DIGEST.fullmatch(value)
    at = run.identified.get(found[1].lower()) if found else None
    if not found or at is None:
        return ""
    base = run.built[at]
    reference = f"digest/{base.repositories[0].rpartition('/')[2] if base.repositories else found[1]}"
    if reference not in base.local:
        run.built[at] = replace(base, local=(*base.local, reference))
    return reference
