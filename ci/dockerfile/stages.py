"""Walks over a Dockerfile once: stages, instructions, the variables known there, and what is taken from elsewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ci.core.model import IMAGE_CONTEXT
from ci.core.names import short_reference
from ci.dockerfile.parser import AUTOMATIC, Dockerfile, Instruction, Stage, assignments, expand, find_stage

# The empty base. BuildKit knows it in lower case only (dockerfile2llb/convert.go, emptyImageName).
SCRATCH = "scratch"

_NUMBER = re.compile(r"[+-]?[0-9]+")
_NAME = re.compile(r"\$\{?([A-Za-z_]\w*)")
_LITERAL = re.compile(r"['\\`]")  # may keep a shell from filling in a variable
_ESCAPES = re.compile(r"""["'\\]""")
# What ADD may take for an address: https://..., git@host:..., github.com/...
_ADDRESS = re.compile(r":|^github\.com/")
_HEREDOC = re.compile(r"\d*<<")
_ALIASES = {"src": "source", "dst": "target", "destination": "target"}

Variables = Mapping[str, str | None]  # None: it has a value that only the build knows


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a FROM, a --from or a mount takes from: another stage, or an image."""

    written: str  # as it stands there, variables and all
    reference: str | None  # with its variables filled in; None: only the build knows
    stage: int | None  # the number of the stage that it names, which may come later or not exist; None: it names none
    outer: bool  # whether it is a FROM
    line: int  # where its instruction begins, from 1
    last: int  # where its instruction ends
    pin_line: int  # where its reference is written: an ARG may hold that of a FROM
    context: str = ""  # the name of the named context that stands in its place
    given: str = ""  # what that context is: "docker-image://REFERENCE", "target:IMAGE" or a folder

    @property
    def image(self) -> str:
        """The reference of the image that it takes; "" where it takes none, or only the build knows."""
        reference = self.reference or ""
        if self.context:
            reference = self.given.removeprefix(IMAGE_CONTEXT) if self.given.startswith(IMAGE_CONTEXT) else ""
        return "" if self.stage is not None or reference == SCRATCH else reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """What one --mount of a RUN asks for."""

    kind: str = "bind"
    origin: str = ""  # the stage or image that it takes from; "" for the context
    source: str = ""
    target: str = ""
    id: str = ""

    @property
    def secret(self) -> str:
        """The name of the secret, if it mounts one."""
        return self.source or self.id or posixpath.basename(self.target)

    @property
    def agent(self) -> str:
        """The name of the SSH agent, if it mounts one."""
        return self.id or "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One instruction of a stage."""

    made: Instruction
    variables: Variables  # known in front of it
    missing: str | None  # the value of any other variable; None: the base image may set it
    origins: tuple[Origin, ...]

    def fill(self, text: str) -> str | None:
        """Fill in the variables of a text; None where only the build can."""
        return expand(text, self.variables, missing=self.missing)

    def copied(self) -> Iterator[str | None]:
        """List the paths and patterns that a COPY or ADD takes from the context; None for what only the build knows."""
        if self.made.keyword in ("COPY", "ADD") and not self.made.flag("from"):
            words = (word for word in self.made.words[:-1] if not (self.made.heredocs and _HEREDOC.match(word)))
            for path in map(self.fill, words):
                if path is None or not (self.made.keyword == "ADD" and _ADDRESS.search(path)):
                    yield path


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """One stage with what is known in it."""

    number: int
    stage: Stage
    variables: Variables  # known in its FROM
    origin: Origin  # what its FROM names
    environment: Variables  # what ENV has set at its end, also in the stages that it descends from
    missing: str | None  # as in its steps
    steps: tuple[Step, ...] = ()

    @property
    def origins(self) -> tuple[Origin, ...]:
        """All that it takes from: what its FROM names first."""
        return (self.origin, *(origin for step in self.steps for origin in step.origins))

    @property
    def parents(self) -> list[int]:
        """The numbers of the earlier stages that it takes from."""
        stages = (origin.stage for origin in self.origins)
        return [stage for stage in stages if stage is not None and 0 <= stage < self.number]


