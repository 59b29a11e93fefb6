"""Builders on other machines: daemons beside the engine stand for them, reached by its network or through a tunnel."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import dagger
import pytest
from dagger import dag

from ci.build import CacheUse, Remotes, parse_builders, remote
from ci.build.pipeline import Builder, Built, build_all
from ci.build.remote import find_fleet
from ci.build.report import render_table
from ci.config import PLATFORMS, plan_build, read_config
from ci.core.errors import DrydockError
from ci.release.request import parse_created
from tests.support.builders import BRIDGE, Authority, Machine, make_authority, run_machine
from tests.support.servers import free_port, run_registry

from .building import failures
from .conftest import Call, Repository

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

BASE = """\
name: base
dockerfile: Dockerfile.base
platforms: [linux/amd64]
smoke: [{file: {path: /who}}]
"""
APP = """\
name: app
dockerfile: Dockerfile.app
platforms: [linux/amd64]
contexts: {base: "target:base"}
secrets: [BUILDER_WORD]
smoke: [{file: {path: /copy, content: {equals: root}}}]
"""
DATA = """\
name: data
dockerfile: Dockerfile.data
platforms: [linux/amd64, linux/arm64]
smoke: [{file: {path: /hello.txt}}]
"""
FILES = {
    "Dockerfile.base": "FROM python:3.13-slim\nRUN printf %s $(id -un) > /who\n",
    "Dockerfile.app": "FROM base\nRUN --mount=type=secret,id=BUILDER_WORD,required=true cp /who /copy\n",
    "Dockerfile.data": "FROM scratch\nCOPY hello.txt /hello.txt\n",
    "BUILDER_WORD": "planted",
}
LONG = "sleep 31.4159"  # of no other process
CREATED = parse_created("2026-03-01T12:00:00Z")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "right")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with run_machine(tmp_path_factory.mktemp("machine") / "one") as made:
        yield made


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with run_machine(tmp_path_factory.mktemp("machine") / "two") as made:
        yield made


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Machine]:
    """Lend a daemon of this host alone, which asks for a certificate."""
    with run_machine(tmp_path_factory.mktemp("machine") / "locked", host="127.0.0.1", tls=authority) as made:
        yield made


def remotes(*builders: str) -> Remotes:
    return Remotes(addresses=parse_builders(builders, PLATFORMS))


async def build(path: Path, *builders: str, caches: Mapping[str, CacheUse] | None = None) -> Built:
    source = dag.host().directory(str(path))
    plan = plan_build(await read_config(source, None))
    secrets = [dag.secret(f"file://{path}/BUILDER_WORD")]
    made = Builder(source=source, parallel=2, secrets=secrets, remotes=remotes(*builders))
    return await build_all(plan, made, created=CREATED, caches=caches)


def digests(built: Built) -> dict[str, str]:
    assert built.report.ok, failures(built)
    return {name: made.documents.manifest.digest for name, made in built.images.items()}


def machines(built: Built) -> dict[str, str]:
    return {str(outcome.variant): outcome.machine.partition(" ")[0] for outcome in built.report.outcomes}


async def test_what_builders_share_has_the_digests_of_what_one_daemon_builds(
    repository: Repository, machine: Machine, second: Machine
) -> None:
    """An amd64 daemon stands for an arm64 one: the image for that needs no processor to be built."""
    repository.write(FILES)
    repository.configure(BASE, APP, DATA)
    own = await build(repository.path)
    assert set(machines(own).values()) == {"engine"}
    shared = await build(repository.path, machine.url, f"{second.url}=linux/amd64,linux/arm64")
    assert digests(shared) == digests(own)
    assert machines(shared) == {
        "base@linux/amd64": machine.url,
        "app@linux/amd64": second.url,
        "data@linux/amd64": machine.url,
        "data@linux/arm64": second.url,
    }
    assert (machine.builds(), second.builds()) == (2, 2)
    emulated = {str(outcome.variant): outcome.emulated for outcome in shared.report.outcomes}
    assert emulated == {**dict.fromkeys(emulated, ()), "data@linux/arm64": ("smoke",)}
    text = render_table(shared.report)
    assert f"{second.url} (linux/amd64, linux/arm64) built app@linux/amd64; smoked in the engine" in text
    assert "built data@linux/arm64; smoked in the engine, emulated" in text
    assert f"The builder {machine.url} is asked without TLS" in text
    assert f"{second.url} is said to be native for linux/arm64, and says that its processor is linux/amd64" in text


def test_a_builder_that_asks_for_a_certificate_and_is_reached_by_this_host_alone(
    repository: Repository, call: Call, locked: Machine, authority: Authority
) -> None:
    repository.write(FILES)
    repository.configure(DATA)
    files = {"ca": authority.ca, "cert": authority.certificate("client"), "key": authority.key("client")}
    words = [word for name, path in files.items() for word in (f"--builder-{name}", f"file:{path}")]
    way = ("--builder", locked.url, "--builder-tunnel", locked.url)
    done = call(*way, *words, "build-all", "--platforms", "linux/amd64")
    assert done.code == 0, done.err[-3000:]
    assert f"{locked.url} (linux/amd64) built data@linux/amd64; smoked in the engine" in done.out
    assert "without TLS" not in done.out
    shown = authority.key("client").read_text().splitlines()[1]
    assert shown not in done.err + done.out


async def test_a_tunnel_needs_a_builder_and_takes_connections_for_what_is_not_there(
    locked: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LIMIT", 3)
    ports = [dagger.PortForward(frontend=locked.port, backend=locked.port)]
    tunnel = dag.host().service(host="127.0.0.1", ports=ports)
    builders = replace(remotes(locked.url), tunnels=[tunnel])
    with pytest.raises(
        DrydockError, match="nothing may listen behind the tunnel, or it may expect TLS, with --builder-ca"
    ):
        await find_fleet(builders)
    with pytest.raises(
        DrydockError, match=f"at port {locked.port} is the way to the --builder of that port, and needs one"
    ):
        await find_fleet(replace(remotes("tcp://127.0.0.1:1"), tunnels=[tunnel]))
    with pytest.raises(DrydockError, match="a tunnel for builders, and no --builder"):
        await find_fleet(replace(remotes(), tunnels=[tunnel]))


@pytest.fixture
def silent() -> Iterator[str]:
    """Lend the address of what takes connections and never answers."""
    with socket.socket() as taken:
        taken.bind((BRIDGE, 0))
        taken.listen()
        yield f"tcp://{BRIDGE}:{taken.getsockname()[1]}"


def keyed(builders: Remotes, authority: Authority, client: Authority | None = None) -> Remotes:
    """Give the CA of one authority, and the client's certificate of that or of another one."""
    builders = replace(builders, ca=secret(authority.ca))
    if not client:
        return builders
    return replace(builders, certificate=secret(client.certificate("client")), key=secret(client.key("client")))


