"""The two tools: how each builds and releases, how long that takes, and how both start from nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.peer import Peer, prune_peer
from bench.place import Place
from deploy.engine.errors import EngineError

MODULE = Path(__file__).resolve().parents[1]
FLOOR = MODULE / "bench/floor"
LIMIT = 900  # seconds for one command
_CREATED = datetime.now(UTC).isoformat(timespec="seconds")  # images of an old commit would be built again
_COMPRESSION = "compression=zstd,oci-mediatypes=true"  # as every configuration that is measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A command that ended well."""

    seconds: float
    output: str


@dataclass(kw_only=True, slots=True)
class Bench:
    """The two tools, and the load that other processes were when each sample began."""

    peer: Peer
    mirror: str
    env: Mapping[str, str]
    keep_cache: bool  # the engine is in use: it is not emptied
    traces: Path | None = None  # the folder for what each command wrote
    loads: list[float] = field(default_factory=list)

    def _run(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Ran:
        self.loads.append(os.getloadavg()[0])
        begin = time.monotonic()
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(env),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
        seconds = time.monotonic() - begin
        written = f"{done.stdout}\n{done.stderr}"
        if self.traces:
            trace = f"$ {' '.join(command)}\n{written}\n{seconds:.2f} s\n"
            (self.traces / f"{len(self.loads):03}-{Path(command[0]).name}.txt").write_text(trace)
        if done.returncode != 0:
            tail = "\n".join(written.splitlines()[-25:])
            raise EngineError(f"{' '.join(command[:5])} failed with exit code {done.returncode}:\n{tail}")
        return Ran(seconds=seconds, output=done.stdout)

    def floor(self) -> float:
        """Call a function that does nothing."""
        return self._run(_call(FLOOR, "nothing"), FLOOR, self.env).seconds

    def build_ours(self, place: Place) -> float:
        """Build and smoke-check."""
        return self._run(_call(MODULE, *_options(place), "build-all"), place.root, self.env).seconds

    def build_peer(self, place: Place) -> float:
        """Build; bake has no smoke checks and measures no size."""
        return self._bake(place, "--set=*.output=type=cacheonly")

    def build_both(self, place: Place) -> None:
        """Build with both, so that nothing is left to build."""
        self.build_ours(place)
        self.build_peer(place)

    def release_ours(self, place: Place, revision: str) -> float:
        """Build, smoke-check, push, verify, tag."""
        return self._release(place, revision).seconds

    def release_ours_cached(self, place: Place, revision: str) -> tuple[float, float]:
        """Release with a layer cache in the registry; return the seconds of all of it, and those of the builds."""
        ran = self._release(place, revision, "--cache=write")
        variants = json.loads(ran.output)["build"]["variants"]
        return ran.seconds, max(variant["build_seconds"] for variant in variants)  # they run side by side

    def _release(self, place: Place, revision: str, *options: str) -> Ran:
        release = [f"--revision={revision}", f"--created={_CREATED}", "--latest", "--allow-older", "--format=json"]
        options = (*_options(place), f"--registry=tcp://{self.mirror}", *options)
        return self._run(_call(MODULE, *options, "publish", *release), place.root, self.env)

    def release_peer(self, place: Place, revision: str) -> float:
        """Build and push."""
        place.tag(f"sha-{revision[:7]}", revision)
        return self._bake(place, f"--set=*.output=type=registry,{_COMPRESSION}")

    def release_peer_cached(self, place: Place, revision: str) -> float:
        """Build and push with a layer cache in the registry."""
        place.tag(f"sha-{revision[:7]}", revision)
        sets = [f"--set=*.output=type=registry,{_COMPRESSION}"]
        for name in place.targets(revision):
            cache = f"type=registry,ref={place.bake_name(name)}:cache"
            sets += [
                f"--set={name}.cache-from={cache}",
                f"--set={name}.cache-to={cache},mode=max,image-manifest=true,{_COMPRESSION}",
            ]
        return self._bake(place, *sets)

    def _bake(self, place: Place, *options: str) -> float:
        command = self.peer.command("bake", f"--file={place.bake}", "--progress=plain", *options)
        return self._run(command, place.root, self.peer.env).seconds

    def empty_caches(self) -> None:
        """Start both tools from nothing."""
        prune_peer(self.peer)
        if not self.keep_cache:
            self._run(["dagger", "--silent", "core", "engine", "local-cache", "prune"], self.peer.folder, self.env)

    def empty_all(self, place: Place) -> None:
        """Empty the caches, and give the builder of a place a new volume: the old one may be in use still."""
        self.empty_caches()
        place.renew()


def _call(module: Path, *words: str) -> list[str]:
    return ["dagger", "--progress=plain", "-m", str(module), "call", *words]


def _options(place: Place) -> list[str]:
    return ["--source=.", f"--config={place.config.name}"]


def new_revision() -> str:
    """Make up a commit."""
    return hashlib.sha1(uuid.uuid4().bytes, usedforsecurity=False).hexdigest()
