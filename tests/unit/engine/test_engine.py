"""The engine's bring-up where it needs no engine: keys, whole-or-absent results, layouts, records."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from deploy.engine import cli, content, foreign, mirror, oci, places, processes
from deploy.engine.cache import Cache, key_of


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(root=tmp_path / "cache")


def test_a_result_is_whole_or_absent(cache: Cache) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    def whole(folder: Path) -> None:
        assert not (folder / "half").exists()
        (folder / "all").touch()

    with pytest.raises(KeyboardInterrupt):
        cache.made("thing", "1", interrupted)
    assert not (cache.root / "thing-1").exists()
    assert (cache.made("thing", "1", whole) / "all").exists()


def test_a_result_is_made_once_for_a_key_and_replaced_by_the_next(cache: Cache) -> None:
    made: list[Path] = []
    first, second = key_of("1"), key_of("2")
    for key in (first, first, second):
        cache.made("thing", key, made.append)
    assert [path.name for path in made] == [f"thing-{first}.partial", f"thing-{second}.partial"]
    assert [path.name for path in cache.root.iterdir()] == [f"thing-{second}"]


def test_a_result_does_not_replace_another_of_a_longer_name(cache: Cache) -> None:
    for name in ("go-work", "go"):
        cache.made(name, key_of("1"), lambda _: None)
    assert (cache.root / f"go-work-{key_of('1')}").exists()


def test_the_key_changes_with_content_and_name(tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "a").write_text("1")
    first = key_of(folder, "flag")
    assert key_of(folder, "flag") == first
    assert key_of(folder, "other") != first
    (folder / "a").write_text("2")
    assert key_of(folder, "flag") != first
    (folder / "a").write_text("1")
    (folder / "a").rename(folder / "b")
    assert key_of(folder, "flag") != first


def test_the_cache_follows_its_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DRYDOCK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Cache.from_environment().root == tmp_path / "xdg/drydock" / f"engine-{places.VERSION}"
    monkeypatch.setenv("DRYDOCK_CACHE", str(tmp_path / "own"))
    assert Cache.from_environment().root == tmp_path / "own" / f"engine-{places.VERSION}"


def test_a_layout_holds_what_its_index_names(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    layer.write_bytes(b"layer")
    images = [oci.Rootfs(layers=[layer], architecture=a, config={"Cmd": ["x"]}) for a in ("amd64", "arm64")]
    digests = oci.write_layout(tmp_path / "layout", images, "tag")
    blobs = tmp_path / "layout/blobs/sha256"
    for blob in blobs.iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    top = json.loads((tmp_path / "layout/index.json").read_text())["manifests"][0]
    assert top["annotations"] == {"org.opencontainers.image.ref.name": "tag"}
    index = json.loads((blobs / top["digest"].removeprefix("sha256:")).read_text())
    assert [m["digest"] for m in index["manifests"]] == digests
    assert [m["platform"]["architecture"] for m in index["manifests"]] == ["amd64", "arm64"]
    manifest = json.loads((blobs / digests[1].removeprefix("sha256:")).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["architecture"] == "arm64"


def test_a_recycled_process_id_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "RUN", tmp_path)
    mine = {"pid": os.getpid(), "started": "0", "since": 0.0, "key": "k", "note": ""}
    (tmp_path / "engine.json").write_text(json.dumps(mine))
    assert processes.read_record("engine") is None
    started = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    (tmp_path / "engine.json").write_text(json.dumps({**mine, "started": started}))
    assert processes.read_record("engine") is not None
    (tmp_path / "engine.json").write_text("{half")
    assert processes.read_record("engine") is None


def test_what_configuration_produced_is_found_and_nothing_else(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info / "base.list").write_text("/.\n/etc\n/etc/owned\n/usr\n/bin/owned\n")
    (tmp_path / "bin").symlink_to("usr/bin")
    for path in (
        "etc/owned",
        "etc/passwd",
        "usr/bin/owned",
        "etc/ld.so.cache",
        "usr/lib/x86_64-linux-gnu/made",
        "var/cache/apt/list",
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    produced = set(foreign._produced(tmp_path))
    assert "etc/passwd" in produced
    assert produced.isdisjoint(
        {"usr/bin/owned", "etc/owned", "etc/ld.so.cache", "usr/lib/x86_64-linux-gnu/made", "var/cache/apt/list"}
    )


def test_a_named_engine_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cli.GIVEN, "tcp://builder:1234")
    assert cli._kind() == "named"
    monkeypatch.setenv(cli.GIVEN, f"unix://{places.SOCKET}")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cli._kind() == "embedded"


def test_the_mirror_listens_on_loopback_only() -> None:
    assert mirror.MIRROR.startswith("127.0.0.1:")
    assert str(places.SOCKET).startswith("/run/drydock/")


def test_archives_do_not_depend_on_the_moment() -> None:
    import tarfile  # noqa: PLC0415

    member = tarfile.TarInfo("x")
    member.mtime, member.uname = 99, "me"
    assert (content._plain(member).mtime, content._plain(member).uname) == (0, "")
