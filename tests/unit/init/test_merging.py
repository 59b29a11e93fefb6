"""What an image is called whose platforms are pushed by digest, and put together by another job."""

from __future__ import annotations

import pytest
import yaml

from ci.config import parse_config
from ci.init.gather import gather
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.init.released import Built, Released

FOLDER = ".github/workflows"
BY_DIGEST = "type=image,push-by-digest=true,name-canonical=true,push=true"

Step = dict[str, object]


def build(**given: object) -> Step:
    usual = {"platforms": "linux/${{ matrix.arch }}", "tags": "acme/shop", "outputs": BY_DIGEST}
    return {"uses": "docker/build-push-action@v6", "with": {**usual, **given}}


def meta(images: str, tags: str = "type=semver,pattern={{version}}") -> Step:
    given = {"images": images, "tags": tags, "flavor": "latest=false"}
    return {"id": "meta", "uses": "docker/metadata-action@v5", "with": {k: v for k, v in given.items() if v}}


def merge(
    script: str = "docker buildx imagetools create $(jq -r .tags <<< $META) $(printf 'x@%s' *)", **env: str
) -> Step:
    return {"run": script, "env": env}


def jobs(one: Step, *merging: Step, before: tuple[Step, ...] = (), needs: object = "build") -> dict[str, object]:
    matrix = {"strategy": {"matrix": {"arch": ["amd64", "arm64"]}}}
    return {"build": {"steps": [*before, one], **matrix}, "merge": {"needs": needs, "steps": [*merging]}}


def read(given: dict[str, object], on: object = None, **more: dict[str, object]) -> Released:
    files = {"ship": {"on": on or {"push": {"tags": ["v*"]}}, "jobs": given}, **more}
    texts = {f"{FOLDER}/{name}.yml": yaml.safe_dump(each, sort_keys=False, width=1000) for name, each in files.items()}
    return gather(texts, {"Dockerfile"}, "shop")


def image(given: dict[str, object]) -> Built:
    (one,) = read(given).images
    return one


def test_the_job_that_puts_them_together_gives_the_names() -> None:
    labels = meta("acme/shop", "")  # names that are never pushed: they serve the labels
    one = image(jobs(build(), meta("acme/shop\nquay.io/acme/shop"), merge(), before=(labels,)))
    assert one.platforms == ("linux/amd64", "linux/arm64")
    assert one.repositories == ("docker.io/acme/shop", "quay.io/acme/shop")
    assert one.rules == ("type=semver,pattern={{version}}",)


def test_a_job_between_them_changes_nothing() -> None:
    given = jobs(build(), meta("acme/shop"), merge(), before=(meta("acme/shop", ""),), needs=["test"])
    one = image({**given, "test": {"needs": ["build"], "steps": [{"run": "true"}]}})
    assert one.rules == ("type=semver,pattern={{version}}",)


def test_without_names_of_its_own_the_names_are_those_of_the_build() -> None:
    one = image(jobs(build(), merge(), before=(meta("acme/shop"),)))
    assert one.rules == ("type=semver,pattern={{version}}",)


def test_names_in_the_command_are_read() -> None:
    script = 'cd digests\ndocker buildx imagetools create -t "$NAME:${GITHUB_REF_NAME}" --tag=acme/shop:stable $(cat *)'
    one = image(jobs(build(), merge(script, NAME="acme/shop")))
    assert one.repositories == ("docker.io/acme/shop",)
    assert {rule.partition(",enable")[0] for rule in one.rules} >= {"type=raw,value=stable", "type=ref,event=tag"}
    assert not one.lost


@pytest.mark.parametrize(
    "script",
    [
        'T="-t acme/shop:1"\nif [[ "$PRE" == "true" ]]; then\n  T="$T -t acme/shop:next"\nfi\n{create} $T $(cat *)',
        "{create} -t acme/shop:1 $(cat *)\nif [ $PRE ]; then\n  {create} -t acme/shop:next $(cat *)\nfi",
        '{create} -t acme/shop:1 $(cat *)\nif [ "$PRE" ]; then exit 0; fi\n{create} -t acme/shop:next $(cat *)',
    ],
)
def test_a_name_that_a_script_chooses_is_named(script: str) -> None:
    one = image(jobs(build(), merge(script.replace("{create}", "docker buildx imagetools create"))))
    assert [rule.partition(",enable")[0] for rule in one.rules] == ["type=raw,value=1"]
    assert any("a script chooses whether it is named acme/shop:next" in line for line in one.lost)


