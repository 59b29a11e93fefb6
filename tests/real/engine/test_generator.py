"""The stand-in of the genuine SBOM generator: compiled once, and asked by BuildKit as that one is.

It stands before test_host.py by its name, since those tests stop the engine.
"""

import json
import os
import tarfile
from pathlib import Path

import pytest
from dagger import dag

from ci.build.pipeline import Builder, build_all
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.attestations import SBOM, read_sbom, read_statement
from ci.core.supply import GENERATOR
from deploy.engine.cache import Cache

from .conftest import engine

CONFIG = """\
repository: registry.test/{name}
images:
  - {name: app, dockerfile: Dockerfile, platforms: [linux/amd64, linux/arm64], smoke: [{file: {path: /added}}]}
"""
DOCKERFILE = """\
FROM python:3.13-slim AS build
ARG BUILDKIT_SBOM_SCAN_STAGE=true
FROM python:3.13-slim
COPY --from=build /etc/hostname /added
COPY requests-2.32.5.dist-info /usr/lib/python3/dist-packages/requests-2.32.5.dist-info
"""


# A compilation of eight minutes of processor time: not in every run of all tests, but wherever somebody rehearses.
COMPILED = any(Cache.from_environment().root.glob("syft-*"))
WANTED = bool(os.environ.get("DRYDOCK_SCANNER"))


@pytest.mark.skipif(
    not COMPILED and not WANTED, reason="syft is not compiled yet: make rehearsal, or DRYDOCK_SCANNER=1"
)
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("session")
async def test_it_lists_what_is_in_a_variant_of_either_platform(tmp_path: Path) -> None:
    done = engine("base", GENERATOR.partition("@")[0], timeout=3300)
    assert done.returncode == 0, done.stderr
    source = (
        dag.directory()
        .with_new_file("deploy/images.yaml", CONFIG)
        .with_new_file("Dockerfile", DOCKERFILE)
        .with_new_file("requests-2.32.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: requests\nVersion: 2.32.5\n")
        .with_new_file("requests-2.32.5.dist-info/RECORD", "")
    )
    plan = plan_build(await read_config(source, None))
    built = await build_all(plan, Builder(source=source), sbom=True)
    assert built.report.ok, built.report
    for name, made in built.images.items():
        file = tmp_path / f"{name.rpartition('/')[2]}.tar"
        await made.archive.export(str(file))
        found = {}
        with tarfile.open(file) as archive:
            for member in archive:
                content = archive.extractfile(member)
                body = content.read() if content else b""
                if body.startswith(b"{") and json.loads(body).get("predicateType") == SBOM:
                    sbom = read_sbom(read_statement(body, member.name).predicate, member.name)
                    found[sbom.name] = sbom
        assert found.keys() == {"sbom", "sbom-build"}, name
        assert found["sbom"].distribution.startswith("debian-13")
        packages = {(package.kind, package.name) for package in found["sbom"].packages}
        assert len(packages) > 80
        assert {("deb", "bash"), ("deb", "libc6"), ("pypi", "requests")} <= packages
        assert ("pypi", "requests") not in {(package.kind, package.name) for package in found["sbom-build"].packages}
