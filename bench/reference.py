"""The five reference variants as they are in this repository, for drydock and for bake."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # whatever YAML holds

import yaml

from bench.place import Place, Target

_REPOSITORY = Path(__file__).resolve().parents[1]
_CHANGED = "deploy/services/backend/drydock_backend/app.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference(Place):
    """A folder with a copy of the reference images' sources, a configuration and a bake file for a registry."""

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

    def targets(self, revision: str | None) -> Mapping[str, Target]:
        """Name what the configuration names."""
        return {
            image["name"]: {
                "context": image.get("context", "."),
                "dockerfile": image["dockerfile"],
                "platforms": image["platforms"],
                "args": {"REVISION": revision} if revision else {},
            }
            for image in self._settings()["images"]
        }

    @staticmethod
    def _settings() -> dict[str, Any]:
        settings: dict[str, Any] = yaml.safe_load((_REPOSITORY / "deploy/images.yaml").read_text())
        return {**settings, "sbom": "off"}  # the peer writes none
