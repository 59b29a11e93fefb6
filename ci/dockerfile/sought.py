"""What the commands of a stage look for in a context that was copied as a whole: a Makefile, a go.mod, a folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ci.dockerfile.stages import Scope, Step

# What a program looks for in the folder that it is started in; the first word of a command names it.
_LOOKED_FOR = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "go": ("go.mod",),
    **dict.fromkeys(("npm", "yarn", "pnpm"), ("package.json",)),
    "turbo": ("turbo.json",),
    "cargo": ("Cargo.toml",),
    "mvn": ("pom.xml",),
    "./mvnw": ("mvnw",),
    "gradle": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
    "./gradlew": ("gradlew",),
    "bundle": ("Gemfile",),
    "composer": ("composer.json",),
}
_COMMANDS = re.compile(r"&&|\|\||[;|\n]")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=\S*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """One thing that a step looks for."""

    step: Step
    options: tuple[str, ...]  # paths in the context; one of them is enough
    folder: bool = False  # whether it is a folder, which the step would make where it is not there


def list_sought(scope: Scope) -> Iterator[Sought]:
    """List what a stage looks for in its context, from where it has copied all of it to where it copies more."""
    here = root = ""  # the working folder, and where the context was copied to
    for step in scope.steps:
        made = step.made
        if made.keyword == "WORKDIR" and (folder := step.fill(made.arguments)):
            here = posixpath.normpath(posixpath.join(here or "/", folder.strip("\"'")))
            if root and (inner := _below(here, root)):
                yield Sought(step=step, options=(inner,), folder=True)
        elif _copies_all(step) and (to := step.fill(made.words[-1])):
            root = posixpath.normpath(posixpath.join(here or "/", to))
        elif made.keyword in ("COPY", "ADD"):
            return  # it may bring what is looked for
        elif made.keyword == "RUN" and root == (here or "/"):
            yield from (Sought(step=step, options=_LOOKED_FOR[name]) for name in _programs(made.arguments))


def _copies_all(step: Step) -> bool:
    return step.made.keyword in ("COPY", "ADD") and [*step.copied()] in (["."], ["./"], ["/"])


def _programs(command: str) -> Iterator[str]:
    for part in _COMMANDS.split(command):
        words = [word for word in part.split() if not _ASSIGNED.fullmatch(word)]
        if words and words[0] in _LOOKED_FOR:
            yield words[0]


def _below(path: str, folder: str) -> str:
    return path.removeprefix(f"{folder.rstrip('/')}/") if path.startswith(f"{folder.rstrip('/')}/") else ""
