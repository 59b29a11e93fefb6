"""What every step of the engine's bring-up shares: places, progress, commands, errors."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

VERSION = "v0.21.8"
HERE = Path(__file__).resolve().parent
RUN = Path("/run/drydock")  # sockets and process records; gone after a reboot, as the processes are
SOCKET = RUN / "engine.sock"
_STARTED = time.monotonic()
_PRINTING = threading.Lock()


class EngineError(Exception):
    """A step failed; the text says what, why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """The folder that keeps every result, keyed by version."""

    root: Path

    @classmethod
    def from_environment(cls) -> Cache:
        """Find the folder: DRYDOCK_CACHE, else drydock under the XDG cache directory."""
        if given := os.environ.get("DRYDOCK_CACHE"):
            base = Path(given).expanduser().resolve()
        else:
            xdg = os.environ.get("XDG_CACHE_HOME")
            base = (Path(xdg) if xdg else Path.home() / ".cache") / "drydock"
        return cls(root=base / f"engine-{VERSION}")

    def log(self, name: str) -> Path:
        """Say where a step logs."""
        path = self.root / "logs" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def made(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return the folder `name-key`, made by `make` in a side folder first so that it is whole or absent."""
        done = self.root / f"{name}-{key}"
        if done.exists():
            say(f"{name}: already there")
            return done
        partial = self.root / f"{name}-{key}.partial"
        remove(partial)
        partial.mkdir(parents=True)
        with step(name):
            make(partial)
        partial.rename(done)
        for old in self.root.glob(f"{name}-????????????"):
            if old != done:
                remove(old)
        return done


def remove(path: Path) -> None:
    """Delete a folder of ours, whatever is in it; a missing one is fine."""
    if path.exists():
        shutil.rmtree(path)


def key_of(*inputs: Path | str) -> str:
    """Digest what a result depends on: files and folders by content, strings as they are."""
    digest = hashlib.sha256()
    for item in inputs:
        files = [item] if isinstance(item, str) or item.is_file() else sorted(item.rglob("*"))
        for file in files:
            if isinstance(file, str):
                digest.update(file.encode() + b"\0")
            elif file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def say(text: str) -> None:
    """Print one line of progress with the time since the start."""
    with _PRINTING:
        print(f"[{time.monotonic() - _STARTED:6.1f} s] {text}", file=sys.stderr, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step, remind of it every 30 s, and say how long it took."""
    say(f"{name} ...")
    start = time.monotonic()
    over = threading.Event()

    def remind() -> None:
        while not over.wait(30):
            say(f"{name} ... {time.monotonic() - start:.0f} s so far")

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    finally:
        over.set()
        reminder.join()
    say(f"{name}: done in {time.monotonic() - start:.1f} s")


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    remedy: str,
    limit: float = 600,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    keep: bool = False,
) -> str:
    """Run a command into a log file within `limit` seconds; return its standard output where `keep` is set."""
    argv = [str(part) for part in command]
    with log.open("ab") as sink:
        sink.write(f"\n$ {' '.join(argv)}\n".encode())
        sink.flush()
        try:
            done = subprocess.run(
                argv,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if keep else sink,
                stderr=sink,
                timeout=limit,
                env=env,
                cwd=cwd,
            )
        except subprocess.TimeoutExpired:
            raise EngineError(f"{argv[0]} took more than {limit:.0f} s.\n  {remedy}\n  log: {log}") from None
        except OSError as error:
            raise EngineError(f"{argv[0]} cannot be run: {error.strerror}.\n  {remedy}\n  log: {log}") from None
    if done.returncode != 0:
        raise EngineError(f"{argv[0]} failed with exit code {done.returncode}.\n  {remedy}\n  log: {log}")
    return done.stdout.decode() if keep else ""
