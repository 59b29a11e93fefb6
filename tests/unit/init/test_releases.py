"""More of what workflows do to release images: conditions, jobs that wait, variants, platforms apart."""

from __future__ import annotations

import pytest
import yaml

from ci.init.gather import gather
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.init.released import Built

FILE = ".github/workflows/release.yml"


def build(**given: object) -> dict[str, object]:
    return {"uses": "docker/build-push-action@v6", "with": {"push": True, **given}}


def images(jobs: dict[str, object], dockerfiles: tuple[str, ...] = ("Dockerfile",)) -> tuple[Built, ...]:
    text = yaml.safe_dump({"on": {"push": {"tags": ["v*"]}}, "jobs": jobs}, sort_keys=False, width=1000)
    return gather({FILE: text}, set(dockerfiles), "app").images


def names(image: Built) -> set[str]:
    return {rule.partition(",enable")[0] for rule in image.rules}


def test_a_step_whose_condition_does_not_hold_is_left_out() -> None:
    steps = [
        {"if": "matrix.of != 'latest'", "run": 'echo "FILE=${{ matrix.of }}" >> "$GITHUB_ENV"'},
        {"if": "matrix.of == 'latest'", "run": 'echo "FILE=plain" >> "$GITHUB_ENV"'},
        {
            "if": "github.repository_owner == 'acme'",
            **build(file="${{ env.FILE }}/Dockerfile", tags="a/${{ matrix.of }}:1"),
        },
    ]
    job = {"strategy": {"matrix": {"of": ["latest", "slim"]}}, "steps": steps}
    found = images({"build": job}, ("plain/Dockerfile", "slim/Dockerfile"))
    assert [(image.dockerfile, image.repositories) for image in found] == [
        ("plain/Dockerfile", ("docker.io/a/latest",)),
        ("slim/Dockerfile", ("docker.io/a/slim",)),
    ]


def test_a_job_knows_what_the_one_hands_on_that_it_waits_for() -> None:
    meta = {
        "id": "meta",
        "uses": "docker/metadata-action@v5",
        "with": {"images": "acme/app", "tags": "type=semver,pattern=v{{version}}"},
    }
    script = {"id": "name", "run": 'echo "file=docker/Dockerfile" >> $GITHUB_OUTPUT'}
    outputs = {"tags": "${{ steps.meta.outputs.tags }}", "file": "${{ steps.name.outputs.file }}"}
    first = {"outputs": outputs, "steps": [meta, script]}
    step = build(tags="${{ needs.first.outputs.tags }}", file="${{ needs.first.outputs.file }}")
    (image,) = images({"first": first, "build": {"needs": "first", "steps": [step]}}, ("docker/Dockerfile",))
    assert (image.dockerfile, image.repositories) == ("docker/Dockerfile", ("docker.io/acme/app",))
    assert image.rules == ("type=semver,pattern=v{{version}}",)


def test_variants_of_one_dockerfile_are_told_apart_by_arguments_and_names() -> None:
    plain = build(tags="acme/app:latest\nacme/app:${{ github.ref_name }}", **{"build-args": "A=1"})
    extra = build(tags="acme/app:x-latest\nacme/app:x-${{ github.ref_name }}", **{"build-args": "A=1\nEXTRA"})
    found = images({"build": {"steps": [plain, {**extra, "env": {"EXTRA": "yes"}}]}})
    assert [dict(image.build_args) for image in found] == [{"A": "1"}, {"A": "1", "EXTRA": "yes"}]
    files = {"Dockerfile": "FROM a\nARG A\nARG EXTRA\n"}
    text = yaml.safe_dump({"on": "push", "jobs": {"build": {"steps": [plain, {**extra, "env": {"EXTRA": "yes"}}]}}})
    released = gather({FILE: text}, set(files), "app")
    written = yaml.safe_load(render_proposal(propose(files, set(files), released=released), schema="", file="x"))
    assert [image["name"] for image in written["images"]] == ["app", "app-x"]
    assert "prefix=x-" in written["images"][1]["flavor"]


def test_platforms_with_names_of_their_own_that_a_later_job_merges_are_one_image() -> None:
    step = build(platforms="linux/${{ matrix.on }}", tags="acme/app:${{ github.ref_name }}-${{ matrix.on }}")
    jobs: dict[str, object] = {"build": {"strategy": {"matrix": {"on": ["amd64", "arm64"]}}, "steps": [step]}}
    alone = images(jobs)
    assert {name for image in alone for name in names(image)} >= {"type=ref,event=tag,suffix=-amd64"}
    merge = {
        "needs": "build",
        "steps": [{"run": "docker manifest create acme/app:$T acme/app:$T-amd64 acme/app:$T-arm64"}],
    }
    (image,) = images({**jobs, "merge": merge})
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert names(image) == {"type=ref,event=branch", "type=ref,event=tag"}


def test_outputs_of_several_lines_are_read() -> None:
    script = """
    {
      echo "args<<EOF"
      echo "A=1"
      echo "B=2"
      echo "EOF"
    } >> "$GITHUB_OUTPUT"
    echo "names<<END" >> $GITHUB_OUTPUT
    echo "acme/app:1" >> $GITHUB_OUTPUT
    echo "END" >> $GITHUB_OUTPUT
    """
    step = build(tags="${{ steps.it.outputs.names }}", **{"build-args": "${{ steps.it.outputs.args }}"})
    (image,) = images({"build": {"steps": [{"id": "it", "run": script}, step]}})
    assert dict(image.build_args) == {"A": "1", "B": "2"}
    assert image.repositories == ("docker.io/acme/app",)


@pytest.mark.parametrize(
    ("command", "tag"),
    [
        ("date -I", "{{date 'YYYY-MM-DD'}}"),
        ("date +%F", "{{date 'YYYY-MM-DD'}}"),
        ("date +%Y%m%d", "{{date 'YYYYMMDD'}}"),
    ],
)
def test_a_day_in_a_name_is_a_day_there(command: str, tag: str) -> None:
    script = {"run": f'echo "DAY=$({command})" >> $GITHUB_ENV'}
    (image,) = images({"build": {"steps": [script, build(tags="acme/app:nightly-${{ env.DAY }}")]}})
    assert names(image) == {f"type=raw,value=nightly-{tag}"}


def test_what_a_person_may_type_is_left_out_where_something_else_stands_for_it() -> None:
    meta = {"id": "meta", "uses": "docker/metadata-action@v5", "with": {"images": "acme/app", "tags": "type=edge"}}
    step = build(tags="${{ github.event.inputs.tags || steps.meta.outputs.tags }}")
    (image,) = images({"build": {"steps": [meta, step]}})
    assert (image.rules, image.lost) == (("type=edge",), ())


def test_arguments_that_only_a_script_knows_are_named() -> None:
    step = build(tags="acme/app:1", **{"build-args": "${{ steps.x.outputs.y }}"})
    (image,) = images({"build": {"steps": [step]}})
    assert image.lost == (f"{FILE}:8: the build arguments ${{{{ steps.x.outputs.y }}}} are made by a script",)
