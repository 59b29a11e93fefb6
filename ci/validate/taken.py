"""Tells what a step, a checkout or a call has to bring into a context."""

from __future__ import annotations

from collections.abc import Collection

from ci.core.model import Image
from ci.core.text import show
from ci.dockerfile import GIT, relative_to


def generated_in(image: Image, context: str) -> tuple[str, ...]:
    """List what a step or the call brings into an image's context, relative to that; "." is all of it."""
    found = [inside for path in image.generated if (inside := relative_to(context, path))]
    return (*found, GIT) if image.git and context == "." else tuple(found)


def asks_for_git(source: str, context: str, image: Image) -> bool:
    """Tell whether .git is taken in a build that is given none."""
    return context == "." and not image.git and (source == GIT or source.startswith(f"{GIT}/"))


def count_submodules(paths: Collection[str]) -> str:
    """Name submodules by the first of them, as the subject of a sentence."""
    first, *others = paths
    return f"the submodule {show(first)} {f'and {len(others)} others are' if others else 'is'}"


def fetch_submodule(*paths: str) -> str:
    """Say how submodules come to hold something."""
    typed = f"git submodule update --init {paths[0] if len(paths) == 1 else '--recursive'}"
    return f"Type {typed}; in a workflow, add submodules: true, or recursive, to the checkout."
