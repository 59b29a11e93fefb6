"""A repository made for measuring: any number of small two-stage Python images, with what a run may change in them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from bench.place import Place, Target

BASE = "python:3.13-slim"
FILES = 120  # of each image's source
LINES = 60  # of each file
SOURCE = "https://example.invalid/bench"


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace(Place):
    """A folder with Dockerfiles, sources, the configuration of drydock and the bake file of the same images."""

    images: int
    platforms: tuple[str, ...]
    light: bool = False  # without the virtual environment, for emulated platforms

    @property
    def of(self) -> str:
        """What is built."""
        return f"{self.images} image{'s' if self.images > 1 else ''}"

    def names(self) -> list[str]:
        """Name the images."""
        return [f"image{number:02}" for number in range(self.images)]

    def write(self) -> None:
        """Write everything anew: sources that no cache has seen."""
        for name in self.names():
            package = self.root / name / "package"
            package.mkdir(parents=True, exist_ok=True)
            for number in range(FILES):
                lines = [f"def function_{line}() -> str:\n    return {uuid.uuid4().hex!r}\n" for line in range(LINES)]
                (package / f"module{number}.py").write_text("\n".join(lines))
            (package / "__main__.py").write_text('print("ready")\n')
            # Each image has its own ignore file; the one of the repository would let every image see all sources.
            (self.root / name / "Dockerfile.dockerignore").write_text(f"*\n!{name}/package\n")
        self.change_stages()
        self.config.write_text(json.dumps(self._config(), indent=1))
        self.tag("unreleased")

    def change_stages(self) -> None:
        """Change the first step of every Dockerfile, so that all of them start cold; images share their first stage."""
        nonce = uuid.uuid4().hex
        first = "true" if self.light else "python -m venv /opt/venv"
        for name in self.names():
            dockerfile = (
                f"FROM {BASE} AS build\n"
                f"RUN echo {nonce} && {first}\n"
                f"COPY {name}/package /app/package\n"
                "RUN python -m compileall -q /app/package\n"
                f"FROM {BASE}\n"
                + ("" if self.light else "COPY --from=build /opt/venv /opt/venv\n")
                + "COPY --from=build /app /app\nWORKDIR /app\nUSER 10001:10001\n"
                'CMD ["python", "-m", "package"]\n'
            )
            (self.root / name / "Dockerfile").write_text(dockerfile)

    def change_source(self) -> None:
        """Change one line of the first image's source."""
        with (self.root / self.names()[0] / "package/module0.py").open("a") as file:
            file.write(f"CHANGED = {uuid.uuid4().hex!r}\n")

    def targets(self, revision: str | None) -> Mapping[str, Target]:  # noqa: ARG002  # they do not ask for a commit
        """Name each image's Dockerfile and platforms."""
        return {
            name: {"context": ".", "dockerfile": f"{name}/Dockerfile", "platforms": list(self.platforms)}
            for name in self.names()
        }

    def _config(self) -> dict[str, object]:
        return {
            "repository": f"{self.repository}/drydock/{{name}}",
            "compression": "zstd",
            "source": SOURCE,
            "images": [
                {
                    "name": name,
                    "title": name,
                    "description": "An image made for measuring",
                    "dockerfile": f"{name}/Dockerfile",
                    "platforms": list(self.platforms),
                    "smoke": [{"name": "answers", "run": ["python", "-m", "package"], "stdout": {"equals": "ready"}}],
                }
                for name in self.names()
            ],
        }
