"""Builders on other machines: how they are named, which of them builds what, and why one is not reached."""

from __future__ import annotations

import json
from typing import cast

import dagger
import pytest

from ci.build import remote
from ci.build.addresses import (
    Address,
    Worker,
    is_lost,
    is_native,
    parse_builders,
    read_worker,
    same_minor,
    why_not_reached,
)
from ci.build.remote import Fleet, RemoteDaemon
from ci.config import PLATFORMS
from ci.core.buildkit import BUILDKIT
from ci.core.errors import DrydockError, SelectionError
from ci.core.model import Config, Failure, Image

ARM = "tcp://arm-1.example.com:1234"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((), {}),
        ((ARM,), {ARM: ()}),
        ((f"{ARM}=linux/arm64",), {ARM: ("linux/arm64",)}),
        # As the CLI hands over what holds a comma, and what is repeated.
        ((f"{ARM}=linux/arm64", "linux/arm/v7"), {ARM: ("linux/arm64", "linux/arm/v7")}),
        ((f"{ARM}=linux/arm64,linux/arm/v7,tcp://b:1",), {ARM: ("linux/arm64", "linux/arm/v7"), "tcp://b:1": ()}),
        ((f"{ARM}=linux/arm64", f"{ARM}=linux/arm64"), {ARM: ("linux/arm64",)}),
        (("tcp://[fd00::1]:1234", "tcp://10.0.0.7:1234"), {"tcp://[fd00::1]:1234": (), "tcp://10.0.0.7:1234": ()}),
    ],
)
def test_builders_are_named_by_their_addresses(given: tuple[str, ...], found: dict[str, tuple[str, ...]]) -> None:
    assert {each.url: each.platforms for each in parse_builders(given, PLATFORMS)} == found


@pytest.mark.parametrize(
    "given", ["arm-1:1234", "tcp://arm-1", "ssh://arm-1", "unix:///run/buildkit.sock", "linux/arm64", "tcp://a:1/x"]
)
def test_what_is_no_address_is_told_the_form_and_the_way_to_others(given: str) -> None:
    with pytest.raises(SelectionError, match=r"is tcp://HOST:PORT, or .*--builder-tunnel"):
        parse_builders([given], PLATFORMS)


@pytest.mark.parametrize("given", [f"{ARM}=linux/amr64", f"{ARM}=", f"{ARM}=arm64"])
def test_what_is_no_platform_is_refused(given: str) -> None:
    with pytest.raises(SelectionError, match="is not a platform; there are linux/amd64, linux/arm64"):
        parse_builders([given], PLATFORMS)


def test_an_address_says_its_parts() -> None:
    six, here = parse_builders(["tcp://[fd00::1]:1234", "tcp://127.0.0.1:99"], PLATFORMS)
    assert (six.host, six.port, six.on_loopback) == ("fd00::1", "1234", False)
    assert (here.host, here.port, here.on_loopback) == ("127.0.0.1", "99", True)


def test_a_worker_says_its_version_and_its_own_platform_first() -> None:
    platforms = [{"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm", "variant": "v7"}]
    text = json.dumps([{"platforms": platforms, "buildkitVersion": {"version": "v0.30.1"}}, {}])
    assert read_worker(text) == Worker(version="v0.30.1", platforms=("linux/amd64", "linux/arm/v7"))
    none = json.dumps([{"platforms": [], "buildkitVersion": {"version": "v0.30.1"}}])
    for wrong in ("", "[]", "[{}]", "null", none):
        with pytest.raises(DrydockError, match="cannot be read"):
            read_worker(wrong)


@pytest.mark.parametrize(
    ("platform", "own", "native"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/386", "linux/amd64", True),
        ("linux/arm64", "linux/amd64", False),
        ("linux/arm/v7", "linux/arm64", False),
        ("linux/arm/v7", "linux/arm/v7", True),
        ("linux/riscv64", "linux/riscv64", True),
    ],
)
def test_a_processor_runs_what_is_native(platform: str, own: str, *, native: bool) -> None:
    assert is_native(platform, own) is native


def test_a_minor_version_is_two_numbers() -> None:
    assert same_minor("v0.34.2", "v0.34.9")
    assert not same_minor("v0.33.2", "v0.34.2")
    assert not same_minor("", "v0.34.2")