def secret(path: Path) -> dagger.Secret:
    return dag.set_secret(str(path), path.read_text())


async def test_a_layer_cache_is_read_and_written_by_a_builder_that_reaches_it(
    repository: Repository, machine: Machine, second: Machine, tmp_path: Path
) -> None:
    repository.write({"Dockerfile": f"FROM python:3.13-slim\nRUN : {uuid.uuid4()}; date > /when\n"})
    repository.configure("name: app\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\nsmoke: [{file: {path: /when}}]")
    with run_registry(tmp_path / "registry") as registry:
        reference = f"{registry.host}/app:cache"
        use = CacheUse(read=(reference,), write=reference)
        first = await build(repository.path, machine.url, caches={"app@linux/amd64": use})
        other = await build(repository.path, second.url, caches={"app@linux/amd64": replace(use, write="")})
    assert first.report.ok
    (outcome,) = other.report.outcomes
    assert outcome.steps, failures(other)
    assert (outcome.steps.cached, outcome.steps.sources) == (1, (reference,))
    # A rehearsal's registry is a service of the engine, which a builder on another machine does not reach.
    handed = {"app@linux/amd64": CacheUse(read=("registry-1:1/app:cache",), insecure=True)}
    without = await build(repository.path, second.url, caches=handed)
    assert without.report.ok
    assert [note for note in without.report.notes if note.startswith("Built without a layer cache: app@linux/amd64.")]


