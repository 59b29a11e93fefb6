"""Checks a Dockerfile, beyond what BuildKit says of it, and against the image that the configuration makes of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ci.core.findings import Finding, error, note, warning
from ci.core.model import Image
from ci.core.names import REFERENCE
from ci.core.text import nearest, show
from ci.core.values import STAND_IN
from ci.dockerfile import (
    AUTOMATIC,
    Dockerfile,
    Scope,
    assignments,
    fixed_platform,
    list_bases,
    parse_dockerfile,
    read_stages,
)
from ci.validate.promises import check_promises

_EXEC_FORM = ("CMD", "ENTRYPOINT", "HEALTHCHECK")

MISSING = (
    "Look for a typing error. If it is private, log in before the function's name: --username NAME --password "
    "env:TOKEN, or --login env:NAME where it is not of the registry that the images go to."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseImage:
    """An image that a Dockerfile takes from, and where it is named."""

    line: int  # of the instruction, or of the configuration's key
    pin_line: int  # where its reference is written: an ARG may hold it
    reference: str
    pinned: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a registry said of a reference."""

    digest: str = ""
    missing: str = ""  # why there is no such image
    unknown: str = ""  # why the registry did not say


def scopes_of(dockerfile: Dockerfile, image: Image) -> tuple[tuple[Scope, ...], ...]:
    """Follow the stages of a Dockerfile once for each set of arguments that the platforms of an image have."""
    sets = {tuple(image.arguments(platform).items()) for platform in image.platforms}
    first = tuple(image.arguments(image.platforms[0]).items())
    return tuple(
        read_stages(dockerfile, arguments=dict(arguments), contexts=image.contexts)
        for arguments in (first, *sorted(sets - {first}))
    )


def bases_of(scopes: Sequence[Scope]) -> tuple[BaseImage, ...]:
    """List the images that the stages of a Dockerfile take from, as far as they can be known without a build."""
    images = [origin for scope in scopes for origin in scope.origins if origin.image and not origin.context]
    return tuple(
        BaseImage(line=origin.line, pin_line=origin.pin_line, reference=origin.image, pinned="@" in origin.image)
        for origin in images
        if REFERENCE.fullmatch(origin.image)
    )


def named_bases_of(scopes: Sequence[Scope], lines: Mapping[str, int]) -> tuple[BaseImage, ...]:
    """List the images that named contexts put in the place of others.

    Args:
        scopes: the stages of a Dockerfile.
        lines: the line of each of the image's keys in the configuration, which is where these are named.

    """
    origins = [origin for scope in scopes for origin in scope.origins]
    images = {origin.context: origin.image for origin in origins if origin.context and origin.image}
    return tuple(
        BaseImage(line=line, pin_line=line, reference=image, pinned="@" in image)
        for name, image in images.items()
        for line in (lines.get(f"contexts.{name}", 1),)
    )


def check_bases(bases: Iterable[tuple[str, BaseImage]], answers: Mapping[str, Answer]) -> Iterator[Finding]:
    """Name the base images that are not pinned, and those that no registry has.

    Args:
        bases: each base image, behind the path of the file that names it.
        answers: what the registries said, by reference; nothing for a reference that nobody asked about.

    """
    for file, base in bases:
        answer = answers.get(base.reference, Answer())
        if answer.missing:
            message = f"the base image {show(base.reference)} does not exist, or may not be pulled: {answer.missing}"
            yield error(file, base.pin_line, "base-missing", message, MISSING)
        elif answer.unknown:
            message = f"nobody could say whether {show(base.reference)} exists: {answer.unknown}"
            yield note(file, base.pin_line, "base-unresolved", message, "Try again, or ask nobody by --offline.")
        if not base.pinned and not answer.missing:
            name = base.reference
            pin = f"{name}@{answer.digest}" if answer.digest else f"{name}@sha256:... with its digest"
            message = f"the base image {show(name)} is not pinned by a digest, and may change between two builds"
            yield warning(file, base.pin_line, "base-unpinned", message, f"Write {pin}, and let a bot renew it.")


def check_dockerfile(
    dockerfile: Dockerfile, scopes: Sequence[Scope], image: Image, *, config: str, lines: Mapping[str, int]
) -> list[Finding]:
    """Find what BuildKit takes and is wrong all the same: in a Dockerfile, and between it and its image.

    Args:
        dockerfile: the Dockerfile of the image.
        scopes: the stages of that Dockerfile.
        image: what the configuration says.
        config: the path of the configuration.
        lines: the line of each of the image's keys in the configuration.

    """
    file = image.dockerfile
    findings = [*_forms(dockerfile, file), *_hidden(dockerfile, file), *_stages(scopes, file)]
    if dockerfile.stages:
        findings += _platforms(dockerfile, image)
        findings += check_promises(dockerfile, scopes, image, config=config, lines=lines)
    return findings


