"""`python3 -m deploy.trace` around a command: exit status, output, and the file that a failure names."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = "1   : ┆ a@linux/amd64 build\n1   : ┆ [0.1s] | \x1b[31mred\n1   : ┆ a@linux/amd64 build DONE [0.2s]\n"


def call(path: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.trace", str(path), "sh", "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_a_call_that_ends_well_shows_its_steps_and_its_result(tmp_path: Path) -> None:
    path = tmp_path / "new/trace.log"
    done = call(path, f"printf '%s' '{LINES}' >&2; echo table $DAGGER_PROGRESS $NO_COLOR")
    assert (done.returncode, done.stdout) == (0, "table plain 1\n")
    [line] = done.stderr.splitlines()
    assert line.endswith(" s] a@linux/amd64 build: done in 0.2 s")
    assert path.read_text() == LINES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("end", "code"), [("exit 3", 3), ("kill -TERM $$", 143)])
def test_a_failure_keeps_its_status_and_names_the_trace(tmp_path: Path, end: str, code: int) -> None:
    path = tmp_path / "trace.log"
    path.write_text("of the last call\n")
    done = call(path, f"printf '%s\\n' '{LINES}' 'Error: drydock: no' >&2; {end}")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.endswith(f"\n\nError: drydock: no\n\nThe engine's whole trace: {path}\n")
    assert "of the last call" not in path.read_text()


def test_a_trace_without_a_word_to_the_user_ends_with_its_last_lines(tmp_path: Path) -> None:
    done = call(tmp_path / "trace.log", f"printf '%s' '{LINES}' >&2; exit 1")
    assert "| red\n1   : ┆ a@linux/amd64 build DONE [0.2s]\n" in done.stderr
