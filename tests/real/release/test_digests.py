"""One digest from the build to the registry; and one from build to build, from nothing, of each reference image."""

from __future__ import annotations

import json
import tarfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagger
import pytest
from dagger import dag

from ci.build.buildkit import BuildKit, open_buildkit
from ci.build.command import CacheUse
from ci.build.daemon import open_state
from ci.build.definition import read_definitions
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.model import Config, Plan
from ci.core.names import labels_of
from ci.core.oci import digest_of
from ci.release.request import parse_created
from tests.support.servers import Registry

from .conftest import NEW, Commit, build_commit, client, make_commit, publish

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
LAYERS = "FROM python:3.13-slim\nCOPY hello.txt /hello.txt\nRUN uname -m > /machine\n"


def reference_source() -> dagger.Directory:
    return dag.host().directory(str(ROOT), exclude=["**/.git", "**/__pycache__"])


def read_document(archive: Path, digest: str) -> dict[str, Any]:
    with tarfile.open(archive) as members:
        name = "index.json" if digest == "index" else f"blobs/{digest.replace(':', '/')}"
        file = members.extractfile(name)
        assert file
        body = file.read()
    assert digest in ("index", f"sha256:{sha256(body).hexdigest()}")
    found: dict[str, Any] = json.loads(body)
    return found


def manifest_in(archive: Path) -> str:
    """Find the image in an archive by the entries of its indexes, as whoever unpacks it does."""
    document = read_document(archive, "index")
    while True:
        entries = [entry for entry in document["manifests"] if not is_attestation(entry)]
        (entry,) = entries
        if "index" not in entry["mediaType"]:
            return str(entry["digest"])
        document = read_document(archive, entry["digest"])


def is_attestation(entry: dict[str, Any]) -> bool:
    return "vnd.docker.reference.type" in entry.get("annotations", {})


async def layers_of(container: dagger.Container, file: Path) -> Sequence[str]:
    """Ask the engine for a container's layers, unpacked: it keeps no other digest of what it has imported."""
    await container.as_tarball(media_types=dagger.ImageMediaTypes.OCIMediaTypes).export(str(file))
    manifest = read_document(file, manifest_in(file))
    found: list[str] = read_document(file, manifest["config"]["digest"])["rootfs"]["diff_ids"]
    return found


async def hold(commit: Commit, host: str, prefix: str, folder: Path) -> list[str]:
    """Hold the digests of all variants of a released commit against each other; return a line for each."""
    archive, tarball = folder / "archive.tar", folder / "tarball.tar"
    lines: list[str] = []
    definitions = await read_definitions(commit.plan, commit.source)
    for target in commit.at(host, prefix):
        async with client(host, patient=True) as registry:
            entries = (await registry.get_manifest(target.name, "latest")).entries
            served = {entry.platform: await registry.get_manifest(target.name, entry.digest) for entry in entries}
        assert served.keys() == set(target.image.platforms)
        for variant in target.variants:
            made = commit.images[str(variant)]
            await made.archive.export(str(archive))
            digest = manifest_in(archive)
            assert made.documents.manifest.digest == digest == digest_of(served[variant.platform].body)
            # As the pipeline makes it for the checks.
            empty = dag.container(platform=dagger.Platform(variant.platform))
            smoked = await layers_of(empty.import_(made.archive), tarball)
            config = read_document(archive, read_document(archive, digest)["config"]["digest"])
            built = config["rootfs"]["diff_ids"]
            assert len(smoked) == len(built)
            # The engine gives no digest of what it imported, and packs anew what it has of the base from elsewhere.
            base = definitions[target.image.name].final(variant.platform)
            below = len(await layers_of(empty.from_(base.reference), tarball)) if base else 0
            assert smoked[below:] == built[below:]
            assert len(built) > below
            lines.append(f"{variant}: {digest}, {len(built)} layers, {below} of them of the base")
            archive.unlink()
    return lines


async def test_what_is_built_smoked_and_served_is_one(plain: Registry, tmp_path: Path) -> None:
    commit: Commit = await make_commit(*NEW, dockerfile=LAYERS)
    assert (await publish(commit, plain.host, "one")).ok
    assert len(await hold(commit, plain.host, "one", tmp_path)) == 3


@pytest.mark.slow
async def test_the_reference_images_are_one_from_the_build_to_the_registry(
    plain: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = reference_source()
    config = await read_config(source, None)
    config = replace(config, images=tuple(replace(image, sbom="") for image in config.images))  # no scanner is compiled
    commit = await build_commit(plan_build(config, revision="c" * 40), source, NEW[1])
    assert (await publish(commit, plain.host, "reference", patient=True)).ok
    lines = await hold(commit, plain.host, "reference", tmp_path)
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert len(lines) == 5


@asynccontextmanager
async def empty_buildkit(config: Config) -> AsyncIterator[BuildKit]:
    """Lend a daemon without any state, and leave none."""

    async def empty() -> None:
        state = dag.container().from_("python:3.13-slim").with_env_variable("NONCE", uuid.uuid4().hex)
        state = state.with_mounted_cache("/state", open_state(config), sharing=dagger.CacheSharingMode.LOCKED)
        await state.with_exec(["find", "/state", "-mindepth", "1", "-delete"]).sync()

    await empty()
    yield open_buildkit(config, secrets={}, hidden=(), created=parse_created(NEW[1]))
    await empty()


async def build_from_nothing(plan: Plan, source: dagger.Directory) -> dict[str, str]:
    """Build all variants of a plan, without a smoke check; return the digest of each."""
    definitions = await read_definitions(plan, source)
    found: dict[str, str] = {}
    async with empty_buildkit(plan.config) as buildkit:
        for variant in plan.variants:
            made = await buildkit.build(
                definitions[variant.image.name],
                variant.platform,
                labels=labels_of(plan, variant.image, created=parse_created(NEW[1])),
                cache=CacheUse(),
                built={},
            )
            assert found or not made.progress.cached, "the first began with something"
            found[str(variant)] = made.documents.manifest.digest
    return found


@pytest.mark.slow
@pytest.mark.parametrize("image", ["backend", "worker-cpu", "worker-gpu"])
async def test_a_second_build_of_a_commit_has_the_same_digest(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two repositories share no state, so that each of these two builds begins with nothing."""
    source = reference_source()
    plan = plan_build(await read_config(source, None), only=[image], revision="c" * 40)
    built: list[dict[str, str]] = []
    for name in ("once", "twice"):
        config = replace(plan.config, repositories=(f"registry.test/{name}/{{name}}",))
        built.append(await build_from_nothing(replace(plan, config=config), source))
    first, second = built
    with capsys.disabled():
        print("".join(f"\n{variant} {digest}" for variant, digest in first.items()))
    assert first == second
