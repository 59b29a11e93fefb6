"""The work that has a goal: how many times as long as the peer it may take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from bench.figures import Pair
from bench.place import Place
from bench.reference import Reference
from bench.sampling import in_turn, told
from bench.service import Service
from bench.tools import Bench, new_revision

ROWS = (1, 2, 3, 4, 5, 6)
_COLD, _LINE, _FLOOR, _SAME, _CACHE, _REUSE = ROWS
_REFERENCE = frozenset(ROWS) - {_CACHE}
_SERVICE = frozenset({_LINE, _CACHE})


def goal_pairs(bench: Bench, folder: Path, repository: str, rows: Collection[int], runs: int) -> Iterator[Pair]:
    """Measure what has a goal.

    Args:
        bench: the two tools.
        folder: for what is built.
        repository: that images are pushed below.
        rows: which of the goals, by their numbers.
        runs: how often each tool does each work; what starts from nothing is done once less.

    """
    if _REFERENCE & set(rows):
        reference = Reference(root=folder / "reference", repository=repository)
        reference.write()
        yield from _of_reference(bench, reference, rows, runs)
    if _SERVICE & set(rows):
        service = Service(root=folder / "service", repository=repository)
        service.write()
        yield from _of_service(bench, service, rows, runs)


def _of_reference(bench: Bench, place: Reference, rows: Collection[int], runs: int) -> Iterator[Pair]:
    of, few = place.of, max(1, runs - 1)
    if _COLD in rows:

        def cold_peer() -> float:
            bench.empty_all(place)
            return bench.release_peer(place, new_revision())

        def cold_ours() -> float:
            bench.empty_all(place)
            return bench.build_ours(place)

        samples = in_turn(few, cold_ours, cold_peer)
        yield told("build and smoke-check; bake builds and pushes; caches empty", of, *samples, row=_COLD, goal=1.3)
    if _LINE in rows:
        yield _line_changed(bench, place, runs)
    if _FLOOR in rows:
        bench.build_ours(place)
        bench.floor()
        samples = in_turn(2 * runs - 1, lambda: bench.build_ours(place), bench.floor)
        yield told("nothing changed", of, *samples, row=_FLOOR, goal=1.3, against="an empty function")
    if _SAME in rows:
        bench.build_both(place)
        samples = in_turn(2 * runs - 1, lambda: bench.build_ours(place), lambda: bench.build_peer(place))
        yield told("nothing changed", of, *samples, row=_SAME, goal=10)
    if _REUSE in rows:
        same = new_revision()
        bench.release_ours(place, same)
        bench.release_peer(place, same)

        def emptied(release: Callable[[Place, str], float]) -> float:
            bench.empty_caches()
            return release(place, same)

        samples = in_turn(few, lambda: emptied(bench.release_ours), lambda: emptied(bench.release_peer))
        yield told("release of an unchanged commit, caches empty", of, *samples, row=_REUSE, goal=0.25)


def _of_service(bench: Bench, place: Service, rows: Collection[int], runs: int) -> Iterator[Pair]:
    if _LINE in rows:
        yield _line_changed(bench, place, runs)
    if _CACHE in rows:
        bench.release_ours_cached(place, new_revision())
        bench.release_peer_cached(place, new_revision())
        builds: list[float] = []

        def ours() -> float:
            bench.empty_all(place)
            place.change_source()
            whole, build = bench.release_ours_cached(place, new_revision())
            builds.append(build)
            return whole

        def peer() -> float:
            bench.empty_all(place)
            place.change_source()
            return bench.release_peer_cached(place, new_revision())

        whole, others = in_turn(max(1, runs - 1), ours, peer)
        work = "one source line changed, layer cache in the registry, else empty"
        yield told(f"{work}: the build alone", place.of, tuple(builds), others, row=_CACHE, goal=1.2)
        yield told(f"{work}: release", place.of, whole, others, row=_CACHE, goal=2)


def _line_changed(bench: Bench, place: Place, runs: int) -> Pair:
    bench.build_both(place)  # the module is there before anything counts

    def changed(build: Callable[[Place], float]) -> float:
        place.change_source()
        return build(place)

    samples = in_turn(runs, lambda: changed(bench.build_ours), lambda: changed(bench.build_peer))
    return told("one source line changed", place.of, *samples, row=_LINE, goal=7)
