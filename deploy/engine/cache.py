"""The cache folder: every result is made once for a key, and is whole or absent."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.places import VERSION
from deploy.engine.progress import say, step


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
        for interrupted in self.root.glob(f"{name}-????????????.partial"):
            remove(interrupted)
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
