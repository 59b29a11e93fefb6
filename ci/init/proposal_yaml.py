"""Writes a proposal as the configuration file that its owner will keep: values in, YAML with comments out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from ci.config import parse_config
from ci.core.checks import ConfigCheck, HttpCheck, SmokeCheck
from ci.init.proposal import Proposal, Proposed

REPOSITORY = "ghcr.io/{owner}/{name}"
_SCHEMA = "deploy/images.schema.json"
_GITHUB = re.compile(r"github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?(?:@([\w./-]+))?")
_MOST_LEFT_OUT = 20  # lines; the rest is counted


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
    lines += [
        "# The images of this repository: how each is built, where it runs, and what is checked before a release.",
        "# Proposed from the Dockerfiles by `dagger call init`, which never changes it again; it is yours to edit.",
        f"repository: {REPOSITORY}",
        "# Everything can pull gzip. zstd is written in half the time, and needs Docker 23, containerd 1.5 or Podman.",
        "compression: gzip",
        "",
        "images:",
    ]
    for number, proposed in enumerate(proposal.images):
        lines += ([""] if number else []) + list(_image(proposed))
    lines += _left_out(proposal)
    text = "\n".join(lines) + "\n"
    parse_config(text, file=file)
    return text


def _image(proposed: Proposed) -> Iterator[str]:
    image = proposed.image
    yield from (f"  # {_comment(note)}" for note in proposed.notes)
    yield f"  - name: {_flow(image.name)}"
    yield f"    dockerfile: {_flow(image.dockerfile)}"
    yield f"    context: {_flow(image.context)}"
    yield f"    platforms: {_flow(image.platforms)}"
    if image.secrets:
        yield f"    secrets: {_flow(image.secrets)}"
    if image.ssh:
        yield f"    ssh: {_flow(image.ssh)}"
    if image.git:
        yield "    git: true"
    yield "    smoke:"
    for check in image.smoke:
        yield from _check(check)


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


def _left_out(proposal: Proposal) -> list[str]:
    if not proposal.left_out:
        return []
    shown = [f"#   {_comment(f'{other.path}: {other.reason}')}" for other in proposal.left_out[:_MOST_LEFT_OUT]]
    more = len(proposal.left_out) - len(shown)
    return ["", "# Dockerfiles that were left out:", *shown, *([f"#   and {more} more"] if more else [])]


def _flow(value: Any) -> str:  # noqa: ANN401  # whatever YAML can hold
    """Write a value on one line."""
    value = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
