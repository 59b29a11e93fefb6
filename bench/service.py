"""One image whose steps cost what those of a real service cost: apt, packages of 200 MB and more, source."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from bench.place import Place, Target
from bench.workspace import BASE

PLATFORMS = ("linux/amd64", "linux/arm64")
PACKAGES = (
    "numpy==2.4.6",
    "pandas==3.1.1",
    "python-dateutil==2.9.0.post0",
    "scipy==1.17.1",
    "six==1.17.0",
)
_SOURCE = "service/__init__.py"
# As in the reference images, all work is done on the platform that builds: under emulation it would take minutes.
_DOCKERFILE = f"""\
FROM --platform=$BUILDPLATFORM {BASE} AS build
RUN apt-get update \\
    && apt-get install -y --no-install-recommends build-essential \\
    && rm -rf /var/lib/apt/lists/*
ARG TARGETARCH
COPY requirements.txt /tmp/
RUN case "$TARGETARCH" in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; esac \\
    && python -m pip install --disable-pip-version-check --root-user-action=ignore --no-cache-dir --no-compile \\
        --no-deps --only-binary=:all: --target /packages --platform "manylinux_2_28_$machine" \\
        --platform "manylinux_2_27_$machine" --platform "manylinux_2_17_$machine" \\
        --platform "manylinux2014_$machine" -r /tmp/requirements.txt \\
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /packages
COPY service /app/service
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM {BASE}
COPY --from=build /packages /opt/packages
COPY --from=build /app /opt/app
ENV PYTHONPATH=/opt/app:/opt/packages
USER 10001:10001
CMD ["python", "-m", "service"]
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service(Place):
    """A folder with the Dockerfile and the source of one image for two platforms."""

    @property
    def of(self) -> str:
        """What is built."""
        return "a service, two variants"

    def write(self) -> None:
        """Write everything."""
        source = self.root / _SOURCE
        source.parent.mkdir(parents=True)
        source.write_text("import numpy\n")
        (source.parent / "__main__.py").write_text('print("ready")\n')
        (self.root / "requirements.txt").write_text("\n".join([*PACKAGES, ""]))
        (self.root / "Dockerfile").write_text(_DOCKERFILE)
        (self.root / ".dockerignore").write_text("*\n!requirements.txt\n!service\n")
        self.config.write_text(json.dumps(self._config(), indent=1))
        self.tag("unreleased")

    def change_source(self) -> None:
        """Change one line of the source."""
        with (self.root / _SOURCE).open("a") as file:
            file.write(f"# {uuid.uuid4().hex}\n")

    def targets(self, revision: str | None) -> Mapping[str, Target]:  # noqa: ARG002  # it does not ask for a commit
        """Name the one image."""
        return {"service": {"context": ".", "dockerfile": "Dockerfile", "platforms": list(PLATFORMS)}}

    def _config(self) -> dict[str, object]:
        return {
            "repository": f"{self.repository}/drydock/{{name}}",
            "compression": "zstd",
            "source": "https://example.invalid/service",
            "images": [
                {
                    "name": "service",
                    "title": "service",
                    "description": "An image whose steps cost what real ones cost",
                    "dockerfile": "Dockerfile",
                    "platforms": list(PLATFORMS),
                    "smoke": [
                        {"name": "configuration", "config": {"user": "10001:10001"}},
                        {"name": "answers", "run": ["python", "-m", "service"], "stdout": {"equals": "ready"}},
                    ],
                }
            ],
        }
