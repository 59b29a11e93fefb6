"""Measure drydock against buildx bake on the same files, registry and machine, and write docs/benchmarks.

Usage: make bench, or make bench BENCH="--rows 3 --runs 5"
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from bench.figures import Growth, Pair, render
from bench.goals import ROWS, goal_pairs
from bench.peer import start_peer, stop_peer, versions
from bench.plot import draw
from bench.scenarios import build_pairs, growth, release_pairs
from bench.tools import Bench
from bench.workspace import Workspace
from deploy.engine.cache import Cache
from deploy.engine.daemons import client_environment
from deploy.engine.errors import EngineError
from deploy.engine.mirror import MIRROR
from deploy.engine.places import VERSION
from deploy.engine.processes import read_record
from deploy.engine.progress import say

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "docs/benchmarks"
PLATFORM = "linux/amd64"
PLATFORMS = (PLATFORM, "linux/arm64")


def main() -> int:
    """Run the benchmark; every failure is one message."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", choices=ROWS, help="only these goals, by their numbers")
    parser.add_argument("--runs", type=int, default=3, help="how often each tool does each work (default: 3)")
    parser.add_argument("--keep-cache", action="store_true", help="leave the engine's cache: for trying this out")
    parser.add_argument("--traces", type=Path, help="a folder for what each command writes: where its time went")
    parser.add_argument(
        "--output", type=Path, help="the folder of the result (default: a whole run's, docs/benchmarks)"
    )
    options = parser.parse_args()
    engine = read_record("engine")
    if engine is None or read_record("mirror") is None:
        print("error: the embedded engine does not run.\n  Use make bench.", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the peer is stopped then too
    if options.traces:
        options.traces.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="drydock-bench-", dir="/var/tmp") as name:  # disk, not memory
            pairs, rows, loads = measure(options, Path(name), Path(engine.note))
    except (EngineError, OSError, subprocess.TimeoutExpired) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    said = facts(loads, time.monotonic() - begin)
    print(render(pairs, rows, said))
    whole = not options.rows and not options.keep_cache
    if folder := options.output or (OUTPUT if whole else None):
        write(folder, pairs, rows, said)
    return 0


def measure(options: argparse.Namespace, folder: Path, binaries: Path) -> tuple[list[Pair], list[Growth], list[float]]:
    """Start the peer, run everything, stop the peer; `binaries` is where the engine's client is."""
    pairs: list[Pair] = []
    rows: list[Growth] = []
    run = f"{MIRROR}/bench-{os.getpid()}"
    env = {**os.environ, **client_environment(binaries)}
    peers = folder / "peer"
    peers.mkdir()
    try:
        peer = start_peer(Cache.from_environment(), peers, MIRROR)
        bench = Bench(peer=peer, mirror=MIRROR, env=env, keep_cache=options.keep_cache, traces=options.traces)
        pairs += goal_pairs(bench, folder, run, options.rows or ROWS, options.runs)
        if options.rows:
            return pairs, rows, bench.loads
        for images, measured in ((1, build_pairs), (3, release_pairs), (12, build_pairs)):
            place = Workspace(root=folder / f"images{images}", images=images, platforms=(PLATFORM,), repository=run)
            place.write()
            pairs += measured(bench, place, options.runs)
        rows += growth(bench, folder, [1, 3, 6, 12], PLATFORMS)
    finally:
        stop_peer(peers)
    return pairs, rows, bench.loads


def facts(loads: list[float], seconds: float) -> dict[str, str]:
    """Say what was measured, with what, and how to repeat it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    peer = versions()
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=HERE, check=False, capture_output=True, text=True, timeout=20
    )
    return {
        "repeat": "`make bench`",
        "drydock": f"commit {commit.stdout.strip() or 'unknown'}, Dagger {VERSION}, smoke checks included",
        "bake": f"buildx {peer['buildx']} on buildkitd {peer['buildkitd']}, as root, host network; no smoke checks",
        "machine": f"{os.cpu_count()} processors, {memory / 1e9:.0f} GB, Linux on {platform.machine()}",
        "reference variants": "those of this repository, two platforms, packages from the network, 1.0 GB to push",
        "a service": "apt, 300 MB of Python packages, source; two platforms, nothing emulated but the checks",
        "images": "small, generated, two stages on python:3.13-slim, first stage shared; linux/amd64; one repository",
        "load before a sample (1 minute)": f"{min(loads):.1f} to {max(loads):.1f}; own work included",
        "the whole run": f"{seconds / 60:.0f} min",
    }


def write(folder: Path, pairs: list[Pair], rows: list[Growth], said: Mapping[str, str]) -> None:
    """Write JSON, table and plot."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "facts": said,
        "pairs": [
            {
                **asdict(p),
                "our_median": p.our_median,
                "peer_median": p.peer_median,
                "ratio": p.ratio,
                "verdict": p.verdict,
            }
            for p in pairs
        ],
        "growth": [asdict(row) for row in rows],
    }
    (folder / "latest.json").write_text(json.dumps(figures, indent=1) + "\n")
    (folder / "latest.md").write_text(render(pairs, rows, said))
    (folder / "latest.svg").write_text(draw(pairs, "Seconds, medians; each group of bars has its own scale"))
    say(f"written to {folder}")


if __name__ == "__main__":
    sys.exit(main())
