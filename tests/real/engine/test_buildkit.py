"""The stand-in of moby/buildkit builds, in a container of the engine, from the local mirror."""

import http.client
import json
import socket
import subprocess
import time
import uuid
from contextlib import closing

import dagger
import pytest
from dagger import dag

from ci.build.definition import resolve_base
from ci.core.errors import DrydockError
from ci.dockerfile import Base
from ci.validate.run import _ask
from deploy.engine.mirror import MIRROR, PORT, bridge_mirror
from deploy.engine.places import BUILDKIT

IMAGE = f"moby/buildkit:{BUILDKIT}"
DOCKERFILE = """\
FROM python:3.13-slim AS long
ARG NONCE
RUN seq 1 500000 && uname -m > /machine
FROM scratch
COPY --from=long /machine /
"""


def build(platform: str, dockerfile: str) -> dagger.Container:
    """Build on a daemon of its own, with the settings that the image brings."""
    base = dag.container().from_(IMAGE)
    daemon = (
        base.with_mounted_cache("/var/lib/buildkit", dag.cache_volume(f"engine-test-{uuid.uuid4().hex}"))
        .with_env_variable("BUILDKIT_STEP_LOG_MAX_SIZE", "-1")
        .with_env_variable("BUILDKIT_STEP_LOG_MAX_SPEED", "-1")
        .with_exposed_port(1234)
        .as_service(
            args=["buildkitd", "--addr", "tcp://0.0.0.0:1234", "--root", "/var/lib/buildkit"],
            insecure_root_capabilities=True,
        )
    )
    options = [
        *("--progress", "plain", "--frontend", "dockerfile.v0"),
        *("--local", "context=/source", "--local", "dockerfile=/source"),
        *("--opt", f"platform={platform}", "--opt", f"build-arg:NONCE={uuid.uuid4().hex}"),
        *("--output", "type=oci,dest=/image.tar"),
    ]
    return (
        base.with_service_binding("buildkitd", daemon)
        .with_env_variable("BUILDKIT_HOST", "tcp://buildkitd:1234")
        .with_new_file("/source/Dockerfile", dockerfile)
        .with_exec(["buildctl", "--wait", "build", *options], redirect_stderr="/log")
    )


@pytest.mark.usefixtures("session")
async def test_its_programs_are_of_the_version_said() -> None:
    image = dag.container().from_(IMAGE)
    for program in ("buildctl", "buildkitd"):
        assert BUILDKIT in await image.with_exec([program, "--version"]).stdout()
    for command in (["runc", "--version"], ["git", "--version"], ["ssh", "-V"], ["xz", "--version"]):
        await image.with_exec(command).sync()
    assert "not that image" in (await image.label("dev.drydock.stand-in") or "")


@pytest.mark.usefixtures("session")
async def test_a_base_that_the_mirror_lacks_is_told_of_at_once_with_what_to_do() -> None:
    begin = time.monotonic()
    answer = await _ask("node:22-alpine")
    assert "not found" in answer.missing
    assert "`python3 deploy/engine base node:22-alpine`" in answer.missing
    with pytest.raises(
        DrydockError, match=r"the digest of node:22-alpine for linux/arm64 is not known.*engine base node"
    ):
        await resolve_base(Base(reference="node:22-alpine", platform="linux/arm64"))
    assert time.monotonic() - begin < 20


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(("platform", "machine"), [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")])
async def test_it_builds_from_the_mirror_for_both_platforms_and_clips_no_log(platform: str, machine: str) -> None:
    done = build(platform, DOCKERFILE)
    image = dag.container(platform=dagger.Platform(platform)).import_(done.file("/image.tar"))
    assert await image.file("/machine").contents() == f"{machine}\n"
    log = await done.file("/log").contents()
    assert len(log) > 3_000_000, "more than BuildKit keeps of a step unless it is told"
    assert "clipped" not in log


@pytest.mark.usefixtures("session")
async def test_the_engine_throws_its_state_away_when_the_disk_is_full_and_no_sooner() -> None:
    kept = dag.engine().local_cache()
    assert await kept.min_free_space() == 2 * 2**30
    assert await kept.max_used_space() == 40 * 2**30


def request(address: str, method: str, path: str) -> int:
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request(method, path, headers={"Accept": "application/vnd.oci.image.index.v1+json"})
        return connection.getresponse().status


def test_the_mirror_serves_builds_but_takes_nothing_from_them() -> None:
    path = f"/v2/moby/buildkit/manifests/{BUILDKIT}"
    for address in (MIRROR, bridge_mirror()):
        assert request(address, "HEAD", path) == 200
    assert request(MIRROR, "POST", "/v2/library/python/blobs/uploads/") == 202
    assert request(bridge_mirror(), "POST", "/v2/library/python/blobs/uploads/") == 405


def test_the_mirror_answers_on_no_other_address_of_this_host() -> None:
    shown = subprocess.run(["ip", "-json", "address"], capture_output=True, check=True, timeout=20, text=True).stdout
    addresses = {one["local"] for link in json.loads(shown) for one in link["addr_info"] if one["scope"] != "link"}
    others = addresses - {"127.0.0.1", bridge_mirror().split(":")[0]}
    assert others, "there is no other address to ask"
    for address in others:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, PORT), timeout=5)
