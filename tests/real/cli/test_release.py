"""A release as its user types it: published, verified, spoilt by hand, and with no secret left anywhere."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import PASSWORD, USER, Registry, Reply, Stub, run_registry

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 300  # seconds for one call
REVISION = "c" * 40
COMMIT = ("--revision", REVISION, "--created", "2026-03-01T12:00:00+01:00")
NOISE = re.compile(r"Traceback|[A-Za-z0-9+/]{200,}")

pytestmark = pytest.mark.timeout(900)

CONFIG = """\
repository: registry.test/acme/{name}
sbom: off
source: https://git.test/acme/app
images:
  - name: alpha
    title: Alpha
    dockerfile: Dockerfile
    platforms: [linux/amd64, linux/arm64]
    smoke: [{config: {user: "10001:10001"}}]
  - name: beta
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke: [{run: [python, -c, "print('hi')"], stdout: {equals: hi}}]
"""
DOCKERFILE = "FROM python:3.13-slim\nUSER 10001:10001\nCOPY hello.txt /hello.txt\n"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deploy").mkdir(parents=True)
    (folder / "deploy/images.yaml").write_text(CONFIG)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "hello.txt").write_text("hello")
    return folder


def call(
    source: Path,
    registry: Registry,
    *arguments: str,
    flags: tuple[str, ...] = (),
    login: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run a function of the module against a registry on this host."""
    here = ("--repository", f"{registry.host}/acme/{{name}}", "--registry", f"tcp://{registry.host}")
    command = ["dagger", "--progress=plain", *flags, "-m", str(ROOT), "call", "--source", str(source)]
    done = subprocess.run(
        [*command, *here, *login, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        cwd=source,
        env={**os.environ, "NO_COLOR": "1", **(env or {})},
    )
    return Result(done.returncode, done.stdout, done.stderr)


def skopeo(*arguments: str) -> str:
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_published_verified_spoilt_and_put_right(source: Path, tmp_path: Path) -> None:
    with run_registry(tmp_path / "registry") as registry:
        planned = call(source, registry, "plan", "--live", "--revision", REVISION)
        assert planned.code == 0, planned.err
        assert planned.out.count("create") == 4

        done = call(source, registry, "publish", "--latest", *COMMIT)
        assert done.code == 0, done.err
        assert "release: ok" in done.out
        assert f"docker pull {registry.host}/acme/alpha@sha256:" in done.out
        raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/acme/alpha:latest")
        index = json.loads(raw)
        # Behind the variants stands what is attested of each.
        architectures = [entry["platform"]["architecture"] for entry in index["manifests"]]
        assert architectures == ["amd64", "arm64", "unknown", "unknown"]
        assert index["annotations"]["org.opencontainers.image.revision"] == REVISION
        assert index["annotations"]["org.opencontainers.image.created"] == "2026-03-01T11:00:00Z"
        assert index["annotations"]["org.opencontainers.image.base.name"] == "docker.io/library/python:3.13-slim"
        assert index["annotations"]["org.opencontainers.image.base.digest"].startswith("sha256:")

        assert call(source, registry, "verify", "--revision", REVISION).code == 0

        (source / "hello.txt").write_text("hello, world")
        newer = ("--revision", "d" * 40, "--created", "2026-04-01T12:00:00Z")
        assert call(source, registry, "publish", "--latest", *newer).code == 0
        # Somebody moves one tag by hand.
        address = f"docker://{registry.host}/acme/beta"
        options = ("--all", "--src-tls-verify=false", "--dest-tls-verify=false")
        skopeo("copy", *options, f"{address}:sha-ccccccc", f"{address}:latest")
        spoilt = call(source, registry, "verify", "--revision", "d" * 40)
        assert spoilt.code != 0
        assert f"{registry.host}/acme/beta:latest names sha256:" in spoilt.err
        assert "dagger call promote --from sha-ddddddd --tag latest" in spoilt.err
        assert not NOISE.search(spoilt.err)
        assert call(source, registry, "promote", "--from", "sha-ddddddd", "--tag", "latest").code == 0
        assert call(source, registry, "verify", "--revision", "d" * 40).code == 0

        back = call(source, registry, "rollback", "--to", "sha-ccccccc", "--format", "json")
        assert back.code == 0, back.err
        assert {tag["change"] for tag in json.loads(back.out)["tags"]} <= {"moved", "unchanged"}
        assert call(source, registry, "verify", "--revision", REVISION, "--latest=false").code == 0


def test_nothing_is_written_where_a_check_fails(source: Path, tmp_path: Path) -> None:
    (source / "deploy/images.yaml").write_text(CONFIG.replace("equals: hi", "equals: bye"))
    with run_registry(tmp_path / "registry") as registry:
        done = call(source, registry, "publish", "--latest", *COMMIT)
    assert done.code != 0
    assert "nothing was pushed and no tag was touched" in done.err
    assert "beta@linux/amd64" in done.err
    assert not (tmp_path / "registry/data/docker/registry/v2/repositories").exists()


@contextmanager
def watched_arguments() -> Iterator[set[bytes]]:
    """Collect the arguments of every process of this host, again and again."""
    found: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    found.add(file.read_bytes())
                except OSError:
                    continue
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def test_staged_on_two_machines_and_finished(source: Path, tmp_path: Path) -> None:
    """As it is typed: a folder of each stage, both given to finish."""
    with run_registry(tmp_path / "registry") as registry:
        folders = []
        for platform in ("linux/amd64", "linux/arm64"):
            folder = tmp_path / platform.rpartition("/")[2]
            words = ("stage", "--platforms", platform, *COMMIT, "export", "--path", str(folder), "--wipe")
            done = call(source, registry, *words)
            assert done.code == 0, done.err
            assert (folder / "exit-code").read_text() == "0\n", (folder / "summary.md").read_text()
            folders += ["--staged", str(folder)]
        half = call(source, registry, "finish", "--latest", *folders[:2], *COMMIT)
        assert half.code != 0
        assert "alpha@linux/arm64 is in none of the folders" in half.err
        assert not NOISE.search(half.err)
        done = call(source, registry, "finish", "--latest", *folders, *COMMIT)
        assert done.code == 0, done.err
        assert f"{registry.host}/acme/alpha:latest" in done.out


def docker_config(folder: Path, *registries: Registry) -> Path:
    """Write the logins as `docker login` does."""
    entry = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
    file = folder / "config.json"
    file.write_text(json.dumps({"auths": {registry.host: entry for registry in registries}}))
    return file


def test_two_registries_with_a_login_each(source: Path, tmp_path: Path) -> None:
    with (
        run_registry(tmp_path / "first", htpasswd=True) as first,
        run_registry(tmp_path / "second", htpasswd=True) as second,
    ):
        where = ("--repository", f"{second.host}/acme/{{name}}", "--registry", f"tcp://{second.host}")
        values = {"ONE": f"{first.host}={USER}:{PASSWORD}", "TWO": f"{second.host}={USER}:{PASSWORD}"}
        named = (*where, "--login", "env:ONE,env:TWO")
        done = call(source, first, "publish", "--latest", *COMMIT, login=named, env=values)
        assert done.code == 0, done.err
        for registry in (first, second):
            assert f"docker pull {registry.host}/acme/alpha@sha256:" in done.out
        kept = (*where, "--docker-config", f"file:{docker_config(tmp_path, first, second)}")
        seen = call(source, first, "verify", "--revision", REVISION, login=kept)
        assert seen.code == 0, seen.err
        planned = call(source, first, "plan", "--live", "--revision", REVISION, login=kept)
        assert planned.out.count(f"{second.host}/acme/") >= 4
        half = call(source, first, "verify", "--revision", REVISION, login=(*where, "--login", "env:ONE"), env=values)
        assert half.code != 0
        assert f"{second.host}/acme/beta: HEAD" in half.err
        assert f"{first.host}/acme/beta: HEAD" not in half.err
        short = (*where, "--username", USER, "--password", "env:PASS")
        refused = call(source, first, "verify", "--revision", REVISION, login=short, env={"PASS": PASSWORD})
        assert "--username and --password are of one registry, and the repositories are on" in refused.err
        single = ("--repository", f"{second.host}/acme/{{name}}", "--login", "env:ONE,env:TWO")
        refused = call(source, first, "verify", "--revision", REVISION, login=single, env=values)
        assert "--registry is given 1 times" in refused.err


def test_no_secret_is_left_anywhere(source: Path, tmp_path: Path) -> None:
    """The password is planted, and searched for in whatever a release leaves behind or passes on its way."""
    pair = f"{USER}:{PASSWORD}".encode()
    planted = (PASSWORD.encode(), base64.b64encode(pair).rstrip(b"="), base64.urlsafe_b64encode(pair).rstrip(b"="))
    short = ("--username", USER, "--password", "env:REGISTRY_TOKEN")
    places: dict[str, bytes] = {}
    with (
        run_registry(tmp_path / "registry", htpasswd=True) as registry,
        Stub(lambda _: Reply()) as collector,
        watched_arguments() as arguments,
    ):
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        given = {"REGISTRY_TOKEN": PASSWORD, "LOGIN": f"{registry.host}={USER}:{PASSWORD}"}
        file = docker_config(tmp_path, registry)
        for name, login, words in (
            ("release", short, ("publish", "--latest", "--smoke-published", *COMMIT)),
            ("verification", ("--login", "env:LOGIN"), ("verify", "--revision", REVISION, "--format", "json")),
            ("look", ("--docker-config", f"file:{file}"), ("plan", "--live", "--revision", REVISION)),
            ("failure", ("--login", "env:REGISTRY_TOKEN"), ("verify", "--revision", REVISION)),
        ):
            done = call(source, registry, *words, flags=("-vvvv",), login=login, env={**given, **traces})
            assert (done.code == 0) == (name != "failure"), done.err[-3000:]
            places[name] = f"{done.out}{done.err}".encode()
        places["arguments"] = b"\n".join(arguments)
        places["traces"] = b"\n".join(request.body for request in collector.requests)
    blobs = [file for file in (tmp_path / "registry/data").rglob("data") if file.stat().st_size < 1_000_000]
    places["images"] = b"\n".join(file.read_bytes() for file in blobs)
    logs = Path(os.environ["_EXPERIMENTAL_DAGGER_CLI_BIN"]).parents[1] / "logs/engine.log"
    if logs.exists():  # of the embedded engine
        places["engine"] = logs.read_bytes()
    assert b"dagger" in places["arguments"]
    assert b"publish" in places["traces"]
    assert REVISION.encode() in places["images"]
    found = [(name, value) for name, text in places.items() for value in planted if value in text]
    assert not found
