"""What the host must bring: rights, file systems, space, Debian packages, and pip."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.engine.cache import Cache, key_of
from deploy.engine.commands import run
from deploy.engine.errors import EngineError
from deploy.engine.places import RUN
from deploy.engine.progress import say, step

# Programs that need their libraries are installed; each file says whether its package is there.
INSTALLED = {
    "/usr/sbin/runc": "runc",
    "/usr/sbin/xtables-nft-multi": "iptables",
    "/usr/sbin/dnsmasq": "dnsmasq-base",
    "/usr/bin/mmdebstrap": "mmdebstrap",
    "/usr/bin/skopeo": "skopeo",
    "/usr/bin/git": "git",
    "/usr/bin/make": "make",
}
# Programs that run from any folder are only unpacked: installed, some would start as services of the host.
UNPACKED = ("containernetworking-plugins", "docker-registry", "tini")
SPACE = 20 * 1000**3  # bytes: binaries, bases, and the engine's own store with the GPU image in it
WITHOUT = (
    "For all but make test, rehearsal and bench: install Docker, or name an engine in _EXPERIMENTAL_DAGGER_RUNNER_HOST."
)
REACH_DEBIAN = "Check that Debian's packages can be reached: apt-get update"


def preflight(cache: Cache) -> None:
    """Refuse early, with the remedy, what would fail late."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise EngineError(
            f"The embedded engine runs on Linux on x86_64; this is {platform.system()} on {platform.machine()}.\n"
            f"  {WITHOUT}"
        )
    if os.geteuid() != 0:
        raise EngineError(
            "The embedded engine needs root: it mounts file systems and starts containers.\n"
            f"  Run the same command as root. {WITHOUT}"
        )
    for folder in (cache.root, RUN):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"{folder} cannot be made: {error.strerror}.\n  Set DRYDOCK_CACHE to a folder that can be written."
            ) from None
    _check_overlay(cache)
    free = shutil.disk_usage(cache.root).free
    needed = SPACE // 4 if any(cache.root.glob("state")) else SPACE
    if free < needed:
        raise EngineError(
            f"{cache.root} has {free / 1e9:.1f} GB free; {needed / 1e9:.0f} GB are needed.\n"
            "  Free some, or set DRYDOCK_CACHE to a folder on a larger disk."
        )


def _check_overlay(cache: Cache) -> None:
    """Mount a real overlay on the cache's file system, in a mount namespace of its own."""
    with tempfile.TemporaryDirectory(dir=cache.root, prefix="overlay-") as name:
        for part in ("lower", "upper", "work", "merged"):
            (Path(name) / part).mkdir()
        options = f"lowerdir={name}/lower,upperdir={name}/upper,workdir={name}/work"
        done = subprocess.run(
            ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, f"{name}/merged"],
            check=False,
            capture_output=True,
            timeout=20,
        )
    if done.returncode != 0:
        raise EngineError(
            f"{cache.root} is on a file system that overlayfs cannot use: "
            f"{done.stderr.decode(errors='replace').strip()}\n"
            "  Set DRYDOCK_CACHE to a folder on ext4, xfs or btrfs, on a kernel with overlayfs."
        )


def install_packages(cache: Cache) -> Path:
    """Install and unpack the Debian packages that are missing; return the folder of the unpacked ones."""
    wanted = sorted(package for file, package in INSTALLED.items() if not Path(file).exists())
    if not _has_venv():
        wanted.append("python3-venv")
    unpacked = cache.root / f"unpacked-{key_of(*UNPACKED)}"
    if (wanted or not unpacked.exists()) and not shutil.which("apt-get"):
        raise EngineError(f"Missing: {', '.join([*wanted, *UNPACKED])}, and this system has no apt-get.\n  {WITHOUT}")
    log = cache.log("packages")
    if wanted or not unpacked.exists():
        with step("package lists"):
            run(["apt-get", "update", "-qq"], log=log, remedy=REACH_DEBIAN, limit=180)
    if wanted:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        with step(f"host packages: {' '.join(wanted)}"):
            run([*install, *wanted], log=log, remedy=REACH_DEBIAN, env=env)
    else:
        say("host packages: already there")
    return cache.made("unpacked", key_of(*UNPACKED), lambda folder: _unpack(folder, log))


def _unpack(folder: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        run(["apt-get", "download", "-qq", *UNPACKED], log=log, remedy=REACH_DEBIAN, cwd=Path(name))
        for package in sorted(Path(name).glob("*.deb")):
            run(["dpkg-deb", "-x", package, folder], log=log, remedy="Run the command again.")


def _has_venv() -> bool:
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, check=False, capture_output=True, timeout=60).returncode == 0


def pip(cache: Cache) -> list[str | Path]:
    """Find pip in a virtual environment of our own, made where it is missing."""
    venv = cache.root / "venv"
    if not (venv / "done").exists():
        command: list[str | Path] = [sys.executable, "-m", "venv", "--clear", venv]
        run(command, log=cache.log("pip"), remedy="Install python3-venv.", limit=180)
        (venv / "done").touch()
    return [venv / "bin/python", "-m", "pip", "--disable-pip-version-check"]


def pip_install(cache: Cache, requirements: Path, folder: Path, *options: str) -> None:
    """Install a hash-checked requirements file into a folder, with a pip of our own."""
    checked: list[str | Path] = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--target", folder]
    run(
        [*pip(cache), "install", "-q", *checked, *options, "-r", requirements],
        log=cache.log("pip"),
        remedy="Check that PyPI can be reached: pip download pip",
    )
