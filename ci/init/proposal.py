"""Proposes a configuration for a repository: its paths and the texts of its Dockerfiles in, images out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cache
from itertools import chain, count

from ci.config import LINE
from ci.core.checks import ConfigCheck, HttpCheck, SmokeCheck
from ci.core.model import Image
from ci.dockerfile import SCRATCH, Dockerfile, parse_dockerfile
from ci.init.checkout import Input, read_brought
from ci.init.contexts import PLAIN, guess_context
from ci.init.facts import BUILDERS, VARIABLE, Facts, read_facts
from ci.init.project import DEFAULT
from ci.init.proposed import Proposal, Proposed, component
from ci.init.released import Built, Released
from ci.init.search import WORKFLOWS, LeftOut, dockerfile_end
from ci.init.takeover import fallback_rules, take_over

AMD64, ARM64 = "linux/amd64", "linux/arm64"

# Ends of a Dockerfile's name that say nothing.
_FINAL = frozenset("prod production release default buildx build multistage".split())

# Official images that expose no port: after these, the ports of a Dockerfile are all there are.
_PORTLESS = frozenset(
    "alpine almalinux amazoncorretto amazonlinux archlinux buildpack-deps busybox bash centos debian eclipse-temurin "
    "elixir erlang fedora gcc golang gradle haskell ibmjava maven node openjdk oraclelinux perl python pypy "
    "rockylinux ruby rust sapmachine swift ubuntu".split()
)
_OFFICIAL = re.compile(
    r"(?:docker\.io/library/|library/|docker\.io/|public\.ecr\.aws/docker/library/)?([a-z-]+)(?:[:@].*)?"
)
_AMD64_BASE = re.compile(r"(?i)nvidia|cuda|(?:^|/)amd64/|x86[-_]64|[-_.:/]amd64\b|\bgpu\b")
_ARM64_BASE = re.compile(r"(?i)(?:^|/)arm64v8/|aarch64|[-_.:/]arm64\b")
_AMD64_FILE = re.compile(r"(?i)[^\s\"'=]{0,60}(?<![a-z0-9])(?:x86[-_]64|amd64|x64)(?![a-z0-9])[^\s\"']{0,20}")
_AWARE = re.compile(r"TARGETARCH|TARGETPLATFORM|uname -|--print-architecture|aarch64|arm64|\barch\b|apk --print-arch")
_GPU_BASE = re.compile(r"(?i)nvidia|cuda|\bgpu\b")
# Of curl and of wget's kin: where they are sent on, they go.
_FOLLOWS = re.compile(r"curl\b[^|;&]*\s(?:-[A-Za-z]*L[A-Za-z]*|--location)\b")
_ADDRESS = re.compile(r"https://[^\s$]+")
TITLE_LABEL = "org.opencontainers.image.title"
SOURCE_LABEL = "org.opencontainers.image.source"
_GPU_PATH = re.compile(r"(?i)(?:^|[._/-])(?:gpu|cuda|rocm)(?:[._/-]|$)")
_WINDOWS = re.compile(r"(?i)mcr\.microsoft\.com/(?:windows|dotnet/framework)|nanoserver|servercore|windowsservercore")
_TEMPLATE = re.compile(r"\{\{|\{%|<%|@[A-Z_]+@|%%[A-Z_]+%%")
_SECRET = re.compile("[A-Za-z0-9_.-]+")
_DEADLINE = 120.0  # seconds; an emulated platform starts slowly


def propose(
    texts: Mapping[str, str],
    paths: AbstractSet[str],
    *,
    project: str = DEFAULT,
    beside: Mapping[str, str] | None = None,
    released: Released | None = None,
    owner: str = "",
) -> Proposal:
    """Propose an image for each Dockerfile that is released, or for each, where nothing tells which are.

    Args:
        texts: the Dockerfiles by their paths.
        paths: all files and folders of the source, to find out which context a Dockerfile is written for.
        project: the name for a Dockerfile whose path tells none.
        beside: the texts of the files that say what a checkout has to bring.
        released: what the repository's own files say of the images that it releases.
        owner: of the repository on GitHub; "" where it is not known.

    """
    released = released or Released()
    dockerfiles: dict[str, Dockerfile] = {}
    left_out: list[LeftOut] = []
    for path, text in texts.items():
        found, reason = _read(path, text)
        if found:
            dockerfiles[path] = found
        else:
            left_out.append(LeftOut(path=path, reason=reason))
    names = name_images(dockerfiles, project)

    @cache
    def told(path: str, target: str | None) -> Facts:
        return read_facts(dockerfiles[path], target)

    def guess(path: str, name: str = "", built: Built | None = None) -> Proposed:
        facts = told(path, built.target if built else None)
        proposed = _image(name or names[path], path, facts, paths, beside or {}, built)
        platforms = built.platforms if built else ()
        smoke, unfit = _smoke(facts, platforms or proposed.image.platforms, released.beside)
        return replace(proposed, image=replace(proposed.image, smoke=smoke), notes=(*proposed.notes, *unfit))

    if released.images and any(image.dockerfile in dockerfiles for image in released.images):
        proposal = take_over(released, dockerfiles, told, guess, owner)
    else:
        titles = {path: told(path, None).labels.get(TITLE_LABEL, "") for path in dockerfiles if names[path] == DEFAULT}
        images = (
            replace(guess(path, component(title)) if title else guess(path), guessed_name=title == "")
            for path in dockerfiles
            for title in (titles.get(path),)
        )
        proposal = Proposal(
            images=tuple(images),
            tags=fallback_rules(released) or None,
            lost=released.lost,
            triggers=released.triggers,
            attest=released.attest,
        )
    return replace(
        proposal,
        left_out=(*left_out, *proposal.left_out),
        source=next(
            filter(_ADDRESS.fullmatch, (told(path, None).labels.get(SOURCE_LABEL, "") for path in dockerfiles)), ""
        ).removesuffix(".git"),
    )


def _read(path: str, text: str) -> tuple[Dockerfile | None, str]:
    """Read one Dockerfile, or say why no image of it can be proposed."""
    if not LINE.fullmatch(path) or "\\" in path:
        return None, "its path holds a backslash or a control character"
    dockerfile = parse_dockerfile(text, file=path)
    if dockerfile.faults:
        fault = dockerfile.faults[0]
        if _TEMPLATE.search(text):
            return None, "it is a template"
        return None, f"it cannot be read: line {fault.line}: {fault.message}"
    facts = read_facts(dockerfile)
    if any(_TEMPLATE.search(base) for base in facts.bases):
        return None, "it is a template"
    if any(_WINDOWS.search(base) for base in facts.bases):
        return None, "it is for Windows"
    return dockerfile, ""


def name_images(paths: Iterable[str], project: str) -> dict[str, str]:
    """Give each Dockerfile a name of its own, from its path: as few parts as tell it from the others."""
    parts = {path: _name_parts(path) or [project] for path in paths}
    for path, own in parts.items():
        if [*parts.values()].count(own) > 1:
            # The end of a name that says nothing by itself tells it from its neighbour.
            end = dockerfile_end(path.rpartition("/")[2])
            parts = {**parts, path: [*own[:-1], f"{own[-1]}-{end}"] if end and not own[-1].endswith(end) else own}
    names: dict[str, str] = {}
    for path, own in parts.items():
        for length in range(1, len(own) + 1):
            name = plain_component("-".join(own[-length:]))
            others = [plain_component("-".join(other[-length:])) for key, other in parts.items() if key != path]
            if name not in others:
                break
        names[path] = name
    taken: set[str] = set()
    for path, name in names.items():
        *folders, file = path.split("/")
        whole = plain_component("-".join([*folders, dockerfile_end(file) or ""]))
        options = chain([name, whole], (f"{name}-{number}" for number in count(2)))
        names[path] = next(option for option in options if option not in taken)
        taken.add(names[path])
    return names


def _name_parts(path: str) -> list[str]:
    """List the parts of a path that tell what the image is, the last the most telling."""
    *folders, file = path.split("/")
    end = dockerfile_end(file) or ""
    if folders[:1] == [WORKFLOWS]:
        end = re.sub("^ci[._-]", "", end)
    parts = [part for folder in folders if (part := folder.lower()) not in PLAIN]
    if end and end.lower() not in _FINAL:
        # A folder's own variants are told apart by both: backend/Dockerfile.slim is backend-slim.
        last = parts.pop() if parts else ""
        same = plain_component(last) == plain_component(end)
        parts.append(f"{last}-{end}" if last and not same else end)
    return [part for part in parts if re.search("[A-Za-z0-9]", part)]


def plain_component(text: str) -> str:
    """Make a name of a path, in which every other sign than a letter or a digit becomes a dash."""
    return component(re.sub("[^A-Za-z0-9]+", "-", text).strip("-"))


def _image(
    name: str,
    path: str,
    facts: Facts,
    paths: AbstractSet[str],
    beside: Mapping[str, str],
    built: Built | None,
) -> Proposed:
    """Make an image of a Dockerfile; of one that is released, nothing is said of what the release tells."""
    context, missing = guess_context(path, facts.sources, paths, facts.sought)
    platforms, why = _platforms(path, facts)
    given = set(built.build_args) if built else set()
    notes = [why] if why and not built else []
    if missing and not built:
        made = ", ".join(missing[:5])
        notes.append(f"COPY names what the source does not hold: {made}; generated: names what a step makes before")
    brought = read_brought(path, context, facts.sources, paths, beside, facts.commands)
    notes += brought.notes
    if set(facts.unfilled) - given:
        notes.append(f"FROM needs build-args for {', '.join(facts.unfilled)}")
    if set(facts.unset) - given:
        notes.append(
            f"ARG without a value, and used: {', '.join(facts.unset)}; build-args give one, but never a secret"
        )
    if facts.ends and not built:
        notes.append(f"the last stage is built; target: names another, such as {', '.join(facts.ends[:4])}")
    ssh = tuple(agent for agent in facts.ssh if _SECRET.fullmatch(agent))
    if ssh:
        notes.append(f"its build needs an SSH agent: {', '.join(ssh)}")
    secrets = tuple(secret for secret in facts.secrets if _SECRET.fullmatch(secret))
    if secrets:
        notes.append("give its secrets to build-all and publish: " + " ".join(f"--secrets env:{s}" for s in secrets))
    image = Image(
        name=name,
        dockerfile=path,
        context=context,
        platforms=platforms,
        secrets=secrets,
        ssh=ssh,
        git=Input.HISTORY in brought.inputs,
    )
    return Proposed(image=image, notes=tuple(notes), inputs=brought.inputs, missing=tuple(missing))


def _platforms(path: str, facts: Facts) -> tuple[tuple[str, ...], str]:
    """Pick the platforms of an image, which its last stage decides; say why it is not both."""
    for platform, pattern in ((AMD64, _AMD64_BASE), (ARM64, _ARM64_BASE)):
        if facts.platform in (platform, BUILDERS):
            which = "it" if facts.platform == platform else BUILDERS
            return (platform,), f"{platform} only: its last stage's FROM asks for {which}"
        if pattern.search(VARIABLE.sub("", facts.base_written)):
            return (platform,), f"{platform} only: its base is {facts.base_written}"
    if _GPU_BASE.search(facts.base or ""):
        return (AMD64,), f"{AMD64} only: its base is {facts.base}"
    if _GPU_PATH.search(path):
        return (AMD64,), f"{AMD64} only: its path speaks of a GPU"
    for command in facts.commands:
        if (found := _AMD64_FILE.search(command)) and not _AWARE.search(command):
            return (AMD64,), f"{AMD64} only: a command names {found[0]}"
    return (AMD64, ARM64), ""


def _smoke(
    facts: Facts, platforms: tuple[str, ...], needed: tuple[str, ...]
) -> tuple[tuple[SmokeCheck, ...], tuple[str, ...]]:
    """Propose checks that hold for the image as its Dockerfile describes it, and name one that cannot pass alone."""
    check = ConfigCheck(
        user=facts.user if facts.user and LINE.fullmatch(facts.user) else None,
        entrypoint=facts.entrypoint if facts.entrypoint and all(_usable(a) for a in facts.entrypoint) else None,
        ports=facts.ports if facts.ports and _portless(facts.base) else None,
        healthcheck=True if facts.healthcheck else None,
    )
    checks: list[SmokeCheck] = []
    if check == ConfigCheck():
        for platform in platforms:
            architecture = ConfigCheck(architecture=platform.split("/")[1])
            checks.append(SmokeCheck(name=f"configuration, {platform}", check=architecture, platforms=(platform,)))
    else:
        checks.append(SmokeCheck(name="configuration", check=check))
    if not facts.health:
        return tuple(checks), ()
    port, path = facts.health
    if reason := _unfit(facts, port, needed):
        return tuple(checks), (f"its health check asks for http://localhost:{port}{path}: no check here, {reason}",)
    checks.append(SmokeCheck(name="health", check=HttpCheck(port=port, path=path, deadline=_DEADLINE)))
    return tuple(checks), ()


def _unfit(facts: Facts, port: int, needed: tuple[str, ...]) -> str:
    """Say why a health check cannot pass from outside, in a container that stands alone; "" where it can."""
    if facts.ports is not None and f"{port}/tcp" not in facts.ports:
        return f"since the port {port} is not exposed"
    if _FOLLOWS.search(facts.healthcheck or ""):
        return "since it follows a redirect: http: {follow: true} or another path may do"
    return f"since {needed[0]} stands beside it: services: starts one" if needed else ""


def _usable(argument: str) -> bool:
    return bool(argument) and LINE.fullmatch(argument) is not None


def _portless(base: str | None) -> bool:
    """Whether a base is known to expose no port of its own."""
    if base is None:
        return False
    found = _OFFICIAL.fullmatch(base)
    return base == SCRATCH or base.startswith("gcr.io/distroless/") or bool(found and found[1] in _PORTLESS)
