"""How two layers, two documents and two builds are told apart, and how that is said."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ci.core.errors import DrydockError, PipelineError
from ci.core.names import short_reference, whole_reference
from ci.core.text import Format
from ci.release.differences import Entry, FileDifferences, compare_documents, compare_entries
from ci.release.layers import Place, compare_layers
from ci.release.reproduce_report import report_reproduced
from ci.release.reproduced import LayerDifference, Reproduced, Reproduction

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
PLAIN = "application/vnd.oci.image.layer.v1.tar"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {GZIP: gzip.compress, ZSTD: zstd.compress, PLAIN: bytes}
Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **fields: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(content), 1000, 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def write(file: Path, *members: Member, before: bytes = b"", kind: str = GZIP) -> Place:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    body = COMPRESS[kind](plain.getvalue())
    file.write_bytes(before + body + b"what stands behind it in an archive")
    return file, len(before), len(body)


@pytest.mark.parametrize(
    ("one", "other", "kinds"),
    [
        (member("a", b"1"), member("a", b"2"), ("content",)),
        (member("a", b"1"), member("a", b"1", mtime=1001), ("time",)),
        (member("a", b"1"), member("a", b"1", mtime=1000.5), ("time",)),
        (member("a", b"1"), member("a", b"1", mode=0o600), ("mode",)),
        (member("a", b"1"), member("a", b"1", uid=1, uname="ada"), ("owner",)),
        (member("a", b"1", mtime=5), member("a", b"2", mode=0o4755), ("content", "time", "mode")),
        (member("a"), member("a", type=tarfile.DIRTYPE), ("type", "content")),
        (
            member("a", type=tarfile.SYMTYPE, linkname="b"),
            member("a", type=tarfile.SYMTYPE, linkname="c"),
            ("target",),
        ),
        (
            member("a", pax_headers={"SCHILY.xattr.security.capability": "x"}),
            member("a"),
            ("attributes",),
        ),
        (
            member("a", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            member("a", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
            ("target",),
        ),
    ],
)
def test_in_what_a_file_differs(tmp_path: Path, one: Member, other: Member, kinds: tuple[str, ...]) -> None:
    same = member("b", b"x")
    released = write(tmp_path / "one", same, one, before=b"other blobs of the archive")
    found = compare_layers(GZIP, released, write(tmp_path / "other", same, other))
    assert [(each.path, each.kinds) for each in found.files] == [("a", kinds)]
    assert found.kinds == dict.fromkeys(kinds, 1)
    assert (found.differing, found.moved, found.entries) == (1, 0, 2)
    assert found.only_earlier == (kinds == ("time",))


def test_what_only_one_has_and_what_is_in_another_order(tmp_path: Path) -> None:
    released = write(tmp_path / "one", *(member(name) for name in "abcd"), kind=PLAIN)
    built = write(tmp_path / "other", *(member(name) for name in "xbac"), kind=PLAIN)
    found = compare_layers(PLAIN, released, built)
    assert {each.path: each.kinds for each in found.files} == {
        "d": ("only in the released one",),
        "x": ("only in the new one",),
    }
    assert found.moved == 1
    more = compare_layers(PLAIN, released, write(tmp_path / "more", *(member(n) for n in "axbcd"), kind=PLAIN))
    assert more.moved == 0, "a new file moves no other"


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_file_is_named_however_its_layer_is_compressed(tmp_path: Path, kind: str) -> None:
    same = member("same", b"x" * 100_000)
    released = write(tmp_path / "one", same, member("built", b"1"), before=b"other blobs", kind=kind)
    built = write(tmp_path / "other", same, member("built", b"2", mtime=1001), kind=kind)
    found = compare_layers(kind, released, built)
    assert [(each.path, each.kinds) for each in found.files] == [("built", ("content", "time"))]
    assert compare_layers(kind, released, released).differing == 0


def test_a_layer_of_several_frames_is_read_whole(tmp_path: Path) -> None:
    """Some tools write one frame for each file, and one behind the last that holds no content."""
    file, start, size = write(tmp_path / "one", member("a", b"1"), member("b", b"2"), kind=PLAIN)
    plain = file.read_bytes()[start : start + size]
    more = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"toc"
    body = b"".join(zstd.compress(part) for part in (plain[:700], plain[700:])) + more
    (tmp_path / "frames").write_bytes(body)
    assert compare_layers(ZSTD, (tmp_path / "frames", 0, len(body)), write(tmp_path / "two", kind=ZSTD)).kinds == {
        "only in the released one": 2
    }


def test_a_name_that_is_there_twice_is_compared_twice() -> None:
    ones = [Entry(path="a", type="file", content=text) for text in "12"]
    assert compare_entries(ones, ones) == FileDifferences(entries=2)
    assert compare_entries(ones, [ones[0], replace(ones[1], content="3")]).kinds == {"content": 1}
    assert compare_entries(ones, ones[:1]).kinds == {"only in the released one": 1}


@pytest.mark.parametrize("seed", range(30))
def test_any_two_lists_are_compared_as_if_all_were_known(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    names = [f"f{number}" for number in range(chance.randint(0, 30))]
    released = [Entry(path=name, type="file", content=str(chance.randint(0, 2))) for name in names]
    built = [replace(one, content=str(chance.randint(0, 2))) for one in released if chance.random() < 0.8]
    chance.shuffle(built)
    found = compare_entries(iter(released), iter(built))
    theirs = {one.path: one for one in built}
    changed = [one for one in released if one.path in theirs and theirs[one.path] != one]
    gone = [one for one in released if one.path not in theirs]
    assert found.kinds.get("content", 0) == len(changed)
    assert found.kinds.get("only in the released one", 0) == len(gone)
    assert found.differing == len(changed) + len(gone)
    assert (found.moved == 0) == ([one.path for one in released if one.path in theirs] == [one.path for one in built])


def test_large_layers_are_not_kept_in_memory() -> None:
    """Of each file two numbers are kept, for the order: not its name, nor what it holds."""
    folder, content = "usr/share/a/long/path/of/a/package", "0" * 64

    def entries() -> Iterator[Entry]:
        return (Entry(path=f"{folder}/{n}", type="file", content=f"{content}{n}") for n in range(20_000))

    tracemalloc.start()
    compare_entries(entries(), entries())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * 20_000


@pytest.mark.parametrize("kind", COMPRESS)
def test_what_cannot_be_compared_says_why(tmp_path: Path, kind: str) -> None:
    content = random.Random(1).randbytes(5000)  # noqa: S311
    file, start, size = write(tmp_path / "one", member("a", content), kind=kind)
    body = file.read_bytes()[:size]
    for length in (0, 1, 3, 40, 1000):
        with pytest.raises(DrydockError, match="no archive"):
            compare_layers(kind, (file, start, size), (file, start, length))
    (tmp_path / "other").write_bytes(body[:20] + bytes(each ^ 0xFF for each in body[20:40]) + body[40:])
    with pytest.raises(DrydockError, match="no archive"):
        compare_layers(kind, (file, start, size), (tmp_path / "other", 0, size))


def test_a_frame_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    """It says that what it is made of goes back 2 GiB; zstd itself writes such frames only when it is asked to."""
    frame = bytes.fromhex("28b52ffd") + bytes((0x00, (31 - 10) << 3)) + bytes((0x01, 0x00, 0x00))
    (tmp_path / "one").write_bytes(frame)
    with pytest.raises(DrydockError, match=r"no archive that can be read: .*memory"):
        compare_layers(ZSTD, (tmp_path / "one", 0, len(frame)), (tmp_path / "one", 0, len(frame)))


@pytest.mark.parametrize("kind", [GZIP, ZSTD])
def test_a_small_layer_with_a_large_file_takes_little_memory(tmp_path: Path, kind: str) -> None:
    place = write(tmp_path / "one", member("a", bytes(64 * 1024 * 1024)), kind=kind)
    assert place[2] < 100_000
    tracemalloc.start()
    assert compare_layers(kind, place, place).differing == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_documents_differ_by_their_place() -> None:
    one = {"created": "a", "config": {"Env": ["A=1"], "Labels": {"x.y": "1"}}, "rootfs": {"diff_ids": ["1"]}}
    other = {"created": "b", "config": {"Env": ["A=1", "B=2"], "Labels": {}}, "rootfs": {"diff_ids": ["2"]}}
    assert compare_documents(one, other, leave=frozenset(("rootfs",))) == [
        "config.Env[1] was absent, and is 'B=2'",
        "config.Labels.x.y was '1', and is absent",
        "created was 'a', and is 'b'",
    ]
    many = compare_documents({str(n): 0 for n in range(50)}, {}, leave=frozenset())
    assert many[-1] == "... and 30 more"


@pytest.mark.parametrize(
    ("reference", "whole"),
    [
        ("python:3.13-slim", "docker.io/library/python:3.13-slim"),
        ("python", "docker.io/library/python:latest"),
        ("acme/app", "docker.io/acme/app:latest"),
        ("ghcr.io/acme/app:1", "ghcr.io/acme/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"),
    ],
)
def test_a_reference_in_full(reference: str, whole: str) -> None:
    assert whole_reference(reference) == whole
    assert short_reference(whole) == reference.removesuffix(":latest")


def reproduction() -> Reproduction:
    files = compare_entries(
        [Entry(path="built", type="file", content="1")], [Entry(path="built", type="file", content="2")]
    )
    layer = LayerDifference(number=2, layers=2, step="RUN date > /built", released="a", built="b", files=files)
    one = Reproduced(
        variant="app@linux/amd64", repository="r/app", released="sha256:1", built="sha256:2", layers=(layer,)
    )
    other = Reproduced(variant="api@linux/amd64", repository="r/api", released="sha256:3", built="sha256:3")
    return Reproduction(revision="1" * 40, variants=(one, other))


@pytest.mark.parametrize("wanted", [Format.TABLE, Format.MARKDOWN])
def test_the_report_names_layer_file_and_kind(wanted: Format) -> None:
    with pytest.raises(PipelineError) as caught:
        report_reproduced(reproduction(), wanted)
    text = str(caught.value)
    assert "reproduction of 1111111: FAILED, 1 of 2 the same" in text
    assert "layer 2 of 2, made by RUN date" in text
    assert "/built: content" in text


def test_the_report_as_json_and_of_a_success() -> None:
    done = reproduction()
    with pytest.raises(PipelineError) as caught:
        report_reproduced(done, Format.JSON)
    found = json.loads(str(caught.value))
    assert [one["same"] for one in found["variants"]] == [False, True]
    assert "1 of 1 the same" in report_reproduced(replace(done, variants=done.variants[1:]), Format.TABLE)


def test_nothing_is_not_a_success() -> None:
    with pytest.raises(PipelineError):
        report_reproduced(Reproduction(revision="1" * 40), Format.TABLE)
