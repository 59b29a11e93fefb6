"""Looks for the values of build secrets in what a release would show to whoever can pull an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ci.core.attestations import Statement, find_text
from ci.core.errors import DrydockError

_SHORTEST = 6  # characters; a shorter value, such as "true", is in texts that say nothing of it


def refuse_leaks(
    hidden: Iterable[str], options: Mapping[str, str], dockerfile: str, statement: Statement | None = None
) -> None:
    """Refuse to go on where the value of a secret stands in what an image or its provenance shows.

    Args:
        hidden: the values.
        options: of the build, by their names, such as "build-arg:VERSION".
        dockerfile: its text.
        statement: what the build says of itself, where it is done.

    Raises:
        DrydockError: one does.

    """
    for value in hidden:
        if len(value) >= _SHORTEST and (place := _place(value, options, dockerfile, statement)):
            raise DrydockError(
                f"the value of a build secret stands in {place}: whoever can pull the image would read it there. Take "
                "it out, and give it to the step that needs it by RUN --mount=type=secret; a value that was pushed "
                "before is to be replaced"
            )


def _place(value: str, options: Mapping[str, str], dockerfile: str, statement: Statement | None) -> str:
    if value in dockerfile:
        return "the Dockerfile"
    if found := next((name for name, text in options.items() if value in f"{name}={text}"), ""):
        kind, _, name = found.partition(":")
        names = {"build-arg": "the build argument", "label": "the label", "context": "the named context"}
        return f"{names[kind]} {name}" if kind in names and value not in name else "an option of the build"
    return f"the provenance ({where})" if statement and (where := find_text(statement.predicate, value)) else ""
