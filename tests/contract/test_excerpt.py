"""The awk program that cuts down the progress of a failed build leaves what its reason is read from."""

import subprocess
from base64 import b64encode
from pathlib import Path

from ci.build.excerpt import EXCERPT
from ci.build.progress import failure_of_build

SAMPLES = Path(__file__).resolve().parents[1] / "unit/build/progress"
FAILED = sorted(path for path in SAMPLES.glob("*.txt") if "error: failed to solve" in path.read_text())
NOISY = (SAMPLES / "noisy.txt").read_text()
FILE = "deploy/docker/Dockerfile.backend"
RUN = "sha256:2e47d52c5955cfe848cec6c2e7e7fc6c014191b8ee5fd28f32a7e32f3d17d8b3"  # the step of noisy.txt that failed
OTHER = RUN.replace("2e47", "ffff")


def log(text: str, vertex: str = RUN, *, stream: int = 1) -> str:
    data = b64encode(text.encode()).decode()
    return (
        f'{{"logs":[{{"vertex":"{vertex}","stream":{stream},"data":"{data}","timestamp":"2026-01-01T00:00:00Z"}}]}}\n'
    )


def with_logs(text: str, *logs: str) -> str:
    """Put logs before the first one of a sample."""
    before, found, after = text.partition('{"logs"')
    return before + "".join(logs) + found + after


def excerpt(text: str, folder: Path) -> str:
    path, program = folder / "progress.json", folder / "excerpt.awk"
    path.write_text(text)
    program.write_text(EXCERPT)
    done = subprocess.run(["awk", "-f", program, path, path], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.decode(errors="replace")


def test_an_excerpt_of_a_failure_says_the_same(tmp_path: Path) -> None:
    assert len(FAILED) == 9
    for path in FAILED:
        kept = excerpt(path.read_text(), tmp_path)
        assert failure_of_build(kept, FILE) == failure_of_build(path.read_text(), FILE)
        assert '"data"' not in kept, "in base64 no secret is found"


def test_an_excerpt_keeps_the_reason_beside_megabytes_of_noise(tmp_path: Path) -> None:
    lines = [log(f"line {number}\n") for number in range(2000)]
    noise = log("another step\n" * 500_000, OTHER)
    text = with_logs(NOISY, log("x" * 8_000_000), *lines, noise)
    kept = excerpt(text.replace("\nDockerfile:3\n", f"\n{noise}Dockerfile:3\n"), tmp_path)
    assert len(kept) < 60_000
    stderr = failure_of_build(kept, FILE).stderr or ""
    assert "line 1999\n" in stderr
    assert "another step" not in stderr
    assert stderr.endswith("the last line says why: disk full")


def test_a_line_in_the_middle_of_another_streams_flood_is_a_line_of_its_own(tmp_path: Path) -> None:
    early, late, more = (log(f"{text}\n", stream=2) for text in ("early", "late", "more"))
    flood = [log("x" * 30_000) for _ in range(100)]
    text = with_logs(NOISY, early, *flood, late, log("rest\nthe end\n"), more)
    kept = excerpt(text, tmp_path)
    assert "early" in (failure_of_build(kept, FILE).stderr or "").splitlines()
    for given in (kept, text):
        lines = (failure_of_build(given, FILE).stderr or "").splitlines()
        at = lines.index("late")
        assert lines[at - 1].startswith("xxx")
        assert lines[at + 1 : at + 4] == ["rest", "the end", "more"]


def test_a_long_script_is_shortened_and_its_step_and_output_are_found(tmp_path: Path) -> None:
    kept = excerpt(NOISY.replace("python /noisy.py", "echo long; " * 2000), tmp_path)
    assert len(kept) < 60_000
    found = failure_of_build(kept, FILE)
    assert found.step.startswith("build: [3/3] RUN echo long;")
    assert (found.exit_code, found.reason) == (3, f"{FILE}:3: the command failed with exit code 3")
    assert (found.stderr or "").endswith("disk full")
