"""Lists the images that a build takes from registries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ci.core.errors import DrydockError
from ci.dockerfile.parser import Dockerfile, Stage, expand, find_target
from ci.dockerfile.stages import Origin, Scope, lineage, needed_stages, read_stages

_ESCAPED = re.compile(r"""["'\\`]""")
_FLAGGED = ("RUN", "COPY", "ADD")


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """An image that a build takes from a registry."""

    reference: str  # such as "python:3.13-slim"
    platform: str

    def __str__(self) -> str:
        return f"{self.reference}@{self.platform}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bases:
    """The images that a build takes from registries, as far as its Dockerfile says which before it is built."""

    known: tuple[Base, ...] = ()  # each once, in the order of their lines
    refusal: DrydockError | None = None  # why there may be more

    def whole(self) -> tuple[Base, ...]:
        """Return all of them.

        Raises:
            DrydockError: an image depends on what only the build knows, or is written in a way that is not read.

        """
        if self.refusal:
            raise self.refusal
        return self.known


def list_bases(
    dockerfile: Dockerfile,
    *,
    target: str | None,
    arguments: Mapping[str, str],
    platform: str,
    contexts: Mapping[str, str] | None = None,
) -> Bases:
    """List what FROM, COPY --from and RUN --mount=from= take from registries, in all stages that are built.

    Args:
        dockerfile: the whole of it; stages that the target does not need are left out.
        target: the name of the stage that becomes the image; None: the last stage.
        arguments: the arguments of the build, by name.
        platform: the platform of the image, such as "linux/arm64".
        contexts: the named contexts of the build; one that is an image of a registry is listed in place of another.

    """
    if dockerfile.faults:
        fault = dockerfile.faults[0]
        return Bases(refusal=_refusal(fault.line, f"cannot be read: {fault.message}"))
    scopes = read_stages(dockerfile, arguments=arguments, platform=platform, undeclared=None, contexts=contexts)
    found: list[tuple[int, Base]] = []
    refusals = [*filter(None, map(_refuse_from, dockerfile.stages))]
    for number in needed_stages(scopes, find_target(dockerfile, target)):
        scope = scopes[number]
        refusals += _refuse_flags(scope.stage)
        for origin in scope.origins:
            wanted = _platform(scope, platform) if origin.outer else platform
            if refusal := _refuse_origin(origin, number):
                refusals.append(refusal)
            elif origin.image and not wanted:
                refusals.append(_unfilled(origin.line, "its image", scope.stage.platform))
            elif origin.image:
                found.append((origin.line, Base(reference=origin.image, platform=wanted)))
    found.sort(key=lambda use: use[0])
    return Bases(known=tuple(dict.fromkeys(base for _, base in found)), refusal=next(iter(refusals), None))


def _final_scope(
    dockerfile: Dockerfile,
    target: str | None,
    arguments: Mapping[str, str],
    platform: str,
    contexts: Mapping[str, str] | None,
) -> Scope | None:
    """Find the stage that the image to be built descends from, whose FROM names no other; None where nobody knows."""
    number = None if dockerfile.faults else find_target(dockerfile, target)
    if number is None:
        return None
    scopes = read_stages(dockerfile, arguments=arguments, platform=platform, undeclared=None, contexts=contexts)
    return lineage(scopes, number)[0]


def fixed_platform(
    dockerfile: Dockerfile,
    *,
    target: str | None,
    arguments: Mapping[str, str],
    platform: str,
    contexts: Mapping[str, str] | None = None,
) -> tuple[Stage, str] | None:
    """Find the stage that makes an image one of another platform; None where it is of the platform that is asked for.

    BuildKit says in the image's configuration what was asked for, also where everything in the image is of the platform
    that the FROM names, so that nobody sees it afterwards. `scratch` has nothing that is of a platform. The arguments
    are those of final_base.

    Returns:
        The stage, and the platform that it names; "" where only the builder knows which that is.

    """
    scope = _final_scope(dockerfile, target, arguments, platform, contexts)
    if scope is None or not scope.origin.image:
        return None
    fixed = _platform(scope, platform)
    if not fixed and "BUILD" not in scope.stage.platform:
        return None
    return None if fixed.split("/")[:2] == platform.split("/")[:2] else (scope.stage, fixed)


def final_base(
    dockerfile: Dockerfile,
    *,
    target: str | None,
    arguments: Mapping[str, str],
    platform: str,
    contexts: Mapping[str, str] | None = None,
) -> Base | None:
    """Find the image that the image to be built descends from; None where that is `scratch` or not known.

    Args:
        dockerfile: the whole of it; stages that the target does not need are left out.
        target: the name of the stage that becomes the image; None: the last stage.
        arguments: the arguments of the build, by name.
        platform: the platform of the image, such as "linux/arm64".
        contexts: the named contexts of the build.

    """
    scope = _final_scope(dockerfile, target, arguments, platform, contexts)
    if scope is None:
        return None
    reference, wanted = scope.origin.image, _platform(scope, platform)
    return Base(reference=reference, platform=wanted) if reference and wanted else None


def _platform(scope: Scope, platform: str) -> str:
    """Find the platform of the image that a FROM names; "" where only a build knows it."""
    fixed = scope.stage.platform
    return expand(fixed, scope.variables, missing=None) or "" if fixed else platform


def _refuse_origin(origin: Origin, number: int) -> DrydockError | None:
    """Refuse a name that only a build fills in, and a stage that does not come before the one of a number."""
    if not origin.reference:
        return _unfilled(origin.line, "its image" if origin.outer else "files", origin.written)
    if origin.stage is not None and not 0 <= origin.stage < number:
        return _refusal(origin.line, f"takes files from {origin.written!r}, which is no earlier stage")
    return None


def _refuse_from(stage: Stage) -> DrydockError | None:
    """Refuse a FROM with a quote or a backslash: the rules of a shell could make another image of it."""
    flags = any(_ESCAPED.search(value) for _, value in stage.flags)
    base = stage.base.count('"') % 2 or re.search(r"['\\`]|^--", stage.base)
    return _refusal(stage.line, "has a quote or a backslash, which is not read") if flags or base else None


def _refuse_flags(stage: Stage) -> Iterator[DrydockError]:
    """Refuse flags that could hide the name of an image."""
    for made in stage.instructions:
        # What is left of a flag that was not taken for one.
        odd = made.keyword in _FLAGGED and made.arguments.startswith("--")
        if odd or any(_ESCAPED.search(value) for _, value in made.flags):
            yield _refusal(made.line, "has a quote or a backslash in a flag, which is not read")
        if made.keyword == "ONBUILD" and "from=" in made.arguments.lower():
            yield _refusal(made.line, "takes files by ONBUILD, which only a build does")


def _refusal(line: int, why: str) -> DrydockError:
    return DrydockError(f"the Dockerfile's line {line} {why}", line=line)


def _unfilled(line: int, what: str, written: str) -> DrydockError:
    return _refusal(line, f"takes {what} from {written!r}, which only a build fills in")
