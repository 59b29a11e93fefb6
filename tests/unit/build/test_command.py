"""What BuildKit is asked, word by word."""

import csv
import json
from dataclasses import replace

import pytest

from ci.build.command import CacheUse, Wanted, build_words, write_policy
from ci.core.buildkit import is_own_frontend
from ci.core.model import Compression, Image
from ci.core.names import REVISION, SOURCE
from ci.core.supply import ProvenanceMode

IMAGE = Image(name="app", dockerfile="docker/Dockerfile.app", context=".", platforms=("linux/arm64",))
WANTED = Wanted(
    image=IMAGE,
    platform="linux/arm64",
    arguments={"V": "1"},
    labels={"a.b": 'x, "y"'},
    compression=Compression.ZSTD,
)


def options(wanted: Wanted) -> dict[str, str]:
    words = build_words(wanted)
    pairs = [words[n + 1].partition("=") for n, word in enumerate(words) if word == "--opt"]
    return {name: value for name, _, value in pairs}


def values(wanted: Wanted, flag: str) -> list[str]:
    words = build_words(wanted)
    return [words[n + 1] for n, word in enumerate(words) if word == flag]


def test_the_least_that_is_asked() -> None:
    assert options(WANTED) == {
        "filename": "Dockerfile.app",
        "platform": "linux/arm64",
        "attest:provenance": "mode=max,version=v1",
        "build-arg:V": "1",
        "label:a.b": 'x, "y"',
    }
    assert values(WANTED, "--local") == ["context=/context", "dockerfile=/dockerfile"]


def test_the_output_is_one_record_whatever_a_label_holds() -> None:
    (output,) = values(replace(WANTED, epoch=1), "--output")
    (fields,) = csv.reader([output])
    assert fields == [
        "type=oci",
        "dest=/out/image.tar",
        "oci-mediatypes=true",
        "compression=zstd",
        "rewrite-timestamp=true",
        'annotation.a.b=x, "y"',
    ]


def test_what_is_to_be_attested() -> None:
    """Without a commit, BuildKit is told of no source: what is built for nobody is not built anew for each commit."""
    labels = {REVISION: "a" * 40, SOURCE: "https://git.test/a"}
    asked = options(replace(WANTED, labels=labels, generator="acme/scanner:1@sha256:1"))
    assert {name: value for name, value in asked.items() if name.startswith(("attest:", "vcs:"))} == {
        "attest:provenance": "mode=max,version=v1",
        "attest:sbom": "generator=acme/scanner:1@sha256:1",
        "vcs:revision": "a" * 40,
        "vcs:source": "https://git.test/a",
        "vcs:localdir:context": ".",
        "vcs:localdir:dockerfile": "docker",
    }
    assert not [name for name in options(WANTED) if name.startswith("vcs:")]


def test_what_runs_the_build_is_attested_whatever_its_address_holds() -> None:
    """BuildKit reads the value as one record of RFC 4180."""
    run = "https://ci.test/runs/1?of=a,b"
    (fields,) = csv.reader([options(replace(WANTED, builder_id=run))["attest:provenance"]])
    assert fields == ["mode=max", "version=v1", f"builder-id={run}"]


@pytest.mark.parametrize("mode", [ProvenanceMode.MIN, ProvenanceMode.OFF])
def test_what_the_build_took_is_asked_even_where_nothing_is_attested(mode: ProvenanceMode) -> None:
    assert options(replace(WANTED, provenance=mode))["attest:provenance"] == "mode=min,version=v1"


def test_what_is_attested_says_all_names_of_an_image() -> None:
    (output,) = values(replace(WANTED, names=("ghcr.io/a/b:sha-1", "docker.io/a/b:sha-1")), "--output")
    (fields,) = csv.reader([output])
    assert "name=ghcr.io/a/b:sha-1,docker.io/a/b:sha-1" in fields


