"""The engine's daemon on its Unix socket, and the end of all daemons."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import processes
from deploy.engine.cache import Cache, key_of
from deploy.engine.commands import run
from deploy.engine.mirror import CIDR, MIRROR, NAMES, bridge_mirror, start_bridge_mirror
from deploy.engine.places import HERE, RUN, SOCKET
from deploy.engine.progress import step

BRIDGE = "drydock0"  # the engine names it after its network
NETWORK = ("--network-name=drydock", f"--network-cidr={CIDR}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The results that an engine is started from."""

    binaries: Path
    unpacked: Path
    content: Path
    emulator: Path

    @property
    def key(self) -> str:
        """Digest them, with the way they are started."""
        names = (path.name for path in (self.binaries, self.unpacked, self.content, self.emulator))
        return key_of(HERE / "enter.sh", HERE / "daemons.py", HERE / "mirror.py", *names, MIRROR, *NETWORK)


def settings() -> str:
    """Write engine.toml: where images come from, and how much of the disk the cache may take."""
    return (
        f'[registry."docker.io"]\n  mirrors = ["{MIRROR}"]\n[registry."{MIRROR}"]\n  http = true\n'
        # A rehearsal hands a registry in as a service of this host name.
        '[registry."registry"]\n  http = true\n[registry."registry:5000"]\n  http = true\n'
        # Namespaces kept ready, each a pair of virtual links on the host; the default of 128 is for build farms.
        "[worker.oci]\n  cniPoolSize = 16\n"
        # By default a fifth of the disk has to be free. On a fuller one the engine throws away after a call whatever
        # makes up for it, which is everything. It also deletes cache volumes that were not used for two days. This one
        # rule takes the place of the default ones: what was not used for longest goes when a limit is reached.
        "[[worker.oci.gcpolicy]]\n  all = true\n"
        '  reservedSpace = "10GB"\n  maxUsedSpace = "40GB"\n  minFreeSpace = "2GB"\n'
    )


def start_engine(cache: Cache, parts: Parts) -> None:
    """Start the engine in its own view of the file system and wait until a client gets an answer."""
    config = RUN / "engine.toml"
    config.write_text(settings())
    view = RUN / "view"
    view.mkdir(exist_ok=True)
    unshare = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    enter = [HERE / "enter.sh", view, parts.binaries, parts.unpacked, parts.content, cache.root / "state"]
    engine = [f"--config={config}", "--root=/run/drydock/state", f"--addr=unix://{SOCKET}", *NETWORK]
    command: list[str | Path] = [*unshare, "sh", *enter, parts.emulator / "qemu-aarch64", *engine]
    passed = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    env = {
        **passed,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "DAGGER_PYTHON_SDK_MANIFEST_DIGEST": (parts.content / "digest").read_text(),
        "DO_NOT_TRACK": "1",
    }
    log = cache.log("engine")
    log.write_bytes(b"")
    SOCKET.unlink(missing_ok=True)
    with step("engine start"):
        processes.start("engine", command, log=log, key=parts.key, env=env, note=str(parts.binaries))
        processes.wait_until(socket_answers, name="engine", limit=90, log=log)
        run(
            [parts.binaries / "dagger", "--silent", "core", "version"],
            log=cache.log("client"),
            remedy=f"Run `python3 deploy/engine down`, then `up` again; the engine's log is {log}",
            limit=90,
            env={**os.environ, **client_environment(parts.binaries)},
            cwd=RUN,
        )
        processes.wait_until(_bridge_is_up, name="engine", limit=30, log=log)
        start_bridge_mirror(cache, parts.unpacked)


def _bridge_is_up() -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((bridge_mirror().split(":")[0], 0))
        except OSError:
            return False
    return True


def socket_answers() -> bool:
    """Tell whether somebody accepts connections on the engine's socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(SOCKET))
        except OSError:
            return False
    return True


def client_environment(binaries: Path) -> dict[str, str]:
    """Name the variables with which the CLI and the Python SDK find this engine."""
    return {
        "_EXPERIMENTAL_DAGGER_RUNNER_HOST": f"unix://{SOCKET}",
        "_EXPERIMENTAL_DAGGER_CLI_BIN": str(binaries / "dagger"),
        "PATH": f"{binaries}:{os.environ.get('PATH', '')}",
        "DO_NOT_TRACK": "1",
        "DAGGER_NO_NAG": "1",
    }


def stop_all() -> bool:
    """Stop engine and mirrors, and take back what they changed in the kernel: bridge, rules, emulation."""
    stopped = processes.stop("engine", limit=90)
    for mirror in NAMES:
        stopped = processes.stop(mirror, limit=10) or stopped
    _clean_kernel()
    for leftover in ("engine.sock", "engine.toml"):
        (RUN / leftover).unlink(missing_ok=True)
    if RUN.is_dir():
        # Mount points of the private view, empty once it is gone.
        for folder in sorted(RUN.iterdir()):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if not any(RUN.iterdir()):
            RUN.rmdir()
    return stopped


def _clean_kernel() -> None:
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True, timeout=20)
    # An entry ends with the engine's mounts on newer kernels; on older ones it stays until it is taken back.
    take_back = (
        "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && cd /proc/sys/fs/binfmt_misc && "
        "[ ! -e drydock-aarch64 ] || echo -1 > drydock-aarch64"
    )
    subprocess.run(["unshare", "--mount", "sh", "-c", take_back], check=False, capture_output=True, timeout=20)
    _clean_rules()


def _clean_rules() -> None:
    """Delete the chains that the CNI firewall plugin leaves behind, unless somebody else uses them."""
    _clean_backend("nft")
    if Path("/proc/net/ip_tables_names").exists():  # asking the legacy backend would load its modules
        _clean_backend("legacy")


def _clean_backend(backend: str) -> None:
    tool = f"/usr/sbin/xtables-{backend}-multi"

    def iptables(*arguments: str) -> list[str]:
        command = [tool, "iptables", "-w", "5", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, timeout=20)
        return done.stdout.decode().splitlines() if done.returncode == 0 else []

    if not Path(tool).exists():
        return
    ours = [rule for rule in iptables("-S") if "CNI-" in rule]
    # Two chains, the jump to each, and nothing in them: exactly what the plugin makes for itself.
    if len(ours) == 4:  # noqa: PLR2004
        comment = ("-m", "comment", "--comment")
        iptables("-D", "FORWARD", *comment, "CNI firewall plugin rules", "-j", "CNI-FORWARD")
        iptables("-F", "CNI-FORWARD")
        iptables("-X", "CNI-FORWARD")
        iptables("-X", "CNI-ADMIN")


def disk_used(cache: Cache) -> str:
    """Measure the cache folder, in one line."""
    if not shutil.which("du"):
        return "unknown"
    done = subprocess.run(["du", "-sh", str(cache.root)], check=False, capture_output=True, timeout=120)
    return done.stdout.decode().split("\t")[0]
