"""What is measured: pieces of work that both tools do, in turn, on the same files."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Growth, Pair
from bench.peer import Peer, prune_peer
from bench.place import Place
from bench.reference import Reference
from bench.workspace import Workspace
from deploy.engine.errors import EngineError
from deploy.engine.progress import say

MODULE = Path(__file__).resolve().parents[1]
LIMIT = 900  # seconds for one command
_CREATED = "2026-01-01T00:00:00+00:00"


@dataclass(kw_only=True, slots=True)
class Bench:
    """The two tools, and the load that other processes were when each sample began."""

    peer: Peer
    mirror: str
    env: Mapping[str, str]
    loads: list[float] = field(default_factory=list)

    def _timed(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> float:
        self.loads.append(os.getloadavg()[0])
        begin = time.monotonic()
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(env),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
        )
        seconds = time.monotonic() - begin
        if done.returncode != 0:
            tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-15:])
            raise EngineError(f"{' '.join(command[:2])} failed with exit code {done.returncode}:\n{tail}")
        return seconds

    def build_ours(self, place: Place) -> float:
        """Build and smoke-check."""
        return self._timed([*self._call(place), "build-all"], place.root, self.env)

    def build_peer(self, place: Place) -> float:
        """Build; bake has no smoke checks and measures no size."""
        bake = self.peer.command("bake", f"--file={place.bake}", "--progress=quiet", "--set=*.output=type=cacheonly")
        return self._timed(bake, place.root, self.peer.env)

    def release_ours(self, place: Place, revision: str) -> float:
        """Build, smoke-check, push, verify, tag."""
        release = [
            f"--registry=tcp://{self.mirror}",
            "publish",
            f"--revision={revision}",
            f"--created={_CREATED}",
            "--latest",
            "--allow-older",
        ]
        return self._timed([*self._call(place), *release], place.root, self.env)

    def release_peer(self, place: Place, revision: str) -> float:
        """Build and push, with the layers compressed as drydock does."""
        place.tag(f"sha-{revision[:7]}", revision)
        output = "--set=*.output=type=registry,compression=zstd,oci-mediatypes=true"
        bake = self.peer.command("bake", f"--file={place.bake}", "--progress=quiet", output)
        return self._timed(bake, place.root, self.peer.env)

    def emptied(self, release: Callable[[Place, str], float], place: Place, revision: str) -> float:
        """Release from nothing."""
        self.empty_caches()
        return release(place, revision)

    def empty_caches(self) -> None:
        """Start both tools from nothing."""
        prune_peer(self.peer)
        prune = ["dagger", "--silent", "core", "engine", "local-cache", "prune"]
        self._timed(prune, self.peer.folder, self.env)

    @staticmethod
    def _call(place: Place) -> list[str]:
        return ["dagger", "--progress=plain", "-m", str(MODULE), "call", "--source=.", f"--config={place.config.name}"]


def new_revision() -> str:
    """Make up a commit."""
    return hashlib.sha1(uuid.uuid4().bytes, usedforsecurity=False).hexdigest()


def build_pairs(bench: Bench, place: Workspace, runs: int) -> Iterator[Pair]:
    """Measure builds: cold, nothing changed, one source line, one Dockerfile line."""
    works: list[tuple[str, Callable[[], None]]] = [
        ("cold build", place.change_stages),
        ("nothing changed", lambda: None),
        ("one source line changed", place.change_source),
        ("one Dockerfile line changed", place.change_dockerfile),
    ]
    for work, change in works:
        # Base images and module are there before anything counts, and what the work before left changed is built.
        bench.build_ours(place)
        bench.build_peer(place)

        def ours(change: Callable[[], None] = change) -> float:
            change()
            return bench.build_ours(place)

        def peer(change: Callable[[], None] = change) -> float:
            change()
            return bench.build_peer(place)

        yield _pair(work, place.of, runs, ours, peer)


def release_pairs(bench: Bench, place: Workspace, runs: int, *, cold_engine: bool) -> Iterator[Pair]:
    """Measure releases: cold, of an unchanged commit, and on an empty cache with inputs that are released already."""

    def cold_ours() -> float:
        place.change_stages()
        return bench.release_ours(place, new_revision())

    def cold_peer() -> float:
        place.change_stages()
        return bench.release_peer(place, new_revision())

    yield _pair("cold release", place.of, runs, cold_ours, cold_peer)
    same = new_revision()
    bench.release_ours(place, same)
    bench.release_peer(place, same)
    yield _pair(
        "release of an unchanged commit",
        place.of,
        runs,
        lambda: bench.release_ours(place, same),
        lambda: bench.release_peer(place, same),
    )
    if not cold_engine:
        return

    yield _pair(
        "release with unchanged inputs, caches empty",
        place.of,
        max(1, runs - 1),
        lambda: bench.emptied(bench.release_ours, place, new_revision()),
        lambda: bench.emptied(bench.release_peer, place, new_revision()),
    )


def reference_pairs(bench: Bench, place: Reference, runs: int) -> Iterator[Pair]:
    """Measure the reference variants: from empty caches up to the push, nothing changed, a line, the same commit."""
    of, few = place.of, max(1, runs - 1)
    yield _pair(
        "release, caches empty",
        of,
        few,
        lambda: bench.emptied(bench.release_ours, place, new_revision()),
        lambda: bench.emptied(bench.release_peer, place, new_revision()),
    )
    bench.build_ours(place)
    bench.build_peer(place)  # without the argument that names a commit
    yield _pair("nothing changed", of, runs, lambda: bench.build_ours(place), lambda: bench.build_peer(place))

    def changed(build: Callable[[Place], float]) -> float:
        place.change_source()
        return build(place)

    yield _pair(
        "one source line changed", of, runs, lambda: changed(bench.build_ours), lambda: changed(bench.build_peer)
    )
    same = new_revision()
    bench.release_ours(place, same)
    bench.release_peer(place, same)
    yield _pair(
        "release of an unchanged commit, caches empty",
        of,
        few,
        lambda: bench.emptied(bench.release_ours, place, same),
        lambda: bench.emptied(bench.release_peer, place, same),
    )


def growth(bench: Bench, folder: Path, counts: Sequence[int], platforms: tuple[str, ...]) -> Iterator[Growth]:
    """Measure cold builds of more and more variants."""
    for images in counts:
        place = Workspace(
            root=folder / f"growth{images}", images=images, platforms=platforms, repository=bench.mirror, light=True
        )
        place.write()
        with _memory() as peak:
            seconds = bench.build_ours(place)
        variants = images * len(platforms)
        say(f"growth, {variants} variants: {seconds:.1f} s, {peak[0] / 1e6:.0f} MB")
        yield Growth(images=images, variants=variants, seconds=seconds, memory=peak[0])


def _pair(work: str, of: str, runs: int, ours: Callable[[], float], peer: Callable[[], float]) -> Pair:
    """Let both do the work in turn; who begins alternates too."""
    samples: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(runs):
        order = [("ours", ours), ("peer", peer)]
        for name, do in order if number % 2 == 0 else reversed(order):
            samples[name].append(do())
    pair = Pair(work=work, of=of, ours=tuple(samples["ours"]), peer=tuple(samples["peer"]))
    say(f"{work}, {of}: drydock {pair.our_median:.2f} s, bake {pair.peer_median:.2f} s, ratio {pair.ratio:.2f}")
    return pair


@contextmanager
def _memory() -> Iterator[list[int]]:
    """Watch how much less memory is available than before, in bytes, all processes included."""
    before, peak, over = _available(), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            peak[0] = max(peak[0], before - _available())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _available() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024
