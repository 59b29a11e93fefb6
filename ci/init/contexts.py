"""Finds the folder that a Dockerfile is written for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase

from ci.init.search import WORKFLOWS

# Folders that say how an image is made and not which.
PLAIN = frozenset(
    "docker dockerfile dockerfiles container containers image images build builds deploy deployment deployments "
    "package packaging ci infra ops release scripts config etc src prod production compose docker-compose "
    ".github workflows".split()
)
_PATTERN = re.compile(r"[*?\[]")
_CODE = frozenset(("src",))  # plain as a name, and a context of its own


def guess_context(
    path: str, sources: Iterable[str], paths: AbstractSet[str], sought: Sequence[Sequence[str]] = ()
) -> tuple[str, list[str]]:
    """Find the folder that holds what a Dockerfile copies, and list what it does not hold.

    The Dockerfile's own folder comes first, then each folder above it; the first that holds everything is taken, or
    else the one that holds the most. Between two that hold the same, what the commands look for decides: a Dockerfile
    that copies only `.` says no more.
    """
    folders = path.split("/")[:-1]
    named = [clean for source in sources if (clean := _clean(source)) != "."]
    choices = ["/".join(folders[:count]) for count in range(len(folders), -1, -1)]
    if folders[:1] == [WORKFLOWS]:
        choices = choices[-1:] + choices[:-1]  # it stands beside the workflow that builds it
    elif not named and folders and folders[-1].lower() in PLAIN - _CODE:
        # It copies everything or nothing, and stands in a folder of Dockerfiles: its context is a folder above.
        choices = choices[1:] + choices[:1]
    missing = {choice: [name for name in named if not _exists(choice, name, paths)] for choice in choices}
    lacking = {
        choice: sum(not any(_exists(choice, o, paths) for o in options) for options in sought) for choice in choices
    }
    best = min(choices, key=lambda choice: (len(missing[choice]), lacking[choice]))  # the first of the best
    if named and len(missing[best]) == len(named):
        best = ""  # nothing is where it says: written for the root of the repository, most likely
    # A pattern that nothing fits copies nothing, and is no mistake.
    return best or ".", [name for name in missing[best] if not _PATTERN.search(name)]


def _clean(source: str) -> str:
    return "/".join(part for part in source.split("/") if part not in ("", ".")) or "."


def _exists(context: str, name: str, paths: AbstractSet[str]) -> bool:
    if ".." in name.split("/"):
        return False
    full = f"{context}/{name}" if context else name
    if not _PATTERN.search(name):
        return full in paths
    wanted = full.split("/")
    return any(
        len(found) == len(wanted) and all(map(fnmatchcase, found, wanted))
        for found in (path.split("/") for path in paths)
    )
