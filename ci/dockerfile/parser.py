"""Reads a Dockerfile as BuildKit does: directives, continuations, heredocs, stages; and fills in its variables."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ci.core.findings import Finding, error
from ci.core.text import nearest, show

INSTRUCTIONS = tuple(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME "
    "WORKDIR".split()
)
# What BuildKit sets without being told.
AUTOMATIC = frozenset(f"{side}{part}" for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "ARCH", "VARIANT"))
# What the engine gives in place of bytes that are no UTF-8.
NO_TEXT = "\ufffd"
_HEREDOCS = ("RUN", "COPY", "ADD")
_DIRECTIVE = re.compile(r"#\s*([A-Za-z]\w*)\s*=\s*(.+?)\s*")
_COMMENT = re.compile(r"\s*#")
_QUOTED = re.compile(r"""\\.|(?<![<-])(?:"(?:\\.|[^"\\])*"|'[^']*')""")
_HEREDOC = re.compile(r"""(?:^|(?<=\s))\d*<<(-?)(["']?)\\?([^\s<"'\\]+)\2(?=\s|$)""")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")
_VARIABLE = re.compile(r"\\.|\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+?])([^{}]*))?\}|(\{))")


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction, its continued lines put together."""

    line: int  # where it begins, from 1
    keyword: str  # in upper case
    arguments: str  # what follows the keyword and its flags
    flags: tuple[tuple[str, str], ...] = ()  # --name=value; a name may be given again
    heredocs: tuple[str, ...] = ()  # the names, such as EOF
    last: int = 0  # the line where it ends, without its heredocs

    def flag(self, name: str) -> str | None:
        """Read a flag's value; None where it is not given."""
        return next((value for key, value in self.flags if key == name), None)

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments as a list, whichever way they are written."""
        return self.list_form or tuple(self.arguments.split())

    @property
    def list_form(self) -> tuple[str, ...] | None:
        """The arguments where they are a JSON list of texts, else None."""
        if not self.arguments.startswith("["):
            return None
        try:
            value = json.loads(self.arguments)
        except (ValueError, RecursionError):
            return None
        return tuple(value) if isinstance(value, list) and all(isinstance(word, str) for word in value) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What one FROM begins."""

    line: int
    base: str  # as it is written, variables and all
    name: str = ""  # in lower case, as BuildKit compares them
    platform: str = ""
    last: int = 0  # the line where its FROM ends
    flags: tuple[tuple[str, str], ...] = ()  # of its FROM
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dockerfile:
    """A whole Dockerfile, as far as it can be read."""

    arguments: tuple[Instruction, ...] = ()  # each ARG before the first FROM
    stages: tuple[Stage, ...] = ()
    faults: tuple[Finding, ...] = ()  # what keeps a text from being a Dockerfile
    syntax: str = ""  # the frontend that it asks for, such as "docker/dockerfile:1"

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """All instructions but FROM, in order."""
        return (*self.arguments, *(each for stage in self.stages for each in stage.instructions))


@dataclass(kw_only=True, slots=True)
class _Reader:
    """The lines of a Dockerfile while they are read."""

    file: str
    lines: list[str]
    escape: str = "\\"
    syntax: str = ""
    at: int = 0
    faults: list[Finding] = field(default_factory=list)

    def fault(self, line: int, message: str, remedy: str) -> None:
        """Write down what is wrong with a line."""
        self.faults.append(error(self.file, line, "dockerfile-syntax", message, remedy))

    def directives(self) -> None:
        """Read the directives, which end at the first line that is none."""
        while self.at < len(self.lines) and (found := _DIRECTIVE.fullmatch(self.lines[self.at])):
            name, value = found[1].lower(), found[2]
            if name == "escape" and value not in ("\\", "`"):
                self.fault(self.at + 1, f"the escape {show(value)} is not known", r"Write # escape=\ or # escape=`.")
            elif name == "escape":
                self.escape = value
            elif name == "syntax":
                self.syntax = value
            elif name != "check":
                return
            self.at += 1

    def instruction(self) -> Instruction | None:
        """Read the next instruction with all its lines; None at the end."""
        while self.at < len(self.lines) and self._idle(self.lines[self.at]):
            self.at += 1
        if self.at >= len(self.lines):
            return None
        first = self.at + 1
        text, more = self._continued(self.lines[self.at])
        self.at += 1
        while more and self.at < len(self.lines):
            if not self._idle(self.lines[self.at]):
                part, more = self._continued(self.lines[self.at])
                text += part
            self.at += 1
        keyword, _, arguments = text.strip().replace("\t", " ").partition(" ")
        made = _instruction(first, keyword.upper(), arguments.strip())
        return self._heredocs(replace(made, last=self.at))

    def _idle(self, line: str) -> bool:
        return not line.strip() or bool(_COMMENT.match(line))

    def _continued(self, line: str) -> tuple[str, bool]:
        bare = line.rstrip()
        more = bare.endswith(self.escape) and not bare.endswith(self.escape * 2)
        return (bare[:-1], True) if more else (bare, False)

    def _heredocs(self, made: Instruction) -> Instruction:
        """Pass over the texts of an instruction's heredocs."""
        owner = made.arguments.partition(" ")[0].upper() if made.keyword == "ONBUILD" else made.keyword
        if owner not in _HEREDOCS:
            return made
        bare = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0].startswith("\\") else "''", made.arguments)
        found = _HEREDOC.findall(bare)
        for dash, _, name in found:
            while self.at < len(self.lines):
                line = self.lines[self.at].lstrip("\t") if dash else self.lines[self.at]
                self.at += 1
                if line == name:
                    break
            else:
                self.fault(made.line, f"the heredoc {show(name)} is not closed", f"End it by a line that says {name}.")
        return replace(made, heredocs=tuple(name for _, _, name in found))


