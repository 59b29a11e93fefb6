"""Finds what a Dockerfile needs and is not given: values of its arguments, and files that its context does not hold."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from ci.core.findings import Finding, error, warning
from ci.core.model import Image
from ci.core.text import show
from ci.dockerfile import Dockerfile, Scope, Step, assignments, find_target, needed_stages
from ci.validate.context import Context
from ci.validate.promises import PREDEFINED
from ci.validate.taken import generated_in
from ci.validate.tree import Tree

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


def check_needs(
    tree: Tree, dockerfile: Dockerfile, scopes: Sequence[Scope], context: Context, image: Image
) -> Iterator[Finding]:
    """Find what the stages of an image need and are not given.

    Args:
        tree: what the source holds.
        dockerfile: the Dockerfile of the image.
        scopes: its stages.
        context: the build context of the image.
        image: what the configuration says.

    """
    for number in needed_stages(scopes, find_target(dockerfile, image.target)):
        yield from _arguments(scopes[number], image)
        if not generated_in(image, context.path):  # it may be what is looked for
            yield from _folders(tree, scopes[number], context, image)


def _arguments(scope: Scope, image: Image) -> Iterator[Finding]:
    """Name the arguments that nobody gives a value, and that a COPY or a RUN writes out."""
    empty: dict[str, int] = {}
    for step in scope.steps:
        made = step.made
        if made.keyword == "ARG":
            for name, value in assignments(made).items():
                if value is None and step.variables.get(name) is None and not _given(name, scope, image):
                    empty[name] = made.line
                else:
                    empty.pop(name, None)
        elif made.keyword == "ENV":
            for name in assignments(made):
                empty.pop(name, None)
        elif made.keyword in ("COPY", "ADD", "RUN"):
            for name in [name for name in empty if _written_out(name, made.arguments)]:
                message = f"ARG {name} has no value, and this {made.keyword} writes it out: it is empty here"
                remedy = f"Give it one under build-args: of {image.name}, or in the Dockerfile: ARG {name}=..."
                yield warning(image.dockerfile, made.line, "argument-empty", message, remedy)
                del empty[name]  # once is enough


def _given(name: str, scope: Scope, image: Image) -> bool:
    return (
        name in image.arguments(image.platforms[0])
        or name in PREDEFINED
        or name == "REVISION"
        or bool(scope.variables.get(name))
    )


def _written_out(name: str, text: str) -> bool:
    """Tell whether a text uses a variable as it is: ${NAME:-x} and ${NAME:+x} know what to do without it."""
    return bool(re.search(rf"(?<!\\)\$(?:{name}(?!\w)|{{{name}}})", text)) and not re.search(
        rf"\[\[? [^\]]*\${{?{name}\b|(?:^|[;&|\s]){name}=", text
    )


def _folders(tree: Tree, scope: Scope, context: Context, image: Image) -> Iterator[Finding]:
    """Find where a stage copies its whole context and goes on with what only a folder above it holds."""
    if context.path == "." or not any(map(_copies_all, scope.steps)):
        return
    here = root = ""  # the working folder, and where the context was copied to
    for step in scope.steps:
        made = step.made
        if made.keyword == "WORKDIR" and (folder := step.fill(made.arguments)):
            here = posixpath.normpath(posixpath.join(here or "/", folder.strip("\"'")))
            if root and (lacking := _below(here, root)) and lacking not in context.entries and _holds(tree, lacking):
                yield _lacks(tree, context, image, step, lacking)
                return
        elif _copies_all(step) and (to := step.fill(made.words[-1])):
            root = posixpath.normpath(posixpath.join(here or "/", to))
        elif made.keyword in ("COPY", "ADD"):
            return  # it may bring what is looked for
        elif (
            made.keyword == "RUN"
            and root == (here or "/")
            and (lacking := next(_unmet(tree, context, made.arguments), ""))
        ):
            yield _lacks(tree, context, image, step, lacking)
            return


def _unmet(tree: Tree, context: Context, command: str) -> Iterator[str]:
    """List the files that the programs of a command look for, that the context lacks and a folder above it has."""
    for name in _sought(command):
        if not any(file in context.entries for file in _LOOKED_FOR[name]):
            yield from (f for f in _LOOKED_FOR[name] for above in _above(context) if _in(above, f) in tree.files)


def _copies_all(step: Step) -> bool:
    return step.made.keyword == "COPY" and [*step.copied()] in (["."], ["./"], ["/"])


def _sought(command: str) -> Iterator[str]:
    for part in _COMMANDS.split(command):
        words = [word for word in part.split() if not _ASSIGNED.fullmatch(word)]
        if words and words[0] in _LOOKED_FOR:
            yield words[0]


def _lacks(tree: Tree, context: Context, image: Image, step: Step, lacking: str) -> Finding:
    folders = [f for f in _above(context) if _in(f, lacking) in tree.files or _holds(tree, _in(f, lacking))]
    message = f"{step.made.keyword} needs {show(lacking)}, and the context {context.path} does not hold it"
    remedy = f"Say context: {folders[0] if folders else '.'} for {image.name}."
    return error(image.dockerfile, step.made.line, "context-lacks", message, remedy)


def _above(context: Context) -> Iterator[str]:
    """List the folders above a context, the nearest first."""
    folder = context.path
    while folder not in ("", "."):
        folder = posixpath.dirname(folder) or "."
        yield folder


def _in(folder: str, path: str) -> str:
    return path if folder == "." else f"{folder}/{path}"


def _below(path: str, folder: str) -> str:
    return path.removeprefix(f"{folder.rstrip('/')}/") if path.startswith(f"{folder.rstrip('/')}/") else ""


def _holds(tree: Tree, folder: str) -> bool:
    beginning = f"{folder.rstrip('/')}/"
    return any(path.startswith(beginning) for path in tree.files)
