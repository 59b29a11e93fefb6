"""Lists what a Dockerfile takes from elsewhere, and writes the digests of its images into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ci.core.errors import DrydockError
from ci.dockerfile.parser import (
    Dockerfile,
    Instruction,
    Stage,
    assignments,
    expand,
    find_stage,
    find_target,
    parse_dockerfile,
)

_SCRATCH = "scratch"
# A source of ADD that is, or may become, an address: https://…, git@host:…, github.com/…, a variable.
_REMOTE = re.compile(r"[:$]|^github\.com/")
_FROM = re.compile(r"\s*FROM(?=\s)", re.IGNORECASE)
_ESCAPED = re.compile(r"""["'\\`]""")
_FLAGGED = ("RUN", "COPY", "ADD")
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
    last: int  # where it ends
    outer: bool  # whether it is a FROM
    written: str  # as it is written there, variables and all
    base: Base


def list_uses(
    dockerfile: Dockerfile, *, target: str | None, arguments: Mapping[str, str], platform: str
) -> tuple[Use, ...]:
    """List where FROM, COPY --from and RUN --mount=from= take an image from a registry, in all stages that are built.

    Args:
        dockerfile: to be built.
        target: the name of the stage that becomes the image; None: the last.
        arguments: of the build.
        platform: that is built for.

    Raises:
        DrydockError: it depends on something that only the build can know, or is written in a way that is not read.

    """
    if dockerfile.faults:
        fault = dockerfile.faults[0]
        raise DrydockError(f"the Dockerfile's line {fault.line} cannot be read: {fault.message}")
    for stage in dockerfile.stages:
        _check_from(stage)
    variables = _variables(dockerfile, arguments, platform)
    found: list[Use] = []
    done: set[int] = set()
    left = [find_target(dockerfile, target)]
    while left:
        number = left.pop()
        if number is None or number in done:
            continue
        done.add(number)
        stage = dockerfile.stages[number]
        _check_flags(stage)
        reference = _filled(stage.base, variables, stage.line)
        parent = find_stage(dockerfile, reference, number)
        if parent is None and reference.lower() != _SCRATCH:
            wanted = _filled(stage.platform, variables, stage.line) if stage.platform else platform
            base = Base(reference=reference, platform=wanted)
            found.append(Use(line=stage.line, last=stage.last, outer=True, written=stage.base, base=base))
        left.append(parent)
        for made, source in _sources(stage):
            other = _source_stage(dockerfile, made, source, number)
            left.append(other)
            if other is None and source.lower() != _SCRATCH:
                base = Base(reference=source, platform=platform)
                found.append(Use(line=made.line, last=made.last, outer=False, written=source, base=base))
    return tuple(sorted(found, key=lambda use: use.line))


def list_bases(
    dockerfile: Dockerfile, *, target: str | None, arguments: Mapping[str, str], platform: str
) -> tuple[Base, ...]:
    """List the images that a build takes from registries, each once; arguments and errors are those of list_uses."""
    uses = list_uses(dockerfile, target=target, arguments=arguments, platform=platform)
    return tuple(dict.fromkeys(use.base for use in uses))


def pin_bases(
    text: str, digests: Mapping[Base, str], *, target: str | None, arguments: Mapping[str, str], platform: str
) -> str:
    """Write into a Dockerfile the digest of each image that it takes from a registry; every line keeps its number.

    Args:
        text: of the Dockerfile.
        digests: of the bases that list_bases lists.
        target: as for list_uses.
        arguments: of the build.
        platform: that is built for.

    Raises:
        DrydockError: an image is named in a way that is not found again, such as over two lines, or as for list_uses.

    """
    lines = text.removeprefix("\ufeff").split("\n")
    wanted: list[tuple[int, Base]] = []
    uses = list_uses(parse_dockerfile(text), target=target, arguments=arguments, platform=platform)
    for use in uses:
        pinned = use.base.reference
        if "@" not in pinned:
            pinned = f"{pinned}@{digests[use.base]}"
            _pin(lines, use, pinned)
        wanted.append((use.line, replace(use.base, reference=pinned)))
    # What was written is read once more: a word that was taken for another one would change what is built.
    written = "\n".join(lines)
    found = list_uses(parse_dockerfile(written), target=target, arguments=arguments, platform=platform)
    if [(use.line, use.base) for use in found] != wanted:
        raise DrydockError("the Dockerfile names its images in a way that is not found again")
    return written


