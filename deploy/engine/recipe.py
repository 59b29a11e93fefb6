"""How one stand-in is made: its Debian packages, what is laid over them, and what its configuration says."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.engine.apt import Apt
from deploy.engine.cache import Cache, key_of
from deploy.engine.commands import run
from deploy.engine.debian import BUNDLE, host_certificates
from deploy.engine.errors import EngineError
from deploy.engine.places import HERE

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # the default of every image that has a shell
SUITES = ("trixie", "bookworm")
# Programs that bring authorities of their own, and the variable with which each is told of the machine's.
TRUST = ("AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
STORES = ("UV_NATIVE_TLS", "UV_SYSTEM_CERTS")  # the same switch of uv, before and since 0.11
# Genuine packages that are not Debian's, and the Debian package that does the same.
COUNTERPARTS = {
    "nginx-module-geoip": "libnginx-mod-http-geoip",
    "nginx-module-image-filter": "libnginx-mod-http-image-filter",
    "nginx-module-njs": "libnginx-mod-http-js",
    "nginx-module-xslt": "libnginx-mod-http-xslt-filter",
}
NO_COUNTERPART = frozenset({"nginx-module-acme"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """The layer that is laid over the Debian packages of one architecture."""

    cache: Cache
    log: Path
    work: Path  # a folder for what is downloaded; emptied afterwards
    packages: Path  # the root file system below
    root: Path  # of the layer itself
    architecture: str  # as Debian calls it: "amd64" or "arm64"

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file into the layer."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def copy(self, name: str, path: str, mode: int = 0o755) -> None:
        """Copy one of our own files, such as an entrypoint, into the layer."""
        self.write(path, (HERE / "files" / name).read_text(), mode)

    def folder(self, path: str, *, owner: int = 0, mode: int = 0o755) -> Path:
        """Make a folder of the layer; `owner` is a user's and a group's number."""
        target = self.root / path
        target.mkdir(parents=True, exist_ok=True)
        os.chown(target, owner, owner)
        target.chmod(mode)
        return target

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link in the layer."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).symlink_to(target)

    def unpacked(self, packages: Sequence[str], suite: tuple[str, str] | None = None) -> Path:
        """Unpack Debian packages into a folder, without installing them; `suite` is as for Apt."""
        place = self.packages.parent / f"apt-{self.architecture}{'-' + suite[1] if suite else ''}"
        apt = Apt(place, self.packages, self.architecture, self.log, suite=suite)
        folder = self.work / "unpacked"
        for archive in apt.download(packages, self.work / "archives"):
            run(["dpkg-deb", "-x", archive, folder], log=self.log, remedy="Run the command again.")
            # The version of the first one that was asked for, such as "3.13.5-2+deb13u5".
            if archive.name.startswith(f"{packages[0]}_"):
                (self.work / "version").write_text(archive.name.split("_")[1].replace("%3a", ":"))
        return folder

    def version(self, package: str = "") -> str:
        """Say the upstream version of an installed package, or of the first one that was unpacked."""
        if package:
            command = ["dpkg-query", f"--admindir={self.packages}/var/lib/dpkg", "-W", "-f=${Version}", package]
            text = run(command, log=self.log, remedy="Run the command again.", keep=True)
        else:
            text = (self.work / "version").read_text()
        return upstream(text)


def upstream(version: str) -> str:
    """Take the upstream part of a Debian version: 1.26.3 of 1:1.26.3-3+deb13u10."""
    return re.sub(r"[+~].*$", "", version.rpartition(":")[2].rsplit("-", 1)[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a stand-in is made of."""

    repository: str  # as docker.io has it, such as "library/node"
    tag: str
    suite: str
    genuine: str  # the list in genuine/ of the packages that the genuine image has
    more: tuple[str, ...] = ()  # packages beside those
    arm64: tuple[str, ...] = ()  # packages beside those, on this architecture alone
    users: tuple[str, ...] = ()  # lines of passwd, which also name a group of the same name and number
    commands: tuple[tuple[str, ...], ...] = ()  # run in the native root file system
    lay: Callable[[Layer], Mapping[str, str]] | None = None  # fills the upper layer; returns variables
    version: str = ""  # of what the registries were asked for
    env: tuple[tuple[str, str], ...] = ()
    config: Mapping[str, object] = field(default_factory=dict)
    note: str = ""  # what a user should know of it

    @property
    def packages(self) -> list[str]:
        """List the Debian packages to install."""
        wanted = [COUNTERPARTS.get(name, name) for name in genuine_packages(self.genuine) if name not in NO_COUNTERPART]
        return [*wanted, *self.more]

    @property
    def key(self) -> str:
        """Digest what it depends on, but for the moment at which the registries are asked."""
        own = f"{self.lay.__module__.rpartition('.')[2]}.py" if self.lay else _PARTS[0]
        sources = [HERE / name for name in (*_PARTS, own)]
        said = repr((self.suite, self.packages, self.arm64, self.users, self.commands, self.version, self.env))
        inputs = (HERE / "files", *sources, *host_certificates())
        return key_of(*inputs, said, repr(sorted(self.config.items())), self.repository, self.tag)

    @property
    def name(self) -> str:
        """Name it as users write it in a FROM."""
        return f"{self.repository.removeprefix('library/')}:{self.tag}"


# What every stand-in is made by; the module that lays its upper layer comes to it.
_PARTS = ("apt.py", "bases.py", "debian.py", "foreign.py", "oci.py", "packages.py", "recipe.py")


def genuine_packages(name: str) -> list[str]:
    """Read the names of the Debian packages that a genuine image has; a list may go on from another one."""
    names: list[str] = []
    for line in (HERE / "genuine" / f"{name}.txt").read_text().splitlines():
        if line.startswith("with "):
            names += genuine_packages(line.removeprefix("with "))
        elif not line.startswith("#"):
            names += line.split()
    return sorted(names)


def trust(*, has_own: bool) -> list[str]:
    """Name the bundle for programs that do not look there; only a machine with authorities of its own needs it."""
    return [*(f"{name}={BUNDLE}" for name in TRUST), *(f"{name}=1" for name in STORES)] if has_own else []


def refuse(name: str, why: str, instead: str) -> EngineError:
    """Say that there is no stand-in of an image, why, and what to do."""
    return EngineError(f"There is no stand-in of {name}: {why}.\n  {instead}")


def move(source: Path, target: Path) -> None:
    """Move a file or folder, into a place that need not be there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, target)
