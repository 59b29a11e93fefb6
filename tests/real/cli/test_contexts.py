"""Named contexts and the settings of RUN, as users of bake have them: on both platforms, and with no registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ci.core.oci import digest_of

from .building import build, failures, read_blob
from .conftest import Repository

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

BOTH = "[linux/amd64, linux/arm64]"
BASE = f"""
name: base
dockerfile: Dockerfile.base
platforms: {BOTH}
smoke: [{{file: {{path: /machine}}}}]
"""
APP = f"""
name: app
dockerfile: Dockerfile.app
platforms: {BOTH}
contexts: {{"registry.invalid/base:1": "target:base"}}
smoke:
  - {{file: {{path: /was, content: {{equals: x86_64}}}}, platforms: [linux/amd64]}}
  - {{file: {{path: /was, content: {{equals: aarch64}}}}, platforms: [linux/arm64]}}
  - config: {{env: {{FROM_BASE: "yes"}}}}
"""
DOCKERFILES = {
    "Dockerfile.base": "FROM python:3.13-slim\nRUN uname -m > /machine\nENV FROM_BASE=yes\n",
    "Dockerfile.app": "FROM registry.invalid/base:1\nRUN cp /machine /was\n",
}


async def test_an_image_is_built_on_another_of_the_same_run(repository: Repository, tmp_path: Path) -> None:
    """The order of the configuration decides nothing, and what is handed over is what was built, to the byte."""
    repository.write(DOCKERFILES)
    repository.configure(APP, BASE)
    built = await build(repository.path)
    assert failures(built) == dict.fromkeys(
        ("app@linux/amd64", "app@linux/arm64", "base@linux/amd64", "base@linux/arm64"), ()
    )
    for platform in ("linux/amd64", "linux/arm64"):
        app, base = (built.images[f"{name}@{platform}"] for name in ("app", "base"))
        below = [layer.digest for layer in base.documents.manifest.image.layers]
        assert [layer.digest for layer in app.documents.manifest.image.layers][: len(below)] == below
        assert digest_of(await read_blob(base, below[-1], tmp_path)) == below[-1]


async def test_what_an_image_is_built_on_is_built_and_not_released_where_only_that_is_selected(
    repository: Repository,
) -> None:
    repository.write(DOCKERFILES)
    repository.configure(BASE, APP)
    built = await build(repository.path, only=["app"])
    assert failures(built) == {"app@linux/amd64": (), "app@linux/arm64": ()}
    assert set(built.images) == {"app@linux/amd64", "app@linux/arm64"}


async def test_an_image_that_is_built_on_one_that_fails_says_which(repository: Repository) -> None:
    repository.write({**DOCKERFILES, "Dockerfile.base": "FROM python:3.13-slim\nRUN exit 7\n"})
    repository.configure(BASE, APP)
    for found in failures(await build(repository.path, only=["app"])).values():
        (failure,) = found
        assert re.match(r"base@linux/(amd64|arm64) build: \[2/2\] RUN exit 7", failure.step)
        assert failure.exit_code == 7


async def test_a_context_may_be_a_folder_or_an_image_in_the_place_of_another(repository: Repository) -> None:
    repository.write(
        {
            "Dockerfile": "FROM nowhere.invalid/python:1\nCOPY --from=texts /a.txt /copied.txt\n"
            "RUN --mount=from=texts,target=/mnt cp /mnt/sub/b.txt /mounted.txt\n",
            "other/texts/a.txt": "a",
            "other/texts/sub/b.txt": "b",
        }
    )
    repository.configure(f"""
name: app
dockerfile: Dockerfile
platforms: {BOTH}
contexts:
  texts: other/texts
  nowhere.invalid/python:1: docker-image://python:3.13-slim
smoke:
  - file: {{path: /copied.txt, content: {{equals: a}}}}
  - file: {{path: /mounted.txt, content: {{equals: b}}}}
  - run: [python, --version]
""")
    assert failures(await build(repository.path)) == {"app@linux/amd64": (), "app@linux/arm64": ()}


async def test_run_is_given_hosts_limits_and_memory(repository: Repository) -> None:
    repository.write(
        {
            "Dockerfile": "FROM python:3.13-slim\n"
            'RUN getent hosts db.internal > /hosts && echo "$(ulimit -Sn) $(ulimit -Hn)" > /files'
            " && df --output=size -B1 /dev/shm | tail -n 1 | tr -d ' ' > /memory\n"
        }
    )
    repository.configure("""
name: app
dockerfile: Dockerfile
platforms: [linux/amd64]
extra-hosts: {db.internal: 10.0.0.5, six.internal: "fd00::5"}
shm-size: 128MiB
ulimits: ["nofile=1024:2048"]
smoke:
  - file: {path: /hosts, content: {matches: '^10\\.0\\.0\\.5\\s+db\\.internal$'}}
  - file: {path: /files, content: {equals: 1024 2048}}
  - file: {path: /memory, content: {equals: "134217728"}}
""")
    assert failures(await build(repository.path)) == {"app@linux/amd64": ()}


async def test_run_may_be_left_without_a_network(repository: Repository) -> None:
    repository.write({"Dockerfile": "FROM python:3.13-slim\nRUN ls /sys/class/net > /network\n"})
    repository.configure("""
name: app
dockerfile: Dockerfile
platforms: [linux/amd64]
network: none
smoke: [{file: {path: /network, content: {equals: lo}}}]
""")
    assert failures(await build(repository.path)) == {"app@linux/amd64": ()}


@pytest.mark.parametrize("flag", ["$BUILDPLATFORM", "linux/amd64"])
async def test_an_image_that_would_hold_programs_of_another_platform_is_refused(
    repository: Repository, flag: str
) -> None:
    """BuildKit builds it, and says in its configuration that it is of the platform that was asked for."""
    repository.write({"Dockerfile": f"FROM --platform={flag} python:3.13-slim AS base\nFROM base\nENV A=b\n"})
    repository.configure(f"""
name: app
dockerfile: Dockerfile
platforms: {BOTH}
smoke: [{{run: ["true"]}}]
""")
    found = failures(await build(repository.path))
    assert found["app@linux/amd64"] == ()
    (failure,) = found["app@linux/arm64"]
    assert re.match(r"Dockerfile:1 says --platform=\S+", failure.reason)
    assert "the image for linux/arm64 would hold programs of linux/amd64" in failure.reason


async def test_arguments_by_platform_choose_a_base_and_a_value(repository: Repository) -> None:
    repository.write({"Dockerfile": "ARG BASE\nFROM ${BASE}\nARG MACHINE\nRUN test $(uname -m) = $MACHINE\n"})
    repository.configure(f"""
name: app
dockerfile: Dockerfile
platforms: {BOTH}
build-args:
  BASE: {{linux/amd64: "python:3.13-slim", linux/arm64: "docker.io/library/python:3.13-slim"}}
  MACHINE: {{linux/amd64: x86_64, linux/arm64: aarch64}}
smoke: [{{run: ["true"]}}]
""")
    assert failures(await build(repository.path)) == {"app@linux/amd64": (), "app@linux/arm64": ()}
