"""Finds what a Dockerfile needs and is not given: values of its arguments, and files that its context does not hold."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from ci.core.findings import Finding, error, warning
from ci.core.model import Image
from ci.core.text import show
from ci.dockerfile import Dockerfile, Scope, Sought, Step, assignments, find_target, list_sought, needed_stages
from ci.validate.context import Context
from ci.validate.promises import PREDEFINED
from ci.validate.taken import generated_in
from ci.validate.tree import Tree


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
    if context.path == ".":
        return
    for sought in list_sought(scope):
        if any(option in context.entries for option in sought.options):
            continue
        if lacking := next(_elsewhere(tree, context, sought), ""):
            yield _lacks(tree, context, image, sought.step, lacking)
            return


def _elsewhere(tree: Tree, context: Context, sought: Sought) -> Iterator[str]:
    """List what is looked for, that a folder above the context has."""
    if sought.folder:
        yield from (folder for folder in sought.options if _holds(tree, folder))
    else:
        yield from (f for f in sought.options for above in _above(context) if _in(above, f) in tree.files)


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


def _holds(tree: Tree, folder: str) -> bool:
    beginning = f"{folder.rstrip('/')}/"
    return any(path.startswith(beginning) for path in tree.files)