def read_stages(
    dockerfile: Dockerfile,
    *,
    arguments: Mapping[str, str],
    platform: str = "",
    unset: str | None = "",
    undeclared: str | None = "",
    contexts: Mapping[str, str] | None = None,
) -> tuple[Scope, ...]:
    """Follow a Dockerfile from its first stage to its last.

    Args:
        dockerfile: the whole of it; its faults do not matter here.
        arguments: the arguments of the build, by name.
        platform: the platform that is built for, such as "linux/arm64"; "" where it is not known.
        unset: the value of an ARG before the first FROM that has none; None: somebody will give it one.
        undeclared: the value of a variable in front of the stages that no ARG declares; None: the build may know it.
        contexts: the named contexts of the build, by the names that short_reference makes.

    """
    contexts = contexts or {}
    outer = _outer_variables(dockerfile, arguments, platform, unset=unset, undeclared=undeclared)
    held = {name: made.line for made in dockerfile.arguments for name in assignments(made) if name not in arguments}
    scopes: list[Scope] = []
    for number, stage in enumerate(dockerfile.stages):
        reference = expand(stage.base, outer, missing=undeclared)
        parent = find_stage(dockerfile, reference or "", base_of=number)
        origin = Origin(
            written=stage.base,
            reference=reference,
            stage=parent,
            outer=True,
            line=stage.line,
            last=stage.last,
            pin_line=next((held[name] for name in _NAME.findall(stage.base) if name in held), stage.line),
        )
        origin = _replaced(origin, contexts, stage.name)
        parent, empty = origin.stage, reference == SCRATCH and not origin.context
        scope = Scope(
            number=number,
            stage=stage,
            variables=outer,
            origin=origin,
            environment={} if parent is None else scopes[parent].environment,
            missing=("" if empty else None) if parent is None else scopes[parent].missing,
        )
        # Of a stage that a context replaces, nothing is run.
        scopes.append(scope if stage.name in contexts else _walk(dockerfile, scope, arguments, contexts))
    return tuple(scopes)


def needed_stages(scopes: Sequence[Scope], target: int | None) -> tuple[int, ...]:
    """List the numbers of the stages that a target needs, itself included, in their order; none where it is None."""
    needed: set[int] = set()
    left = [] if target is None else [target]
    while left:
        number = left.pop()
        if number not in needed:
            needed.add(number)
            left += scopes[number].parents
    return tuple(sorted(needed))


def lineage(scopes: Sequence[Scope], number: int) -> tuple[Scope, ...]:
    """List the stages that a stage descends from by FROM: the one that names an image first, the stage itself last."""
    found = [scopes[number]]
    while (parent := found[0].origin.stage) is not None:
        found.insert(0, scopes[parent])
    return tuple(found)


def find_remote(dockerfile: Dockerfile) -> Instruction | None:
    """Find an ADD that takes, or may take, something from elsewhere than the context; None where there is none."""
    for made in dockerfile.instructions:
        if made.keyword == "ADD":
            words = [_ESCAPES.sub("", word) for word in made.words[:-1]]
            if any("$" in word or _ADDRESS.search(word) for word in words):
                return made
    return None


def list_mounts(made: Instruction) -> Iterator[Mount]:
    """List the mounts of a RUN. The case of an option's name does not matter, and the last of one name counts."""
    for flag, value in made.flags:
        if made.keyword == "RUN" and flag == "mount":
            given = (_unquote(option).partition("=") for option in value.split(","))
            named = ((key.lower(), text) for key, _, text in given)
            options = {_ALIASES.get(key, key): text for key, text in named}
            yield Mount(
                kind=options.get("type", "bind").lower(),
                origin=options.get("from", ""),
                source=options.get("source", ""),
                target=options.get("target", ""),
                id=options.get("id", ""),
            )


