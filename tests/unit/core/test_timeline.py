"""What a run did when, as pictures: nothing is lost, nothing breaks out, and no picture grows without end."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from ci.core.model import Image, Outcome, Stage, Variant
from ci.core.timeline import (
    ALL,
    STAGES,
    TAGS,
    Row,
    arrange,
    draw_mermaid,
    keep_latest,
    merge_rows,
    row_before,
    row_of,
    shorten,
)
from ci.core.timeline_svg import draw_svg

BEGAN = 1_790_000_000.0
ENGINE, ARM = "engine (linux/amd64)", "tcp://arm.example:1234 (linux/arm64)"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "a```\n</svg><script>alert(1)</script> %%{init: {}}%% <img src=x onerror=x> & \"' ;#quot; :crit, 0, 1\n"
    "click a call b()\x1b[31m\x00\ufffe\uffff\u202e]]>"
)


def stage(name: str, began: float, seconds: float, detail: str = "", *, ok: bool = True) -> Stage:
    return Stage(name=name, began=BEGAN + began, seconds=seconds, detail=detail, ok=ok)


def variant(label: str, began: float, machine: str = ENGINE, build: float = 10.0) -> Row:
    stages = (
        stage("build", began, build, "7 of 9 steps cached"),
        stage("import", began + build, 1),
        stage("smoke", began + build + 2, 3),
    )
    return Row(label=label, machine=machine, stages=stages)


RUN = (
    Row(label=ALL, stages=(stage("prepare", 0, 2),)),
    variant("backend@linux/amd64", 2),
    variant("worker@linux/arm64", 12, build=12),
    Row(label="base@linux/amd64", machine="the registry", note="reused from sha-1234567"),
    Row(label="backend@linux/amd64", stages=(stage("push", 30, 1.5),)),
    Row(label="worker@linux/arm64", stages=(stage("push", 31.5, 2.5),)),
    Row(label="ghcr.io/acme/backend", stages=(stage("verify", 34, 0.25),)),
    Row(label=TAGS, stages=(stage("name", 34.3, 0.1, "sha-1234567"), stage("move", 34.4, 0.1, "latest"))),
)


def parse(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314  # what is drawn here; whether it is XML is what is asked


def texts(picture: str, kind: str = "text") -> list[str]:
    return ["".join(element.itertext()) for element in parse(picture).iter(f"{SVG}{kind}")]


def test_a_variant_has_one_row_in_the_order_of_the_plan() -> None:
    rows = arrange(RUN).rows
    assert [row.label for row in rows] == [
        ALL,
        "backend@linux/amd64",
        "worker@linux/arm64",
        "base@linux/amd64",
        "ghcr.io/acme/backend",
        TAGS,
    ]
    assert [s.name for s in rows[1].stages] == ["build", "import", "smoke", "push"]
    assert [s.began for s in rows[1].stages] == [2, 12, 14, 30]
    assert rows[1].machine == ENGINE


def test_one_sees_what_a_release_waits_for() -> None:
    last, after = arrange(RUN).sentences()
    assert last.startswith("Done last: worker@linux/arm64, after 29.0 s (build 12.0 s, import 1.0 s, smoke 3.0 s; ")
    assert last.endswith("; 13.0 s before and between).")
    assert after == "What came after that took 5.5 s."


def test_what_each_machine_did_stands_together() -> None:
    rows = (
        Row(label=ALL, machine=ENGINE, stages=(stage("prepare", 0, 1),)),
        variant("one@linux/amd64", 1),
        variant("two@linux/amd64", 2),
        Row(label=ALL, machine=ARM, stages=(stage("prepare", 3, 1),)),
        variant("one@linux/arm64", 4, ARM),
        Row(label="one@linux/arm64", stages=(stage("push", 40, 1),)),
        Row(label=ALL, stages=(stage("prepare", 39, 1),)),
    )
    alternating = [rows[n] for n in (0, 1, 3, 4, 2, 5, 6)]
    placed = [(row.label, row.machine) for row in arrange(alternating).rows]
    assert placed == [
        (ALL, ENGINE),
        ("one@linux/amd64", ENGINE),
        ("two@linux/amd64", ENGINE),
        (ALL, ARM),
        ("one@linux/arm64", ARM),
        (ALL, ""),
    ]
    assert {ENGINE, ARM} <= set(texts(draw_svg(alternating)))
    assert "section one@linux/arm64<br>tcp://arm.example:1234 (linux/arm64)\n" in draw_mermaid(alternating)


def test_two_machines_that_built_the_same_variant_are_two_rows() -> None:
    assert len(merge_rows((variant("one@linux/amd64", 1), variant("one@linux/amd64", 2, ARM)))) == 2


def test_a_job_that_is_run_again_an_hour_later_leaves_a_cut_and_no_empty_hour() -> None:
    timeline = arrange((variant("one@linux/amd64", 0), variant("two@linux/arm64", 3600, ARM)))
    assert timeline.cuts == ((15, 3585),)
    assert timeline.seconds == 30
    assert "Left out after 15.0 s: 59 min 45 s in which nothing ran." in timeline.sentences()
    assert "59 min 45 s left out" in texts(draw_svg((variant("one", 0), variant("two", 3600, ARM))))


def test_a_wait_that_is_short_beside_the_work_stays() -> None:
    rows = (variant("one@linux/amd64", 0, build=1200), variant("two@linux/amd64", 1400, build=1200))
    assert arrange(rows).cuts == ()


def test_the_diagram() -> None:
    text = draw_mermaid(RUN)
    assert text.startswith("Done last: worker@linux/arm64, after 29.0 s (build")
    assert "\n  section backend@linux/amd64\n  build 10.0 s, 7 of 9 steps cached :active, 2000, 12000\n" in text
    assert "\n  name 0.1 s, sha-1234567 :34300, 34400\n" in text
    assert "base@linux/amd64" not in text  # nothing was done for it; the table says where it is from


def test_the_file() -> None:
    picture = draw_svg(RUN)
    found = texts(picture)
    for row in RUN:
        assert row.label in found
    assert {ENGINE, "7 of 9 steps cached", "reused from sha-1234567", "all variants done", "build 10.0 s"} <= set(found)
    assert "build 10.0 s, 7 of 9 steps cached; began at 2.0 s" in texts(picture, "title")
    assert "prefers-color-scheme: dark" in picture


def test_what_failed_is_seen() -> None:
    failed = Row(label="app@linux/amd64", machine=ENGINE, stages=(stage("build", 0, 1, ok=False),))
    assert "build 1.0 s, FAILED :crit, 0, 1000" in draw_mermaid([failed])
    assert {"failed", "build FAILED"} <= set(texts(draw_svg([failed])))


def test_texts_of_others_stay_texts() -> None:
    row = Row(label=HOSTILE, machine=HOSTILE, note=HOSTILE, stages=(stage("build", 0, 1, HOSTILE),))
    other = replace(row, label="b", machine="m")
    picture = parse(draw_svg([row, other]))
    tags = {element.tag.removeprefix(SVG) for element in picture.iter()}
    assert tags == {"svg", "g", "title", "style", "rect", "text", "line"}
    head, _, diagram = draw_mermaid([row, other]).partition("```mermaid\n")
    assert "<" not in head
    assert diagram.count("```") == 1
    lines = diagram.partition("todayMarker off\n")[2].removesuffix("\n```").splitlines()
    safe, name = r"[\w ./@+,()-]+", r"[\w ./@+,():-]+"
    allowed = re.compile(rf"  (section {name}(<br>{name})?|build {safe} :active, \d+, \d+)", re.ASCII)
    assert len(lines) == 4
    assert all(allowed.fullmatch(line) for line in lines), lines


@pytest.mark.parametrize(
    "wrong",
    [
        stage("click a", 0, 1),
        stage("build", float("nan"), 1),
        stage("build", float("inf"), 1),
        stage("build", 0, -1),
        stage("build", 0, float("inf")),
    ],
)
def test_what_cannot_be_drawn_is_left_out(wrong: Stage) -> None:
    rows = (variant("one@linux/amd64", 0), Row(label="two@linux/amd64", machine=ENGINE, stages=(wrong,)))
    assert arrange(rows).seconds == 15
    assert "two" not in draw_mermaid(rows)
    parse(draw_svg(rows))


def test_many_variants_make_no_endless_pictures() -> None:
    rows = [variant(f"image{n}@linux/amd64", n) for n in range(1000)]
    text, picture = draw_mermaid(rows), draw_svg(rows)
    assert "Drawn are the 20 of 1000 rows that ended last." in text
    assert "section image999@linux/amd64" in text
    assert len(text) < 5000
    assert "Not drawn: 700 rows that ended earlier." in texts(picture)
    assert len(picture) < 350_000
    two_hundred = draw_svg(rows[:200])
    assert {f"image{n}@linux/amd64" for n in range(200)} <= set(texts(two_hundred))
    assert int(parse(two_hundred).attrib["height"]) < 5000


@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.7, 59.0, 3000.0, 200_000.0])
def test_the_axis_fits_any_length(seconds: float) -> None:
    row = Row(label="one@linux/amd64", machine=ENGINE, stages=(stage("build", 0, seconds),))
    labels = list(parse(draw_svg([row])).iter(f"{SVG}text"))
    assert all(0 <= float(label.attrib["x"]) <= 1100 for label in labels)
    axis = [label for label in labels if label.get("text-anchor") == "middle"]
    assert 2 <= len(axis) <= 23  # above and below


def test_nothing_done_is_no_picture() -> None:
    assert draw_mermaid(()) == draw_mermaid([Row(label="one")]) == ""
    parse(draw_svg(()))


def test_a_reused_variant_says_where_it_is_from() -> None:
    image = Image(name="app", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",))
    outcome = Outcome(variant=Variant(image=image, platform="linux/amd64"), build_seconds=0, reused="sha-1234567")
    assert row_of(outcome) == Row(label="app@linux/amd64", machine="the registry", note="reused from sha-1234567")


def test_the_wait_for_another_call_is_seen_before_the_builds() -> None:
    prepared = (stage("prepare", 0, 2),)
    assert row_before(prepared, 0.0) == Row(label=ALL, stages=prepared)
    late = row_before(prepared, 9.0)
    assert (late.stages[1].name, late.ended) == ("wait", BEGAN + 11)
    assert "wait 9.0 s, for another call :2000, 11000" in draw_mermaid([late])


def test_a_long_name_keeps_both_ends() -> None:
    assert shorten("a" * 40 + "@linux/arm64", 20) == "aaaaaaaaa..nux/arm64"[:9] + "..nux/arm64"
    assert len(shorten("x" * 99, 31)) == 31
    assert shorten("short", 31) == "short"


def test_the_latest_stay_in_their_order() -> None:
    rows = [variant("c", 3), variant("a", 1), variant("b", 2)]
    assert [row.label for row in keep_latest(rows, 2)] == ["c", "b"]


def test_every_stage_has_a_colour_of_its_own() -> None:
    rows = [Row(label=name, stages=(stage(name, n, 1),)) for n, name in enumerate(STAGES)]
    fills = re.findall(r'height="14" rx="2" fill="(#\w+)"', draw_svg(rows))
    assert len(fills) == len(set(fills)) == len(STAGES)
