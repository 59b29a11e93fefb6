"""Works out what the image of a Dockerfile will say of itself, as far as the text alone tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ci.dockerfile.parser import AUTOMATIC, Dockerfile, Instruction, assignments, expand, find_stage

SCRATCH = "scratch"  # the base that holds nothing

_REFERENCE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)[^{}]*\})")
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_MAX_PORT = 65535
_MAX_PORTS = 50  # more are a range that nobody would check one by one
_URL = re.compile(
    r"http://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])"
    r"(?::([0-9]{1,5}|\{[^{}]*\}|\$\{[^{}]*\}|\$\w+))?"
    r"(/[A-Za-z0-9/._~%?=&+:@,-]*)?(?=[\s\"'`|;)\\]|$)"
)

Variables = Mapping[str, str | None]  # None: it has a value that the text does not tell


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a Dockerfile tells of the image that it makes; None: it tells nothing for certain."""

    base: str | None  # the image the last stage descends from
    bases: tuple[str, ...]  # of every stage the last one needs; one with variables that have no value is left out
    unfilled: tuple[str, ...]  # variables in a FROM that have no value
    platforms: tuple[str, ...]  # that a FROM asks for by name
    user: str | None
    entrypoint: tuple[str, ...] | None
    ports: tuple[str, ...] | None  # "8000/tcp": what EXPOSE adds to the base's own; None: a variable hides one
    healthcheck: str | None  # its command
    sources: tuple[str, ...]  # of the context, that COPY, ADD and bind mounts name
    secrets: tuple[str, ...]  # that a RUN mounts
    ssh: bool  # whether a RUN mounts an SSH agent
    commands: tuple[str, ...]  # every RUN, and every ADD of an address
    unset: tuple[str, ...]  # ARGs of a stage that have no value and that a command uses
    ends: tuple[str, ...]  # other named stages that no stage needs, in case somebody wants one of them

    @property
    def health(self) -> tuple[int, str] | None:
        """The port and path of the HTTP request that the health check makes; None where it makes none."""
        found = _URL.search(self.healthcheck or "")
        if not found:
            return None
        exposed = [int(port.removesuffix("/tcp")) for port in self.ports or () if port.endswith("/tcp")]
        only = exposed[0] if len(exposed) == 1 else 0  # stands for a variable
        port = int(found[1] or 80) if not found[1] or found[1].isdecimal() else only
        if not 0 < port <= _MAX_PORT or (exposed and port not in exposed):
            return None
        return port, found[2] or "/"


@dataclass(kw_only=True, slots=True)
class _State:
    """What a stage's instructions have added up to."""

    base: str | None
    variables: dict[str, str | None]  # of ENV
    arguments: dict[str, str | None] = field(default_factory=dict)  # of ARG, which ends with its stage
    user: str | None = None
    entrypoint: tuple[str, ...] | None = None
    ports: tuple[str, ...] | None = ()
    healthcheck: str | None = None

    def expand(self, text: str) -> str | None:
        """Fill in the variables of a text; a base may have set those that no instruction sets."""
        missing = "" if self.base == SCRATCH else None
        return expand(_unquote(text), {**self.arguments, **self.variables}, missing=missing)


def read_facts(dockerfile: Dockerfile) -> Facts:
    """Follow a Dockerfile, which has at least one stage, from its bases to its last stage."""
    arguments: dict[str, str | None] = dict.fromkeys(AUTOMATIC)
    for instruction in dockerfile.arguments:
        # A default for what BuildKit sets is never used.
        arguments |= {name: v for name, v in _assigned(instruction, arguments).items() if name not in AUTOMATIC}
    needed = _needed(dockerfile)
    states: dict[int, _State] = {}
    for number in needed:
        stage = dockerfile.stages[number]
        parent = _stage(dockerfile, stage.base, number)
        if parent is None:
            state = _State(base=expand(_unquote(stage.base), arguments) or None, variables={})
        else:
            state = replace(states[parent], variables=dict(states[parent].variables), arguments={})
        for instruction in stage.instructions:
            _apply(instruction, state, arguments)
        states[number] = state
    last = states[needed[-1]]
    stages = [dockerfile.stages[number] for number in needed]
    outer = [dockerfile.stages[n] for n in needed if _stage(dockerfile, dockerfile.stages[n].base, n) is None]
    bases = [expand(_unquote(stage.base), arguments) for stage in outer]
    open_ = [stage.base for stage, base in zip(outer, bases, strict=True) if not base]
    unfilled = [name for base in open_ for name in _names(base) if not arguments.get(name)]
    run = [instruction for stage in stages for instruction in stage.instructions]
    return Facts(
        base=last.base,
        bases=_unique(base for base in bases if base and base != SCRATCH),
        unfilled=_unique(name for name in unfilled if name not in AUTOMATIC),
        platforms=_unique(p for stage in stages if (p := expand(_unquote(stage.platform), arguments))),
        user=last.user,
        entrypoint=last.entrypoint,
        ports=last.ports,
        healthcheck=last.healthcheck,
        sources=_unique(source for instruction in run for source in _sources(instruction)),
        secrets=_unique(name for mount in _mounts(run, "secret") if (name := _secret(mount))),
        ssh=any(True for _ in _mounts(run, "ssh")),
        unset=_unique(name for stage in stages for name in _unset(stage.instructions, arguments)),
        ends=_ends(dockerfile),
        commands=tuple(i.arguments for i in run if i.keyword == "RUN" or (i.keyword == "ADD" and "://" in i.arguments)),
    )


