"""The image that writes SBOMs, in place of the genuine one, which needs an image registry: syft, and what runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

from ci.core.supply import GENERATOR
from deploy.engine import debian
from deploy.engine.bases import KEY, labels
from deploy.engine.binaries import build_syft, drop_work
from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.mirror import annotation, push
from deploy.engine.oci import Rootfs, write_layout
from deploy.engine.places import HERE
from deploy.engine.progress import say, step

REPOSITORY = GENERATOR.partition(":")[0]
_HUB = "docker.io/"


def tag_of(reference: str) -> str:
    """Return the tag of a reference that names the scanner; "" where it names another image."""
    name, _, tag = reference.partition("@")[0].removeprefix(_HUB).partition(":")
    return (tag or "latest") if name == REPOSITORY else ""


def publish_scanner(cache: Cache, tag: str) -> None:
    """Make the stand-in of the scanner and put it into the local mirror, unless it is there.

    The first time it is compiled, for minutes. It runs on this machine's platform alone, and looks at file systems of
    any: BuildKit chooses that one.
    """
    programs = build_syft(cache)
    drop_work(cache)
    layout = _image(cache, programs, tag)
    if annotation(REPOSITORY, tag, KEY) == layout.name:
        say(f"{REPOSITORY}:{tag}: already there")
        return
    with step(f"{REPOSITORY}:{tag} into the mirror"):
        push(cache, layout, REPOSITORY, tag)


def _image(cache: Cache, programs: Path, tag: str) -> Path:
    # Nothing is to be asked of the network while a file system is looked at.
    env = ["SYFT_CHECK_FOR_APP_UPDATE=false", "SYFT_CACHE_DIR=/tmp"]
    config = {"Env": env, "Entrypoint": ["/bin/scanner"], "Labels": labels("Go modules", f"{REPOSITORY}:{tag}")}
    key = key_of(*(HERE / name for name in ("scanner.py", "bases.py", "oci.py")), programs.name, tag)

    def make(folder: Path) -> None:
        root, layer = folder / "root", folder / "layer.tar"
        shutil.copytree(programs, root / "bin")
        debian.pack(root, layer, cache.log("scanner-image"))
        remove(root)
        images = [Rootfs(layers=[layer], architecture=debian.NATIVE, config=config)]
        write_layout(folder, images, tag, annotations={KEY: f"scanner-image-{key}"})
        layer.unlink()

    return cache.made("scanner-image", key, make)
