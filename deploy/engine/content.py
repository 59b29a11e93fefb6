"""What the engine serves by itself: the builtin Python SDK."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.host import pip_install
from deploy.engine.oci import Rootfs, write_layout
from deploy.engine.places import HERE, PYTHON


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
        digests = write_layout(folder, [Rootfs(layers=[layer], architecture="amd64", config={})], "sdk")
        (folder / "digest").write_text(digests[0])
        layer.unlink()

    return cache.made("content", key_of(source, HERE / "content.py", HERE / "oci.py"), make)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop what differs from run to run, so that the same packages give the same digest."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
