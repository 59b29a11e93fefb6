"""Finds the Dockerfiles of a repository among its paths, and tells those that are not for release."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

# Folders of what other people wrote, of generated files and of tools: not worth a word, nor an upload.
SKIPPED = tuple(
    "node_modules vendor third_party third-party bower_components site-packages venv __pycache__ .*".split()
)
# Workflows and what they build stand there; no other folder of a tool holds Dockerfiles for release.
WORKFLOWS = ".github"
# Folders whose Dockerfiles are not for release; they are named, so that nobody looks for them in vain.
_ASIDE = {
    "tests": frozenset(
        "test tests __tests__ testdata testfiles test-data fixtures e2e spec integration playwright cypress".split()
    ),
    "examples": frozenset("example examples sample samples demo demos docs doc benchmarks".split()),
    "templates": frozenset("template templates skeleton scaffold".split()),
}
_PURPOSES = {
    "development": frozenset("dev devel develop development local debug devcontainer vscode".split()),
    "tests": frozenset("test tests testing e2e ci lint".split()),
}
# An end is accepted after the usual spelling alone: dockerfile.go is most likely code.
_DOCKERFILE = re.compile(
    r"[Dd]ockerfile|[Cc]ontainerfile|(?:Dockerfile|Containerfile)[._-](?P<end>.+)"
    r"|(?P<begin>.+)\.(?:[Dd]ockerfile|[Cc]ontainerfile)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A Dockerfile that is not proposed."""

    path: str
    reason: str


def dockerfile_end(file: str) -> str | None:
    """Tell what a Dockerfile's name says besides that it is one; None where it is none."""
    found = _DOCKERFILE.fullmatch(file)
    if not found or file.lower().endswith(".dockerignore"):
        return None
    return found["end"] or found["begin"] or ""


def list_dockerfiles(paths: Iterable[str]) -> list[str]:
    """List all Dockerfiles but those of other people, whatever they are for."""
    kept = []
    for path in sorted(paths):
        *folders, file = path.split("/")
        if dockerfile_end(file) is not None and not _skipped(folders):
            kept.append(path)
    return kept


def _skipped(folders: Sequence[str]) -> bool:
    ours = folders[1:] if folders[:1] == [WORKFLOWS] else folders
    return any(fnmatchcase(folder.lower(), pattern) for folder in ours for pattern in SKIPPED)


def find_dockerfiles(paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Pick the Dockerfiles worth a proposal out of all paths of a repository, and say why others are not."""
    chosen: list[str] = []
    aside: list[LeftOut] = []
    for path in sorted(paths):
        *folders, file = path.split("/")
        end = dockerfile_end(file)
        if end is None:
            continue
        ours = folders[1:] if folders[:1] == [WORKFLOWS] else folders
        if _skipped(folders):
            continue
        words = set(re.split("[._-]", end.lower()))
        if ours != folders:
            words -= {"ci"}  # beside a workflow, it tells who builds it
        reason = next((f"for {what}" for what, names in _PURPOSES.items() if names & words), "")
        reason = next(
            (f"in a folder of {what}" for what, names in _ASIDE.items() if names & {f.lower() for f in folders}), reason
        )
        if reason:
            aside.append(LeftOut(path=path, reason=reason))
        else:
            chosen.append(path)
    if not chosen:
        # A repository of nothing but examples means them.
        return tuple(other.path for other in aside), ()
    return tuple(chosen), tuple(aside)