def check_pins(text: str, image: Image) -> Iterator[Finding]:
    """Find what keeps the images that a build takes from being given by digest; the Dockerfile has no errors."""
    given = {"BUILDPLATFORM": image.platforms[0], "REVISION": STAND_IN["revision"]}
    dockerfile = parse_dockerfile(text)
    for platform in image.platforms:
        arguments = {**given, **image.arguments(platform)}
        listed = list_bases(dockerfile, target=image.target, arguments=arguments, platform=platform)
        if reason := listed.refusal:
            message = f"{reason}: {image.name} is built anew in each run, and never reused"
            remedy = "Name each image without what only a build can fill in."
            yield note(image.dockerfile, reason.line or 1, "base-unclear", message, remedy)
            return


def _forms(dockerfile: Dockerfile, file: str) -> Iterator[Finding]:
    for made in dockerfile.instructions:
        text = made.arguments
        if made.keyword == "HEALTHCHECK":
            text = re.sub(r"^CMD\s+", "", text, flags=re.IGNORECASE)
        broken = text.startswith("[") and text.endswith("]") and replace(made, arguments=text).list_form is None
        if made.keyword in _EXEC_FORM and broken and not _is_test(text):
            message = f"{made.keyword} {show(text)} is no JSON list, so that a shell is given it as it stands"
            yield error(file, made.line, "exec-form", message, 'Write ["word", "word"], in double quotes.')


def _is_test(text: str) -> bool:
    """Tell whether what stands in brackets is the shell's own test command: words, and no commas between them."""
    try:
        words = shlex.split(text)
    except ValueError:
        return False
    return words[0] == "[" and words[-1] == "]" and not any(word.endswith(",") for word in words)


def _hidden(dockerfile: Dockerfile, file: str) -> Iterator[Finding]:
    """Name each ARG whose default stands in the way of what BuildKit sets for each platform."""
    for made in dockerfile.instructions:
        for name, value in assignments(made).items() if made.keyword == "ARG" else ():
            if name in AUTOMATIC and value is not None:
                message = f"ARG {name} is {show(value)} on every platform: the default hides BuildKit's own value"
                yield warning(file, made.line, "arg-hides-platform", message, f"Write ARG {name}, without a default.")


def _stages(scopes: Sequence[Scope], file: str) -> Iterator[Finding]:
    """Find numbers of no stage, and images that are most likely meant to be stages."""
    names = [scope.stage.name for scope in scopes]
    for scope in scopes:
        for origin in scope.origins:
            if origin.stage is not None and origin.written.lower() not in names and origin.stage >= scope.number:
                # BuildKit counts what a RUN mounts as stages too, and takes some of these numbers.
                message = f"--from={origin.written} is no earlier stage: this is stage {scope.number}"
                yield error(file, origin.line, "stage-unknown", message, "Name the stage: FROM image AS name.")
            if not origin.image or origin.outer or origin.context:
                continue
            if close := _misspelt(origin.written, names[: scope.number]):
                message = f"there is no stage {show(origin.written)}, so that an image of that name would be pulled"
                yield error(file, origin.line, "stage-unknown", message, f"Did you mean {close!r}?")
            elif origin.written.isdecimal():
                message = f"in a mount, {origin.written} is the name of an image: stages are counted for COPY alone"
                yield error(file, origin.line, "stage-unknown", message, "Name the stage: FROM image AS name.")


def _misspelt(name: str, stages: Sequence[str]) -> str:
    """Find the stage that is probably meant by the name of an image; nothing if there is none."""
    return nearest(name, filter(None, stages)) if re.fullmatch(r"[\w-]+", name) else ""


def _platforms(dockerfile: Dockerfile, image: Image) -> Iterator[Finding]:
    """Find what makes an image of another platform than it is wanted for: the FROM that it descends from says which."""
    remedy = "Leave out --platform there, and copy from another stage what only that one can make."
    for platform in image.platforms:
        found = fixed_platform(
            dockerfile,
            target=image.target,
            arguments=image.arguments(platform),
            platform=platform,
            contexts=image.contexts,
        )
        if found:
            stage, fixed = found
            of = fixed or "the builder's own platform"
            message = f"the image holds programs of {of}, and {image.name} is wanted for {platform}"
            # A builder of the only platform that is wanted makes the right one.
            say = error if fixed or len(image.platforms) > 1 else warning
            yield say(image.dockerfile, stage.line, "platform-fixed", message, remedy)
            if not fixed:
                return
