"""From a configuration and a selection to a plan."""

import json

import pytest

from ci.config.parse import parse_config
from ci.config.plan import plan_build, render_plan, render_plan_json
from ci.core.errors import DrydockError, SelectionError

CONFIG = parse_config(
    """
repository: ghcr.io/acme/{name}
images:
  - &image
    name: backend
    dockerfile: Dockerfile
    platforms: [linux/arm64, linux/amd64]
    smoke: none
    smoke-reason: nothing to see
  - {<<: *image, name: worker-cpu, platforms: [linux/amd64, linux/arm64]}
  - {<<: *image, name: worker-gpu, platforms: [linux/amd64]}
""",
    file="images.yaml",
)
BACKEND = ["backend@linux/arm64", "backend@linux/amd64"]
CPU = ["worker-cpu@linux/amd64", "worker-cpu@linux/arm64"]
GPU = ["worker-gpu@linux/amd64"]


@pytest.mark.parametrize(
    ("only", "platforms", "expected"),
    [
        ((), (), BACKEND + CPU + GPU),
        (["worker-gpu", "backend"], (), BACKEND + GPU),
        (["worker-gpu,backend"], (), BACKEND + GPU),
        ([" backend , worker-cpu,", "worker-gpu"], (), BACKEND + CPU + GPU),
        (["backend", "backend"], (), BACKEND),
        (["backend"], ["linux/arm64"], BACKEND[:1]),
        ((), ["linux/amd64"], [BACKEND[1], CPU[0], *GPU]),
        ((), ["linux/amd64,linux/arm64"], BACKEND + CPU + GPU),
        (["worker-cpu", "worker-gpu"], ["linux/arm64"], CPU[1:]),
    ],
)
def test_a_selection_keeps_the_order_of_the_configuration(
    only: list[str], platforms: list[str], expected: list[str]
) -> None:
    plan = plan_build(CONFIG, only=only, platforms=platforms)
    assert [str(variant) for variant in plan.variants] == expected


@pytest.mark.parametrize(
    ("only", "platforms", "parts"),
    [
        (["bakend"], (), ["image 'bakend'", "did you mean 'backend'?", "backend, worker-cpu, worker-gpu"]),
        (["backend,zzz,qqq"], (), ["'zzz', 'qqq'"]),
        ((), ["linux/arm46"], ["platform 'linux/arm46'", "'linux/arm64'", "linux/arm64, linux/amd64"]),
        (["worker-gpu"], ["linux/arm64"], ["platform 'linux/arm64'", "accepted: linux/amd64"]),
        (["Backend"], (), ["did you mean 'backend'?"]),
        ([""], (), ["names no image"]),
        ([" , "], (), ["names no image"]),
        ((), [","], ["names no platform"]),
    ],
)
def test_a_selection_that_cannot_be_met_says_what_can(only: list[str], platforms: list[str], parts: list[str]) -> None:
    with pytest.raises(SelectionError) as caught:
        plan_build(CONFIG, only=only, platforms=platforms)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("revision", [None, "0123abc", "a" * 40, "f" * 64])
def test_a_revision_is_kept(revision: str | None) -> None:
    assert plan_build(CONFIG, revision=revision).revision == revision


@pytest.mark.parametrize("revision", ["", "012abc", "A" * 40, "g" * 40, "a" * 65, "main", "abcdef0\n"])
def test_a_revision_that_is_no_commit_id_is_refused(revision: str) -> None:
    with pytest.raises(DrydockError, match="7 to 64 lower-case hexadecimal digits"):
        plan_build(CONFIG, revision=revision)


def test_the_images_of_a_plan_are_those_selected() -> None:
    plan = plan_build(CONFIG, only=["worker-gpu,backend"])
    assert [image.name for image in plan.images] == ["backend", "worker-gpu"]


def test_a_plan_shows_every_repository() -> None:
    text = """
repository: ["ghcr.io/{owner}/{name}", "docker.io/acme/{name}"]
images:
  - &image {name: app, dockerfile: D, platforms: [linux/amd64], smoke: none, smoke-reason: x}
  - {<<: *image, name: own, repository: quay.io/acme/own}
"""
    plan = plan_build(parse_config(text, file="images.yaml"), revision="0123abc")
    shown = [variant["references"] for variant in json.loads(render_plan_json(plan, owner="Acme"))["variants"]]
    assert shown == [
        ["ghcr.io/acme/app:sha-0123abc", "docker.io/acme/app:sha-0123abc"],
        ["quay.io/acme/own:sha-0123abc"],
    ]
    assert "  ghcr.io/{owner}/app:sha-0123abc, docker.io/acme/app:sha-0123abc\n" in render_plan(plan)
    given = json.loads(render_plan_json(plan, repositories=("localhost:5000/{name}",)))["variants"]
    assert [variant["references"] for variant in given] == [
        ["localhost:5000/app:sha-0123abc"],
        ["localhost:5000/own:sha-0123abc"],
    ]


def test_a_plan_shows_what_is_built_and_not_released() -> None:
    text = """
repository: ghcr.io/acme/{name}
images:
  - &image {name: base, dockerfile: D, platforms: [linux/amd64, linux/arm64], smoke: none, smoke-reason: x}
  - {<<: *image, name: app, platforms: [linux/arm64], contexts: {base: "target:base"}}
"""
    config = parse_config(text, file="images.yaml")
    app = plan_build(config, only=["app"])
    assert "\n\nBuilt for these, and not released: base@linux/arm64\n\nSmoke checks" in render_plan(app)
    assert json.loads(render_plan_json(app))["only_built"] == ["base@linux/arm64"]
    assert "Built for these" not in render_plan(plan_build(config))
    assert json.loads(render_plan_json(plan_build(config)))["only_built"] == []
