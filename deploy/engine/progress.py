"""What the user sees of the work: a line for each step, with the time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTED = time.monotonic()
_PRINTING = threading.Lock()


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