def _outer_variables(
    dockerfile: Dockerfile,
    arguments: Mapping[str, str],
    platform: str,
    *,
    unset: str | None,
    undeclared: str | None,
) -> Variables:
    """Say what each variable of a FROM stands for."""
    variables: dict[str, str | None] = dict.fromkeys(AUTOMATIC)
    if platform:
        system, architecture, variant = (*platform.split("/"), "")[:3]
        variables |= {"TARGETPLATFORM": platform, "TARGETOS": system}
        variables |= {"TARGETARCH": architecture, "TARGETVARIANT": variant}
    variables |= {name: value for name, value in arguments.items() if name in AUTOMATIC}
    for made in dockerfile.arguments:
        for name, value in assignments(made).items():
            # Engines differ in what an ARG makes of a variable that they set by themselves.
            default = unset if value is None else _value(made, value, variables, missing=undeclared)
            variables[name] = arguments.get(name, None if name in AUTOMATIC else default)
    return variables


def _replaced(origin: Origin, contexts: Mapping[str, str], stage: str = "") -> Origin:
    """Put a named context in the place of a whole stage of its name, or of an image that is no stage.

    Source: BuildKit, frontend/dockerfile/dockerfile2llb/convert.go, where namedContext is called.
    """
    name = stage if stage in contexts else short_reference(origin.reference or "")
    if name not in contexts or (origin.stage is not None and name != stage):
        return origin
    return replace(origin, stage=None, context=name, given=contexts[name])


def _walk(dockerfile: Dockerfile, scope: Scope, arguments: Mapping[str, str], contexts: Mapping[str, str]) -> Scope:
    """Follow a stage through its instructions."""
    inner: dict[str, str | None] = {}  # what ARG sets, which ends with the stage
    environment = dict(scope.environment)
    steps: list[Step] = []
    for made in scope.stage.instructions:
        known = {**inner, **environment}  # ENV wins over ARG, in whatever order
        origins = tuple(_replaced(origin, contexts) for origin in _origins(dockerfile, made))
        steps.append(Step(made=made, variables=known, missing=scope.missing, origins=origins))
        # `known` stays as it is: a value does not see the others of its own line.
        for name, value in assignments(made).items() if made.keyword in ("ARG", "ENV") else ():
            default = _value(made, value or "", known, missing=scope.missing)
            if made.keyword == "ENV":
                environment[name] = default
            elif name in AUTOMATIC or value is None:
                inner[name] = arguments.get(name, scope.variables.get(name) or None)
            else:
                inner[name] = arguments.get(name, default)
    return replace(scope, steps=tuple(steps), environment=environment)


def _value(made: Instruction, value: str, known: Variables, *, missing: str | None) -> str | None:
    """Fill in the variables of what an ARG or ENV sets; None where a quote or a backslash may keep one as it is."""
    if "$" in value and _LITERAL.search(made.arguments):
        return None
    return expand(value, known, missing=missing)


def _origins(dockerfile: Dockerfile, made: Instruction) -> Iterator[Origin]:
    """List what an instruction copies or mounts from stages and images."""
    copied = _unquote(made.flag("from") or "") if made.keyword in ("COPY", "ADD") else ""
    for written in filter(None, (copied, *(mount.origin for mount in list_mounts(made)))):
        # BuildKit counts stages for COPY alone: in a mount, 0 is the name of an image (convert_runmount.go).
        counted = made.keyword == "COPY" and _NUMBER.fullmatch(written)
        yield Origin(
            written=written,
            # It fills in no variable here (dockerfile2llb/convert.go, toCommand; instructions/commands_runmount.go).
            reference=None if "$" in written else written,
            stage=int(written) if counted else find_stage(dockerfile, written),
            outer=False,
            line=made.line,
            last=made.last,
            pin_line=made.line,
        )


def _unquote(text: str) -> str:
    """Drop the quotes around and inside a word."""
    return re.sub("[\"']", "", text)
