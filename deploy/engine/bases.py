"""Stand-ins for base images, made of Debian packages, where no image registry can be reached.

The native root file system is installed by mmdebstrap. The arm64 one holds the arm64 packages of the same names,
unpacked without running anything, plus the files that configuring the native one produced: passwd, alternatives,
certificate links, compiled Python modules. They do not depend on the architecture; what does (the linker's cache,
paths with a machine name in them) is left out. That takes seconds where configuring every package under
emulation takes minutes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.debian import NATIVE, UNUSED, host_certificates, install, pack
from deploy.engine.errors import EngineError
from deploy.engine.host import REACH_DEBIAN
from deploy.engine.places import HERE

PACKAGES = ("ca-certificates", "netbase", "python3-pip", "python3.13", "python3.13-venv", "tzdata")
LINKS = {"python": "python3.13", "python3": "python3.13", "pip": "pip3"}
FOREIGN = "arm64"
MACHINE = "x86_64"  # in the paths that depend on the native architecture
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


def base_images(cache: Cache) -> Path:
    """Return the folder with `amd64.tar` and `arm64.tar`, the layers of the stand-ins, and `qemu-aarch64`."""

    def make(folder: Path) -> None:
        work = cache.root / "bases-work"
        remove(work)
        work.mkdir()
        # The variant that the genuine image starts from: with groupadd and useradd, for one.
        install(work / NATIVE, "minbase", PACKAGES, cache.log("bases"))
        _link_python(work / NATIVE)
        _assemble_foreign(work / FOREIGN, work / NATIVE, cache.log("bases"))
        _take_emulator(folder, work, cache.log("bases"))
        for name in (NATIVE, FOREIGN):
            pack(work / name, folder / f"{name}.tar", cache.log("bases"))
        remove(work)

    return cache.made("bases", key_of(HERE / "bases.py", HERE / "debian.py", *host_certificates()), make)


def _link_python(root: Path) -> None:
    """Make Debian's Python look like the one of the genuine image, which lives in /usr/local/bin."""
    for name, target in LINKS.items():
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    for marker in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        marker.unlink()


def _assemble_foreign(root: Path, native: Path, log: Path) -> None:
    packages = _download_foreign(root.parent / "packages", native, log)
    root.mkdir()
    database = root / "var/lib/dpkg"
    (database / "info").mkdir(parents=True)
    status = "\n".join([_unpack(package, root, log) for package in packages])
    (database / "status").write_text(status)
    for part in ("info/format", "diversions", "statoverride", "alternatives", "triggers"):
        source = native / "var/lib/dpkg" / part
        if source.is_dir():
            shutil.copytree(source, database / part, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, database / part)
    for path in _produced(native):
        _copy(native / path, root / path)
    for marker in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        marker.unlink()


def _take_emulator(folder: Path, work: Path, log: Path) -> None:
    """Take QEMU from the suite of the bases: onnxruntime crashes on the QEMU 7.2 of the release before."""
    apt = _apt(work / "emulator", work / NATIVE, NATIVE, log)
    run([*apt, "download", "qemu-user"], log=log, remedy=REACH_DEBIAN, cwd=work)
    (package,) = work.glob("qemu-user_*.deb")
    run(["dpkg-deb", "-x", package, work / "qemu"], log=log, remedy="Run the command again.")
    shutil.copy2(work / "qemu/usr/bin/qemu-aarch64", folder / "qemu-aarch64")


def _download_foreign(folder: Path, native: Path, log: Path) -> list[Path]:
    """Download the foreign packages of the names installed natively, from the same sources."""
    query = ["dpkg-query", f"--admindir={native}/var/lib/dpkg", "-W", "-f=${Package}\n"]
    names = run(query, log=log, remedy="Run the command again.", keep=True).split()
    apt = _apt(folder, native, FOREIGN, log)
    run([*apt, "install", "--download-only", *names], log=log, remedy=REACH_DEBIAN)
    packages = sorted((folder / "cache/archives").glob("*.deb"))
    # base-files first: it brings /bin -> usr/bin and its like, which the others unpack through.
    return sorted(packages, key=lambda p: not p.name.startswith("base-files_"))


def _apt(folder: Path, native: Path, architecture: str, log: Path) -> list[str]:
    """Set up apt in a folder, with the sources and keys of the native root file system and nothing installed."""
    for part in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/apt.conf.d"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    etc = native / "etc/apt"
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc": folder / "etc",
        "Dir::Etc::sourcelist": etc / "sources.list",
        "Dir::Etc::sourceparts": etc / "sources.list.d",
        "Dir::Etc::trusted": etc / "trusted.gpg",
        "Dir::Etc::trustedparts": etc / "trusted.gpg.d",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
    }
    apt = ["apt-get", "-qq", "-y", *(part for key, value in settings.items() for part in ("-o", f"{key}={value}"))]
    run([*apt, "update"], log=log, remedy=REACH_DEBIAN)
    return apt


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
