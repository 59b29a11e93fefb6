"""What the engine serves by itself: the local mirror's images and the builtin Python SDK."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.host import pip_install
from deploy.engine.oci import Rootfs, write_layout
from deploy.engine.places import HERE

PYTHON = "3.13"
# Repository and tag that the stand-in answers to, as the Dockerfiles name it.
STAND_IN = ("library/python", f"{PYTHON}-slim")


def mirror_layout(cache: Cache, bases: Path) -> Path:
    """Write the stand-in for the Python base image as one index of both platforms."""
    config = {
        "Env": ["PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
        "Cmd": ["python3"],
        "Labels": {"dev.drydock.stand-in": f"Debian packages in place of {STAND_IN[0]}:{STAND_IN[1]}, not that image"},
    }

    def make(folder: Path) -> None:
        images = [Rootfs(layer=bases / f"{a}.tar", architecture=a, config=config) for a in ("amd64", "arm64")]
        write_layout(folder, images, STAND_IN[1])

    return cache.made("mirror", key_of(HERE / "content.py", HERE / "oci.py", bases.name), make)


def push_mirror(cache: Cache, layout: Path, address: str) -> None:
    """Put the stand-in into the local mirror, where the engine looks before it asks an image registry."""
    source, target = f"oci:{layout}:{STAND_IN[1]}", f"docker://{address}/{':'.join(STAND_IN)}"
    run(
        ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", source, target],
        log=cache.log("mirror"),
        remedy="Run `python3 deploy/engine down`, then `up` again.",
        limit=300,
        env={**os.environ, "HTTP_PROXY": "", "http_proxy": ""},
    )


def sdk_content(cache: Cache) -> Path:
    """Write the builtin Python SDK: the runtime module, its launcher and its packages, in a layout."""
    source = HERE / "sdk"

    def make(folder: Path) -> None:
        work = folder / "work"
        shutil.copytree(source, work, ignore=shutil.ignore_patterns("__pycache__", "requirements.*"))
        platform = [f"--platform=manylinux_2_{glibc}_x86_64" for glibc in (17, 28)] + [
            "--platform=manylinux2014_x86_64"
        ]
        options = [*platform, f"--python-version={PYTHON}", "--implementation=cp"]
        pip_install(cache, source / "requirements.txt", work / "site-packages", *options)
        layer = folder / "layer.tar"
        with tarfile.open(layer, "w") as archive:
            archive.add(work, ".", filter=_plain)
        remove(work)
        digests = write_layout(folder, [Rootfs(layer=layer, architecture="amd64", config={})], "sdk")
        (folder / "digest").write_text(digests[0])
        layer.unlink()

    return cache.made("content", key_of(source, HERE / "content.py", HERE / "oci.py"), make)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop what differs from run to run, so that the same packages give the same digest."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
