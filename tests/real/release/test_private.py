"""Base images that a registry shows only to those who log in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dagger import dag

from ci.build import read_definitions
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.release.destination import Destination
from tests.support.servers import PASSWORD, USER, run_registry

from .conftest import Commit, publish

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

CONFIG = """\
repository: HOST/acme/{name}
sbom: off
images: [{name: app, dockerfile: Dockerfile, platforms: [linux/amd64], smoke: [{file: {path: /hello.txt}}]}]
"""


async def test_a_private_base_is_pinned_once_the_engine_has_logged_in(new: Commit, tmp_path: Path) -> None:
    with run_registry(tmp_path / "basic", htpasswd=True) as basic:
        assert (await publish(new, basic.host, "acme", login=(USER, PASSWORD))).ok
        source = dag.directory().with_new_file("Dockerfile", f"FROM {basic.host}/acme/alpha:latest\n")
        source = source.with_new_file("deploy/images.yaml", CONFIG.replace("HOST", basic.host))
        plan = plan_build(await read_config(source, None))
        assert not (await read_definitions(plan, source))["app"].pins("linux/amd64").whole
        secret = dag.set_secret("of-the-base", PASSWORD)
        login = await Destination(username=USER, password=secret).log_in(plan)
        pins = (await read_definitions(plan, source))["app"].pins("linux/amd64")
        assert pins.whole
        assert list(pins.digests) == [f"{basic.host}/acme/alpha:latest"]
        assert login
        assert list(json.loads(await login.plaintext())["auths"]) == [basic.host]  # for BuildKit
