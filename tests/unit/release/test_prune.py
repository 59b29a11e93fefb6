"""What a clean-up keeps by the words of --keep, and in which order what it does not keep can go."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from graphlib import CycleError, TopologicalSorter

import pytest

from ci.core.errors import DrydockError, PipelineError
from ci.core.model import Affixes, Image
from ci.core.oci import OCI_INDEX, OCI_MANIFEST, Manifest, digest_of
from ci.core.text import Format
from ci.release.holdings import Holdings, Node, freed, judge, subject_of_tag
from ci.release.keeping import Keep, Named, choose_kept, core_of, parse_keep, time_of, unmatched
from ci.release.prune_report import report_pruned
from ci.release.pruned import Cleaning, Doomed, Pruned
from ci.release.survey import node_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def image(*, prefix: str = "", suffix: str = "") -> Image:
    affixes = Affixes(prefix=prefix, suffix=suffix)
    return Image(name="app", dockerfile="Dockerfile", context=".", platforms=(), affixes=affixes)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["10"], Keep(count=10)),
        (["10,30d", "4w", "3"], Keep(count=10, age=timedelta(days=30))),
        (["sha-1234567", "sha-*-v1*"], Keep(patterns=("sha-1234567", "sha-*-v1*"))),
    ],
)
def test_what_keep_says(words: list[str], kept: Keep) -> None:
    assert parse_keep(words) == kept


@pytest.mark.parametrize("words", [["0"], ["-1"], [], [","], ["10", "a b"], ["1000000000"], ["$(date)"], ["007"]])
def test_what_keep_cannot_say(words: list[str]) -> None:
    with pytest.raises(DrydockError, match="--keep"):
        parse_keep(words)


@pytest.mark.parametrize(
    ("tag", "core"),
    [
        ("sha-1234567", "sha-1234567"),
        ("sha-1234567-rebuilt", "sha-1234567-rebuilt"),
        ("sha-1234567-20260301-0417", "sha-1234567-20260301-0417"),
        ("sha-1234567-gpu", "sha-1234567"),
        ("gpu-sha-1234567", ""),
        ("sha-12345678", ""),
        ("latest", ""),
        ("cache-app-linux-amd64", ""),
        ("sha256-" + "0" * 64, ""),
        ("v1.2.3", ""),
    ],
)
def test_the_tag_of_a_commit(tag: str, core: str) -> None:
    assert core_of([image(), image(suffix="-gpu")], tag) == core


def test_the_time_of_a_release() -> None:
    assert time_of("sha-1234567-20260301-0417", "2026-01-01T00:00:00Z") == datetime(2026, 3, 1, 4, 17, tzinfo=UTC)
    assert time_of("sha-1234567", "2026-01-01T00:00:00Z") == datetime(2026, 1, 1, tzinfo=UTC)
    assert time_of("sha-1234567", "yesterday") is None
    assert time_of("sha-1234567", "2026-01-01T00:00:00") is None


def named(core: str, days: int | None, repository: str = "r/a") -> Named:
    return Named(repository=repository, tag=core, core=core, time=None if days is None else NOW - days * DAY)


def test_a_release_is_all_its_images_and_counts_once() -> None:
    tags = [named("sha-000000a", 3), named("sha-000000a", 3, "r/b"), named("sha-000000b", 2), named("sha-000000c", 1)]
    kept = choose_kept(tags, Keep(count=2), NOW)
    assert [key for key, why in kept.items() if not why] == [("r/a", "sha-000000a"), ("r/b", "sha-000000a")]


def test_a_moving_tag_takes_no_place_and_what_has_no_time_stays() -> None:
    tags = [
        named("sha-000000a-rebuilt", 0),
        named("sha-000000a", 3),
        named("sha-000000b", 9),
        named("sha-000000c", None),
    ]
    kept = {tag for (_, tag), why in choose_kept(tags, Keep(count=1), NOW).items() if why}
    assert kept == {"sha-000000a", "sha-000000c"}


def test_one_reason_is_enough() -> None:
    tags = [named("sha-000000a", 30), named("sha-000000b", 3), named("sha-000000c", 1), named("sha-000000d", 90)]
    keep = parse_keep(["1", "7d", "sha-000000a"])
    assert [tag for (_, tag), why in choose_kept(tags, keep, NOW).items() if not why] == ["sha-000000d"]
    assert unmatched(["sha-000000b"], keep) == ["sha-000000a"]


def digest(number: int) -> str:
    return digest_of(str(number).encode())


def test_what_a_tag_is_about() -> None:
    one = digest(1)
    assert subject_of_tag(one.replace(":", "-")) == subject_of_tag(one.replace(":", "-") + ".sig") == one
    assert subject_of_tag("sha256-1234") == subject_of_tag("sha-1234567") == subject_of_tag("sha512-" + "0" * 64) == ""


def circular(holdings: Holdings) -> bool:
    """Tell whether a tag says of an index that it is about what that index names."""
    referrers = holdings.referrers()
    edges = {one: {*node.children, *referrers.get(one, ())} for one, node in holdings.nodes.items()}
    try:
        TopologicalSorter(edges).prepare()
    except CycleError:
        return True
    return False


@pytest.mark.parametrize("seed", range(60))
def test_whatever_stays_is_whole_and_whatever_goes_goes_after_what_needs_it(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    nodes: dict[str, Node] = {}
    for number in range(40):
        below = list(nodes)
        children = tuple(chance.sample(below, min(len(below), chance.randint(0, 3))))
        subject = chance.choice(below) if below and chance.random() < 0.3 else ""
        nodes[digest(number)] = Node(digest=digest(number), children=children, subject=subject)
    tags = {f"t{number}": chance.choice(list(nodes)) for number in range(12)}
    about = chance.sample(list(nodes), 4)
    tags |= {one.replace(":", "-"): chance.choice(list(nodes)) for one in about}
    all_listed = chance.random() < 0.5
    listed = {one: NOW - chance.randint(0, 4) * DAY for one in nodes} if all_listed else {}
    going = set(chance.sample([tag for tag in tags if tag.startswith("t")], 6))
    holdings = Holdings(repository="r/a", tags=tags, nodes=nodes, listed=listed)
    found = judge(holdings, going, NOW, grace=DAY)
    referrers = holdings.referrers()
    assert not found.kept & {*found.doomed}
    assert len({*found.doomed}) == len(found.doomed)
    for tag, named_by in tags.items():
        assert tag in going or subject_of_tag(tag) or named_by in found.kept
    for one in found.kept:
        assert {*nodes[one].children, *referrers.get(one, ())} <= found.kept
        assert not nodes[one].subject or nodes[one].subject in found.kept
    place = {one: number for number, one in enumerate(found.doomed)}
    for one in found.doomed:
        assert all(child in found.kept or place[child] > place[one] for child in nodes[one].children)
        for later in referrers.get(one, ()):
            assert later in found.kept or place[later] > place[one] or circular(holdings)
    assert not all_listed or {*found.kept, *found.doomed} == {*nodes}


def test_bytes_that_something_else_needs_are_not_freed() -> None:
    one = Node(digest=digest(1), blobs={"a": 1, "b": 10})
    two = Node(digest=digest(2), blobs={"b": 10, "c": 100})
    holdings = Holdings(
        repository="r/a", tags={"x": one.digest, "y": two.digest}, nodes={digest(1): one, digest(2): two}
    )
    assert freed(holdings, judge(holdings, {"x"}, NOW, grace=DAY)) == 1


def test_an_index_of_layers_has_no_manifests_below_it() -> None:
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": digest(1), "size": 1},
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(2), "size": 2},
    ]
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    node = node_of(Manifest(body=body, media_type=OCI_INDEX, digest=digest_of(body)))
    assert node.children == (digest(1),)
    assert node.blobs[digest(2)] == 2


def cleaning(*problems: str, dry: bool = False, deleted: bool = False) -> Cleaning:
    doomed = Doomed(digest=digest(1), tags=("sha-1234567",), made="2026-01-01T00:00:00Z", deleted=deleted)
    one = Pruned(repository="r/a", kept=(("sha-7654321", "why"),), others=2, manifests=5, doomed=(doomed,), freed=1500)
    return Cleaning(dry=dry, repositories=(one,), problems=problems)


@pytest.mark.parametrize("wanted", [Format.TABLE, Format.MARKDOWN])
def test_the_report_says_what_goes_and_what_to_type(wanted: Format) -> None:
    text = report_pruned(cleaning(dry=True), wanted)
    assert "1 manifests could go" in text
    assert "1.5 kB" in text
    assert "add --yes" in text
    with pytest.raises(PipelineError, match="Nothing was deleted"):
        report_pruned(cleaning("no"), wanted)
    with pytest.raises(PipelineError, match="It ended there"):
        report_pruned(cleaning("no", deleted=True), wanted)


def test_the_report_as_json() -> None:
    found = json.loads(report_pruned(cleaning(deleted=True), Format.JSON))
    assert found["schema"] == 1
    assert found["repositories"][0]["doomed"][0]["deleted"]