def parse_dockerfile(text: str, *, file: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile; what is wrong with it is in `faults`, and the rest is read all the same.

    Args:
        text: the Dockerfile.
        file: the path of the Dockerfile in the source, for the faults.

    """
    reader = _Reader(file=file, lines=text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"))
    reader.directives()
    arguments: list[Instruction] = []
    stages: list[Stage] = []
    inside: list[list[Instruction]] = []
    while made := reader.instruction():
        _check(reader, made, outside=not stages)
        if made.keyword == "FROM":
            stages.append(_stage(made))
            inside.append([])
        elif stages:
            inside[-1].append(made)
        elif made.keyword == "ARG":
            arguments.append(made)
    for number, line in enumerate(reader.lines, 1):
        if NO_TEXT in line:
            reader.fault(number, "this is not UTF-8", "Save the file as UTF-8.")
    if not stages:
        reader.fault(1, "there is no FROM", "Begin with FROM and the image to build on.")
    return Dockerfile(
        arguments=tuple(arguments),
        stages=tuple(replace(s, instructions=tuple(body)) for s, body in zip(stages, inside, strict=True)),
        faults=tuple(sorted(reader.faults, key=lambda fault: fault.line)),
        syntax=reader.syntax,
    )


def find_target(dockerfile: Dockerfile, target: str | None) -> int | None:
    """Find the number of the stage that becomes the image: of the last stage of that name, or of the last of all.

    The engine knows no target by its number (0.21.8, frontend/dockerfile/dockerfile2llb/convert.go).
    """
    if not target:
        return len(dockerfile.stages) - 1 if dockerfile.stages else None
    return find_stage(dockerfile, target)


def find_stage(dockerfile: Dockerfile, name: str, *, base_of: int | None = None) -> int | None:
    """Find the number of the last stage of a name; None where there is none.

    Args:
        dockerfile: the whole of it.
        name: in any case, but in a FROM, which knows a stage by lower case alone.
        base_of: the number of the stage whose FROM says the name: only those before it count.

    Source: BuildKit, frontend/dockerfile/dockerfile2llb/convert.go, addState and findStateByName.

    """
    wanted = name.lower() if base_of is None else name
    found = (number for number, stage in enumerate(dockerfile.stages[:base_of]) if wanted and stage.name == wanted)
    return max(found, default=None)


def assignments(instruction: Instruction) -> dict[str, str | None]:
    """Read what an ARG or ENV sets: names and values, None for a name without one."""
    try:
        words = shlex.split(instruction.arguments)
    except ValueError:
        words = instruction.arguments.split()
    if instruction.keyword == "ENV" and words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    pairs = (word.partition("=") for word in words)
    return {name: value if equals else None for name, equals, value in pairs}


def expand(text: str, variables: Mapping[str, str | None], *, missing: str | None = "") -> str | None:
    """Fill in the variables of a text; None where it holds one that nobody can know before the build.

    Args:
        text: a word such as "${PYTHON_IMAGE}".
        variables: the value of each variable; None for one that is not known.
        missing: the value of any other variable; None: it is not known either.

    """
    unknown = False

    def fill(found: re.Match[str]) -> str:
        nonlocal unknown
        if found[0].startswith("\\"):
            return found[0][1:]
        name, operator, word = found[1] or found[2] or "", found[3] or "", found[4] or ""
        value = variables.get(name, missing)
        # As in a shell, a colon makes an empty value count as none.
        without = name not in variables or (operator.startswith(":") and not value)
        if found[5] or value is None or "$" in word or (operator.endswith("?") and without):
            unknown = True
        if operator.endswith("+"):
            return "" if without else word
        return word if operator.endswith("-") and without else value or ""

    # Quotes inside a word are the shell's, and are not part of what it says.
    filled = re.sub("[\"']", "", _VARIABLE.sub(fill, text))
    return None if unknown else filled


def _instruction(line: int, keyword: str, arguments: str) -> Instruction:
    flags: list[tuple[str, str]] = []
    while keyword in ("FROM", "RUN", "COPY", "ADD", "HEALTHCHECK") and (found := _FLAG.match(arguments)):
        flags.append((found[1], found[2] or ""))
        arguments = arguments[found.end() :]
    if flags or keyword in ("COPY", "ADD"):
        arguments = re.sub(r"^--\s+", "", arguments)  # the end of the flags
    return Instruction(line=line, keyword=keyword, arguments=arguments, flags=tuple(flags))


def _check(reader: _Reader, made: Instruction, *, outside: bool) -> None:
    keyword = made.keyword
    if keyword not in INSTRUCTIONS:
        close = nearest(keyword, INSTRUCTIONS)
        remedy = f"Did you mean {close}?" if close else "A line begins with an instruction, such as RUN."
        reader.fault(made.line, f"{show(keyword)} is no instruction", remedy)
    elif not made.arguments:
        reader.fault(made.line, f"{keyword} says nothing", f"Give {keyword} its arguments, or delete the line.")
    elif outside and keyword not in ("ARG", "FROM"):
        reader.fault(made.line, f"{keyword} stands before the first FROM", "Only ARG may; move it below FROM.")


def _stage(made: Instruction) -> Stage:
    words = made.arguments.split()
    named = len(words) == 3 and words[1].upper() == "AS"  # noqa: PLR2004  # FROM base AS name
    return Stage(
        line=made.line,
        base=words[0] if words else "",
        name=words[2].lower() if named else "",
        platform=made.flag("platform") or "",
        last=made.last,
        flags=made.flags,
    )
