"""Says which runner of GitHub builds for which platform, and writes it as the matrix of a workflow."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ci.core.model import Config

# GitHub's own, by the platform that each is native for; free for public repositories.
HOSTED = {"linux/amd64": ("ubuntu-24.04",), "linux/arm64": ("ubuntu-24.04-arm",)}
DEFAULT = "linux/amd64"  # whose runner emulates the platforms that have none
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=/@-]{0,127}")
_PLAIN = re.compile(r"(?!(?i:true|false|yes|no|on|off|null|y|n)$)[A-Za-z][A-Za-z0-9._-]*")  # YAML takes it for a text


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The job of a workflow that builds for one platform."""

    platform: str
    labels: tuple[str, ...]  # of its runner

    @property
    def name(self) -> str:
        """The platform as the names of jobs and artifacts have it."""
        return self.platform.replace("/", "-")

    @property
    def runs_on(self) -> str:
        """Its labels as YAML, on one line."""
        labels = [label if _PLAIN.fullmatch(label) else json.dumps(label) for label in self.labels]
        return labels[0] if len(labels) == 1 else f"[{', '.join(labels)}]"

    @property
    def entry(self) -> str:
        """The entry of the matrix, as YAML on one line."""
        return f"{{name: {self.name}, platform: {self.platform}, runner: {self.runs_on}}}"


def list_machines(config: Config) -> tuple[Machine, ...]:
    """List the jobs that the platforms of a configuration ask for: one for each platform, in their order.

    All variants of a platform are built in one job, so that an image finds the one that it is built on.
    """
    platforms = dict.fromkeys(platform for image in config.images for platform in image.platforms)
    return tuple(Machine(platform=platform, labels=_labels(config, platform)) for platform in platforms)


def are_several(machines: Sequence[Machine]) -> bool:
    """Tell whether they are more than one machine: one that does all of it needs no matrix."""
    return len({machine.labels for machine in machines}) > 1


def _labels(config: Config, platform: str) -> tuple[str, ...]:
    runners = {**HOSTED, **config.runners.named}
    return config.runners.shared or runners.get(platform) or runners[DEFAULT]
