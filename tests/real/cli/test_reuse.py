"""As its user types it, sessions of their own: what is reused and what the engine keeps, and a base that moves."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from deploy.engine.mirror import MIRROR, bridge_mirror
from tests.support.servers import Registry, run_registry

from .test_release import call

pytestmark = pytest.mark.timeout(900)

CONFIG = """\
repository: registry.test/acme/{name}
sbom: off
compression: gzip
images:
  - name: alpha
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
  - name: beta
    dockerfile: Dockerfile.beta
    platforms: [linux/amd64]
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
"""
COMMANDED = """\
repository: registry.test/acme/{name}
sbom: off
images:
  - name: alpha
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke:
      - run: [cat, /hello.txt]
      - {run: [cat, /base.txt], stdout: {equals: two}}
"""
# An image is reused for some days only, from the time of its commit.
NOW = datetime.now(UTC).replace(microsecond=0)
FIRST, SECOND, THIRD = (
    ("--revision", digit * 40, "--created", (NOW - timedelta(minutes=ago)).isoformat())
    for digit, ago in (("a", 3), ("b", 2), ("c", 1))
)


MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Base:
    """An image of docker.io for whoever looks into the mirror first: the engine, and BuildKit in it."""

    def __init__(self) -> None:
        self.name = f"drydock-test-{uuid.uuid4().hex[:12]}"
        self._http = httpx.Client(base_url=f"http://{MIRROR}/v2/library/{self.name}", trust_env=False)

    def push(self, text: str) -> None:
        """Let the image hold a text."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            member = tarfile.TarInfo("base.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        layer = gzip.compress(packed.getvalue(), mtime=0)
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha256(packed.getvalue()).hexdigest()}"]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
        kinds = ("vnd.oci.image.config.v1+json", "vnd.oci.image.layer.v1.tar+gzip")
        entries = []
        for kind, blob in zip(kinds, (config, layer), strict=True):
            digest = f"sha256:{sha256(blob).hexdigest()}"
            place = self._http.post("/blobs/uploads/").headers["Location"]
            done = self._http.put(place, params={**httpx.URL(place).params, "digest": digest}, content=blob)
            done.raise_for_status()
            entries.append({"mediaType": f"application/{kind}", "digest": digest, "size": len(blob)})
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": entries[0], "layers": entries[1:]}
        done = self._http.put("/manifests/latest", content=json.dumps(manifest), headers={"Content-Type": MANIFEST})
        done.raise_for_status()

    def remove(self) -> None:
        """Leave nothing in the mirror that has a name."""
        found = self._http.head("/manifests/latest", headers={"Accept": MANIFEST})
        self._http.delete(f"/manifests/{found.headers['Docker-Content-Digest']}").raise_for_status()
        self._http.close()


@pytest.fixture
def base() -> Iterator[Base]:
    made = Base()
    yield made
    made.remove()


def write_source(folder: Path, base: Base) -> Path:
    """Write a repository whose images are built from a base."""
    (folder / "deploy").mkdir(parents=True)
    (folder / "deploy/images.yaml").write_text(CONFIG)
    (folder / "hello.txt").write_text("hello")
    (folder / ".dockerignore").write_text("*\n!hello.txt\n")
    (folder / "Dockerfile").write_text(f"FROM {base.name}\nCOPY hello.txt /\n")
    (folder / "Dockerfile.beta").write_text(f"FROM scratch\nCOPY --from={base.name} / /\nCOPY . /\n")
    return folder


def read_base(registry: Registry, name: str) -> str:
    """Read what base.txt says in the layers that `latest` of an image has.

    BuildKit may have packed a layer of the base anew, so that its digest tells nothing.
    """
    kinds = ("oci.image.index", "oci.image.manifest")
    accept = {"Accept": ", ".join(f"application/vnd.{kind}.v1+json" for kind in kinds)}
    found = b""
    with httpx.Client(base_url=f"http://{registry.host}/v2/{name}", trust_env=False) as http:
        index = http.get("/manifests/latest", headers=accept).json()
        manifest = http.get(f"/manifests/{index['manifests'][0]['digest']}", headers=accept).json()
        for layer in manifest["layers"]:
            blob = http.get(f"/blobs/{layer['digest']}", follow_redirects=True).content
            with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
                if "base.txt" in archive.getnames() and (member := archive.extractfile("base.txt")):
                    found = member.read()
    return found.decode()


def rows(report: str) -> dict[str, tuple[str | None, str | None]]:
    """Read of each variant in a report of the build from what it was reused, and why it was not."""
    document = json.loads(report)
    variants = document.get("build", document)["variants"]
    return {variant["image"]: (variant["reused"], variant["rebuilt"]) for variant in variants}


