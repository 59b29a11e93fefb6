"""Several images of one repository: told apart by their flavors, or refused where an event would name both alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ci.config.parse import parse_config
from ci.core.findings import Finding
from ci.core.model import Config
from ci.core.names import image_tag, own_tag

from .test_schema import errors_of_schema

Problems = Callable[..., tuple[Finding, ...]]

TWO = """\
repository: ghcr.io/acme/app
tags: [TAGS]
images:
  - &app
    name: app
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke: [{run: [app]}]
  - <<: *app
    name: app-alpine
    FLAVOR
"""


def two(flavor: str, tags: str = '"type=semver,pattern={{version}}", "type=edge"') -> str:
    text = TWO.replace("TAGS", tags).replace("    FLAVOR\n", f"    {flavor}\n" if flavor else "")
    return text if tags else text.replace("tags: []\n", "")


def read(text: str) -> Config:
    assert errors_of_schema(text) == []
    return parse_config(text, file="images.yaml")


def test_a_suffix_tells_them_apart() -> None:
    first, second = read(two('flavor: ["suffix=-alpine,onlatest=true"]')).images
    assert (own_tag(first, "0" * 40), own_tag(second, "0" * 40)) == ("sha-0000000", "sha-0000000-alpine")
    assert own_tag(second, "0" * 40, "1.2.3") == "sha-0000000-1.2.3-alpine"
    assert (image_tag(second, "1.2"), image_tag(second, "latest")) == ("1.2-alpine", "latest-alpine")


def test_latest_has_a_suffix_only_where_the_flavor_says_so() -> None:
    text = two('flavor: ["suffix=-alpine", "latest=false"]')
    assert image_tag(read(text).images[1], "latest") == "latest"


@pytest.mark.parametrize(
    ("flavor", "tags", "name"),
    [
        ("", '"type=edge"', "ghcr.io/acme/app:sha-..."),
        ("", "", "ghcr.io/acme/app:sha-..."),
        (
            'flavor: ["suffix=-alpine"]',
            '"type=semver,pattern={{version}}"',
            "app:latest (by a push of refs/tags/v1.2.3)",
        ),
        ('flavor: ["prefix=x-"]', '"type=sha"', "ghcr.io/acme/app:sha-0123456 (by a push of"),
        (
            'flavor: ["suffix=-alpine"]\n    tags: ["type=schedule,suffix="]',
            '"type=schedule"',
            "app:nightly (by a sched",
        ),
    ],
)
def test_two_images_that_would_get_one_name_are_refused(flavor: str, tags: str, name: str, problems: Problems) -> None:
    [problem] = problems(two(flavor, tags))
    assert "'app' and 'app-alpine' would both be " in problem.message
    assert name in problem.message
    assert "suffix=-alpine,onlatest=true" in problem.accepted
    if flavor:
        assert (problem.key, problem.line) == ("images[1].flavor", 11)


def test_a_family_of_one_repository_names_the_images(problems: Problems) -> None:
    text = """\
repository: ghcr.io/acme/app
flavor: [latest=false]
images:
  - matrix: {os: [alpine, debian]}
    name: app-{os}
    dockerfile: Dockerfile.{os}
    platforms: [linux/amd64]
    smoke: [{run: [app]}]
    flavor: ["suffix=-OS"]
"""
    assert [image.affixes.suffix for image in read(text.replace("OS", "{os}")).images] == ["-alpine", "-debian"]
    [problem] = problems(text.replace("OS", "all"))
    assert (problem.key, problem.line) == ("images[0][app-debian].flavor", 9)


def test_images_of_repositories_of_their_own_may_have_the_same_names() -> None:
    assert len(read(two("").replace("acme/app", "acme/{name}")).images) == 2


def test_what_is_not_released_has_no_name() -> None:
    text = two("release: false\n    smoke-reason: x\n    smoke: none").replace(
        "name: app\n", 'name: app\n    contexts: {base: "target:app-alpine"}\n', 1
    )
    text = text.replace(
        "<<: *app\n    name: app-alpine", "name: app-alpine\n    dockerfile: D\n    platforms: [linux/amd64]"
    )
    assert len(read(text).images) == 2
