"""Looks for what a build needs besides the files of a commit: .git, and what a step makes before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagger

from ci.core.engine import fan_out
from ci.core.errors import DrydockError
from ci.core.model import Image, Plan
from ci.core.order import needed_variants
from ci.dockerfile import GIT, IgnoreFile

_AT_A_TIME = 8
_PATTERN = re.compile(r"[*?]")
# What a checkout leaves there for the next fetch: a header with a token, or a password in an address.
_CREDENTIAL = re.compile(r"\s*(?:extraheader\s*=\s*\S|\w+\s*=\s*[a-z]+://[^/@\s]*:[^/@\s]+@)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What of .git a build is given."""

    folder: dagger.Directory
    shallow: bool  # whether it ends before the first commit


async def find_missing(plan: Plan, source: dagger.Directory, git: dagger.Directory | None) -> tuple[str, ...]:
    """List what the images of a plan are built from and what is not there, each with what to do about it."""
    images = list({variant.image.name: variant.image for variant in needed_variants(plan)}.values())
    asking = [image.name for image in images if image.git]
    made: dict[str, list[str]] = {}
    for image in images:
        for path in image.generated:
            made.setdefault(path, []).append(image.name)
    there = await fan_out([*made], lambda path: _exists(source, path), limit=_AT_A_TIME)
    return (
        *_ungiven(asking, git),
        *(
            f"{path} (of {', '.join(names)}): named under generated: and not there: run the step that makes it"
            for (path, names), found in zip(made.items(), there, strict=True)
            if not found
        ),
    )


def _ungiven(asking: Iterable[str], git: dagger.Directory | None) -> Iterator[str]:
    names = ", ".join(asking)
    if names and git is None:
        yield f"{GIT} (of {names}): the configuration says git: true, and the call does not give it: add --git {GIT}"


async def _exists(source: dagger.Directory, path: str) -> bool:
    return bool(await source.glob(path)) if _PATTERN.search(path) else await source.exists(path)


async def check_needs(plan: Plan, source: dagger.Directory, git: dagger.Directory | None) -> None:
    """Refuse to build what is not there in full.

    Raises:
        DrydockError: says all that is missing.

    """
    if missing := await find_missing(plan, source, git):
        lines = "\n".join(f"  {line}" for line in missing)
        raise DrydockError(f"Nothing was built, since what the build needs is not there:\n{lines}")


async def read_history(image: Image, git: dagger.Directory | None, ignored: IgnoreFile) -> History | None:
    """Reduce .git to what the ignore file leaves of it; None where the build is given none.

    Raises:
        DrydockError: it is no repository with a history of its own, or it holds a credential.

    """
    if not image.git or git is None:
        return None
    whole = dagger.dag.directory().with_directory(GIT, git)
    given = whole.filter(exclude=ignored.excludes) if ignored.excludes else whole
    if not await given.exists(GIT):
        return None
    if not await git.exists("HEAD") or await git.exists("commondir"):
        raise DrydockError(
            f"What --git gives is not the {GIT} folder of a repository. In a worktree or a submodule {GIT} is a file, "
            "and the history is elsewhere: build in a clone"
        )
    config = f"{GIT}/config"
    if await given.exists(config):
        _refuse_credentials(image, await given.file(config).contents())
    return History(folder=given.directory(GIT), shallow=await git.exists("shallow"))


def _refuse_credentials(image: Image, config: str) -> None:
    for number, line in enumerate(config.splitlines(), 1):
        if _CREDENTIAL.match(line):
            raise DrydockError(
                f"{GIT}/config:{number} holds a credential, and the build of {image.name} is given {GIT}: check out "
                "with persist-credentials: false, take it out of the address by git remote set-url, or name "
                f"{GIT}/config in .dockerignore"
            )


def tell_shallow(histories: Mapping[str, History | None]) -> Iterator[str]:
    """Say which images were built with a history that is cut off."""
    if names := ", ".join(name for name, history in histories.items() if history and history.shallow):
        yield (
            f"The {GIT} that {names} was built with is shallow: git describe finds no tag that lies behind it. "
            "Check out with fetch-depth: 0, or type git fetch --unshallow --tags."
        )