def test_an_image_is_reused_until_its_base_moves(tmp_path: Path, base: Base) -> None:
    json_format = ("--format", "json")
    with run_registry(tmp_path / "registry") as registry:
        source = write_source(tmp_path / "source", base)
        base.push("one")

        done = call(source, registry, "publish", "--latest", *FIRST, *json_format)
        assert done.code == 0, done.err
        new = (None, "no earlier release of it is in the registry")
        assert rows(done.out) == {"alpha": new, "beta": new}

        # Another commit, another machine: only what is not an input differs.
        (source / "README.md").write_text("new")
        (source / "hello.txt").touch()
        done = call(source, registry, "publish", "--latest", *SECOND, *json_format)
        assert done.code == 0, done.err
        assert rows(done.out) == {"alpha": ("sha-aaaaaaa", None), "beta": ("sha-aaaaaaa", None)}
        shown = call(source, registry, "verify", "--revision", "b" * 40)
        assert shown.code == 0, shown.err
        assert shown.out.count("reused from sha-aaaaaaa") == 2
        shown = call(source, registry, "build-all", "--reuse")
        assert shown.code == 0, shown.err
        assert shown.out.count("reused from sha-aaaaaaa") == 2

        base.push("two")
        done = call(source, registry, "build-all", "--reuse", *json_format)
        assert done.code == 0, done.err
        moved = (None, "changed since sha-bbbbbbb: bases")
        assert rows(done.out) == {"alpha": moved, "beta": moved}

        # BuildKit builds from the base whose digest was recorded.
        assert call(source, registry, "publish", "--latest", *THIRD).code == 0
        assert read_base(registry, "acme/alpha") == read_base(registry, "acme/beta") == "two"


GAMMA = """\
  - name: gamma
    dockerfile: Dockerfile.gamma
    platforms: [linux/amd64]
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
"""


def tags_of(registry: Registry, name: str) -> dict[str, str]:
    """Ask the registry for every tag of an image and its digest."""
    accept = {"Accept": "application/vnd.oci.image.index.v1+json"}
    with httpx.Client(base_url=f"http://{registry.host}/v2/{name}", trust_env=False) as http:
        names = http.get("/tags/list").json()["tags"]
        found = {tag: http.head(f"/manifests/{tag}", headers=accept) for tag in names}
    return {tag: answer.headers["Docker-Content-Digest"] for tag, answer in found.items()}


def test_a_schedule_releases_what_a_moved_base_has_changed_and_nothing_else(tmp_path: Path, base: Base) -> None:
    with run_registry(tmp_path / "registry") as registry:
        source = write_source(tmp_path / "source", base)
        (source / "deploy/images.yaml").write_text(CONFIG + GAMMA)
        (source / "Dockerfile.gamma").write_text("FROM scratch\nCOPY hello.txt /\n")
        base.push("one")

        def run(event: str) -> dict[str, tuple[str | None, str | None]]:
            given = ("--event", event, "--ref", "refs/heads/main", "--default-branch", "main", *FIRST)
            done = call(source, registry, "github", *given, "export", "--path", str(tmp_path / event), "--wipe")
            assert done.code == 0, done.err
            assert (tmp_path / event / "exit-code").read_text() == "0\n", (tmp_path / event / "summary.md").read_text()
            return rows((tmp_path / event / "report.json").read_text())

        assert {reused for reused, _ in run("push").values()} == {None}
        first = {name: tags_of(registry, f"acme/{name}") for name in ("alpha", "beta", "gamma")}
        assert {frozenset(tags) for tags in first.values()} == {frozenset(("latest", "sha-aaaaaaa"))}
        base.push("two")
        moved = (None, "changed since sha-aaaaaaa: bases")
        assert run("schedule") == {"alpha": moved, "beta": moved, "gamma": ("sha-aaaaaaa", None)}
        assert read_base(registry, "acme/alpha") == read_base(registry, "acme/beta") == "two"
        for name, before in first.items():
            now = tags_of(registry, f"acme/{name}")
            assert now.pop("sha-aaaaaaa") == before["sha-aaaaaaa"]
            assert len(now) == 3  # latest, -rebuilt, and the run's own
            assert set(now.values()) == {now["sha-aaaaaaa-rebuilt"]}
            assert (now["latest"] == before["latest"]) is (name == "gamma")
        assert call(source, registry, "verify", "--revision", "a" * 40).code == 0


@pytest.mark.parametrize("instruction", ["COPY --from=base /base.txt /", "ADD http://{address}/base.txt /"])
def test_an_engine_that_built_before_builds_from_what_is_there_now(
    tmp_path: Path, base: Base, instruction: str
) -> None:
    """What a build made the engine keeps, and BuildKit what each of its steps did."""
    bridge = bridge_mirror().partition(":")[0]
    files = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with run_registry(tmp_path / "registry") as registry, ThreadingHTTPServer((bridge, 0), files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = write_source(tmp_path / "source", base)
        (source / "deploy/images.yaml").write_text(COMMANDED)
        adding = instruction.format(address=f"{bridge}:{server.server_port}")
        text = f"FROM {base.name} AS base\nFROM python:3.13-slim\n{adding}\nRUN chmod 644 /base.txt\nCOPY . /\n"
        (source / "Dockerfile").write_text(text)
        for now, code in (("one", 1), ("two", 0)):
            base.push(now)
            (tmp_path / "base.txt").write_text(now)
            done = call(source, registry, "build-all")
            assert done.code == code, done.err
            assert ("got 'one'" in done.err) == bool(code)
        server.shutdown()
