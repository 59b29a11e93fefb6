"""Works out what the image of a Dockerfile will say of itself, as far as the text alone tells it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ci.dockerfile import (
    AUTOMATIC,
    Dockerfile,
    Scope,
    Step,
    assignments,
    expand,
    find_target,
    lineage,
    list_mounts,
    list_sought,
    needed_stages,
    read_stages,
)

_REFERENCE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(:?-)?[^{}]*\})")
BUILDERS = "the builder's own"
VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[^{}]*\})")
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_MAX_PORT = 65535
_MAX_PORTS = 50  # more are a range that nobody would check one by one
_URL = re.compile(
    r"http://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])"
    r"(?::([0-9]{1,5}|\{[^{}]*\}|\$\{[^{}]*\}|\$\w+))?"
    r"(/[A-Za-z0-9/._~%?=&+:@,-]*)?(?=[\s\"'`|;)\\]|$)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a Dockerfile tells of the image that it makes; None: it tells nothing for certain."""

    base: str | None  # the image the last stage descends from
    bases: tuple[str, ...]  # of every stage the last one needs; one with variables that have no value is left out
    unfilled: tuple[str, ...]  # variables in a FROM that have no value
    base_written: str  # the same as it is written, variables and all
    platform: str  # that the FROM asks for by name which the last stage descends from, or BUILDERS
    labels: Mapping[str, str]  # of the last stage, as far as they are plain
    user: str | None
    entrypoint: tuple[str, ...] | None
    ports: tuple[str, ...] | None  # "8000/tcp": what EXPOSE adds to the base's own; None: a variable hides one
    healthcheck: str | None  # its command
    sources: tuple[str, ...]  # of the context, that COPY, ADD and bind mounts name
    sought: tuple[tuple[str, ...], ...]  # of the context, by commands; one of each is enough
    secrets: tuple[str, ...]  # that a RUN mounts
    ssh: tuple[str, ...]  # names of SSH agents that a RUN mounts
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
    """What the instructions of a stage, and of those it descends from, have added up to."""

    user: str | None = None
    entrypoint: tuple[str, ...] | None = None
    ports: tuple[str, ...] | None = ()
    healthcheck: str | None = None

    def apply(self, step: Step) -> None:
        """Add one instruction."""
        made = step.made
        match made.keyword:
            case "USER":
                self.user = step.fill(made.arguments)
            case "ENTRYPOINT":
                self.entrypoint = made.list_form or None
            case "EXPOSE" if self.ports is not None:
                added = [_ports(step.fill(word)) for word in made.arguments.split()]
                known = [port for ports in added for port in ports]
                self.ports = _unique([*self.ports, *known]) if all(added) else None
            case "HEALTHCHECK":
                self.healthcheck = _healthcheck(step)
            case _:
                pass


def read_facts(dockerfile: Dockerfile, target: str | None = None) -> Facts:
    """Follow a Dockerfile, which has at least one stage, from its bases to a target, or else to its last stage."""
    # A build goes on without the value that an ARG lacks; whoever adopts the Dockerfile is asked for it.
    scopes = read_stages(dockerfile, arguments={}, unset=None)
    found = find_target(dockerfile, target)
    end = len(scopes) - 1 if found is None else found
    needed = [scopes[number] for number in needed_stages(scopes, end)]
    line = lineage(scopes, end)
    state = _State()
    for step in (step for scope in line for step in scope.steps):
        state.apply(step)
    bases = [scope.origin for scope in needed if scope.origin.stage is None]
    known = scopes[0].variables
    defaults = {name: value for made in dockerfile.arguments for name, value in assignments(made).items()}
    given = {name: value for name, value in defaults.items() if value is not None}
    unfilled = [name for base in bases if not base.reference for name in _unfilled(base.written, given)]
    steps = [step for scope in needed for step in scope.steps]
    run = [step.made for step in steps]
    mounts = [mount for made in run for mount in list_mounts(made)]
    return Facts(
        base=line[0].origin.reference or None,
        bases=_unique(base.image for base in bases if base.image),
        unfilled=_unique(name for name in unfilled if name not in AUTOMATIC),
        base_written=line[0].origin.written,
        platform=_platform(line[0], known),
        labels=_labels(line),
        user=state.user,
        entrypoint=state.entrypoint,
        ports=state.ports,
        healthcheck=_filled(state.healthcheck, line[-1]),
        sources=_unique(source for step in steps for source in _sources(step)),
        sought=tuple(sought.options for scope in needed for sought in list_sought(scope)),
        secrets=_unique(mount.secret for mount in mounts if mount.kind == "secret" and mount.secret),
        ssh=_unique(mount.agent for mount in mounts if mount.kind == "ssh"),
        unset=_unique(name for scope in needed for name in _unset(scope.steps, known)),
        ends=_ends(scopes),
        commands=tuple(i.arguments for i in run if i.keyword == "RUN" or (i.keyword == "ADD" and "://" in i.arguments)),
    )


