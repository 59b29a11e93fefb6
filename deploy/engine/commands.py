"""Run a command to its end, within a time limit and into a log."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.engine.errors import EngineError


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
