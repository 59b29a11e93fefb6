"""Shows a call of Dagger in a few lines where there is no terminal: `python3 -m deploy.trace FILE dagger call ...`.

The CLI's plain progress is some thousand lines, all of which go to FILE. Of them one is shown for each step that takes
long or waits for somebody, one for each variant's step that ends, and what the CLI tells the user when all is done. On
a terminal the CLI shows what it does itself.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from ci.core.text import last_lines
from deploy.engine.progress import say

LONG = 10.0  # seconds after which a step is worth a line

# `12  : ┆ backend@linux/arm64 build DONE [2.3s]`, as dagql/idtui/frontend_plain.go of dagger/dagger prints a span. What
# a span logs has a time before it, and what is further in belongs to a step that is shown.
_LINE = re.compile(
    r"(?P<number>\d+) *: (?:┆ )?(?P<name>[^┆\[!|].*?)(?: (?P<end>DONE|CACHED|ERROR) \[(?P<time>[\w.]+)\].*)?$"
)
_NUMBERED = re.compile(r"\d+ *: ")
_VARIANT = re.compile(r"\S+@\w+/\S+ \w+$")
_WAITING = re.compile(r"waiting for ")  # is worth a line at once: nothing goes on meanwhile
_CALL = re.compile(r"[^ ]*$|[\w.]+: |with[A-Z]|.*\(")  # of the engine's interface, which steps are made of
_MARK = re.compile(r" ?\[traceparent:[0-9a-f-]+\]")
_LAST = 20  # lines of a trace that ends without a word to the user


@dataclass(slots=True)
class Trace:
    """What is worth showing of a trace, line by line."""

    began: dict[str, tuple[str, float]] = field(default_factory=dict)  # steps that run: name, and when they began
    told: set[str] = field(default_factory=set)  # steps that were shown
    ended: set[str] = field(default_factory=set)
    behind: list[str] = field(default_factory=list)  # what came since the last line of a step

    def read(self, line: str, now: float) -> Iterator[str]:
        """Take a line, and yield what to show of it."""
        if not _NUMBERED.match(line):
            self.behind.append(line)
            return
        self.behind.clear()
        found = _LINE.match(line)
        if not found or found["number"] in self.ended:
            return
        number, name = found["number"], found["name"]
        if not found["end"]:
            if _WAITING.match(name) and number not in self.told:
                self.told.add(number)
                yield f"{name} ..."
            if not _CALL.match(name):
                self.began.setdefault(number, (name, now))
            return
        self.ended.add(number)
        if self.began.pop(number, None) and (number in self.told or _VARIANT.match(name)):
            time = " ".join(re.findall(r"[\d.]+|[a-z]+", found["time"]))
            yield f"{name}: failed after {time}" if found["end"] == "ERROR" else f"{name}: done in {time}"

    def wait(self, now: float) -> Iterator[str]:
        """Yield the steps that have become long."""
        for number, (name, began) in self.began.items():
            if number not in self.told and now - began >= LONG:
                self.told.add(number)
                yield f"{name} ..."

    def last_words(self) -> str:
        """Return what the CLI told the user at the end, from its error on where there is one."""
        starts = [n for n, line in enumerate(self.behind) if line.startswith("Error: ")]
        text = "\n".join(self.behind[starts[0] :] if starts else self.behind)
        return _MARK.sub("", text).strip()


def _show(lines: Iterator[str]) -> None:
    for line in lines:
        say(line)


def run(path: Path, command: list[str]) -> int:
    """Run a command, keep its trace, show what is worth it, and return its exit status."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # another call may still be writing to that one
    trace, lines = Trace(), queue.SimpleQueue[str | None]()
    environment = {**os.environ, "DAGGER_PROGRESS": "plain", "NO_COLOR": "1"}
    # What a build prints is for its owner.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        signal.signal(signal.SIGINT, lambda *_: None)  # the child gets it too, and ends in its own way

        def pump() -> None:
            assert child.stderr  # noqa: S101  # is a pipe
            for line in child.stderr:
                file.write(line)
                file.flush()
                lines.put(line.decode(errors="replace").rstrip("\n"))
            lines.put(None)

        threading.Thread(target=pump, daemon=True).start()
        while True:
            with suppress(queue.Empty):
                line = lines.get(timeout=1)
                if line is None:
                    break
                _show(trace.read(line, monotonic()))
            _show(trace.wait(monotonic()))
    code = child.wait()
    words = trace.last_words()
    if code and not words:
        words = last_lines(path.read_text(errors="replace"), _LAST)
    if words:
        print(f"\n{words}", file=sys.stderr)
    if code:
        print(f"\nThe engine's whole trace: {path}", file=sys.stderr)
    return code if code >= 0 else 128 - code


def main() -> int:
    """Read the command line: where the trace goes, and the command."""
    path, *command = sys.argv[1:]
    if sys.stderr.isatty():
        os.execvp(command[0], command)  # noqa: S606  # the CLI's own view
    return run(Path(path), command)


if __name__ == "__main__":
    sys.exit(main())
