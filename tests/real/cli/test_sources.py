"""What a build takes from registries was resolved before it, or it fails; and what BuildKit refuses has its line."""

from __future__ import annotations

import pytest

from .building import build, failures, only_failure
from .conftest import Repository

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

PYTHON = "python:3.13-slim"
TRIGGER = f"FROM {PYTHON}\nRUN echo trigger > /made\nONBUILD COPY --from={PYTHON} /etc/debian_version /version\n"
BASE = "name: base\ndockerfile: Dockerfile.base\nplatforms: [linux/amd64]\nsmoke: [{file: {path: /made}}]"
APP = """
name: app
dockerfile: Dockerfile
platforms: [linux/amd64]
contexts: {base: "target:base"MORE}
smoke: [{file: {path: /version}}]
"""


async def test_what_only_a_trigger_of_the_base_takes_is_refused(repository: Repository) -> None:
    """The app's own Dockerfile takes no image of a registry at all."""
    repository.write({"Dockerfile.base": TRIGGER, "Dockerfile": "FROM base\n"})
    repository.configure(BASE, APP.replace("MORE", ""))
    failure = only_failure(await build(repository.path))
    assert f"the build took {PYTHON} with the digest sha256:" in failure.reason
    assert f"contexts: {{{PYTHON}: docker-image://{PYTHON}}}" in failure.reason


async def test_what_a_trigger_takes_may_be_named_as_a_context(repository: Repository) -> None:
    repository.write({"Dockerfile.base": TRIGGER, "Dockerfile": "FROM base\n"})
    repository.configure(BASE, APP.replace("MORE", f', "{PYTHON}": "docker-image://{PYTHON}"'))
    assert failures(await build(repository.path)) == {"base@linux/amd64": (), "app@linux/amd64": ()}


@pytest.mark.parametrize(
    ("dockerfile", "reason"),
    [
        (
            "FROM scratch AS one\nCOPY hello.txt /\nFROM scratch\nARG FROM=one\nCOPY --from=$FROM / /\n",
            "Dockerfile:5: variable expansion is not supported for --from",
        ),
        # In a FROM, a stage goes by lower case alone; in a --from, by any.
        ("FROM scratch AS one\nCOPY hello.txt /\nFROM ONE\nCOPY --from=ONE / /\n", "Dockerfile:3: "),
    ],
)
async def test_what_buildkit_refuses_has_its_line(repository: Repository, dockerfile: str, reason: str) -> None:
    repository.write({"Dockerfile": dockerfile})
    repository.configure("name: app\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\nsmoke: [{file: {path: /x}}]")
    failure = only_failure(await build(repository.path))
    assert failure.reason.startswith(reason), failure
