"""A folder that both tools build: what every such folder has."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Target = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place(ABC):
    """Sources, the configuration of drydock, and the bake file of the same images."""

    root: Path
    repository: str  # that images are pushed below

    @property
    def config(self) -> Path:
        """Drydock's configuration; JSON is YAML."""
        return self.root / "images.json"

    @property
    def bake(self) -> Path:
        """The bake file."""
        return self.root / "bake.json"

    @property
    @abstractmethod
    def of(self) -> str:
        """Say what is built."""

    @abstractmethod
    def targets(self, revision: str | None) -> Mapping[str, Target]:
        """List the targets of bake by their names, for a commit."""

    def tag(self, tag: str, revision: str | None = None) -> None:
        """Let bake build a commit and push under a tag and `latest`; both tools compress alike."""
        prefix = f"{self.repository}/bake"
        targets = {
            name: {**target, "tags": [f"{prefix}/{name}:{tag}", f"{prefix}/{name}:latest"]}
            for name, target in self.targets(revision).items()
        }
        self.bake.write_text(
            json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets}, indent=1)
        )
