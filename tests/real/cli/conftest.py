"""One engine session for the whole run, small repositories to build, and the real CLI."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 300  # seconds for one call; a missing engine would hang for ever

SERVER = """\
FROM python:3.13-slim
USER 10001:10001
WORKDIR /srv
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "print()"]
ENV GREETING=hello
COPY hello.txt /srv/hello.txt
ENTRYPOINT ["python", "-m", "http.server", "8000"]
"""


@dataclass(frozen=True)
class Repository:
    """A repository on disk, to be filled and then built."""

    path: Path

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def configure(self, *images: str, top: str = "repository: registry.test/acme/{name}") -> None:
        """Write the configuration from the YAML of each image, given without its leading dash.

        No scanner is asked for, which takes minutes to be compiled where there is none; one test looks at SBOMs.
        """
        items = "".join("  - " + image.strip().replace("\n", "\n    ") + "\n" for image in images)
        self.write({"deploy/images.yaml": f"{top}\nimages:\n{items}sbom: off\n"})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.write({"Dockerfile": SERVER, "hello.txt": "hello\n"})
    return made


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Call = Callable[..., Result]


@pytest.fixture
def call(repository: Repository) -> Call:
    """Run `dagger call` with this module on the small repository, as its user would."""

    def run(*arguments: str, source: Path = repository.path, flags: tuple[str, ...] = ("--progress=plain",)) -> Result:
        command = ["dagger", *flags, "-m", str(ROOT), "call", "--source", str(source), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
            cwd=source,
            env={**os.environ, "NO_COLOR": "1"},
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run
