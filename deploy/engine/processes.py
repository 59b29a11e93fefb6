"""Processes that outlive the command that started them: started, recorded, recognised and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.engine.errors import EngineError
from deploy.engine.places import RUN


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One process: a process id alone may belong to another one by now, the start time tells."""

    pid: int
    started: str  # field 22 of /proc/PID/stat, in clock ticks since boot
    since: float  # Unix time
    key: str  # what it was started from; another key means it has to be started anew
    note: str = ""


def read_record(name: str) -> Record | None:
    """Return the record of a process that is still running."""
    file = RUN / f"{name}.json"
    try:
        record = Record(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return record if _start_time(record.pid) == record.started else None


def start(
    name: str, command: Sequence[str | Path], *, log: Path, key: str, env: dict[str, str], note: str = ""
) -> None:
    """Start a process of its own session, logging to a file, and record it."""
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env=env,
            cwd="/",
        )
    started = _start_time(process.pid) or ""
    record = Record(pid=process.pid, started=started, since=time.time(), key=key, note=note)
    (RUN / f"{name}.json").write_text(json.dumps(asdict(record)))


def stop(name: str, *, limit: float) -> bool:
    """Stop a process and, where it is a namespace's outer process, the one inside; wait until it is gone."""
    record = read_record(name)
    if record:
        # unshare waits for its child and ignores signals meanwhile; with --kill-child its own end ends the child.
        for pid in _children(record.pid) or [record.pid]:
            os.kill(pid, signal.SIGTERM)
        if not _gone(record, limit):
            os.kill(record.pid, signal.SIGKILL)
            if not _gone(record, 10):
                raise EngineError(
                    f"{name} (process {record.pid}) does not end.\n  Look at it with: ps -fp {record.pid}"
                )
    (RUN / f"{name}.json").unlink(missing_ok=True)
    return record is not None


def wait_until(ready: Callable[[], bool], *, name: str, limit: float, log: Path) -> None:
    """Wait until a started process is ready; fail at once when it has ended."""
    end = time.monotonic() + limit
    while not ready():
        if read_record(name) is None:
            tail = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-8:])
            (RUN / f"{name}.json").unlink(missing_ok=True)
            raise EngineError(f"The {name} ended while starting; its last words:\n{tail}\n  log: {log}")
        if time.monotonic() > end:
            raise EngineError(f"The {name} was not ready within {limit:.0f} s.\n  Look at {log}")
        time.sleep(0.1)


def _gone(record: Record, limit: float) -> bool:
    end = time.monotonic() + limit
    while _start_time(record.pid) == record.started:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _start_time(pid: int) -> str | None:
    """Read when a process started; None where there is none, or only the remains of one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
