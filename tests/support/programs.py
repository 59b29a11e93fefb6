"""Registry programs besides Debian's: built from the Go modules that `go/` pins, when a test first asks for one.

To pin another version: `go get -tool MODULE@VERSION && go mod tidy` in the folder of the program.
"""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.engine.binaries import drop_work, go_build
from deploy.engine.cache import Cache
from tests.support.servers import Registry, free_port, wait_for

_HERE = Path(__file__).parent / "go"
_COMMANDS = {
    "registry": "github.com/distribution/distribution/v3/cmd/registry",
    "crane": "github.com/google/go-containerregistry/cmd/crane",
}
_FLAGS = ("-trimpath", "-ldflags=-s -w")


def find_program(name: str) -> Path:
    """Return a program of that name; compile it where no earlier run has: the larger takes one to four minutes."""
    cache = Cache(root=Cache.from_environment().root.with_name("registries"))
    cache.root.mkdir(parents=True, exist_ok=True)
    with (cache.root / "lock").open("w") as lock:  # two runs of the tests at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = go_build(cache, name, _HERE / name, [*_FLAGS, _COMMANDS[name]], go="go-buildkit")
        drop_work(cache)
        return made / name


@contextmanager
def run_crane(folder: Path) -> Iterator[Registry]:
    """Run go-containerregistry's registry, which keeps manifests in memory, and stop it by its process."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / "log"
    command = [str(find_program("crane")), "registry", "serve", "--address", f"127.0.0.1:{port}"]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--disk", str(folder / "data")], stdout=out, stderr=out)
    try:
        wait_for(port, process, log)
        yield Registry(port=port, process=process, log=log)
    finally:
        process.kill()
        process.wait(15)
