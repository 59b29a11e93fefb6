"""Root file systems of Debian packages, made by mmdebstrap, and the archives that become layers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.commands import run
from deploy.engine.host import REACH_DEBIAN

SUITE = "trixie"
NATIVE = "amd64"
UNUSED = ("usr/share/doc/", "usr/share/info/", "usr/share/locale/", "usr/share/man/")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_HOST_CERTIFICATES = Path("/usr/local/share/ca-certificates")


def host_certificates() -> list[Path]:
    """List the authorities that this machine trusts beside the usual ones."""
    return sorted(_HOST_CERTIFICATES.rglob("*.crt")) if _HOST_CERTIFICATES.is_dir() else []


def install(root: Path, variant: str, packages: Sequence[str], log: Path) -> None:
    """Install a variant of Debian, packages (ca-certificates among them), and the machine's own authorities."""
    excludes = [f"--dpkgopt=path-exclude=/{path}*" for path in UNUSED]
    include = f"--include={','.join(packages)}"
    options = ["--quiet", "--mode=root", f"--variant={variant}", f"--architectures={NATIVE}", *excludes, include]
    run(["mmdebstrap", *options, SUITE, root], log=log, remedy=REACH_DEBIAN, limit=900)
    for certificate in host_certificates():
        shutil.copy(certificate, root / "usr/local/share/ca-certificates" / certificate.name)
    run(["chroot", root, "update-ca-certificates"], log=log, remedy="Run the command again.")


def pack(root: Path, layer: Path, log: Path) -> None:
    """Write a root file system into one archive."""
    tar = ["tar", "--create", "--numeric-owner", "--sort=name", "--exclude=./dev/*", "--file"]
    run([*tar, layer, "-C", root, "."], log=log, remedy="Run the command again.")
