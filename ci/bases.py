"""Lists the images that a Dockerfile builds on or copies from, and asks the registry which digests they have now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dagger

from ci.build import build_arguments
from ci.dockerfile import Dockerfile, Instruction, Stage, assignments, expand, find_target, parse_dockerfile
from ci.errors import DrydockError
from ci.model import Image
from ci.registry_values import is_digest

_SCRATCH = "scratch"


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """An image that a build takes from a registry."""

    reference: str  # such as "python:3.13-slim"
    platform: str

    def __str__(self) -> str:
        return f"{self.reference}@{self.platform}"


def list_bases(dockerfile: Dockerfile, *, arguments: Mapping[str, str], platform: str) -> tuple[Base, ...]:
    """List what FROM, COPY --from and RUN --mount=from take from registries, in all stages, each once.

    Args:
        dockerfile: to be built.
        arguments: of the build.
        platform: that is built for.

    Raises:
        DrydockError: it depends on something that only the build can know.

    """
    variables = _variables(dockerfile, arguments, platform)
    found: list[Base] = []
    names: list[str] = []
    for number, stage in enumerate(dockerfile.stages):
        reference = _filled(stage.base, variables, stage.line)
        wanted = _filled(stage.platform, variables, stage.line) if stage.platform else platform
        if reference.lower() not in {*names, _SCRATCH}:
            found.append(Base(reference=reference, platform=wanted))
        names.append(stage.name or str(number))
        known = {*names, *map(str, range(number))}
        copied = (source for source in _sources(stage) if source.lower() not in known)
        found += [Base(reference=source, platform=platform) for source in copied]
    return tuple(dict.fromkeys(found))


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


async def resolve_base(base: Base) -> str:
    """Return the digest that a base's reference has now: of its index, where it is one of several platforms.

    Raises:
        DrydockError: the registry cannot be asked, or does not have it.

    """
    return (await name_base(base))[1]


async def name_base(base: Base) -> tuple[str, str]:
    """Return a base's whole reference and the digest that it has now.

    The engine asks the registry once in a session; a build asks again. A base that moves in between is recorded as what
    it was before, and the next release builds again.

    Raises:
        DrydockError: the registry cannot be asked, or does not have it.

    """
    container = dagger.dag.container(platform=dagger.Platform(base.platform))
    try:
        name, _, digest = (await container.from_(base.reference).image_ref()).rpartition("@")
    except dagger.DaggerError:
        name = digest = ""
    if not is_digest(digest):
        raise DrydockError(f"the digest of {base.reference} for {base.platform} is not known")
    return name, digest


async def label_base(image: Image, source: dagger.Directory, *, native: str, revision: str | None) -> dict[str, str]:
    """Name what an image is based on, for its labels; nothing where its platforms differ in it or it is not known.

    Source: OCI image specification 1.1, annotations.md, `org.opencontainers.image.base.name` and `.digest`.
    """
    arguments = build_arguments(image, native=native, revision=revision)
    try:
        dockerfile = parse_dockerfile(await source.file(image.dockerfile).contents())
        bases = {
            final_base(dockerfile, target=image.target, arguments=arguments, platform=platform)
            for platform in image.platforms
        }
        named = {await name_base(base) for base in bases if base}
    except (DrydockError, dagger.DaggerError):
        return {}  # the build will say what is wrong, if it is
    if None in bases or len(named) != 1:
        return {}
    ((name, digest),) = named
    return {"org.opencontainers.image.base.name": name, "org.opencontainers.image.base.digest": digest}


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


def _sources(stage: Stage) -> Iterator[str]:
    """List what a stage copies or mounts from other stages and images."""
    for instruction in stage.instructions:
        for source in _named(instruction):
            if "$" in source:
                raise DrydockError(
                    f"the Dockerfile's line {instruction.line} takes files from {source!r}, which only a build fills in"
                )
            yield source


def _named(instruction: Instruction) -> Iterator[str]:
    for name, value in instruction.flags:
        if name == "from":
            yield value
        elif name == "mount":
            options = (option.strip('"').partition("=") for option in value.split(","))
            yield from (given for key, _, given in options if key.lower() == "from")
