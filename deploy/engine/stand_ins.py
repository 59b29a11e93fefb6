"""The image of BuildKit that the local mirror serves in place of the genuine one, which needs an image registry."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ci.core.buildkit import MISSING_BASE
from deploy.engine import debian
from deploy.engine.bases import KEY, labels
from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.oci import Rootfs, write_layout
from deploy.engine.places import BUILDKIT, HERE
from deploy.engine.recipe import PATH

# What buildkitd runs: runc for each step, git and ssh for sources, xz to unpack them.
BUILDKIT_PACKAGES = ("ca-certificates", "git", "openssh-client", "runc", "xz-utils")
# What the engine's user reads where a base image is not found: only the mirror is asked, and it can be filled.
MISSING = (
    "This engine has base images from its local mirror alone. `python3 deploy/engine base {reference}`, in Drydock's "
    "repository, makes a stand-in of it, or says at once why there is none."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """An image layout, and the name under which docker.io would serve the genuine image."""

    repository: str
    tag: str
    layout: Path


def buildkit_base(cache: Cache) -> Path:
    """Install what BuildKit's programs run, as a layer that does not wait for them to be compiled."""
    log = cache.log("buildkit-base")

    def make(folder: Path) -> None:
        root = folder / "root"
        debian.install(root, "essential", BUILDKIT_PACKAGES, log)
        debian.pack(root, folder / "layer.tar", log)
        remove(root)

    key = key_of(HERE / "debian.py", *debian.host_certificates(), *BUILDKIT_PACKAGES)
    return cache.made("buildkit-base", key, make)


def buildkit_stand_in(cache: Cache, base: Path, binaries: Path, mirror: str) -> StandIn:
    """Make the image of BuildKit: its programs, what they run, and where they find the mirror."""
    repository, tag = "moby/buildkit", BUILDKIT
    settings = buildkitd_settings(mirror)
    config = {
        # The genuine image sets it too: without it the daemon's control group cannot limit a step.
        "Env": [f"PATH={PATH}", "BUILDKIT_SETUP_CGROUPV2_ROOT=1"],
        "Entrypoint": ["buildkitd"],
        "Labels": {
            **labels("Go modules and Debian packages", f"{repository}:{tag}"),
            MISSING_BASE: MISSING,
        },
    }

    key = key_of(*(HERE / name for name in ("stand_ins.py", "bases.py", "oci.py")), base.name, binaries.name, settings)

    def make(folder: Path) -> None:
        programs, layer = folder / "programs", folder / "layer.tar"
        shutil.copytree(binaries, programs / "usr/bin")
        (programs / "etc/buildkit").mkdir(parents=True)
        (programs / "etc/buildkit/buildkitd.toml").write_text(settings)
        debian.pack(programs, layer, cache.log("buildkit-image"))
        remove(programs)
        layers = [base / "layer.tar", layer]
        images = [Rootfs(layers=layers, architecture=debian.NATIVE, config=config)]
        write_layout(folder, images, tag, annotations={KEY: f"buildkit-image-{key}"})
        layer.unlink()

    return StandIn(repository=repository, tag=tag, layout=cache.made("buildkit-image", key, make))


def buildkitd_settings(mirror: str) -> str:
    """Write buildkitd.toml: the mirror before docker.io, and how much of the disk its cache may take."""
    return (
        f'[registry."docker.io"]\n  mirrors = ["{mirror}"]\n[registry."{mirror}"]\n  http = true\n'
        # A rehearsal hands a registry in as a service of this host name.
        '[registry."registry"]\n  http = true\n[registry."registry:5000"]\n  http = true\n'
        # In a container of the engine, the host's network is that container's.
        '[worker.oci]\n  networkMode = "host"\n'
        # As in the engine's own settings: by default a fifth of the disk has to be free.
        '  reservedSpace = "10GB"\n  maxUsedSpace = "15GB"\n  minFreeSpace = "2GB"\n'
    )