async def test_none_that_is_reached_says_which_were_tried_and_why(
    tmp_path: Path, authority: Authority, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LIMIT", 3)
    other = make_authority(tmp_path / "other")
    closed, unknown, here = f"tcp://{BRIDGE}:{free_port()}", "tcp://nowhere.invalid:1234", "tcp://127.0.0.1:1234"
    began = time.monotonic()
    with pytest.raises(DrydockError) as refused:
        await find_fleet(remotes(closed, unknown, here, silent))
    assert time.monotonic() - began < 30
    lines = str(refused.value).splitlines()
    assert lines[0] == "no builder was reached:"
    assert f"  {closed}: nothing listens there" in lines
    assert f"  {unknown}: the engine's network knows no host of that name" in lines
    assert f"  {here}: that is the engine's own container" in str(refused.value)
    assert f"  {silent}: no answer in 10 s: it may expect TLS" in str(refused.value)

    refusing = "it (does not accept the client's certificate: |closes the connection: it may not accept the client's)"
    cases = (
        ((other, authority), "its certificate is not signed by a CA that is trusted: give --builder-ca"),
        ((authority, other), refusing),  # whichever end is quicker
        ((authority, None), refusing),
    )
    with run_machine(tmp_path / "machine", tls=authority) as machine:
        for given, why in cases:
            with pytest.raises(DrydockError, match=f"{re.escape(machine.url)}: {why}"):
                await find_fleet(keyed(remotes(machine.url), *given))
        fleet = await find_fleet(keyed(remotes(machine.url, closed), authority, authority))
    assert [builder.address.url for builder in fleet.builders] == [machine.url]
    assert fleet.notes == (
        f"The builder {closed} was not reached, and others built in its place: nothing listens there",
    )


async def when_running(machine: Machine, sent: signal.Signals) -> None:
    """Send a daemon a signal while it runs a step."""
    await anyio.to_thread.run_sync(wait_for_step)
    os.kill(machine.daemon, sent)


def wait_for_step() -> None:
    end = time.monotonic() + 60
    while not any(LONG.encode() in cmdline(path) for path in Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < end
        time.sleep(0.1)


def cmdline(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return b""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_builder_that_dies_or_is_cut_off_fails_what_it_builds(
    sent: signal.Signals, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PULSE", 1.0)
    monkeypatch.setattr(remote, "LIMIT", 4)
    repository.write({**FILES, "Dockerfile.base": f"FROM python:3.13-slim\nRUN {LONG}\n"})
    repository.configure(BASE, DATA)
    with run_machine(tmp_path / "machine") as machine:
        built: list[Built] = []

        async def run() -> None:
            built.append(await build(repository.path, f"{machine.url}=linux/amd64"))

        with anyio.fail_after(90):
            async with anyio.create_task_group() as group:
                group.start_soon(run)
                group.start_soon(when_running, machine, sent)
    (done,) = built
    found = failures(done)
    (failure,) = found["base@linux/amd64"]
    # Whoever is quicker, its client or the question how it is.
    why = "no answer in" if sent is signal.SIGSTOP else "failed to receive status|Unavailable|nothing listens there"
    assert re.match(
        rf"the builder {re.escape(machine.url)} \(linux/amd64\) was lost while it built: ({why})", failure.reason
    ), failure.reason
    assert "run this again, or without that --builder" in failure.reason
    assert found["data@linux/arm64"] == ()  # it was the engine's
