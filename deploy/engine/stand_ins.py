"""The images that the local mirror serves in place of genuine ones, which need an image registry."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import debian
from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.mirror import MIRROR
from deploy.engine.oci import Rootfs, write_layout
from deploy.engine.places import BUILDKIT, HERE, PYTHON

PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# What buildkitd runs: runc for each step, git and ssh for sources, xz to unpack them.
BUILDKIT_PACKAGES = ("ca-certificates", "git", "openssh-client", "runc", "xz-utils")
# Programs that bring authorities of their own, and the variable with which each is told of the machine's.
TRUST = ("NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """An image layout, and the name under which docker.io would serve the genuine image."""

    repository: str
    tag: str
    layout: Path


def python_stand_in(cache: Cache, bases: Path) -> StandIn:
    """Make the base image of Python, for both platforms, of the layers in `bases`."""
    repository, tag = "library/python", f"{PYTHON}-slim"
    config = {
        "Env": [PATH, "LANG=C.UTF-8", *trust(has_own=bool(debian.host_certificates()))],
        "Cmd": ["python3"],
        "Labels": _labels("Debian packages", repository, tag),
    }

    def make(folder: Path) -> None:
        images = [Rootfs(layers=[bases / f"{a}.tar"], architecture=a, config=config) for a in ("amd64", "arm64")]
        write_layout(folder, images, tag)

    key = key_of(HERE / "stand_ins.py", HERE / "oci.py", bases.name)
    return StandIn(repository=repository, tag=tag, layout=cache.made("python-image", key, make))


def trust(*, has_own: bool) -> list[str]:
    """Name the bundle for programs that do not look there; only a machine with authorities of its own needs it."""
    return [*(f"{name}={debian.BUNDLE}" for name in TRUST), "UV_SYSTEM_CERTS=1"] if has_own else []


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
        "Env": [PATH, "BUILDKIT_SETUP_CGROUPV2_ROOT=1"],
        "Entrypoint": ["buildkitd"],
        "Labels": _labels("Go modules and Debian packages", repository, tag),
    }

    def make(folder: Path) -> None:
        programs, layer = folder / "programs", folder / "layer.tar"
        shutil.copytree(binaries, programs / "usr/bin")
        (programs / "etc/buildkit").mkdir(parents=True)
        (programs / "etc/buildkit/buildkitd.toml").write_text(settings)
        debian.pack(programs, layer, cache.log("buildkit-image"))
        remove(programs)
        layers = [base / "layer.tar", layer]
        write_layout(folder, [Rootfs(layers=layers, architecture=debian.NATIVE, config=config)], tag)
        layer.unlink()

    key = key_of(HERE / "stand_ins.py", HERE / "oci.py", base.name, binaries.name, settings)
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


def _labels(made_of: str, repository: str, tag: str) -> dict[str, str]:
    return {"dev.drydock.stand-in": f"{made_of} in place of {repository}:{tag}, not that image"}


def push(cache: Cache, image: StandIn) -> None:
    """Put a stand-in into the local mirror, where the engine looks before it asks an image registry."""
    source, target = f"oci:{image.layout}:{image.tag}", f"docker://{MIRROR}/{image.repository}:{image.tag}"
    run(
        ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", source, target],
        log=cache.log("mirror"),
        remedy="Run `python3 deploy/engine down`, then `up` again.",
        limit=300,
        env={**os.environ, "HTTP_PROXY": "", "http_proxy": ""},
    )
