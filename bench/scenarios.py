"""Work without a goal, on generated images: how it grows with their number."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Growth, Pair
from bench.sampling import in_turn, told
from bench.tools import Bench, new_revision
from bench.workspace import Workspace
from deploy.engine.progress import say


def build_pairs(bench: Bench, place: Workspace, runs: int) -> Iterator[Pair]:
    """Measure builds: cold, nothing changed, one source line."""
    works: list[tuple[str, Callable[[], None]]] = [
        ("cold build", place.change_stages),
        ("nothing changed", lambda: None),
        ("one source line changed", place.change_source),
    ]
    for work, change in works:
        # Base images and module are there before anything counts, and what the work before left changed is built.
        bench.build_both(place)

        def ours(change: Callable[[], None] = change) -> float:
            change()
            return bench.build_ours(place)

        def peer(change: Callable[[], None] = change) -> float:
            change()
            return bench.build_peer(place)

        yield told(work, place.of, *in_turn(runs, ours, peer))


def release_pairs(bench: Bench, place: Workspace, runs: int) -> Iterator[Pair]:
    """Measure releases: cold, and of an unchanged commit."""

    def cold_ours() -> float:
        place.change_stages()
        return bench.release_ours(place, new_revision())

    def cold_peer() -> float:
        place.change_stages()
        return bench.release_peer(place, new_revision())

    yield told("cold release", place.of, *in_turn(runs, cold_ours, cold_peer))
    same = new_revision()
    bench.release_ours(place, same)
    bench.release_peer(place, same)
    samples = in_turn(runs, lambda: bench.release_ours(place, same), lambda: bench.release_peer(place, same))
    yield told("release of an unchanged commit", place.of, *samples)


def growth(bench: Bench, folder: Path, counts: Sequence[int], platforms: tuple[str, ...]) -> Iterator[Growth]:
    """Measure cold builds of more and more variants."""
    for images in counts:
        place = Workspace(
            root=folder / f"growth{images}", images=images, platforms=platforms, repository=bench.mirror, light=True
        )
        place.write()
        place.renew()
        with _memory() as peak:
            seconds = bench.build_ours(place)
        variants = images * len(platforms)
        say(f"growth, {variants} variants: {seconds:.1f} s, {peak[0] / 1e6:.0f} MB")
        yield Growth(images=images, variants=variants, seconds=seconds, memory=peak[0])


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
