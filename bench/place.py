"""A folder that both tools build: what every such folder has."""

from __future__ import annotations

import json
import uuid
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

    @abstractmethod
    def change_source(self) -> None:
        """Change one line of one image's source."""

    def renew(self) -> None:
        """Let drydock's builder begin with no state: each address of a source has a volume of its own."""
        settings = json.loads(self.config.read_text())
        settings["source"] = f"https://example.invalid/{uuid.uuid4().hex}"
        self.config.write_text(json.dumps(settings, indent=1))

    def bake_name(self, name: str) -> str:
        """Name the repository that bake pushes an image to."""
        return f"{self.repository}/bake/{name}"

    def tag(self, tag: str, revision: str | None = None) -> None:
        """Let bake build a commit and push under a tag and `latest`; both tools compress alike."""
        targets = {
            name: {**target, "tags": [f"{self.bake_name(name)}:{tag}", f"{self.bake_name(name)}:latest"]}
            for name, target in self.targets(revision).items()
        }
        self.bake.write_text(
            json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets}, indent=1)
        )
