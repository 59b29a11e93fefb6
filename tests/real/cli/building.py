"""Builds small repositories in client mode, and reads what came of it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagger
from dagger import dag

from ci.build.buildkit import Made
from ci.build.pipeline import Builder, Built, build_all
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.model import Failure


async def build(path: Path, *, only: Sequence[str] = (), secrets: Sequence[dagger.Secret] = ()) -> Built:
    source = dag.host().directory(str(path))
    plan = plan_build(await read_config(source, None), only=only)
    return await build_all(plan, Builder(source=source, secrets=secrets, parallel=2))


def failures(built: Built) -> dict[str, tuple[Failure, ...]]:
    """Say what failed, by variant."""
    return {str(outcome.variant): outcome.failures for outcome in built.report.outcomes}


def only_failure(built: Built) -> Failure:
    (failure,) = (failure for found in failures(built).values() for failure in found)
    return failure


async def read_blob(made: Made, digest: str, folder: Path) -> bytes:
    """Read a blob of what was built, as its archive has it."""
    file = folder / "image.tar"
    await made.archive.export(str(file))
    with tarfile.open(file) as archive:
        member = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
        assert member
        return member.read()


async def read_configuration(made: Made, folder: Path) -> dict[str, Any]:
    """Read the whole configuration of what was built."""
    found: dict[str, Any] = json.loads(await read_blob(made, made.documents.manifest.image.config.digest, folder))
    return found
