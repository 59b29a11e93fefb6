"""What bake files say of the images that they build."""

from __future__ import annotations

import json

import pytest
import yaml

from ci.core.model import TARGET_CONTEXT
from ci.init.gather import gather
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.init.released import Released

FILE = ".github/workflows/release.yml"


def workflow(*steps: dict[str, object], **job: object) -> str:
    made = {"on": {"push": {"tags": ["v*"]}}, "jobs": {"build": {"runs-on": "ubuntu-latest", "steps": [*steps], **job}}}
    return yaml.safe_dump(made, sort_keys=False, width=1000)


def action(**given: object) -> dict[str, object]:
    return {"uses": "docker/bake-action@v6", "with": {"push": True, **given}}


def read(text: str, *steps: dict[str, object], file: str = "docker-bake.hcl", **job: object) -> Released:
    files = {file: text, **({FILE: workflow(*steps, **job)} if steps else {})}
    return gather(files, {"Dockerfile", "web/Dockerfile", "base/Dockerfile"}, "app")


HCL = """
variable "REGISTRY" { default = "ghcr.io/acme" }
variable "TAG" { default = "dev" }
group "default" { targets = ["app"] }
target "_common" {
  args = { A = "1", B = null, C = "${TAG}" }
  platforms = ["linux/amd64", "linux/arm64"]
}
target "app" {
  inherits = ["_common"]
  args = { A = "2" }
  target = "run"
  tags = ["${REGISTRY}/app:${TAG}", notequal("", TAG) ? "${REGISTRY}/app:latest" : ""]
}
target "other" { tags = ["acme/other"] }
"""


def test_variables_and_inherits_are_read() -> None:
    (image,) = read(HCL).images
    assert image.place == "docker-bake.hcl:9"
    assert (image.dockerfile, image.context, image.target) == ("Dockerfile", ".", "run")
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert dict(image.build_args) == {"A": "2", "C": "dev"}
    assert image.repositories == ("ghcr.io/acme/app",)


def test_the_environment_of_a_step_stands_before_a_default() -> None:
    step = {**action(), "env": {"TAG": "${{ github.ref_name }}", "REGISTRY": "docker.io/acme"}}
    (image,) = read(HCL, step).images
    assert image.repositories == ("docker.io/acme/app",)
    assert {rule.partition(",enable")[0] for rule in image.rules} >= {"type=ref,event=tag", "type=raw,value=latest"}
    assert dict(image.build_args) == {"A": "2", "C": "{ref}"}


def test_the_variables_of_every_step_are_known() -> None:
    text = """
variable "GITHUB_SHA" { default = "" }
variable "GITHUB_REF_NAME" { default = "local" }
target "default" {
  args = { COMMIT = GITHUB_SHA }
  tags = ["ghcr.io/acme/app:${GITHUB_REF_NAME}"]
}
"""
    (image,) = read(text, action()).images
    assert dict(image.build_args) == {"COMMIT": "{revision}"}
    assert image.rules == ("type=ref,event=branch", "type=ref,event=tag")


def test_json_says_the_same() -> None:
    targets = {
        "base": {"args": {"A": "1"}, "platforms": ["linux/amd64"]},
        "app": {"inherits": ["base"], "dockerfile": "Dockerfile", "tags": ["ghcr.io/acme/app:${TAG}"]},
    }
    variables = {"TAG": {"default": "latest"}}
    text = json.dumps({"group": {"default": {"targets": ["app"]}}, "target": targets, "variable": variables}, indent=2)
    (image,) = read(text, file="docker-bake.json").images
    assert (image.repositories, dict(image.build_args)) == (("ghcr.io/acme/app",), {"A": "1"})
    assert image.rules[0].startswith("type=raw,value=latest")
    assert text.splitlines()[int(image.place.partition(":")[2]) - 1].strip() == '"app": {'


def test_a_matrix_is_a_target_for_each_case_and_its_name_stands_for_all() -> None:
    text = """
group "default" { targets = ["it"] }
target "it" {
  matrix = { of = ["web", "base"] }
  name = "it-${of}"
  context = of
  tags = ["ghcr.io/acme/${of}:1"]
}
"""
    assert [(image.dockerfile, image.context, image.repositories) for image in read(text).images] == [
        ("web/Dockerfile", "web", ("ghcr.io/acme/web",)),
        ("base/Dockerfile", "base", ("ghcr.io/acme/base",)),
    ]


