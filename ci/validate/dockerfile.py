"""Holds a Dockerfile against itself and against the image that the configuration makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ci.core.errors import DrydockError
from ci.core.model import Image
from ci.core.text import nearest, show
from ci.dockerfile.bases import list_bases, pin_bases
from ci.dockerfile.parser import (
    AUTOMATIC,
    Dockerfile,
    Instruction,
    Stage,
    assignments,
    expand,
    find_target,
    parse_dockerfile,
)
from ci.validate.findings import Finding, error, note, warning

_DIGEST = r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{{1,5}})?/)?{_PART}(?:/{_PART})*"
    rf"(?::\w[\w.-]{{0,127}})?(?P<digest>@{_DIGEST})?",
    re.ASCII,
)
# Variables that BuildKit knows without an ARG, and REVISION, which this pipeline gives to who asks for it.
_PREDEFINED = {
    *(v for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY") for v in (name, name.lower())),
    *AUTOMATIC,
    *("SOURCE_DATE_EPOCH", "TARGETSTAGE"),
}
_CREDENTIAL = re.compile(
    r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|SECRET|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE | re.ASCII
)
_EXEC_FORM = ("CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK")


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """An image of somewhere else that a Dockerfile takes from."""

    line: int  # of the instruction
    pin_line: int  # where its reference is written: an ARG may hold it
    reference: str
    pinned: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a registry said of a reference."""

    digest: str = ""
    missing: str = ""  # why there is no such image
    unknown: str = ""  # why the registry did not say


def bases_of(dockerfile: Dockerfile, image: Image) -> tuple[Base, ...]:
    """List the images that a Dockerfile takes from, as far as they can be known without a build."""
    return tuple(
        Base(line=line, pin_line=pin_line, reference=text, pinned=bool(found["digest"]))
        for line, pin_line, text in _references(dockerfile, image)
        if text and (found := _REFERENCE.fullmatch(text))
    )


def check_bases(bases: Iterable[tuple[str, Base]], answers: Mapping[str, Answer]) -> Iterator[Finding]:
    """Name the base images that are not pinned, and those that no registry has.

    Args:
        bases: each with its Dockerfile.
        answers: of the registries, by reference; none where nobody asked.

    """
    for file, base in bases:
        answer = answers.get(base.reference, Answer())
        if answer.missing:
            message = f"the base image {show(base.reference)} does not exist, or may not be pulled: {answer.missing}"
            yield error(
                file, base.pin_line, "base-missing", message, "Look for a typing error; log in if it is private."
            )
        elif answer.unknown:
            message = f"nobody could say whether {show(base.reference)} exists: {answer.unknown}"
            yield note(file, base.pin_line, "base-unresolved", message, "Try again, or ask nobody by --offline.")
        if not base.pinned and not answer.missing:
            name = base.reference
            pin = f"{name}@{answer.digest}" if answer.digest else f"{name}@sha256:... with its digest"
            message = f"the base image {show(name)} is not pinned by a digest, and may change between two builds"
            yield warning(file, base.pin_line, "base-unpinned", message, f"Write {pin}, and let a bot renew it.")


def check_dockerfile(dockerfile: Dockerfile, image: Image, *, config: str, lines: Mapping[str, int]) -> list[Finding]:
    """Find what is wrong with a Dockerfile, and between it and its image.

    Args:
        dockerfile: as it was read.
        image: what the configuration says of it.
        config: the configuration's file.
        lines: of the image's keys in that file.

    """
    file = image.dockerfile
    findings = [error(file, f.line, "dockerfile-syntax", f.message, f.remedy) for f in dockerfile.faults]
    findings += _forms(dockerfile, file)
    findings += _credentials(dockerfile, file)
    findings += _stages(dockerfile, file)
    findings += _base_findings(dockerfile, image)
    if dockerfile.stages:
        findings += _platforms(dockerfile, image)
        findings += _promises(dockerfile, image, config, lines)
    return findings


