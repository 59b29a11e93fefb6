"""A family of images in one repository, on a base that is not released, with values of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ci.build.pipeline import Builder
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.fill import Missing, fill_plan
from ci.core.model import Plan
from ci.core.values import Values
from ci.github.run import Run, run_event
from ci.registry.client import RegistryClient
from ci.release.destination import Destination
from ci.release.promotion import promote
from ci.release.registries import Registries
from ci.release.request import tags_for
from ci.release.verification import verify
from tests.support.servers import Registry

from .conftest import client
from .test_reuse import source_of

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

CONFIG = """\
repository: registry.test/family/app
sbom: off
compression: gzip
tags: ["type=semver,pattern={{version}}", "type=edge"]
images:
  - name: base
    release: false
    dockerfile: Dockerfile.base
    platforms: [linux/amd64, linux/arm64]
    smoke: [{file: {path: /hello.txt}}]
  - matrix:
      of: [{suffix: "", target: plain}, {suffix: -small, target: small}]
    name: app{of.suffix}
    flavor: ["suffix={of.suffix},onlatest=true"]
    dockerfile: Dockerfile
    target: "{of.target}"
    platforms: [linux/amd64, linux/arm64]
    contexts: {"registry.invalid/base:1": "target:base"}
    build-args:
      VERSION: "{version:-dev} of {name}"
      ARCH: {linux/amd64: x64, linux/arm64: arm}
    labels: {com.example.ref: "{ref}", org.opencontainers.image.title: "The {name}"}
    annotations: {com.example.commit: "{short}"}
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
"""
FILES = {
    "deploy/images.yaml": CONFIG,
    "Dockerfile.base": "FROM scratch\nCOPY hello.txt /\n",
    "Dockerfile": "FROM registry.invalid/base:1 AS small\nARG VERSION ARCH\nENV VERSION=$VERSION ARCH=$ARCH\n"
    "FROM small AS plain\nCOPY hello.txt /more.txt\n",
    "hello.txt": "hello",
    ".dockerignore": "deploy\nDockerfile*\n",
}
REVISION = "7" * 40
OWN = f"sha-{REVISION[:7]}"
CREATED = (datetime.now(UTC) - timedelta(minutes=5)).replace(microsecond=0).isoformat()


async def plan_of(revision: str, platforms: Sequence[str] = ()) -> Plan:
    return plan_build(await read_config(source_of(FILES), None), platforms=platforms, revision=revision)


def destination(registry: Registry) -> Destination:
    return Destination(repositories=(f"{registry.host}/family/app",))


async def run(registry: Registry, ref: str) -> dict[str, Any]:
    """Do what a push of a ref asks for, and read its report."""
    event = Run(name="push", ref=ref, default_branch="main", revision=REVISION, created=CREATED)
    folder = await run_event(event, Builder(source=source_of(FILES)), destination(registry), plan_of)
    report: dict[str, Any] = json.loads(await folder.file("report.json").contents())
    assert await folder.file("exit-code").contents() == "0\n", json.dumps(report["problems"] or report)[:3000]
    return report


async def names(registry: Registry) -> dict[str, str]:
    """Say what each tag of the repository names."""
    async with client(registry.host) as asked:
        answer = {tag: await asked.resolve("family/app", tag) for tag in TAGS}
    return {tag: digest for tag, digest in answer.items() if digest}


TAGS = [
    f"{tag}{suffix}" for tag in ("edge", "latest", "1.2.3", OWN, f"{OWN}-1.2.3", "stable") for suffix in ("", "-small")
]


async def configuration(asked: RegistryClient, tag: str) -> tuple[Mapping[str, str], dict[str, Any]]:
    """Read the annotations of what a tag names, and the configuration of its variant for linux/arm64."""
    index = await asked.get_manifest("family/app", tag)
    [entry] = (entry for entry in index.entries if entry.platform == "linux/arm64")
    manifest = await asked.get_manifest("family/app", entry.digest)
    body = await asked.get_blob("family/app", manifest.image.config.digest, limit=1 << 20)
    return index.annotations, json.loads(body)["config"]


async def test_a_branch_and_then_a_version_of_the_same_commit(plain: Registry) -> None:
    await run(plain, "refs/heads/main")
    first = await names(plain)
    assert set(first) == {"edge", "edge-small", OWN, f"{OWN}-small"}
    assert first["edge"] == first[OWN] != first["edge-small"] == first[f"{OWN}-small"]

    # The version is in the image, so that it is another one: it is built, and its own tag says so.
    await run(plain, "refs/tags/v1.2.3")
    second = await names(plain)
    assert {tag: second[tag] for tag in first} == first
    assert set(second) == {*TAGS} - {"stable", "stable-small"}
    for suffix in ("", "-small"):
        assert second[f"1.2.3{suffix}"] == second[f"latest{suffix}"] == second[f"{OWN}-1.2.3{suffix}"]
        assert second[f"1.2.3{suffix}"] != first[f"edge{suffix}"]

    # The same event once more builds nothing, and moves nothing.
    again = await run(plain, "refs/tags/v1.2.3")
    assert await names(plain) == second
    assert again["ok"]

    async with client(plain.host) as asked:
        for tag, version, ref in (("edge-small", "dev", "main"), ("1.2.3-small", "1.2.3", "v1.2.3")):
            annotations, config = await configuration(asked, tag)
            assert {f"VERSION={version} of app-small", "ARCH=arm"} <= set(config["Env"])
            assert config["Labels"]["com.example.ref"] == ref
            assert config["Labels"]["org.opencontainers.image.title"] == "The app-small"
            assert annotations["com.example.commit"] == REVISION[:7]
            assert "com.example.ref" not in annotations

        # Without a word about the version the commit is what the branch has made of it, and its tags are known.
        told = Values(revision=REVISION)
        plan = fill_plan(await plan_of(REVISION), told, Missing.STAYS)
        targets = destination(plain).targets(plan, tags=tags_for(plan, ("edge",)))
        assert (await verify(Registries(clients={plain.host: asked}), targets, REVISION)).ok
        targets = destination(plain).targets(plan, tags=tags_for(plan, ("1.2.3",)))
        assert (await verify(Registries(clients={plain.host: asked}), targets, REVISION)).ok
        versioned = fill_plan(await plan_of(REVISION), Values(revision=REVISION, version="1.2.3"), Missing.STAYS)
        targets = destination(plain).targets(versioned, tags=tags_for(versioned, ("1.2.3", "latest")))
        assert (await verify(Registries(clients={plain.host: asked}), targets, REVISION, versioned.mark)).ok

        # By a tag, and by the digest of one of them, all of a release.
        for source, wanted in ((f"{OWN}-1.2.3", "1.2.3"), (OWN, "edge"), (second["1.2.3-small"], "1.2.3")):
            targets = destination(plain).targets(plan, tags=tags_for(plan, ("stable",)))
            done = await promote(Registries(clients={plain.host: asked}), targets, source)
            assert done.ok, done
            live = await names(plain)
            assert [live["stable"], live["stable-small"]] == [live[wanted], live[f"{wanted}-small"]]
