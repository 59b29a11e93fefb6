"""Bring up a Dagger engine where none can be fetched: built from package registries, run beside the host.

Usage: python3 deploy/engine up [--embedded] | base IMAGE... | down | status | env | logs
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.engine import daemons, processes
from deploy.engine.bases import KEY, emulator, image, publish
from deploy.engine.binaries import build_binaries, build_buildkit, drop_work
from deploy.engine.cache import Cache
from deploy.engine.catalogue import recipe
from deploy.engine.content import sdk_content
from deploy.engine.errors import EngineError
from deploy.engine.host import install_packages, preflight
from deploy.engine.mirror import MIRROR, NAMES, annotation, bridge_mirror, push, start_mirror
from deploy.engine.places import PYTHON, RUN, SOCKET, VERSION
from deploy.engine.progress import say, step
from deploy.engine.recipe import Recipe
from deploy.engine.scanner import publish_scanner, tag_of
from deploy.engine.stand_ins import StandIn, buildkit_base, buildkit_stand_in

STANDARD = f"python:{PYTHON}-slim"  # the base image of Drydock's own checks, and of its linters
GIVEN = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"


def up(cache: Cache, *, embedded: bool) -> None:
    """Make sure an engine is there: the one named, Docker's, or the embedded one, which has a registry beside it."""
    kind = "embedded" if embedded else _kind()
    if kind == "named":
        say(f"using the engine named by {GIVEN}: {os.environ[GIVEN]}")
        return
    if kind == "docker":
        say("Docker answers and can pull: the dagger CLI fetches its own engine")
        if not shutil.which("dagger"):
            build_binaries(cache, only_cli=True)
            drop_work(cache)
        return
    preflight(cache)
    with _alone(cache):
        _up_embedded(cache)
    say(f"the engine {VERSION} answers on {SOCKET}")


def _up_embedded(cache: Cache) -> None:
    reachable = bridge_mirror()
    standard = recipe(cache, STANDARD)
    unpacked = install_packages(cache)
    # Compiling is bound by the processor, the other lane by the network and the disk: together they take less.
    with ThreadPoolExecutor(2) as lanes:
        compiled = lanes.submit(lambda: (build_binaries(cache), build_buildkit(cache)))
        qemu = emulator(cache)
        image(cache, standard, qemu)
        base = buildkit_base(cache)
        content = sdk_content(cache)
        binaries, buildkit = compiled.result()
    drop_work(cache)
    builder = buildkit_stand_in(cache, base, buildkit, reachable)
    parts = daemons.Parts(binaries=binaries, unpacked=unpacked, content=content, emulator=qemu)
    running = processes.read_record("engine")
    mirrored = all(processes.read_record(name) for name in NAMES)
    if running and running.key == parts.key and mirrored and daemons.socket_answers():
        _fill_mirror(cache, standard, qemu, builder)
        say("the engine is already running")
        return
    if running:
        with step("stopping the engine, which was started from other versions"):
            daemons.stop_all()
    RUN.mkdir(parents=True, exist_ok=True)
    start_mirror(cache, unpacked)
    _fill_mirror(cache, standard, qemu, builder)
    daemons.start_engine(cache, parts)


def _fill_mirror(cache: Cache, standard: Recipe, qemu: Path, builder: StandIn) -> None:
    """Put what every build needs into the mirror, unless it is there."""
    publish(cache, standard, qemu, keep=True)
    if annotation(builder.repository, builder.tag, KEY) != builder.layout.name:
        with step("mirror"):
            push(cache, builder.layout, builder.repository, builder.tag)


def base(cache: Cache, references: list[str]) -> None:
    """Make stand-ins of base images, and put them into the local mirror, where a FROM of that name finds them."""
    if not references:
        raise EngineError(f"Name the images as in a FROM: python3 deploy/engine base {STANDARD}")
    scanners = [tag for reference in references if (tag := tag_of(reference))]
    # Refused before anything is made.
    recipes = [recipe(cache, reference) for reference in references if not tag_of(reference)]
    preflight(cache)
    if not processes.read_record(NAMES[0]):
        raise EngineError("The mirror does not run.\n  Run `python3 deploy/engine up --embedded` first.")
    with _alone(cache):
        for tag in scanners:
            publish_scanner(cache, tag)
        qemu = emulator(cache)
        for one in recipes:
            if one.note:
                say(f"{one.name}: {one.note}, on Debian {one.suite}")
            publish(cache, one, qemu)


