"""Lists what a Dockerfile takes from elsewhere, and writes the digests of its images into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ci.dockerfile import Dockerfile, Instruction, Stage, assignments, expand, find_target
from ci.errors import DrydockError

_SCRATCH = "scratch"
# A source of ADD that is, or may become, an address: https://…, git@host:…, github.com/…, a variable.
_REMOTE = re.compile(r"[:$]|^github\.com/")
_FROM = re.compile(r"\s*FROM(?=\s)", re.IGNORECASE)
_COMMENT = re.compile(r"\s*#")


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """An image that a build takes from a registry."""

    reference: str  # such as "python:3.13-slim"
    platform: str

    def __str__(self) -> str:
        return f"{self.reference}@{self.platform}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """A place in a Dockerfile that names a base."""

    line: int  # where its instruction begins, from 1
    written: str  # as it is written there, variables and all
    base: Base


def list_uses(dockerfile: Dockerfile, *, arguments: Mapping[str, str], platform: str) -> tuple[Use, ...]:
    """List where FROM, COPY --from and RUN --mount=from take an image from a registry, in all stages.

    Args:
        dockerfile: to be built.
        arguments: of the build.
        platform: that is built for.

    Raises:
        DrydockError: it depends on something that only the build can know.

    """
    variables = _variables(dockerfile, arguments, platform)
    found: list[Use] = []
    names: list[str] = []
    for number, stage in enumerate(dockerfile.stages):
        reference = _filled(stage.base, variables, stage.line)
        wanted = _filled(stage.platform, variables, stage.line) if stage.platform else platform
        if reference.lower() not in {*names, _SCRATCH}:
            found.append(Use(line=stage.line, written=stage.base, base=Base(reference=reference, platform=wanted)))
        names.append(stage.name or str(number))
        known = {*names, *map(str, range(number))}
        for line, source in _sources(stage):
            if source.lower() not in known:
                found.append(Use(line=line, written=source, base=Base(reference=source, platform=platform)))
    return tuple(found)


def list_bases(dockerfile: Dockerfile, *, arguments: Mapping[str, str], platform: str) -> tuple[Base, ...]:
    """List the images that a build takes from registries, each once; arguments and errors are those of list_uses."""
    uses = list_uses(dockerfile, arguments=arguments, platform=platform)
    return tuple(dict.fromkeys(use.base for use in uses))


def pin_bases(text: str, uses: tuple[Use, ...], digests: Mapping[Base, str]) -> str:
    """Write into a Dockerfile the digest of each image that it takes from a registry; every line keeps its number.

    Args:
        text: of the Dockerfile.
        uses: of images in it, in the order of their lines.
        digests: of their bases.

    Raises:
        DrydockError: an image is named in a way that cannot be found again, such as over two lines.

    """
    lines = text.split("\n")
    for use in uses:
        if "@" not in use.base.reference:
            _pin(lines, use, f"{use.base.reference}@{digests[use.base]}")
    return "\n".join(lines)


def _pin(lines: list[str], use: Use, pinned: str) -> None:
    """Put a reference in place of what a use says: the word behind FROM, or the value of a flag."""
    keyword = _FROM.match(lines[use.line - 1])
    flag = "" if keyword else r"(?:--from=|--mount=\S*?\bfrom=)"
    # What has been given its digest already does not match again.
    place = re.compile(rf"""(?<!\S)({flag}"?){re.escape(use.written)}(?=[\s,"\\`]|$)""", re.IGNORECASE)
    for at in range(use.line - 1, len(lines)):
        begin = keyword.end() if keyword and at == use.line - 1 else 0
        if not _COMMENT.match(lines[at]) and (found := place.search(lines[at], begin)):
            lines[at] = f"{lines[at][: found.start()]}{found[1]}{pinned}{lines[at][found.end() :]}"
            return
    raise DrydockError(f"the Dockerfile's line {use.line} names {use.base.reference} in a way that is not found again")


def find_remote(dockerfile: Dockerfile) -> Instruction | None:
    """Find an ADD that takes, or may take, something from elsewhere than the context; None where there is none."""
    adding = (instruction for instruction in dockerfile.instructions if instruction.keyword == "ADD")
    return next((one for one in adding if any(map(_REMOTE.search, one.words[:-1]))), None)


def final_base(
    dockerfile: Dockerfile, *, target: str | None, arguments: Mapping[str, str], platform: str
) -> Base | None:
    """Find the image that the image to be built descends from; None where that is `scratch` or not known.

    Args:
        dockerfile: to be built.
        target: the stage that becomes the image, by name or number; None: the last.
        arguments: of the build.
        platform: that is built for.

    """
    names = [stage.name or str(number) for number, stage in enumerate(dockerfile.stages)]
    variables = _variables(dockerfile, arguments, platform)
    number = find_target(dockerfile, target)
    while number is not None:
        stage = dockerfile.stages[number]
        reference = expand(stage.base, variables, missing=None) or _SCRATCH
        if reference.lower() not in names[:number]:
            asked = expand(stage.platform, variables, missing=None) if stage.platform else platform
            known = reference != _SCRATCH and asked
            return Base(reference=reference, platform=asked) if known and asked else None
        number = names.index(reference.lower())
    return None


def _variables(dockerfile: Dockerfile, arguments: Mapping[str, str], platform: str) -> dict[str, str | None]:
    """Say what each variable of a FROM stands for; what is not listed, nobody knows before the build."""
    system, architecture, variant = (*platform.split("/"), "")[:3]
    target = {"PLATFORM": platform, "OS": system, "ARCH": architecture, "VARIANT": variant}
    variables: dict[str, str | None] = {
        **{f"BUILD{part}": None for part in target},
        **{f"TARGET{part}": value for part, value in target.items()},
    }
    automatic = frozenset(variables)
    variables |= {name: value for name, value in arguments.items() if name in automatic}
    for instruction in dockerfile.arguments:
        for name, value in assignments(instruction).items():
            if value is not None or name not in automatic:
                default = None if name in automatic else expand(value or "", variables, missing=None)
                variables[name] = arguments.get(name, default)
    return variables


def _filled(text: str, variables: Mapping[str, str | None], line: int) -> str:
    filled = expand(text, variables, missing=None)
    if not filled:
        raise DrydockError(f"the Dockerfile's line {line} takes its image from {text!r}, which only a build fills in")
    return filled


def _sources(stage: Stage) -> Iterator[tuple[int, str]]:
    """List what a stage copies or mounts from other stages and images, with the lines."""
    for instruction in stage.instructions:
        for source in _named(instruction):
            if "$" in source:
                raise DrydockError(
                    f"the Dockerfile's line {instruction.line} takes files from {source!r}, which only a build fills in"
                )
            yield instruction.line, source


def _named(instruction: Instruction) -> Iterator[str]:
    for name, value in instruction.flags:
        if name == "from":
            yield value
        elif name == "mount":
            options = (option.strip('"').partition("=") for option in value.split(","))
            yield from (given for key, _, given in options if key.lower() == "from")
