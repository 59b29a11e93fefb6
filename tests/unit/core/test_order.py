"""What is built for a plan, and in which order."""

import pytest

from ci.config.parse import parse_config
from ci.config.plan import plan_build
from ci.core.order import build_levels, needed_variants

CONFIG = parse_config(
    """
repository: ghcr.io/acme/{name}
images:
  - &image
    name: app
    dockerfile: Dockerfile
    platforms: [linux/arm64, linux/amd64]
    contexts: {base: "target:tools", files: .}
    smoke: none
    smoke-reason: nothing to see
  - {<<: *image, name: tools, contexts: {base: "target:base", other: "target:lone"}}
  - {<<: *image, name: base, contexts: {alpine: "docker-image://alpine:3.22"}}
  - {<<: *image, name: web, platforms: [linux/amd64], contexts: {base: "target:base"}}
  - {<<: *image, name: lone, contexts: {files: docs}}
""",
    file="images.yaml",
)
ARM, AMD = "linux/arm64", "linux/amd64"


@pytest.mark.parametrize(
    ("only", "platforms", "needed"),
    [
        ((), (), "app tools base web lone"),
        (["app"], (), "app tools base lone"),
        (["web"], (), "base web"),
        (["lone"], (), "lone"),
        (["web,app"], [AMD], "app tools base web lone"),
    ],
)
def test_an_image_brings_what_it_is_built_on(only: list[str], platforms: list[str], needed: str) -> None:
    plan = plan_build(CONFIG, only=only, platforms=platforms)
    names = [str(variant) for variant in needed_variants(plan)]
    assert list(dict.fromkeys(name.partition("@")[0] for name in names)) == needed.split()
    assert {str(variant) for variant in plan.variants} <= set(names)
    assert len(set(names)) == len(names)


def test_what_is_built_on_is_built_for_the_platforms_that_need_it() -> None:
    plan = plan_build(CONFIG, only=["web"])
    assert [str(variant) for variant in needed_variants(plan)] == [f"base@{AMD}", f"web@{AMD}"]
    assert [str(variant) for variant in plan.variants] == [f"web@{AMD}"]


def test_each_level_is_built_on_those_before_it() -> None:
    levels = [[str(variant) for variant in level] for level in build_levels(plan_build(CONFIG))]
    assert levels == [
        [f"base@{ARM}", f"base@{AMD}", f"lone@{ARM}", f"lone@{AMD}"],
        [f"tools@{ARM}", f"tools@{AMD}", f"web@{AMD}"],
        [f"app@{ARM}", f"app@{AMD}"],
    ]


def test_a_plan_of_one_level() -> None:
    plan = plan_build(CONFIG, only=["lone"])
    assert build_levels(plan) == (plan.variants,)


def test_what_an_image_is_checked_beside_comes_before_it() -> None:
    text = """
repository: ghcr.io/acme/{name}
images:
  - &image
    name: app
    dockerfile: Dockerfile
    platforms: [linux/arm64, linux/amd64]
    services: {db: {image: "postgres:17", port: 5432}, api: {image: "target:api", port: 80}}
    smoke: none
    smoke-reason: nothing to see
  - {<<: *image, name: api, services: {db: {image: "target:db", port: 5432}}}
  - {<<: *image, name: db, services: {cache: {image: redis, port: 6379}}}
"""
    plan = plan_build(parse_config(text, file="images.yaml"), only=["app"], platforms=[AMD])
    assert [image.needs for image in plan.config.images] == [("api",), ("db",), ()]
    assert [[str(v) for v in level] for level in build_levels(plan)] == [[f"db@{AMD}"], [f"api@{AMD}"], [f"app@{AMD}"]]
