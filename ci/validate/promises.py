"""Checks what the configuration promises of a Dockerfile: arguments, contexts, secrets and SSH agents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ci.core.findings import Finding, error, warning
from ci.core.model import Image
from ci.core.names import short_reference
from ci.core.text import nearest, show
from ci.dockerfile import AUTOMATIC, Dockerfile, Instruction, Scope, assignments, list_mounts

# Variables that BuildKit knows without an ARG, and REVISION, which this pipeline gives to who asks for it.
PREDEFINED = {
    *(v for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY") for v in (name, name.lower())),
    *AUTOMATIC,
    "SOURCE_DATE_EPOCH",
    "TARGETSTAGE",
}
_MOUNTS = {"secret": ("secret", "secrets"), "ssh": ("SSH agent", "ssh")}  # what it is, and the configuration's key
_OVER_SSH = re.compile(r"ssh://|[\w.-]+@[^/]*:")


def check_promises(
    dockerfile: Dockerfile, scopes: Sequence[Scope], image: Image, *, config: str, lines: Mapping[str, int]
) -> Iterator[Finding]:
    """Hold an image's build-args, contexts, secrets and SSH agents against its Dockerfile.

    Args:
        dockerfile: the Dockerfile of the image, which has a stage.
        scopes: the stages of that Dockerfile.
        image: what the configuration says.
        config: the path of the configuration.
        lines: the line of each of the image's keys in the configuration.

    """
    yield from _arguments(dockerfile, image, config, lines)
    yield from _contexts(scopes, image, config, lines)
    yield from _secrets(dockerfile, image, config, lines)


def _arguments(dockerfile: Dockerfile, image: Image, config: str, lines: Mapping[str, int]) -> Iterator[Finding]:
    file, made = image.dockerfile, dockerfile.instructions
    declared = {name for each in made if each.keyword == "ARG" for name in assignments(each)}
    for name in image.arguments(image.platforms[0]):
        if name not in declared | PREDEFINED and not name.startswith("BUILDKIT_"):
            message = f"{file} has no ARG {show(name)}, so that the value does nothing"
            close = nearest(name, declared)
            remedy = f"Did you mean {close!r}?" if close else f"Say ARG {name} in the Dockerfile, or delete the key."
            yield warning(config, lines.get("build-args", 1), "build-arg-unused", message, remedy)


def _secrets(dockerfile: Dockerfile, image: Image, config: str, lines: Mapping[str, int]) -> Iterator[Finding]:
    made = dockerfile.instructions
    mounts = [(each, mount) for each in made for mount in list_mounts(each)]
    secrets = {mount.secret: each for each, mount in mounts if mount.kind == "secret"}
    yield from _mounted("secret", secrets, image, image.secrets, config, lines.get("secrets", 1))
    agents = {mount.agent: each for each, mount in mounts if mount.kind == "ssh"}
    # An ADD of an address such as git@example.com:a/b is given the agent `default` too, and needs no mount.
    fetched = {"default" for each in made if each.keyword == "ADD" and any(map(_OVER_SSH.match, each.words[:-1]))}
    named = [name for name in image.ssh if name in agents or name not in fetched]
    yield from _mounted("ssh", agents, image, named, config, lines.get("ssh", 1))


def _mounted(
    kind: str, mounted: Mapping[str, Instruction], image: Image, named: Sequence[str], config: str, line: int
) -> Iterator[Finding]:
    """Hold the mounts of one kind against the names that the configuration has for them."""
    what, key = _MOUNTS[kind]
    for name in named:
        if name not in mounted:
            message = f"{image.dockerfile} mounts no {what} {show(name)}"
            remedy = f"Write RUN --mount=type={kind},id={name}, or delete the name."
            yield warning(config, line, f"{kind}-unused", message, remedy)
    for name, each in mounted.items():
        if name and name not in named:
            message = f"the {what} {show(name)} is mounted, and the configuration of {image.name} does not name it"
            yield error(
                image.dockerfile, each.line, f"{kind}-unnamed", message, f"Add it in {config}: {key}: [{name}]."
            )


def _contexts(scopes: Sequence[Scope], image: Image, config: str, lines: Mapping[str, int]) -> Iterator[Finding]:
    """Name the contexts that stand in the place of nothing; say nothing where only a build knows what is taken."""
    origins = [origin for scope in scopes for origin in scope.origins]
    if any(origin.reference is None for origin in origins):
        return
    used = {origin.context for origin in origins}
    taken = {short_reference(origin.reference or "") for origin in origins if origin.stage is None}
    for name in image.contexts:
        if name not in used:
            message = f"{image.dockerfile} takes nothing from {show(name)}, so that the context does nothing"
            close = nearest(name, taken - used)
            remedy = f"Did you mean {close!r}?" if close else "Name it in a FROM or a --from, or delete the key."
            yield warning(config, lines.get(f"contexts.{name}", 1), "context-unused", message, remedy)
