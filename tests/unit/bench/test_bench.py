"""The figures of the benchmark: medians, ratios, slope, table and plot."""

import xml.etree.ElementTree as ET

import pytest

from bench.figures import Growth, Pair, render, slope
from bench.plot import draw

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
    assert "| cold build | 3 images | 6.00 s | 3.00 s | 2.00 | 3 | 4.00-9.00 | 2.00-6.00 |" in text
    assert "| 1 | 2 | 4.0 | 2.00 | 300 MB |" in text


def test_the_plot_is_well_formed_and_its_bars_are_to_scale() -> None:
    root = ET.fromstring(draw([PAIR], "a < b"))  # noqa: S314  # our own text
    bars = [
        float(r.get("width", "0")) for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("height") == "15"
    ]
    assert bars[0] == pytest.approx(2 * bars[1])
