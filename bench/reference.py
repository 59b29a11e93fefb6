"""The five reference variants as they are in this repository, for drydock and for bake."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # whatever YAML holds

import yaml
from workspace import write_bake

_REPOSITORY = Path(__file__).resolve().parents[1]
_CHANGED = "deploy/services/backend/drydock_backend/app.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A folder with a copy of the reference images' sources, a configuration and a bake file for a registry."""

    root: Path
    repository: str

    @property
    def config(self) -> Path:
        """Drydock's configuration; JSON is YAML."""
        return self.root / "images.json"

    @property
    def bake(self) -> Path:
        """The bake file."""
        return self.root / "bake.json"

    @property
    def of(self) -> str:
        """What is built."""
        return "five reference variants"

    def write(self) -> None:
        """Copy the sources and write both files."""
        shutil.copytree(
            _REPOSITORY / "deploy", self.root / "deploy", ignore=shutil.ignore_patterns("engine", "__pycache__")
        )
        settings = {**self._settings(), "repository": f"{self.repository}/drydock/{{name}}"}
        self.config.write_text(json.dumps(settings, indent=1))
        self.tag("unreleased")

    def change_source(self) -> None:
        """Change one line of the backend's source."""
        with (self.root / _CHANGED).open("a") as file:
            file.write(f"# {uuid.uuid4().hex}\n")

    def tag(self, tag: str, revision: str | None = None) -> None:
        """Let bake build a commit and push under a tag."""
        targets: dict[str, dict[str, object]] = {
            image["name"]: {
                "context": image.get("context", "."),
                "dockerfile": image["dockerfile"],
                "platforms": image["platforms"],
                "args": {"REVISION": revision} if revision else {},
            }
            for image in self._settings()["images"]
        }
        write_bake(self.bake, targets, f"{self.repository}/bake", tag)

    @staticmethod
    def _settings() -> dict[str, Any]:
        settings: dict[str, Any] = yaml.safe_load((_REPOSITORY / "deploy/images.yaml").read_text())
        return settings