def check_pins(text: str, image: Image) -> Iterator[Finding]:
    """Find what keeps a build from being given its images by digest, of a Dockerfile without errors."""
    arguments = {"BUILDPLATFORM": image.platforms[0], "REVISION": "0" * 40, **image.build_args}
    for platform in image.platforms:
        try:
            found = list_bases(parse_dockerfile(text), target=image.target, arguments=arguments, platform=platform)
            digests = dict.fromkeys(found, f"sha256:{'0' * 64}")
            pin_bases(text, digests, target=image.target, arguments=arguments, platform=platform)
        except DrydockError as reason:
            line = re.search(r"line (\d+)", str(reason))
            message = f"{reason}: {image.name} is built anew in each run, and never reused"
            remedy = "Name each image in one word of one line, without what only a build can fill in."
            yield note(image.dockerfile, int(line[1]) if line else 1, "base-unclear", message, remedy)
            return


def _forms(dockerfile: Dockerfile, file: str) -> Iterator[Finding]:
    for made in dockerfile.instructions:
        text = made.arguments
        if made.keyword == "HEALTHCHECK":
            text = re.sub(r"^CMD\s+", "", text, flags=re.IGNORECASE)
        plain = Instruction(line=made.line, keyword=made.keyword, arguments=text)
        broken = text.startswith("[") and text.endswith("]") and plain.list_form is None
        if made.keyword in _EXEC_FORM and broken:
            message = f"{made.keyword} {show(text)} is no JSON list, so that a shell is given it as it stands"
            yield error(file, made.line, "exec-form", message, 'Write ["word", "word"], in double quotes.')


def _credentials(dockerfile: Dockerfile, file: str) -> Iterator[Finding]:
    for made in dockerfile.instructions:
        for name in assignments(made) if made.keyword in ("ARG", "ENV") else ():
            if _CREDENTIAL.search(name):
                yield warning(
                    file,
                    made.line,
                    "credential-in-image",
                    f"{made.keyword} {show(name)} stays in the image's history, for all who can pull it",
                    "Name it under secrets: in the configuration, and mount it: RUN --mount=type=secret,id=NAME.",
                )


def _stages(dockerfile: Dockerfile, file: str) -> Iterator[Finding]:
    names = [stage.name for stage in dockerfile.stages]
    for index, stage in enumerate(dockerfile.stages):
        if stage.name and stage.name in names[:index]:
            first = dockerfile.stages[names.index(stage.name)].line
            message = f"two stages are called {show(stage.name)}, the first on line {first}"
            yield error(file, stage.line, "stage-duplicate", message, "Give each stage a name of its own.")
        for made, name in _sources(stage):
            before = names[:index]
            if name.isdecimal():
                if int(name) >= index:
                    message = f"--from={name} is no earlier stage: this is stage {index}"
                    yield error(file, made.line, "stage-unknown", message, "Name the stage: FROM image AS name.")
            elif name.lower() in before:
                continue
            elif name.lower() in names[index:]:
                message = f"the stage {show(name)} does not come before this one"
                yield error(file, made.line, "stage-order", message, "Move that stage up.")
            elif close := _misspelt(name, before):
                message = f"there is no stage {show(name)}, so that an image of that name would be pulled"
                yield error(file, made.line, "stage-unknown", message, f"Did you mean {close!r}?")


def _misspelt(name: str, stages: Sequence[str]) -> str:
    """Find the stage that is probably meant by the name of an image; nothing if there is none."""
    return nearest(name, filter(None, stages)) if re.fullmatch(r"[\w-]+", name) else ""


def _sources(stage: Stage) -> Iterator[tuple[Instruction, str]]:
    """List what the instructions of a stage copy or mount from: stages, and images."""
    for made in stage.instructions:
        if made.keyword in ("COPY", "ADD") and (name := made.flag("from")):
            yield made, name.strip("\"'")
        for options in _mounts(made):
            if name := options.get("from"):
                yield made, name


def _mounts(made: Instruction) -> Iterator[dict[str, str]]:
    for name, value in made.flags:
        if made.keyword == "RUN" and name == "mount":
            yield {key: text for key, _, text in (part.partition("=") for part in value.split(","))}


