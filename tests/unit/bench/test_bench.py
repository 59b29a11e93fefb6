"""The figures of the benchmark: medians, ratios, slope, table and plot."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.figures import Growth, Pair, render, slope
from bench.plot import draw
from bench.sampling import in_turn
from bench.service import Service

PAIR = Pair(work="cold build", of="3 images", ours=(4.0, 9.0, 6.0), peer=(2.0, 3.0, 6.0))


def test_medians_and_the_median_of_the_ratios() -> None:
    assert (PAIR.our_median, PAIR.peer_median) == (6.0, 3.0)
    assert PAIR.ratio == 2.0


def test_a_run_that_was_slow_for_both_does_not_move_the_ratio() -> None:
    loaded = Pair(work="x", of="1 image", ours=(2.0, 2.0, 20.0), peer=(1.0, 1.0, 10.0))
    assert loaded.ratio == 2.0


def test_samples_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        _ = Pair(work="x", of="1 image", ours=(1.0, 2.0), peer=(1.0,)).ratio


def test_the_slope_is_that_of_the_line() -> None:
    rows = [Growth(images=n, variants=2 * n, seconds=5 + 2 * n, memory=1) for n in (1, 3, 12)]
    assert slope(rows) == pytest.approx(1.0)
    assert slope(rows[:1]) == 0


def test_the_table_says_every_pair_and_every_fact() -> None:
    text = render([PAIR], [Growth(images=1, variants=2, seconds=4.0, memory=300_000_000)], {"repeat": "`make bench`"})
    assert "- repeat: `make bench`" in text
    assert "Other work" in text
    assert "| cold build | 3 images | 6.00 s | 3.00 s | 2.00 | 3 | 4.00-9.00 | 2.00-6.00 |" in text
    assert "| 1 | 2 | 4.0 | 2.00 | 300 MB |" in text


def test_the_table_of_goals_says_which_are_met_in_their_order() -> None:
    missed = Pair(work="b", of="x", ours=(3.0,), peer=(2.0,), row=3, goal=1.3, against="an empty function")
    met = Pair(work="a", of="x", ours=(2.6,), peer=(2.0,), row=1, goal=1.3)
    lines = render([missed, met], [], {}).splitlines()
    assert lines[-2:] == [
        "| 1 | a | x | 2.60 s | 2.00 s | 1.30 | 1.3 | met | 1 | 2.60-2.60 | 2.00-2.00 |",
        "| 3 | b | x | 3.00 s | 2.00 s (an empty function) | 1.50 | 1.3 | missed | 1 | 3.00-3.00 | 2.00-2.00 |",
    ]
    assert "Other work" not in "\n".join(lines)
    assert "at most 1.3: missed" in draw([missed], "x")


def test_both_do_the_work_in_turn_and_take_turns_at_beginning() -> None:
    done: list[str] = []

    def work(name: str, seconds: float) -> Callable[[], float]:
        def do() -> float:
            done.append(name)
            return seconds

        return do

    assert in_turn(3, work("ours", 2.0), work("peer", 1.0)) == ((2.0,) * 3, (1.0,) * 3)
    assert done == ["ours", "peer", "peer", "ours", "ours", "peer"]


def test_a_service_has_a_line_to_change_and_a_bake_file_of_the_same_image(tmp_path: Path) -> None:
    place = Service(root=tmp_path, repository="registry/bench")
    place.write()
    before = (tmp_path / "service/__init__.py").read_text()
    place.change_source()
    assert len((tmp_path / "service/__init__.py").read_text().splitlines()) == len(before.splitlines()) + 1
    bake = json.loads(place.bake.read_text())["target"]["service"]
    (image,) = json.loads(place.config.read_text())["images"]
    assert (bake["dockerfile"], bake["platforms"]) == (image["dockerfile"], image["platforms"])
    assert bake["tags"] == ["registry/bench/bake/service:unreleased", "registry/bench/bake/service:latest"]


def test_a_renewed_place_has_another_source_and_is_else_the_same(tmp_path: Path) -> None:
    place = Service(root=tmp_path, repository="registry/bench")
    place.write()
    before = json.loads(place.config.read_text())
    place.renew()
    after = json.loads(place.config.read_text())
    assert before.pop("source") != after.pop("source")
    assert before == after


def test_the_plot_is_well_formed_and_its_bars_are_to_scale() -> None:
    root = ET.fromstring(draw([PAIR], "a < b"))  # noqa: S314  # our own text
    bars = [
        float(r.get("width", "0")) for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("height") == "15"
    ]
    assert bars[0] == pytest.approx(2 * bars[1])