def _pin(lines: list[str], use: Use, pinned: str) -> None:
    """Put a reference in place of what a use says: the word behind FROM, or the value of a flag."""
    keyword = _FROM.match(lines[use.line - 1]) if use.outer else None
    flag = "" if use.outer else r"(?:--from=|--mount=(?:[^\s,]*,)*from=)"
    # What has been given its digest already does not match again.
    place = re.compile(rf"(?<!\S)({flag}){re.escape(use.written)}(?=[\s,\\`]|$)", re.IGNORECASE)
    for at in range(use.line - 1, use.last) if keyword or not use.outer else ():
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
        target: the name of the stage that becomes the image; None: the last.
        arguments: of the build.
        platform: that is built for.

    """
    if dockerfile.faults:
        return None
    variables = _variables(dockerfile, arguments, platform)
    number = find_target(dockerfile, target)
    while number is not None:
        stage = dockerfile.stages[number]
        reference = expand(stage.base, variables, missing=None) or _SCRATCH
        number = find_stage(dockerfile, reference, number)
        if number is None and reference.lower() != _SCRATCH:
            asked = expand(stage.platform, variables, missing=None) if stage.platform else platform
            return Base(reference=reference, platform=asked) if asked else None
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
        quoted = "$" in instruction.arguments and re.search(r"['\\`]", instruction.arguments)
        for name, value in assignments(instruction).items():
            # Engines differ in what an ARG makes of a variable that they set by themselves.
            hidden = quoted or name in automatic
            default = None if hidden else expand(value or "", variables, missing=None)
            variables[name] = arguments.get(name, default)
    return variables


def _filled(text: str, variables: Mapping[str, str | None], line: int) -> str:
    filled = expand(text, variables, missing=None)
    if not filled:
        raise DrydockError(f"the Dockerfile's line {line} takes its image from {text!r}, which only a build fills in")
    return filled


def _check_from(stage: Stage) -> None:
    """Refuse a FROM that a shell's rules could make something else of."""
    flags = any(_ESCAPED.search(value) for _, value in stage.flags)
    base = stage.base.count('"') % 2 or re.search(r"['\\`]|^--", stage.base)
    if flags or base:
        raise DrydockError(f"the Dockerfile's line {stage.line} has a quote or a backslash, which is not read")


def _check_flags(stage: Stage) -> None:
    """Refuse flags that could hide the name of an image."""
    for made in stage.instructions:
        # What is left of a flag that was not taken for one.
        odd = made.keyword in _FLAGGED and made.arguments.startswith("--")
        if odd or any(_ESCAPED.search(value) for _, value in made.flags):
            raise DrydockError(
                f"the Dockerfile's line {made.line} has a quote or a backslash in a flag, which is not read"
            )
        if made.keyword == "ONBUILD" and "from=" in made.arguments.lower():
            raise DrydockError(f"the Dockerfile's line {made.line} takes files by ONBUILD, which only a build does")


def _sources(stage: Stage) -> Iterator[tuple[Instruction, str]]:
    """List what a stage copies or mounts from other stages and images, with the instructions."""
    for instruction in stage.instructions:
        for source in filter(None, _named(instruction)):
            if "$" in source:
                raise DrydockError(
                    f"the Dockerfile's line {instruction.line} takes files from {source!r}, which only a build fills in"
                )
            yield instruction, source


def _named(instruction: Instruction) -> Iterator[str]:
    for name, value in instruction.flags:
        if name == "from":
            yield value
        elif name == "mount":
            options = (option.partition("=") for option in value.split(","))
            yield from [given for key, _, given in options if key.lower() == "from"][-1:]  # the last one counts


def _source_stage(dockerfile: Dockerfile, made: Instruction, source: str, number: int) -> int | None:
    """Find the stage that a source names, by name or, in COPY, by number; None where it is an image."""
    counted = made.keyword == "COPY" and re.fullmatch(r"[+-]?[0-9]+", source)
    found = int(source) if counted else find_stage(dockerfile, source)
    if found is not None and not 0 <= found < number:
        raise DrydockError(f"the Dockerfile's line {made.line} takes files from {source!r}, which is no earlier stage")
    return found
