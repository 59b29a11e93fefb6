"""Root file systems of Debian packages, made by mmdebstrap, and the archives that become layers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.commands import run
from deploy.engine.host import REACH_DEBIAN

SUITE = "trixie"  # of what is not made in place of an image of another suite
NATIVE = "amd64"
UNUSED = ("usr/share/doc/", "usr/share/info/", "usr/share/locale/", "usr/share/man/")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_HOST_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_AGAIN = "Run the command again."


def host_certificates() -> list[Path]:
    """List the authorities that this machine trusts beside the usual ones."""
    return sorted(_HOST_CERTIFICATES.rglob("*.crt")) if _HOST_CERTIFICATES.is_dir() else []


def install(
    root: Path, variant: str, packages: Sequence[str], log: Path, *, suite: str = SUITE, hooks: Sequence[str] = ()
) -> None:
    """Install a variant of Debian, packages, and the machine's own authorities where ca-certificates is there.

    Args:
        root: the folder to install into; it must not be there.
        variant: of mmdebstrap, such as "minbase".
        packages: beside those of the variant.
        log: the file for what the programs print.
        suite: such as "bookworm".
        hooks: shell commands that run before packages beyond the essential ones; "$1" is the root.

    """
    # Kept in the image, as genuine ones do: neither what nobody reads in a container, nor a wait for the disk.
    settings = ("force-unsafe-io", *(f"path-exclude=/{path}*" for path in UNUSED))
    before = [f"--essential-hook={hook}" for hook in hooks]
    options = [
        "--quiet",
        "--mode=root",
        f"--variant={variant}",
        f"--architectures={NATIVE}",
        *(f"--dpkgopt={one}" for one in settings),
        *before,
    ]
    include = [f"--include={','.join(packages)}"] if packages else []
    run(["mmdebstrap", *options, *include, suite, root], log=log, remedy=REACH_DEBIAN, limit=1800)
    if (root / "usr/sbin/update-ca-certificates").exists():
        for certificate in host_certificates():
            shutil.copy(certificate, root / "usr/local/share/ca-certificates" / certificate.name)
        run(["chroot", root, "update-ca-certificates"], log=log, remedy=_AGAIN)


def pack(root: Path, layer: Path, log: Path) -> None:
    """Write a root file system into one archive."""
    tar = ["tar", "--create", "--numeric-owner", "--sort=name", "--exclude=./dev/*", "--file"]
    run([*tar, layer, "-C", root, "."], log=log, remedy=_AGAIN)