@pytest.mark.parametrize("output", ["type=registry", "type=image,push=true"])
def test_settings_of_the_call_stand_before_the_file(output: str) -> None:
    settings = f"*.platform=linux/s390x\napp.args.A=3\napp.tags=quay.io/acme/app:1\n*.output={output}"
    given = action(push=False, targets="app", set=settings, files="app.bake.hcl")
    (image,) = read(HCL, given, file="app.bake.hcl").images
    assert (image.platforms, image.repositories) == (("linux/s390x",), ("quay.io/acme/app",))
    assert image.build_args["A"] == "3"
    assert not read(HCL, action(push=False, files="app.bake.hcl"), file="app.bake.hcl").images


def test_metadata_action_names_the_target_that_inherits_from_its_own() -> None:
    text = """
target "docker-metadata-action" { tags = ["app:local"] }
target "app" { inherits = ["docker-metadata-action"] }
"""
    given = {"images": "acme/app", "tags": "type=semver,pattern={{version}}"}
    meta: dict[str, object] = {"id": "meta", "uses": "docker/metadata-action@v5", "with": given}
    files = "./docker-bake.hcl\ncwd://${{ steps.meta.outputs.bake-file }}"
    (image,) = read(text, meta, action(files=files, targets="app")).images
    assert image.repositories == ("docker.io/acme/app",)
    assert image.rules == ("type=semver,pattern={{version}}",)


def test_a_target_that_another_is_built_on_is_built_and_not_released() -> None:
    text = """
target "base" { context = "base" }
target "web" {
  dockerfile = "web/Dockerfile"
  contexts = { base = "target:base" }
  tags = ["ghcr.io/acme/web:1"]
}
"""
    released = read(text, action(targets="web"))
    files = {"Dockerfile": "FROM a\n", "web/Dockerfile": "FROM base\n", "base/Dockerfile": "FROM a\n"}
    written = render_proposal(propose(files, set(files), released=released), schema="", file="images.yaml")
    base, web = yaml.safe_load(written)["images"]
    assert (base["name"], base["release"]) == ("base", False)
    assert web["contexts"] == {"base": f"{TARGET_CONTEXT}base"}


def test_a_command_of_a_script_is_read() -> None:
    step: dict[str, object] = {
        "run": "docker buildx bake -f ./docker-bake.hcl \\\n  --set *.platform=linux/amd64 --push app",
    }
    (image,) = read(HCL, step).images
    assert (image.platforms, image.repositories) == (("linux/amd64",), ("ghcr.io/acme/app",))


@pytest.mark.parametrize(
    "command",
    [
        "docker buildx bake -f app.bake.hcl app",
        "docker buildx bake -f app.bake.hcl --print --push",
        "echo docker buildx bake -f app.bake.hcl --push",
    ],
)
def test_a_command_that_pushes_nothing_releases_nothing(command: str) -> None:
    step: dict[str, object] = {"run": command}
    assert not read(HCL, step, file="app.bake.hcl").images


@pytest.mark.parametrize(
    ("text", "step", "said"),
    [
        ("target {", action(), "docker-bake.hcl: line"),
        (HCL, action(files="other.hcl"), "the bake file other.hcl is not there"),
        (HCL, action(targets="${{ steps.x.outputs.y }}"), "are named by a script"),
        (HCL, action(set="${{ steps.x.outputs.y }}"), "is set by a script"),
        ('target "default" { tags = ["${HOST}/app:1"] }', action(), "the repository docker.io/$HOST/app is not plain"),
        ('target "default" { tags = ["acme/app:${timestamp()}"] }', action(), "the tag '${{ timestamp() }}' is made"),
        ('target "default" { context = "https://a.b/c.git" tags = ["acme/app:1"] }', action(), "is none of the source"),
        ('target "default" { args = { A = uuidv4() } tags = ["acme/app:1"] }', action(), "the build argument A="),
    ],
)
def test_what_cannot_be_worked_out_is_named(text: str, step: dict[str, object], said: str) -> None:
    released = read(text.replace("} tags", "}\n  tags").replace('" tags', '"\n  tags'), step)
    assert said in "\n".join([*released.lost, *(line for image in released.images for line in image.lost)])


def test_bake_without_a_file_of_its_own_is_named() -> None:
    files = {"Dockerfile": "FROM a\n"}
    released = gather({FILE: workflow(action())}, set(files), "app")
    assert "bake is called, and there is no docker-bake.hcl" in released.lost[0]
    written = render_proposal(propose(files, set(files), released=released), schema="", file="images.yaml")
    assert "# A guess: what names the images today could not be read" in written
    assert yaml.safe_load(written)["tags"] == ["type=ref,event=tag"]