def _references(dockerfile: Dockerfile, image: Image) -> Iterator[tuple[int, int, str | None]]:
    """List every FROM and --from that names no stage: line, line of the pin, reference (None: not known yet)."""
    known: dict[str, str | None] = dict.fromkeys(AUTOMATIC)
    held: dict[str, int] = {}
    for made in dockerfile.arguments:
        for name, value in assignments(made).items():
            given = image.build_args.get(name)
            known[name] = given if given is not None else expand(value, known) if value is not None else ""
            if given is None:
                held[name] = made.line
    names: list[str] = []
    for stage in dockerfile.stages:
        base = expand(stage.base, known)
        if base is None or (base != "scratch" and base.lower() not in names):
            used = re.findall(r"\$\{?([A-Za-z_]\w*)", stage.base)
            yield stage.line, next((held[name] for name in used if name in held), stage.line), base
        for made, name in _sources(stage):
            everywhere = ["scratch", *(other.name for other in dockerfile.stages)]
            if not name.isdecimal() and name.lower() not in everywhere and not _misspelt(name, names):
                yield made.line, made.line, name if "$" not in name else None
        names.append(stage.name)


def _base_findings(dockerfile: Dockerfile, image: Image) -> Iterator[Finding]:
    file = image.dockerfile
    for line, pin_line, reference in _references(dockerfile, image):
        if reference is None:
            continue
        if not reference:
            message = "the base image has no name: its variable is given no value"
            yield error(file, line, "base-empty", message, "Give the ARG before the first FROM a default.")
        elif not _REFERENCE.fullmatch(reference):
            remedy = "Lower case, [registry/]repository[:tag][@sha256:digest], such as python:3.13-slim."
            yield error(file, pin_line, "base-reference", f"{show(reference)} is no image's reference", remedy)


def _platforms(dockerfile: Dockerfile, image: Image) -> Iterator[Finding]:
    stage = _target(dockerfile, image)
    fixed = stage.platform if stage else ""
    if not stage or not fixed or "$" in fixed:
        return
    for platform in image.platforms:
        if platform.split("/")[:2] != fixed.split("/")[:2]:
            message = f"the stage is always {fixed}, and {image.name} is wanted for {platform}"
            remedy = f"Delete --platform={fixed}, or that platform from the configuration."
            yield error(image.dockerfile, stage.line, "platform-fixed", message, remedy)


def _target(dockerfile: Dockerfile, image: Image) -> Stage | None:
    number = find_target(dockerfile, image.target)
    return None if number is None else dockerfile.stages[number]


def _promises(dockerfile: Dockerfile, image: Image, config: str, lines: Mapping[str, int]) -> Iterator[Finding]:
    """Hold the configuration's target, build-args and secrets against the Dockerfile."""
    file, made = image.dockerfile, dockerfile.instructions
    if image.target and not _target(dockerfile, image):
        names = [stage.name for stage in dockerfile.stages if stage.name]
        message = f"{file} has no stage {show(image.target)}"
        close = nearest(image.target, names)
        remedy = f"Did you mean {close!r}?" if close else f"Its stages: {', '.join(names) or 'none has a name'}."
        yield error(config, lines.get("target", 1), "target-missing", message, remedy)
    declared = {name for each in made if each.keyword == "ARG" for name in assignments(each)}
    for name in image.build_args:
        if name not in declared | _PREDEFINED and not name.startswith("BUILDKIT_"):
            message = f"{file} has no ARG {show(name)}, so that the value does nothing"
            close = nearest(name, declared)
            remedy = f"Did you mean {close!r}?" if close else f"Say ARG {name} in the Dockerfile, or delete the key."
            yield warning(config, lines.get("build-args", 1), "build-arg-unused", message, remedy)
    mounts = [(each, options) for each in made for options in _mounts(each) if options.get("type") == "secret"]
    mounted = {options.get("id") or options.get("target", "").rpartition("/")[2]: each for each, options in mounts}
    for name in image.secrets:
        if name not in mounted:
            message = f"{file} mounts no secret {show(name)}"
            remedy = f"Write RUN --mount=type=secret,id={name}, or delete the name."
            yield warning(config, lines.get("secrets", 1), "secret-unused", message, remedy)
    for name, each in mounted.items():
        if name and name not in image.secrets:
            message = f"the secret {show(name)} is mounted, and the configuration of {image.name} does not name it"
            yield error(file, each.line, "secret-unnamed", message, f"Add it in {config}: secrets: [{name}].")
