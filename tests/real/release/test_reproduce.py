"""A released commit built again, from nothing: the same digests, or the layer and the file that differ."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta

import pytest
import pytest_asyncio

from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.release import Wish, reproduce
from ci.release.reproduced import Reproduced, Reproduction
from tests.support.servers import Registry

from .test_reuse import FILES as SCRATCH
from .test_reuse import FIRST, NOW, SECOND, THIRD, WHEN, Files, commit_of, publish, reused, source_of

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(600)]

CONFIG = """\
repository: registry.test/{name}
images:
  - name: alpha
    title: Alpha
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke: [{file: {path: /etc/app/machine, content: {contains: x86}}}]
  - name: beta
    dockerfile: Dockerfile.planted
    platforms: [linux/amd64]
    smoke: [{file: {path: /etc/app/machine, content: {contains: x86}}}]
"""
# A step of this run alone: BuildKit remembers what it called a step that another Dockerfile has too (_FILLED_UP).
STEPS = f"FROM python:3.13-slim\nRUN mkdir /etc/app && echo {uuid.uuid4().hex} && uname -m > /etc/app/machine\n"
FILES = {
    "deploy/images.yaml": CONFIG,
    "hello.txt": "hello",
    "Dockerfile": f"{STEPS}COPY hello.txt /hello.txt\n",
    "Dockerfile.planted": f"{STEPS}RUN date +%s%N > /built\n",
}


async def again(files: Files, revision: str, host: str, prefix: str, *only: str) -> Mapping[str, Reproduced]:
    done = await all_again(files, revision, host, prefix, *only)
    assert not done.problems, done.problems
    return {one.variant: one for one in done.variants}


async def all_again(files: Files, revision: str, host: str, prefix: str, *only: str) -> Reproduction:
    commit = await commit_of(files, revision, host, prefix)
    plan = plan_build(await read_config(source_of(files), None), only=only, revision=revision)
    return await reproduce(plan, commit.builder, commit.destination, Wish(revision=revision))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def released(session: None, plain: Registry) -> str:
    del session
    assert (await publish(FILES, FIRST, plain.host, "again")).ok
    return "again"


async def test_the_same_comes_out_and_what_a_clock_wrote_is_named(plain: Registry, released: str) -> None:
    found = await again(FILES, FIRST, plain.host, released)
    assert found["alpha@linux/amd64"].same, found
    beta = found["beta@linux/amd64"]
    assert not beta.same
    (layer,) = beta.layers
    assert layer.number == layer.layers
    assert "date +%s%N > /built" in layer.step
    assert layer.files
    assert [(each.path, each.kinds) for each in layer.files.files] == [("built", ("content",))]


async def test_another_source_is_told_by_what_it_changes(plain: Registry, released: str) -> None:
    config = CONFIG.replace("title: Alpha", "title: Omega")
    found = await again(
        {**FILES, "hello.txt": "hello\n", "deploy/images.yaml": config}, FIRST, plain.host, released, "alpha"
    )
    (alpha,) = found.values()
    assert [each.path for layer in alpha.layers if layer.files for each in layer.files.files] == ["hello.txt"]
    assert "config.Labels.org.opencontainers.image.title was 'Alpha', and is 'Omega'" in alpha.documents


async def test_a_step_from_a_cache_of_before_the_commit_is_told(
    plain: Registry, released: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is younger than the run of its steps, whose files keep their times."""
    assert released
    monkeypatch.setitem(WHEN, THIRD, (NOW + timedelta(days=1)).isoformat())
    assert (await publish(FILES, THIRD, plain.host, "cached", rebuild=True)).ok
    (alpha,) = (await again(FILES, THIRD, plain.host, "cached", "alpha")).values()
    assert not alpha.same
    assert alpha.layers
    assert all(layer.files and layer.files.only_earlier for layer in alpha.layers)
    assert "it took this step from a cache" in alpha.layers[0].note


async def test_what_was_reused_is_built_as_of_its_own_commit(plain: Registry) -> None:
    files = SCRATCH
    assert (await publish(files, FIRST, plain.host, "origin")).ok
    second = await publish(files, SECOND, plain.host, "origin")
    assert set(reused(second).values()) == {"sha-1111111"}
    found = await again(files, SECOND, plain.host, "origin", "beta")
    assert {one.revision for one in found.values()} == {FIRST}
    assert not any(one.documents for one in found.values()), found


async def test_a_release_can_insist_on_it(plain: Registry) -> None:
    """Its layers are in zstd, as BuildKit writes them; those of the tests above in gzip."""
    insisting = {**FILES, "deploy/images.yaml": f"require: {{reproducible: true}}\ncompression: zstd\n{CONFIG}"}
    done = await publish(insisting, FIRST, plain.host, "twice")
    assert done.built
    assert done.released is None
    alpha, beta = done.built.outcomes
    assert alpha.ok
    (failure,) = beta.failures
    assert failure.step == "reproducible"
    assert failure.stderr
    assert "/built: content" in failure.stderr
    mended = {**insisting, "Dockerfile.planted": FILES["Dockerfile"]}
    assert (await publish(mended, FIRST, plain.host, "twice")).ok


async def test_a_commit_that_was_not_released_is_a_failure(plain: Registry) -> None:
    done = await all_again(FILES, SECOND, plain.host, "never")
    assert not done.ok
    assert "sha-2222222 does not exist: this commit was not released there" in done.problems[0]