def _stage(dockerfile: Dockerfile, name: str, before: int) -> int | None:
    """Find the number of a stage by its name or number, among those before a number."""
    named = find_stage(dockerfile, name, before)
    if named is not None:
        return named
    return int(name) if re.fullmatch("[0-9]{1,6}", name) and int(name) < before else None


def _needed(dockerfile: Dockerfile) -> list[int]:
    """List the stages that the last one needs, itself included, in their order."""
    needed: set[int] = set()
    left = [len(dockerfile.stages) - 1]
    while left:
        number = left.pop()
        if number not in needed:
            needed.add(number)
            left += _parents(dockerfile, number)
    return sorted(needed)


def _parents(dockerfile: Dockerfile, number: int) -> list[int]:
    """List the stages that a stage is made of."""
    stage = dockerfile.stages[number]
    names = [stage.base, *(name for i in stage.instructions if (name := i.flag("from")))]
    names += [mount["from"] for mount in _mounts(stage.instructions) if "from" in mount]
    return [found for name in names if (found := _stage(dockerfile, name, number)) is not None]


def _unset(instructions: Iterable[Instruction], outer: Variables) -> Iterator[str]:
    """List the ARGs that have no value where a command, a file's name or a variable is made of them."""
    empty: set[str] = set()
    for instruction in instructions:
        if instruction.keyword == "ARG":
            given = assignments(instruction)
            empty |= {name for name, value in given.items() if value is None and name not in (*AUTOMATIC, *outer)}
        elif instruction.keyword in ("RUN", "COPY", "ADD", "WORKDIR", "USER", "EXPOSE"):
            found = _REFERENCE.finditer(instruction.arguments)
            # One with a default of its own, as ${NAME:-x}, needs no value.
            yield from (m[1] or m[2] for m in found if ":" not in m[0] and (m[1] or m[2]) in empty)


def _ends(dockerfile: Dockerfile) -> tuple[str, ...]:
    used = {parent for number in range(len(dockerfile.stages)) for parent in _parents(dockerfile, number)}
    return tuple(stage.name for n, stage in enumerate(dockerfile.stages[:-1]) if stage.name and n not in used)


def _assigned(instruction: Instruction, outer: Variables) -> dict[str, str | None]:
    """Read an ARG; one without a default has the value of the outer one of its name."""
    values = assignments(instruction)
    return {name: outer.get(name) if value is None else expand(value, outer) for name, value in values.items()}


def _apply(instruction: Instruction, state: _State, arguments: Variables) -> None:
    """Add one instruction to what is known of the image."""
    match instruction.keyword:
        case "ARG":
            state.arguments |= {
                name: arguments.get(name) if value is None or name in AUTOMATIC else state.expand(value)
                for name, value in assignments(instruction).items()
            }
        case "ENV":
            # All at once: a value does not see the others of its own line.
            state.variables |= {name: state.expand(value or "") for name, value in assignments(instruction).items()}
        case "USER":
            state.user = state.expand(instruction.arguments)
        case "ENTRYPOINT":
            state.entrypoint = instruction.list_form or None
        case "EXPOSE" if state.ports is not None:
            added = [_ports(state.expand(word)) for word in instruction.arguments.split()]
            known = [port for ports in added for port in ports or ()]
            state.ports = _unique([*state.ports, *known]) if all(added) else None
        case "HEALTHCHECK":
            state.healthcheck = _healthcheck(instruction, state)
        case _:
            pass


def _healthcheck(instruction: Instruction, state: _State) -> str | None:
    word, _, command = instruction.arguments.partition(" ")
    if word.upper() != "CMD":
        return None
    form = Instruction(line=instruction.line, keyword="CMD", arguments=command.strip()).list_form
    # A shell in the image fills the variables in; those that cannot be known stay as they are.
    text = " ".join(form) if form else command
    return _REFERENCE.sub(lambda found: expand(found[0], dict(state.variables)) or found[0], text)


def _ports(text: str | None) -> list[str]:
    """List the ports of one word of EXPOSE; none where it cannot be read."""
    found = _PORT.fullmatch(text or "")
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not found or not 0 < low <= high <= _MAX_PORT or high - low >= _MAX_PORTS:
        return []
    return [f"{port}/{(found[3] or 'tcp').lower()}" for port in range(low, high + 1)]


def _sources(instruction: Instruction) -> Iterator[str]:
    """List what an instruction takes from the context."""
    if instruction.keyword in ("COPY", "ADD") and not instruction.flag("from"):
        words = (_unquote(word) for word in instruction.words[:-1])
        yield from (word for word in words if not re.search(r"\$|<<|://|@", word))
    for mount in _mounts([instruction], "bind"):
        source = mount.get("source") or mount.get("src") or ""
        if source and "from" not in mount and "$" not in source:
            yield source


def _mounts(instructions: Iterable[Instruction], kind: str = "") -> Iterator[dict[str, str]]:
    """List the mounts of RUN instructions, of one kind or of all."""
    for instruction in instructions:
        for name, value in instruction.flags:
            mount = dict(_unquote(part).partition("=")[::2] for part in value.split(","))
            if name == "mount" and (not kind or mount.get("type", "bind") == kind):
                yield mount


def _secret(mount: Mapping[str, str]) -> str:
    path = mount.get("target") or mount.get("dst") or mount.get("destination") or ""
    return mount.get("id") or path.rpartition("/")[2]


def _unquote(text: str) -> str:
    """Drop the quotes around and inside a word."""
    return re.sub(r"(?<!\\)[\"']", "", text)


def _names(text: str) -> list[str]:
    return [found[1] or found[2] for found in _REFERENCE.finditer(text)]


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
