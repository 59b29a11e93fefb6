"""The arm64 counterpart of a root file system, assembled without running anything of it.

The native root file system is installed by mmdebstrap. The arm64 one holds the arm64 packages of the same names,
unpacked, plus the files that configuring the native one produced: passwd, alternatives, certificate links, locales.
They do not depend on the architecture; what does (the linker's cache, paths with a machine name in them) is left out
or made anew. That takes seconds where configuring every package under emulation takes minutes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.engine.apt import Apt
from deploy.engine.cache import remove
from deploy.engine.commands import run
from deploy.engine.debian import UNUSED
from deploy.engine.errors import EngineError

FOREIGN = "arm64"
MACHINE = "x86_64"  # in the paths that depend on the native architecture
NAMED = ("-x86-64-", "-aarch64-")  # in the names of packages, such as binutils-x86-64-linux-gnu
_ONE_OF_SEVERAL = ("usrmerge",)  # needs Perl; where it is not wanted, usr-is-merged is
# State of the native root file system that is not configuration.
NOT_COPIED = (
    "dev/",
    "proc/",
    "run/",
    "sys/",
    "tmp/",
    "var/cache/apt/",
    "var/cache/ldconfig/",
    "var/lib/apt/",
    "var/lib/dpkg/",
    "var/log/",
)


def assemble(root: Path, native: Path, packages: Sequence[str], *, emulator: Path, log: Path) -> None:
    """Assemble the counterpart of `native`, with `packages` beside what is installed there; `root` is made."""
    query = ["dpkg-query", f"--admindir={native}/var/lib/dpkg", "-W", "-f=${Package}\n"]
    names = run(query, log=log, remedy="Run the command again.", keep=True).split()
    apt = Apt(root.parent / f"apt-{FOREIGN}", native, FOREIGN, log)
    wanted = apt.known([*(name.replace(*NAMED) for name in names), *packages])
    # A minus says that a package is not to be taken where it is one of several that would do.
    archives = apt.closure([*wanted, *(f"{name}-" for name in _ONE_OF_SEVERAL if name not in names)])
    root.mkdir()
    for link in native.iterdir():  # /bin -> usr/bin and its like, which packages unpack through
        if link.is_symlink():
            (root / link.name).symlink_to(link.readlink())
            (root / link.readlink()).mkdir(parents=True, exist_ok=True)
    database = root / "var/lib/dpkg"
    (database / "info").mkdir(parents=True)
    status = "\n".join([_unpack(package, root, log) for package in archives])
    (database / "status").write_text(status)
    for part in ("info/format", "diversions", "statoverride", "alternatives", "triggers"):
        source = native / "var/lib/dpkg" / part
        if source.is_dir():
            shutil.copytree(source, database / part, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, database / part)
    for path in _produced(native):
        _copy(native / path, root / path)
    _take_owners(native, root)
    apt.drop_archives()
    # ldconfig is linked statically, and looks into the root that it is told.
    run([emulator, root / "usr/sbin/ldconfig", "-r", root], log=log, remedy="Run the command again.")


def _unpack(package: Path, root: Path, log: Path) -> str:
    """Unpack one package and its entry in dpkg's database; return its status paragraph."""
    remedy = "Run the command again."
    paths: list[str] = []
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as stream,
        tarfile.open(fileobj=stream.stdout, mode="r|") as archive,
    ):
        archive.extraction_filter = lambda member, _: member  # a package owns what it likes, set-uid files too
        for member in archive:
            path = member.name.removeprefix(".").removeprefix("/")
            paths.append(f"/{path}" if path else "/.")
            if path and not f"{path}/".startswith(UNUSED):
                archive.extract(member, root, numeric_owner=True)
    if stream.returncode != 0:
        raise EngineError(f"{package.name} cannot be unpacked.\n  {remedy}\n  log: {log}")
    control = root.parent / "control"
    remove(control)
    run(["dpkg-deb", "--control", package, control], log=log, remedy=remedy)
    paragraph = (control / "control").read_text()
    fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
    name = fields["Package"]
    qualified = f"{name}:{FOREIGN}" if fields.get("Multi-Arch") == "same" else name
    info = root / "var/lib/dpkg/info"
    (info / f"{qualified}.list").write_text("\n".join(paths) + "\n")
    conffiles = ""
    for part in control.iterdir():
        if part.name != "control":
            shutil.copy2(part, info / f"{qualified}.{part.name}")
        if part.name == "conffiles":
            conffiles = _conffiles(part.read_text().split("\n"), root)
    return paragraph.replace("\n", "\nStatus: install ok installed\n", 1) + conffiles


def _conffiles(lines: list[str], root: Path) -> str:
    """Write the Conffiles field of a status paragraph; dpkg compares these digests on an upgrade."""
    text = "Conffiles:\n"
    for line in filter(None, lines):
        file = root / line.split()[-1].lstrip("/")
        if file.is_file():
            text += f" {line.split()[-1]} {hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()}\n"
    return text


def _produced(native: Path) -> Iterator[str]:
    """Yield what configuration made: the paths no package owns, parents before children."""
    owned = {
        line.lstrip("/")
        for listing in (native / "var/lib/dpkg/info").glob("*.list")
        for line in listing.read_text().splitlines()
    }
    # Packages of bookworm name /bin/sh what lies in usr/bin.
    moved = tuple(f"{link.name}/" for link in native.iterdir() if link.is_symlink())
    owned |= {f"usr/{path}" for path in owned if path.startswith(moved)}
    for folder, folders, files in os.walk(native):
        inside = Path(folder).relative_to(native)
        folders.sort()
        for name in sorted([*folders, *files]):
            path = str(inside / name)
            if path in owned or MACHINE in path or path == "etc/ld.so.cache":
                continue
            if not f"{path}/".startswith(NOT_COPIED + UNUSED):
                yield path


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        if not target.is_symlink():
            target.symlink_to(source.readlink())
        return
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        shutil.copyfile(source, target)
    shutil.copystat(source, target)
    owner = source.stat()
    os.chown(target, owner.st_uid, owner.st_gid)
    target.chmod(owner.st_mode & 0o7777)


def _take_owners(native: Path, root: Path) -> None:
    """Give what both have the owner and mode that configuring the native one gave it."""
    for folder, folders, files in os.walk(native):
        for name in [*folders, *files]:
            source = Path(folder) / name
            target = root / source.relative_to(native)
            if not os.path.lexists(target) or source.is_symlink() or target.is_symlink():
                continue
            wanted, found = source.stat(), target.stat()
            if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
                os.chown(target, wanted.st_uid, wanted.st_gid)
                found = target.stat()
            if stat.S_IMODE(wanted.st_mode) != stat.S_IMODE(found.st_mode):
                target.chmod(stat.S_IMODE(wanted.st_mode))