def _kind() -> str:
    """Decide whose engine it is: "named", "docker" or "embedded"."""
    named = os.environ.get(GIVEN)
    if named and named != f"unix://{SOCKET}":
        return "named"
    if not shutil.which("docker"):
        return "embedded"
    for command, limit in ((["docker", "info"], 20), (["docker", "pull", "--quiet", "hello-world"], 60)):
        try:
            if subprocess.run(command, check=False, capture_output=True, timeout=limit).returncode != 0:
                return "embedded"
        except (OSError, subprocess.TimeoutExpired):
            return "embedded"
    return "docker"


@contextmanager
def _alone(cache: Cache) -> Iterator[None]:
    """Keep a second `up` or `down` waiting, for an hour at most, while one is at work."""
    with (cache.root / "lock").open("w") as lock:
        end = time.monotonic() + 3600
        waiting = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    raise EngineError(
                        "Another `python3 deploy/engine` has been at work for an hour.\n  See: ps -ef"
                    ) from None
                if not waiting:
                    say("waiting for another deploy/engine to finish")
                waiting = True
                time.sleep(0.5)
        yield


def down(cache: Cache) -> None:
    """Stop what `up` started, and wait for it."""
    if not RUN.exists():
        say("nothing to stop")
        return
    with _alone(cache), step("stopping"):
        stopped = daemons.stop_all()
    say("stopped" if stopped else "nothing was running")


def status(cache: Cache) -> int:
    """Say what runs, which version, since when, and the disk used."""
    running = 0
    addresses = {"engine": f"unix://{SOCKET}", "mirror": MIRROR, "bridge-mirror": bridge_mirror()}
    for name, address in addresses.items():
        record = processes.read_record(name)
        if record:
            running += 1
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.since))
            print(f"{name}: running since {since}, process {record.pid}, on {address}")
        else:
            print(f"{name}: not running")
    print(f"version: {VERSION}\ncache: {cache.root}, {daemons.disk_used(cache)}")
    return 0 if running == len(addresses) else 1


def env() -> None:
    """Print the exports for a shell that wants to use the engine."""
    record = processes.read_record("engine")
    if record:
        for name, value in daemons.client_environment(Path(record.note)).items():
            print(f"export {name}={shlex.quote(value)}")
        return
    clis = sorted(Cache.from_environment().root.glob("cli-*/dagger"))
    if _kind() != "embedded" and clis:
        path = f"{clis[-1].parent}:{os.environ.get('PATH', '')}"
        print(f"export PATH={shlex.quote(path)}")
    print("export DO_NOT_TRACK=1 DAGGER_NO_NAG=1")


def logs(cache: Cache) -> None:
    """Print the last lines of every log."""
    for log in sorted((cache.root / "logs").glob("*.log")):
        print(f"==> {log}")
        print("\n".join(log.read_text(errors="replace").splitlines()[-20:]))


def main() -> int:
    """Run one command; every failure is one message with its remedy."""
    parser = argparse.ArgumentParser(prog="python3 deploy/engine", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["up", "base", "down", "status", "env", "logs"])
    parser.add_argument("images", nargs="*", help="base: images as in a FROM, such as node:22-slim")
    parser.add_argument("--embedded", action="store_true", help="up: whatever other engine there is")
    options = parser.parse_args()
    command = options.command
    # A terminated `up` cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cache = Cache.from_environment()
    try:
        if command == "up":
            up(cache, embedded=options.embedded)
        elif command == "base":
            base(cache, options.images)
        elif command == "down":
            down(cache)
        elif command == "status":
            return status(cache)
        elif command == "env":
            env()
        else:
            logs(cache)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0
