"""Writes a proposal as the configuration file that its owner will keep: values in, YAML with comments out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from ci.config import parse_config
from ci.core.checks import ConfigCheck, HttpCheck, SmokeCheck
from ci.core.model import Image
from ci.init.proposed import Proposal, Proposed
from ci.init.runs_on import is_usual
from ci.init.supply import OFF

_SCHEMA = "deploy/images.schema.json"
_GITHUB = re.compile(r"github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?(?:@([\w./-]+))?")
_MOST_LISTED = 40  # lines; the rest is counted


def schema_address(module: str) -> str:
    """Find the address of the configuration's schema from that of the module; nothing where it is not known."""
    found = _GITHUB.fullmatch(module)
    return f"https://raw.githubusercontent.com/{found[1]}/{found[2] or 'HEAD'}/{_SCHEMA}" if found else ""


def render_proposal(proposal: Proposal, *, schema: str, file: str) -> str:
    """Write a configuration that can be used as it is.

    Args:
        proposal: at least one image.
        schema: the address of the schema, for editors; may be empty.
        file: the name of the configuration.

    Raises:
        ConfigError: the text does not say what the proposal says, which is a mistake of this program.

    """
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    origin = "what releases them today, and from their Dockerfiles," if proposal.released else "the Dockerfiles"
    lines += [
        "# The images of this repository: how each is built, where it runs, and what is checked before a release.",
        f"# Proposed from {origin} by `dagger call init`, which never changes it again; it is yours to edit.",
        *(
            []
            if proposal.released
            else ["# No workflow, Makefile, bake or compose file was understood: all of it is a guess."]
        ),
        *_file(proposal),
        "# Everything can pull gzip. zstd is written in half the time, and needs Docker 23, containerd 1.5 or Podman.",
        "compression: gzip",
        "",
        "images:",
    ]
    for number, proposed in enumerate(proposal.images):
        lines += ([""] if number else []) + list(_image(proposed))
    lines += _listed("What was not taken over of what releases the images today:", proposal.lost)
    lines += _listed(
        "Dockerfiles that were left out:", [f"{other.path}: {other.reason}" for other in proposal.left_out]
    )
    text = "\n".join(lines) + "\n"
    parse_config(text, file=file)
    return text


def _file(proposal: Proposal) -> Iterator[str]:
    """Write what holds for all images."""
    only = proposal.repositories[0] if len(proposal.repositories) == 1 else ""
    guess = "  # a guess" if proposal.guessed_repository else ""
    yield f"repository: {only}{guess}" if only else f"repository: {_flow(proposal.repositories)}"
    if proposal.source:
        yield f"source: {_flow(proposal.source)}"
    if proposal.tags:
        if not proposal.released:
            yield "# A guess: what names the images today could not be read. Only the name of the event itself moves."
        yield from _rules("tags", proposal.tags, "")
    if proposal.flavor:
        yield f"flavor: {_flow(proposal.flavor)}"
    yield from _promises(proposal)


def _promises(proposal: Proposal) -> Iterator[str]:
    """Write what is said today of attestations and machines, where the usual is something else."""
    if proposal.provenance == proposal.sbom == OFF:
        yield "# As today: each index names images alone. Without these lines it has entries of the platform"
        yield "# unknown/unknown besides, which say how each image was made, and what is in it."
    elif proposal.provenance or proposal.sbom:
        yield "# As today. Without, a release says all it can of how its images were made, and lists their packages."
    yield from (
        f"{key}: {_flow(value)}"
        for key, value in (("provenance", proposal.provenance), ("sbom", proposal.sbom))
        if value
    )
    if proposal.attest:
        yield "# As today: the workflow attests every digest; required ends a release that lacks one, optional says so."
        yield f"attest: {proposal.attest.value}"
    runners = proposal.runners
    if runners.shared or runners.named:
        own = not all(map(is_usual, [runners.shared, *runners.named.values()]))
        yield "# As today; pull requests are built there too." if own else "# As today, in place of emulation."
        labels = {platform: _one_or_all(each) for platform, each in runners.named.items()}
        yield f"runners: {_flow(_one_or_all(runners.shared) if runners.shared else labels)}"


def _one_or_all(labels: Sequence[str]) -> str | list[str]:
    return labels[0] if len(labels) == 1 else [*labels]


def _rules(key: str, rules: Sequence[str], indent: str) -> Iterator[str]:
    yield f"{indent}{key}:"
    yield from (f"{indent}  - {_flow(rule)}" for rule in rules)


def _image(proposed: Proposed) -> Iterator[str]:
    image = proposed.image
    yield from (f"  # {_comment(note)}" for note in proposed.notes)
    guess = "  # a guess: nothing tells what it is called" if proposed.guessed_name else ""
    yield f"  - name: {_flow(image.name)}{guess}"
    if image.repositories:
        only = image.repositories[0] if len(image.repositories) == 1 else image.repositories
        yield f"    repository: {_flow(only)}"
    yield f"    dockerfile: {_flow(image.dockerfile)}"
    yield f"    context: {_flow(image.context)}"
    yield f"    platforms: {_flow(image.platforms)}"
    yield from _build(image)
    if proposed.sbom:
        yield f"    sbom: {_flow(proposed.sbom)}"
    yield "    smoke:"
    for check in image.smoke:
        yield from _check(check)


def _build(image: Image) -> Iterator[str]:
    """Write what only some images have."""
    if image.build_args:
        yield "    build-args:"
        yield from (f"      {_flow(key)}: {_flow(value)}" for key, value in image.build_args.items())
    values: dict[str, object] = {
        "target": image.target,
        "contexts": dict(image.contexts),
        "generated": image.generated,
        "secrets": image.secrets,
        "ssh": image.ssh,
        "git": image.git,
    }
    yield from (f"    {key}: {_flow(value)}" for key, value in values.items() if value)
    if not image.release:
        yield "    release: false"
    if image.tags:
        yield from _rules("tags", image.tags, "    ")
    if image.flavor:
        yield f"    flavor: {_flow(image.flavor)}"


def _check(smoke: SmokeCheck) -> Iterator[str]:
    yield f"      - name: {_flow(smoke.name)}"
    if smoke.platforms:
        yield f"        platforms: {_flow(smoke.platforms)}"
    kind = ""
    values: dict[str, Any] = {}
    match smoke.check:
        case ConfigCheck() as check:
            ports = check.ports and [_port(port) for port in check.ports]
            kind = "config"
            values = {
                "user": check.user,
                "entrypoint": check.entrypoint,
                "ports": ports,
                "healthcheck": check.healthcheck,
                "architecture": check.architecture,
            }
        case HttpCheck() as check:
            kind = "http"
            values = {"port": check.port, "path": check.path, "deadline": f"{check.deadline:g}s"}
        case _:
            raise ValueError(f"no proposal holds a check such as {smoke.check}")
    yield f"        {kind}:"
    yield from (f"          {key}: {_flow(value)}" for key, value in values.items() if value is not None)


def _port(port: str) -> int | str:
    number, _, protocol = port.partition("/")
    return int(number) if protocol == "tcp" else port


def _listed(head: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    shown = [f"#   {_comment(line)}" for line in lines[:_MOST_LISTED]]
    more = len(lines) - len(shown)
    return ["", f"# {head}", *shown, *([f"#   and {more} more"] if more else [])]


def _flow(value: Any) -> str:  # noqa: ANN401  # whatever YAML can hold
    """Write a value on one line."""
    value = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