def test_times_are_rewritten_only_where_there_is_one() -> None:
    assert "rewrite-timestamp" not in values(WANTED, "--output")[0]


def test_what_users_of_bake_have() -> None:
    image = replace(
        IMAGE,
        target="final",
        secrets=("TOKEN",),
        ssh=("default",),
        contexts={"alpine": "docker-image://x:1", "acme/base:1": "target:base", "files": "web"},
        network="host",
        extra_hosts={"db": "10.0.0.1", "v6": "::1"},
        shm_size=64,
        ulimits=("nofile=1:2", "nproc=3"),
    )
    wanted = replace(WANTED, image=image, layouts={"acme/base:1": "sha256:1"})
    found = options(wanted)
    assert found["target"] == "final"
    assert found["context:alpine"] == "docker-image://x:1"
    assert found["context:acme/base:1"] == "oci-layout://part1@sha256:1"
    assert found["context:files"] == "local:part2"
    assert found["force-network-mode"] == "host"
    assert found["add-hosts"] == "db=10.0.0.1,v6=::1"
    assert found["shm-size"] == "64"
    assert found["ulimit"] == "nofile=1:2,nproc=3"
    assert values(wanted, "--secret") == ["id=TOKEN,src=/run/secrets/TOKEN"]
    assert values(wanted, "--ssh") == ["default=/run/agent.sock"]
    assert values(wanted, "--oci-layout") == ["part1=/layouts/part1"]
    assert "part2=/contexts/part2" in values(wanted, "--local")
    assert values(wanted, "--allow") == ["network.host"]


def test_nothing_of_a_cache_can_fail_a_build() -> None:
    wanted = replace(WANTED, cache=CacheUse(read=("r/a:cache",), write="r/a:cache"))
    assert values(wanted, "--import-cache") == ["type=registry,ref=r/a:cache"]
    (export,) = values(wanted, "--export-cache")
    assert export.startswith("type=registry,ref=r/a:cache,mode=max,")
    assert "ignore-error=true" in export
    # As of the image, whose layers are in it.
    assert export.endswith(",compression=zstd")
    (export,) = values(replace(wanted, compression=Compression.GZIP), "--export-cache")
    assert export.endswith(",compression=gzip")
    assert values(WANTED, "--import-cache") == values(WANTED, "--export-cache") == []


@pytest.mark.parametrize(
    ("syntax", "own"),
    [
        ("docker/dockerfile", True),
        ("docker/dockerfile:1", True),
        ("docker/dockerfile:1.7-labs", True),
        ("docker.io/docker/dockerfile:1@sha256:0", True),
        ("mirror.gcr.io/docker/dockerfile:1.7", True),
        ("localhost:5000/docker/dockerfile", True),
        ("docker/dockerfile-upstream:master", False),
        ("mirror.test/docker/dockerfile-upstream:master", True),
        ("evil/docker-dockerfile:1", False),
        ("tonistiigi/dockerfile:runmount", False),
    ],
)
def test_whose_frontend_reads_a_dockerfile(syntax: str, own: bool) -> None:
    assert is_own_frontend(syntax) is own
    assert ("cmdline" in options(replace(WANTED, syntax=syntax))) is own


def test_a_policy_fixes_each_reference() -> None:
    policy = json.loads(write_policy({"docker.io/library/a:1": "sha256:1"}))
    assert policy == {
        "rules": [
            {
                "action": "CONVERT",
                "selector": {"identifier": "docker-image://docker.io/library/a:1"},
                "updates": {"identifier": "docker-image://docker.io/library/a:1@sha256:1"},
            }
        ]
    }


def test_a_build_from_nothing_uses_neither_steps_nor_mounts_of_others() -> None:
    assert "--no-cache" not in build_words(WANTED)
    empty = replace(WANTED, empty="0123")
    assert "--no-cache" in build_words(empty)
    assert options(empty)["build-arg:BUILDKIT_CACHE_MOUNT_NS"] == "0123"
