"""The peer: buildx from the Go modules that `go/` pins, on the buildkitd of the engine's stand-in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import processes
from deploy.engine.binaries import build_buildkit, drop_work, go_build
from deploy.engine.cache import Cache, remove
from deploy.engine.commands import run
from deploy.engine.errors import EngineError
from deploy.engine.places import BUILDKIT, RUN

HERE = Path(__file__).resolve().parent
BUILDX = "github.com/docker/buildx"


def versions() -> dict[str, str]:
    """Read the pinned versions of buildkit and buildx."""
    lines = [line.split() for line in (HERE / "go/go.mod").read_text().splitlines()]
    pins = {parts[0]: parts[1] for parts in lines if len(parts) > 1}
    return {"buildkitd": BUILDKIT, "buildx": pins[BUILDX]}


def build_buildx(cache: Cache) -> Path:
    """Build it once for each set of pins."""
    stamp = f"-X {BUILDX}/version.Version={versions()['buildx']}"
    arguments = ["-trimpath", f"-ldflags=-s -w {stamp}", f"{BUILDX}/cmd/buildx"]

    return go_build(cache, "buildx", HERE / "go", arguments) / "buildx"


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A running buildkitd, and a buildx that builds on it."""

    buildx: Path
    folder: Path

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of buildx: a configuration of its own."""
        return {**os.environ, "BUILDX_CONFIG": str(self.folder / "buildx"), "BUILDX_BUILDER": "peer"}

    def command(self, *arguments: str) -> Sequence[str]:
        """Name a command of buildx."""
        return [str(self.buildx), *arguments]


def start_peer(cache: Cache, folder: Path, mirror: str) -> Peer:
    """Start buildkitd as root in a mount and process namespace of its own, with the engine's mirror."""
    peer = Peer(buildx=build_buildx(cache), folder=folder)
    buildkit = build_buildkit(cache)
    drop_work(cache)
    socket = folder / "buildkitd.sock"
    config = folder / "buildkitd.toml"
    config.write_text(
        f'root = "{folder}/state"\n[grpc]\n  address = ["unix://{socket}"]\n'
        # What the engine's containers have too: the processor and the network, and no bridge to clash with.
        '[worker.oci]\n  networkMode = "host"\n'
        f'[registry."docker.io"]\n  mirrors = ["{mirror}"]\n[registry."{mirror}"]\n  http = true\n'
    )
    log = cache.log("peer")
    RUN.mkdir(parents=True, exist_ok=True)
    processes.stop("peer", limit=30)  # of a run that was killed
    alone = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command: list[str | Path] = [*alone, buildkit / "buildkitd", f"--config={config}"]
    processes.start("peer", command, log=log, key=str(folder), env=dict(os.environ))
    processes.wait_until(socket.exists, name="peer", limit=30, log=log)
    create = peer.command("create", "--name=peer", "--driver=remote", f"unix://{socket}")
    run(create, log=log, remedy="Run the command again.", env=dict(peer.env))
    return peer


def stop_peer(folder: Path) -> None:
    """Stop buildkitd and delete all it stored."""
    processes.stop("peer", limit=30)
    remove(folder)


def prune_peer(peer: Peer) -> None:
    """Empty the peer's cache: what a fresh machine starts from."""
    done = subprocess.run(
        peer.command("prune", "--all", "--force"), env=dict(peer.env), check=False, capture_output=True, timeout=300
    )
    if done.returncode != 0:
        raise EngineError(f"buildx prune failed: {done.stderr.decode(errors='replace').strip()[-400:]}")