# What buildctl 0.34.2 printed.
UNAVAILABLE = 'error: failed to list workers: Unavailable: connection error: desc = "'
TLS = f"{UNAVAILABLE}transport: authentication handshake failed: tls: "
REFUSED = [
    (f"{UNAVAILABLE}transport: Error while dialing: dial tcp 10.0.0.7:1: connect: connection refused", "nothing liste"),
    (f"{UNAVAILABLE}transport: Error while dialing: dial tcp: lookup x on 10.0.0.1:53: no such host", "of that name"),
    (f"{TLS}first record does not look like a TLS handshake", "it does not speak TLS"),
    (f"{TLS}failed to verify certificate: x509: certificate signed by unknown authority", "give --builder-ca"),
    (
        f"{TLS}failed to verify certificate: x509: certificate is valid for localhost, not other.test",
        "its certificate is for localhost, and not for arm-1.example.com",
    ),
    (f"{UNAVAILABLE}error reading server preface: remote error: tls: certificate required", "does not accept the cli"),
    (f"{UNAVAILABLE}error reading server preface: EOF", "it closes the connection: it may expect TLS, with --builder"),
    (f"{UNAVAILABLE}error reading server preface: http2: frame too large", "what answers there is not BuildKit"),
    ("error: Unavailable: write tcp 10.0.0.1:5->10.0.0.7:1: write: broken pipe", "it closes the connection: it may e"),
    (
        "error: could not read certificate/key: tls: private key does not match public key",
        "--builder-cert or --builder-key cannot be used: tls: private key does not match public key",
    ),
    ("error: failed to append ca certs", "--builder-ca holds no certificates in PEM"),
    ("", "no answer in 10 s: it may expect TLS, with --builder-ca"),
    ("error: something new {braces}\n", "something new {braces}"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_why_a_builder_is_not_reached(text: str, why: str) -> None:
    assert why in why_not_reached(text, Address(url=ARM), keys=False, tunnel=False)


def test_what_helps_depends_on_what_was_given() -> None:
    closed, address = f"{UNAVAILABLE}error reading server preface: EOF", Address(url=ARM)
    assert "may not accept the client's certificate" in why_not_reached(closed, address, keys=True, tunnel=False)
    assert "nothing may listen behind the tunnel, or" in why_not_reached(closed, address, keys=False, tunnel=True)
    here = why_not_reached("connection refused", Address(url="tcp://127.0.0.1:1"), keys=False, tunnel=False)
    assert here.endswith("needs --builder-tunnel tcp://127.0.0.1:1 too")


@pytest.mark.parametrize(
    ("sentence", "lost"),
    [
        ("failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF", True),
        ("Unavailable: error reading from server: connection reset by peer", True),
        ("process did not complete: 503 Service Unavailable: try again", False),
        ("Dockerfile:3: the command failed with exit code 1", False),
    ],
)
def test_a_daemon_that_is_gone_is_no_fault_of_the_build(sentence: str, *, lost: bool) -> None:
    assert is_lost(sentence) is lost


def image(name: str, *platforms: str) -> Image:
    return Image(name=name, dockerfile="Dockerfile", context=".", platforms=platforms)


CONFIG = Config(
    repositories=("registry.test/{name}",),
    images=(
        image("a", "linux/amd64", "linux/arm64"),
        image("b", "linux/amd64"),
        image("c", "linux/amd64", "linux/arm64", "linux/arm/v7"),
        image("d", "linux/arm64"),
    ),
)


def machine(given: str, *platforms: str, version: str = BUILDKIT) -> RemoteDaemon:
    (address,) = parse_builders([given], PLATFORMS)
    base = cast("dagger.Container", None)
    return RemoteDaemon(address=address, base=base, keys={}, worker=Worker(version=version, platforms=platforms))


AMD = machine("tcp://amd:1", "linux/amd64", "linux/arm64")
ARM_1 = machine("tcp://arm-1:1", "linux/arm64", "linux/arm/v7", "linux/amd64")
ARM_2 = machine("tcp://arm-2:1", "linux/arm64", version="v0.30.0")
SAID = machine("tcp://said:1=linux/arm64", "linux/arm64", "linux/arm/v7")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "engine_platform", lambda: "linux/amd64")


@pytest.mark.parametrize(
    ("builders", "variant", "chosen"),
    [
        ((), "a@linux/arm64", None),
        ((AMD, ARM_1), "a@linux/arm64", ARM_1),
        ((AMD, ARM_1), "a@linux/amd64", AMD),
        ((ARM_1,), "a@linux/amd64", None),  # the engine needs no emulation
        ((AMD,), "a@linux/arm64", AMD),  # both emulate
        ((ARM_1,), "c@linux/arm/v7", ARM_1),
        ((SAID,), "c@linux/arm/v7", None),  # it is for what it was said to be for
        ((SAID,), "a@linux/arm64", SAID),
    ],
)
def test_a_variant_goes_where_it_is_native(
    builders: tuple[RemoteDaemon, ...], variant: str, chosen: RemoteDaemon | None
) -> None:
    assert Fleet(builders=builders).choose(CONFIG, *variant.split("@")) is chosen


def test_several_share_the_images_in_turn_whatever_is_selected() -> None:
    fleet = Fleet(builders=(ARM_1, AMD, ARM_2))
    assert [fleet.choose(CONFIG, name, "linux/arm64") for name in "acd"] == [ARM_1, ARM_2, ARM_1]


def test_what_builds_a_variant_says_its_version() -> None:
    fleet = Fleet(builders=(ARM_2,))
    assert fleet.version_for(CONFIG, "a", "linux/arm64") == "v0.30.0"
    assert fleet.version_for(CONFIG, "a", "linux/amd64") == BUILDKIT


async def test_a_failure_of_the_build_stays_as_it_is() -> None:
    failure = Failure(step="build: [2/2] RUN x", reason="the command failed with exit code 1", exit_code=1)
    assert await ARM_1.blame(failure) is failure
    lost = await ARM_1.blame(Failure(step="build", reason="Unavailable: error reading from server: EOF"))
    assert lost.reason.startswith("the builder tcp://arm-1:1 (linux/arm64) was lost while it built: Unavailable: ")