@pytest.mark.parametrize(
    ("handed", "given"),
    [
        ({"build-args": "BASE=acme/ground@${{ steps.ground.outputs.digest }}"}, {"BASE": "ground"}),
        ({"build-contexts": "ground=docker-image://acme/ground@${{ steps.ground.outputs.digest }}"}, {}),
    ],
)
@pytest.mark.parametrize(
    "naming", [[meta("acme/shop"), merge()], [merge("docker buildx imagetools create -t acme/shop:1 $(cat *)")]]
)
def test_an_image_that_another_is_built_on_by_its_digest_has_no_name(
    handed: Step, given: dict[str, str], naming: list[Step]
) -> None:
    ground = build(file="ground/Dockerfile", context=".", tags="acme/ground") | {"id": "ground"}
    flow = jobs(build(**handed), *naming, before=(meta("acme/ground"), ground))
    text = yaml.safe_dump({"on": {"push": {"tags": ["v*"]}}, "jobs": flow}, sort_keys=False, width=1000)
    files = {"Dockerfile": "ARG BASE=acme/ground\nFROM ${BASE}\n", "ground/Dockerfile": "FROM alpine:3.22\n"}
    released = gather({f"{FOLDER}/ship.yml": text}, {*files}, "shop")
    proposal = propose(files, {*files}, released=released)
    config = parse_config(render_proposal(proposal, schema="", file="images.yaml"), file="images.yaml")
    below, above = config.images
    assert (below.name, below.release, below.platforms) == ("ground", False, ("linux/amd64", "linux/arm64"))
    assert (above.name, dict(above.contexts), dict(above.build_args)) == ("shop", {"ground": "target:ground"}, given)
    assert not proposal.lost


def test_names_that_end_with_a_platform_give_way_to_those_of_all() -> None:
    one_by_one = build(tags="acme/shop:7-${{ matrix.arch }}", outputs="", push=True)
    script = "docker buildx imagetools create -t acme/shop:7 -t acme/shop:latest acme/shop:7-amd64 acme/shop:7-arm64"
    one = image(jobs(one_by_one, merge(script)))
    assert one.platforms == ("linux/amd64", "linux/arm64")
    assert [rule.partition(",enable")[0] for rule in one.rules] == ["type=raw,value=7", "type=raw,value=latest"]


def test_the_name_of_an_output_gives_way_to_tags() -> None:
    step = build(tags="acme/shop:1", outputs="type=image,name=target,annotation-index.a=b", push=True)
    assert image({"build": {"steps": [step]}}).repositories == ("docker.io/acme/shop",)


def test_a_bake_file_knows_the_platforms_that_a_matrix_is_made_of() -> None:
    bake = 'target "default" {\n  platforms = ["linux/amd64", "linux/arm/v7"]\n}\n'
    settings = f"*.tags=acme/shop\n*.platform=${{{{ matrix.platform }}}}\n*.output={BY_DIGEST}"
    step: Step = {"uses": "docker/bake-action@v6", "with": {"set": settings}}
    plan = "${{ fromJSON(needs.plan.outputs.platforms) }}"
    first = {"needs": "plan", "strategy": {"matrix": {"platform": plan}}, "steps": [step]}
    given = {"build": first, "merge": {"needs": "build", "steps": [meta("acme/shop"), merge()]}}
    text = yaml.safe_dump({"on": {"push": {"tags": ["v*"]}}, "jobs": given}, sort_keys=False, width=1000)
    (one,) = gather({f"{FOLDER}/ship.yml": text, "docker-bake.hcl": bake}, {"Dockerfile"}, "shop").images
    assert one.platforms == ("linux/amd64", "linux/arm/v7")
    assert one.rules == ("type=semver,pattern={{version}}",)


def test_a_name_of_one_of_several_workflows_moves_at_its_events() -> None:
    def flow(tags: str) -> dict[str, object]:
        return jobs(build(), meta("acme/shop", tags), merge())

    on: dict[str, object] = {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    found = read(flow("type=semver,pattern={{version}}"), edge={"on": on, "jobs": flow("type=raw,value=edge")})
    (one,) = found.images
    assert set(one.rules) == {
        "type=semver,pattern={{version}}",
        "type=raw,value=edge,enable=${{ github.ref == 'refs/heads/main' || github.event_name == 'workflow_dispatch' }}",
    }
