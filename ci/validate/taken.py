"""Tells what a step, a checkout or a call has to bring into a context."""

from __future__ import annotations

from ci.core.model import Image
from ci.dockerfile import GIT, relative_to


def generated_in(image: Image, context: str) -> tuple[str, ...]:
    """List what a step or the call brings into an image's context, relative to that; "." is all of it."""
    found = [inside for path in image.generated if (inside := relative_to(context, path))]
    return (*found, GIT) if image.git and context == "." else tuple(found)


def asks_for_git(source: str, context: str, image: Image) -> bool:
    """Tell whether .git is taken in a build that is given none."""
    return context == "." and not image.git and (source == GIT or source.startswith(f"{GIT}/"))


def fetch_submodule(path: str) -> str:
    """Say how a submodule comes to hold something."""
    return f"Type git submodule update --init {path}; in a workflow, add submodules: true to the checkout."
