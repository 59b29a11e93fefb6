"""BuildKit daemons beside the engine, which stand for other machines."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.engine.binaries import build_buildkit, drop_work
from deploy.engine.cache import Cache, remove
from deploy.engine.mirror import bridge_mirror
from deploy.engine.stand_ins import buildkitd_settings
from tests.support.servers import free_port, wait_for

BRIDGE = bridge_mirror().partition(":")[0]  # where the engine's containers reach this host
# A daemon's mounts and processes are its own, and end with it.
_ALONE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A CA, and the certificates that it has signed for a server and for a client, each with its key."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def certificate(self, of: str) -> Path:
        return self.folder / f"{of}.pem"

    def key(self, of: str) -> Path:
        return self.folder / f"{of}.key"


def make_authority(folder: Path) -> Authority:
    folder.mkdir(parents=True)
    made = Authority(folder=folder)
    new = ["-newkey", "rsa:2048", "-nodes"]
    own = [*new, "-x509", "-days", "2", "-subj", f"/CN={folder.name}"]
    _openssl("req", *own, "-keyout", str(folder / "ca.key"), "-out", str(made.ca))
    (folder / "names").write_text(f"subjectAltName=IP:127.0.0.1,IP:{BRIDGE}\n")
    for of in ("server", "client"):
        request = folder / f"{of}.csr"
        _openssl("req", *new, "-subj", f"/CN={of}", "-keyout", str(made.key(of)), "-out", str(request))
        signed = ["-CA", str(made.ca), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2"]
        names = ["-extfile", str(folder / "names")]
        _openssl("x509", "-req", "-in", str(request), *signed, *names, "-out", str(made.certificate(of)))
    return made


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A daemon that runs."""

    host: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    def builds(self) -> int:
        """Ask how many builds it has done."""
        command = [str(programs() / "buildctl"), "--addr", self.url, "debug", "histories", "--format", "{{json .}}"]
        done = subprocess.run(command, check=True, capture_output=True, timeout=30)
        return len({json.loads(line)["record"]["Ref"] for line in done.stdout.splitlines()})

    @property
    def daemon(self) -> int:
        """The process of buildkitd itself."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(child)


@cache
def programs() -> Path:
    """Find BuildKit's programs, as the engine's stand-in has them."""
    made = Cache.from_environment()
    found = build_buildkit(made)
    drop_work(made)
    return found


@contextmanager
def run_machine(folder: Path, *, host: str = BRIDGE, tls: Authority | None = None) -> Iterator[Machine]:
    """Run a daemon, and kill it by its process.

    Args:
        folder: for its state and its log; created, and emptied at the end.
        host: the address it listens on.
        tls: makes it ask for a client's certificate.

    """
    folder.mkdir(parents=True)
    port, log, config = free_port(), folder / "log", folder / "buildkitd.toml"
    config.write_text(buildkitd_settings(bridge_mirror()))
    words = ["--config", str(config), "--root", str(folder / "state"), "--addr", f"tcp://{host}:{port}"]
    if tls:
        files = {"--tlscacert": tls.ca, "--tlscert": tls.certificate("server"), "--tlskey": tls.key("server")}
        words += [part for word, path in files.items() for part in (word, str(path))]
    environment = {**os.environ, "BUILDKIT_STEP_LOG_MAX_SIZE": "-1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*_ALONE, str(programs() / "buildkitd"), *words], stdout=out, stderr=out, env=environment
        )
    try:
        wait_for(port, process, log, host)
        yield Machine(host=host, port=port, process=process)
    finally:
        process.kill()
        process.wait(15)
        remove(folder)
