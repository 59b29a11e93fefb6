"""Which runners a proposal names, so that images are built where they are built today."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ci.config import parse_config
from ci.core.model import Runners
from ci.init.gather import gather
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.init.released import Released
from ci.init.templates import adapt_workflow

ROOT = Path(__file__).resolve().parents[3]
FILE = ".github/workflows/ship.yml"

Case = dict[str, object]


def build(platforms: str = "${{ matrix.platform }}", name: str = "shop") -> dict[str, object]:
    given = {"push": True, "tags": f"acme/{name}:1", "platforms": platforms}
    return {"uses": "docker/build-push-action@v6", "with": {k: v for k, v in given.items() if v}}


def job(step: dict[str, object], runs_on: object = "${{ matrix.on }}", **matrix: object) -> dict[str, object]:
    return {"runs-on": runs_on, "steps": [step], **({"strategy": {"matrix": matrix}} if matrix else {})}


def read(*jobs: dict[str, object]) -> Released:
    given = {"on": {"push": {"tags": ["v*"]}}, "jobs": {f"job{n}": each for n, each in enumerate(jobs)}}
    return gather({FILE: yaml.safe_dump(given, sort_keys=False, width=1000)}, {"Dockerfile", "b/Dockerfile"}, "shop")


def cases(**runners: object) -> list[Case]:
    return [{"platform": f"linux/{name.replace('_', '/')}", "on": on} for name, on in runners.items()]


@pytest.mark.parametrize(
    ("include", "named"),
    [
        (cases(amd64="ubuntu-latest", arm64="ubuntu-24.04-arm"), {}),
        (cases(amd64="ubuntu-22.04", arm64="ubuntu-latest"), {}),
        (cases(amd64="ubuntu-26.04", arm_v7="ubuntu-26.04-arm"), {"linux/arm/v7": ("ubuntu-26.04-arm",)}),
        (cases(amd64="big-8", arm64="big-8-arm"), {"linux/amd64": ("big-8",), "linux/arm64": ("big-8-arm",)}),
        (
            cases(amd64="ubuntu-24.04", arm64=["self-hosted", "linux", "ARM64"]),
            {"linux/arm64": ("self-hosted", "linux", "ARM64")},
        ),
        (
            cases(amd64="ubuntu-24.04", arm64='${{ fromJSON(\'["self-hosted", "pi"]\') }}'),
            {"linux/arm64": ("self-hosted", "pi")},
        ),
    ],
)
def test_a_runner_for_each_platform_is_named_where_it_is_not_the_usual_one(
    include: list[Case], named: dict[str, tuple[str, ...]]
) -> None:
    each = [job(build(str(case["platform"])), case["on"]) for case in include]
    by_matrix = job(build(), include=include)
    for released in (
        read(*each),
        *([] if any(isinstance(case["on"], list) for case in include) else [read(by_matrix)]),
    ):
        assert released.runners == Runners(named=named)
        assert not released.lost
        (image,) = released.images
        assert set(image.platforms) == {case["platform"] for case in include}


@pytest.mark.parametrize(
    "expression",
    [
        "${{ matrix.arch == 'arm64' && 'ubuntu-24.04-arm' || 'big' }}",
        "${{ startsWith(matrix.arch, 'arm') && 'ubuntu-24.04-arm' || 'big' }}",
        "${{ contains(matrix.arch, 'ARM') && 'ubuntu-24.04-arm' || 'big' }}",
        "${{ endsWith(matrix.arch, '64') && startsWith(matrix.arch, 'amd') && 'big' || 'ubuntu-24.04-arm' }}",
        "${{ github.event_name == 'pull_request' && 'small' || matrix.arch == 'amd64' && 'big' || 'ubuntu-latest' }}",
    ],
)
def test_an_expression_may_choose_the_runner(expression: str) -> None:
    released = read(job(build("linux/${{ matrix.arch }}"), expression, arch=["amd64", "arm64"]))
    assert released.runners == Runners(named={"linux/amd64": ("big",)})
    assert not released.lost


def test_one_runner_of_their_own_for_all_is_the_one_machine() -> None:
    released = read(job(build("linux/amd64,linux/arm64"), ["self-hosted", "linux"]))
    assert released.runners == Runners(shared=("self-hosted", "linux"))
    assert read(job(build(""), "big")).runners == Runners(shared=("big",))
    assert read(job(build("linux/amd64"), "big")).runners == Runners(named={"linux/amd64": ("big",)})
    assert read(job(build("linux/amd64"), {"labels": ["a", "b"]})).runners.named == {"linux/amd64": ("a", "b")}


@pytest.mark.parametrize("runs_on", ["${{ vars.WHERE }}", {"group": "fast"}, "${{ fromJSON(vars.WHERE) }}", "[a"])
def test_a_runner_that_only_a_run_knows_is_named(runs_on: object) -> None:
    released = read(job(build("linux/amd64"), runs_on))
    assert released.runners == Runners()
    (line,) = released.lost
    assert "runners: names one, and without, each platform has GitHub's own" in line


def test_a_platform_on_two_runners_has_the_usual_one_and_a_line() -> None:
    released = read(job(build("linux/amd64"), "big"), job(build("linux/amd64", "tool"), "ubuntu-latest"))
    assert released.runners == Runners()
    said = "builds linux/amd64 on big, and another job elsewhere: runners: {linux/amd64: big} takes it for all"
    assert released.lost == (f"{FILE}:7: {said}",)


def test_a_build_without_platforms_is_for_its_runner_where_one_is_for_arm() -> None:
    released = read(job(build(""), on=["ubuntu-latest", "ubuntu-24.04-arm"]))
    (image,) = released.images
    assert image.platforms == ("linux/amd64", "linux/arm64")
    (alone,) = read(job(build(""), "ubuntu-latest")).images
    assert alone.platforms == ()


def test_an_axis_may_be_written_as_json() -> None:
    axis = """${{ fromJSON('["linux/amd64", "linux/riscv64"]') }}"""
    (image,) = read(job(build(), "ubuntu-latest", platform=axis)).images
    assert image.platforms == ("linux/amd64", "linux/riscv64")
    unknown = read(job(build(), "ubuntu-latest", platform="${{ fromJSON(needs.plan.outputs.list) }}"))
    assert unknown.images[0].platforms == ()
    assert any(
        "the platforms ${{ fromJSON(needs.plan.outputs.list) }} are made by a script" in x
        for x in unknown.images[0].lost
    )


def test_the_configuration_and_the_workflow_have_the_runners() -> None:
    released = read(job(build(), include=cases(amd64="big-8", arm64="big-8-arm")))
    proposal = propose({"Dockerfile": "FROM alpine:3.22\nUSER app\n"}, {"Dockerfile"}, released=released)
    text = render_proposal(proposal, schema="", file="images.yaml")
    assert (
        "# As today; pull requests are built there too.\nrunners: {linux/amd64: big-8, linux/arm64: big-8-arm}" in text
    )
    assert parse_config(text, file="images.yaml").runners == released.runners
    template = (ROOT / ".github/workflows/images.yml").read_text()
    jobs = yaml.safe_load(adapt_workflow(template, "github.com/acme/drydock@v1", machines=proposal.machines))["jobs"]
    entries = jobs["stage"]["strategy"]["matrix"]["include"]
    assert [entry["runner"] for entry in entries] == ["big-8", "big-8-arm"]
