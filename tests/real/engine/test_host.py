"""The host stays as it was, while the engine runs and after it; the last test leaves it stopped."""

import ipaddress
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from deploy.engine.mirror import bridge_mirror

from .conftest import engine

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORT = int(os.environ.get("DRYDOCK_MIRROR_PORT", "5000"))
RECORDED = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")


def links() -> dict[str, str]:
    """Where the links of iptables lead, and all names in /usr/bin."""
    folder = Path("/usr/bin")
    return {p.name: str(p.readlink()) if p.is_symlink() and "tables" in p.name else "" for p in folder.iterdir()}


def state() -> tuple[dict[str, bytes], dict[str, str], str]:
    mounts = Path("/proc/self/mounts").read_text()
    return {path: Path(path).read_bytes() for path in RECORDED}, links(), mounts


def processes() -> set[str]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = stat.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if re.search(r"drydock|dnsmasq|docker-registry", command) and "pytest" not in command:
            found.add(command)
    return found


def test_a_second_up_takes_less_than_two_seconds() -> None:
    begin = time.monotonic()
    assert engine("up", "--embedded").returncode == 0
    assert time.monotonic() - begin < 2


def test_an_engine_named_elsewhere_is_taken_unless_the_embedded_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_EXPERIMENTAL_DAGGER_RUNNER_HOST", "tcp://engine.invalid:1234")
    assert "using the engine named by" in engine("up").stderr
    assert "the engine is already running" in engine("up", "--embedded").stderr


def test_status_says_what_runs() -> None:
    done = engine("status")
    assert done.returncode == 0
    for part in ("engine: running since", "mirror: running since", "version: v", "cache: "):
        assert part in done.stdout


def test_two_ups_at_once_do_not_trip_over_each_other() -> None:
    command = ["python3", str(Path(__file__).resolve().parents[3] / "deploy/engine"), "up", "--embedded"]
    both = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]


def address_of(raw: str) -> Address:
    """Read an address as /proc/net/tcp writes it: words of four bytes, each backwards."""
    words = bytes.fromhex(raw)
    return ipaddress.ip_address(b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4)))


def bridge_addresses() -> set[ipaddress.IPv4Interface | ipaddress.IPv6Interface]:
    shown = subprocess.run(
        ["ip", "-json", "address", "show", "drydock0"], capture_output=True, check=True, timeout=20, text=True
    ).stdout
    (link,) = json.loads(shown)
    return {ipaddress.ip_interface(one["local"]) for one in link["addr_info"]}


def test_nothing_of_it_listens_beyond_the_host() -> None:
    """Every TCP listener of the engine's processes is on loopback or on the engine's own bridge."""
    inodes = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if not re.search(rb"drydock|dnsmasq|docker-registry", command):
                continue
            inodes |= {str(fd.readlink()) for fd in (process / "fd").iterdir()}
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                found.add((address_of(address), int(port, 16)))
    bridge = {interface.ip for interface in bridge_addresses()}
    address, _, port = bridge_mirror().partition(":")
    gateway = ipaddress.ip_address(address)
    assert gateway in bridge
    assert {(gateway, 53), (gateway, int(port))} <= found, "the engine's name server or mirror was not looked at"
    assert not [str(address) for address, _ in found if not (address.is_loopback or address in bridge)]


def test_a_taken_port_is_one_clear_error() -> None:
    down = engine("down")
    assert down.returncode == 0, down.stderr
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", PORT))
        taken.listen()
        done = engine("up", "--embedded")
    assert done.returncode == 1
    assert f"error: Port {PORT} on 127.0.0.1 is taken" in done.stderr
    assert "DRYDOCK_MIRROR_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_host_is_the_same_before_during_and_after() -> None:
    assert engine("down").returncode == 0
    before, running_before = state(), processes()
    assert not running_before
    assert engine("up", "--embedded").returncode == 0
    assert state() == before
    assert processes()
    assert engine("down").returncode == 0
    assert state() == before
    assert not processes()
    assert not Path("/sys/class/net/drydock0").exists()
    assert not Path("/run/drydock").exists()
    assert engine("status").returncode == 1