def _platform(scope: Scope, known: Mapping[str, str | None]) -> str:
    written = scope.stage.platform
    own = "BUILD" in written and scope.origin.image  # of scratch nothing is of a platform
    return expand(written, known) or (BUILDERS if own else "")


def _labels(line: Iterable[Scope]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for step in (step for scope in line for step in scope.steps if step.made.keyword == "LABEL"):
        for name, value in assignments(step.made).items():
            filled = step.fill(value) if value else None
            if filled:
                labels[name.strip("\"'")] = filled.strip("\"'")
    return labels


def _unset(steps: Iterable[Step], outer: Collection[str]) -> Iterator[str]:
    """List the ARGs that have no value where a command, a file's name or a variable is made of them."""
    empty: set[str] = set()
    for instruction in (step.made for step in steps):
        if instruction.keyword == "ARG":
            given = assignments(instruction)
            empty |= {name for name, value in given.items() if value is None and name not in (*AUTOMATIC, *outer)}
        elif instruction.keyword in ("RUN", "COPY", "ADD", "WORKDIR", "USER", "EXPOSE"):
            found = _REFERENCE.finditer(instruction.arguments)
            # One with a default of its own, as ${NAME:-x}, needs no value.
            yield from (m[1] or m[2] for m in found if ":" not in m[0] and (m[1] or m[2]) in empty)


def _ends(scopes: Sequence[Scope]) -> tuple[str, ...]:
    used = {parent for scope in scopes for parent in scope.parents}
    # Which stage a name such as build_$TARGETARCH stands for, the build finds out.
    meant = [
        re.compile(".*".join(re.escape(part) for part in VARIABLE.split(origin.written)), re.IGNORECASE)
        for scope in scopes
        for origin in scope.origins
        if origin.reference is None and VARIABLE.sub("", origin.written)
    ]
    return tuple(
        name
        for scope in scopes[:-1]
        if (name := scope.stage.name) and scope.number not in used and not any(p.fullmatch(name) for p in meant)
    )


def _healthcheck(step: Step) -> str | None:
    """Read the command of a HEALTHCHECK; None where it says NONE."""
    word, _, command = step.made.arguments.partition(" ")
    if word.upper() != "CMD":
        return None
    form = replace(step.made, keyword="CMD", arguments=command.strip()).list_form
    return " ".join(form) if form else command


def _filled(command: str | None, scope: Scope) -> str | None:
    """Fill in the variables of a health check, as a shell in the image does; those not known stay as they are."""
    return command and _REFERENCE.sub(lambda found: expand(found[0], scope.environment) or found[0], command)


def _ports(text: str | None) -> list[str]:
    """List the ports of one word of EXPOSE; none where it cannot be read."""
    found = _PORT.fullmatch(text or "")
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not found or not 0 < low <= high <= _MAX_PORT or high - low >= _MAX_PORTS:
        return []
    return [f"{port}/{(found[3] or 'tcp').lower()}" for port in range(low, high + 1)]


def _sources(step: Step) -> Iterator[str]:
    """List what an instruction takes from the context."""
    yield from filter(None, step.copied())
    for mount in list_mounts(step.made):
        if mount.kind == "bind" and not mount.origin and mount.source and "$" not in mount.source:
            yield mount.source


def _unfilled(text: str, defaults: Mapping[str, str], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """List the variables of a text that have no default: neither there, as in ${NAME:-x}, nor at their ARG."""
    for found in _REFERENCE.finditer(text):
        name = found[1] or found[2]
        if name in seen or found[3]:
            continue
        if name in defaults:
            yield from _unfilled(defaults[name], defaults, seen | {name})
        else:
            yield name


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
