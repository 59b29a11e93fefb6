"""What workflows, bake files and scripts say of provenance, SBOMs and signatures, and what a proposal makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ci.config import parse_config
from ci.core.model import Attest, Config
from ci.core.supply import GENERATOR, ProvenanceMode
from ci.init.gather import gather
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.init.released import Released
from ci.init.signing import AFTER, BEFORE
from ci.init.supply import Supply, join_supply, read_supply

ROOT = Path(__file__).resolve().parents[3]
FILE = ".github/workflows/ship.yml"
DOCKERFILE = "FROM alpine:3.22\nUSER app\n"

Step = dict[str, object]


def build(**given: object) -> Step:
    return {"uses": "docker/build-push-action@v6", "with": {"push": True, "tags": "acme/shop:1", **given}}


def workflow(*steps: Step, **job: object) -> str:
    jobs = {"ship": {"runs-on": "ubuntu-latest", "steps": [*steps], **job}}
    return yaml.safe_dump({"on": {"push": {"tags": ["v*"]}}, "jobs": jobs}, sort_keys=False, width=1000)


def read(*steps: Step, files: dict[str, str] | None = None, **job: object) -> Released:
    return gather({FILE: workflow(*steps, **job), **(files or {})}, {"Dockerfile", "b/Dockerfile"}, "shop")


def supply(*steps: Step, files: dict[str, str] | None = None, **job: object) -> Supply:
    (image,) = read(*steps, files=files, **job).images
    return image.supply


def proposed(released: Released) -> tuple[str, Config]:
    texts = {image.dockerfile: DOCKERFILE for image in released.images}
    text = render_proposal(propose(texts, {*texts}, released=released), schema="", file="images.yaml")
    return text, parse_config(text, file="images.yaml")


@pytest.mark.parametrize(
    ("given", "provenance", "sbom"),
    [
        ({}, "", ""),
        ({"provenance": False}, "off", ""),
        ({"provenance": True, "sbom": True}, "max", "on"),
        ({"provenance": "mode=min"}, "min", ""),
        ({"provenance": "mode=max,version=v1", "sbom": False}, "max", "off"),
        ({"sbom": "generator=acme/lister:2"}, "", "acme/lister:2"),
        ({"sbom": "generator=docker/buildkit-syft-scanner:stable-1"}, "", "on"),
        ({"sbom": "generator=docker.io/docker/buildkit-syft-scanner@sha256:" + "0" * 64}, "", "on"),
        ({"attests": "type=provenance,mode=min\ntype=sbom,disabled=true"}, "min", "off"),
        ({"attests": "type=provenance,mode=min", "provenance": False}, "off", ""),
    ],
)
def test_inputs_of_a_build_say_what_is_attested(given: dict[str, object], provenance: str, sbom: str) -> None:
    found = supply(build(**given))
    assert (found.provenance, found.sbom, found.lost) == (provenance, sbom, ())


def test_a_variable_takes_the_usual_attestations_off() -> None:
    assert supply(build(), env={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}).provenance == "off"
    assert supply(build(provenance="mode=max"), env={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}).provenance == "max"
    script = "export BUILDX_NO_DEFAULT_ATTESTATIONS=true\ndocker buildx build --push -t acme/shop:1 ."
    assert supply({"run": script}).provenance == "off"


@pytest.mark.parametrize(
    ("flags", "provenance", "sbom"),
    [
        ("--provenance=false", "off", ""),
        ("--provenance mode=min --sbom=true", "min", "on"),
        ("--attest type=sbom,generator=acme/lister:2 --attest=type=provenance,disabled=true", "off", "acme/lister:2"),
    ],
)
def test_flags_of_a_command_say_what_is_attested(flags: str, provenance: str, sbom: str) -> None:
    found = supply({"run": f"docker buildx build {flags} --push -t acme/shop:1 ."})
    assert (found.provenance, found.sbom) == (provenance, sbom)


HCL = """
target "base" { attest = ["type=provenance,mode=min", "type=sbom,generator=acme/lister:2"] }
target "default" {
  inherits = ["base"]
  tags = ["acme/shop:1"]
  attest = [{ type = "provenance", mode = "max" }]
}
"""
JSON = '{"target": {"default": {"tags": ["acme/shop:1"], "attest": ["type=provenance,disabled=true"]}}}'


@pytest.mark.parametrize(
    ("files", "given", "provenance", "sbom"),
    [
        ({"docker-bake.hcl": HCL}, {}, "max", "acme/lister:2"),
        ({"docker-bake.hcl": HCL}, {"set": "*.attest=type=sbom,disabled=true"}, "max", "off"),
        ({"docker-bake.hcl": HCL}, {"provenance": False, "sbom": True}, "off", "on"),
        ({"docker-bake.json": JSON}, {}, "off", ""),
    ],
)
def test_bake_says_what_is_attested(files: dict[str, str], given: Step, provenance: str, sbom: str) -> None:
    found = supply({"uses": "docker/bake-action@v6", "with": {"push": True, **given}}, files=files)
    assert (found.provenance, found.sbom) == (provenance, sbom)


def test_bake_is_told_by_flags_of_a_command() -> None:
    found = supply({"run": "docker buildx bake --push --provenance=false --sbom false"}, files={"docker-bake.hcl": HCL})
    assert (found.provenance, found.sbom) == ("off", "off")


def test_a_compose_file_says_what_is_attested() -> None:
    text = "services:\n  shop:\n    image: acme.example/shop\n    build: {context: ., provenance: false, sbom: true}\n"
    (image,) = gather({"compose.yaml": text}, {"Dockerfile"}, "shop").images
    assert (image.supply.provenance, image.supply.sbom) == ("off", "on")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"provenance": "${{ vars.HOW }}"}, "provenance: ${{ vars.HOW }} is decided by the run: here it is max"),
        ({"provenance": "mode=max,builder-id=me"}, "provenance: builder-id=me has no key here"),
        ({"sbom": "generator=lister"}, "the SBOM generator lister is no reference of an image"),
        ({"attests": "type=other,a=b"}, "the attestation type=other,a=b is none that a release writes"),
    ],
)
def test_what_has_no_key_is_named(given: Step, said: str) -> None:
    text, _ = proposed(read(build(**given)))
    assert f"{FILE}:9: {said}" in text


def test_two_builds_of_one_image_say_the_more_of_both() -> None:
    one, other = Supply(provenance="min", sbom="off"), Supply(provenance="max", sbom="acme/lister:2")
    made = join_supply(one, other, "here")
    assert (made.provenance, made.sbom) == ("max", "acme/lister:2")
    assert made.lost[0] == "here: provenance: min in one place, in another max: here it is max"
    assert join_supply(Supply(provenance="off"), Supply(), "here") == Supply(provenance="off")
    assert read_supply((), "f", "T", "here") == Supply(provenance="off", sbom="on")


def test_who_says_nothing_gets_all_of_it() -> None:
    text, config = proposed(read(build()))
    assert "provenance" not in text
    assert "sbom" not in text
    assert config.provenance is ProvenanceMode.MAX
    assert config.images[0].sbom == GENERATOR


def test_who_takes_provenance_off_gets_an_index_of_images_alone() -> None:
    text, config = proposed(read(build(provenance=False)))
    assert config.provenance is ProvenanceMode.OFF
    assert config.images[0].sbom == ""
    assert "# As today: each index names images alone." in text


def test_an_sbom_may_be_asked_for_without_provenance() -> None:
    _, config = proposed(read(build(provenance=False, sbom=True)))
    assert config.provenance is ProvenanceMode.OFF
    assert config.images[0].sbom == GENERATOR


def test_an_sbom_is_each_images_own_and_provenance_holds_for_all() -> None:
    other = build(tags="acme/tool:1", context="b", provenance="mode=min", sbom="generator=acme/lister:2")
    text, config = proposed(read(build(), other))
    assert config.provenance is ProvenanceMode.MAX
    assert [image.sbom for image in config.images] == [GENERATOR, "acme/lister:2"]
    assert "provenance: min there; provenance: is said for all images of a file" in text
    _, same = proposed(read(build(provenance="mode=min"), other))
    assert same.provenance is ProvenanceMode.MIN


ATTEST: Step = {
    "uses": "actions/attest-build-provenance@v3",
    "with": {"subject-name": "docker.io/acme/shop", "subject-digest": "${{ steps.b.outputs.digest }}"},
}


def test_who_attests_has_it_required() -> None:
    text, config = proposed(read(build(), ATTEST))
    assert config.attest is Attest.REQUIRED
    assert "attest: required" in text
    assert read(build(), {**ATTEST, "continue-on-error": True}).attest is Attest.OPTIONAL


def test_who_attests_what_another_program_pushes_has_it_required_too() -> None:
    login: Step = {"uses": "docker/login-action@v3", "with": {"registry": "ghcr.io"}}
    released = read(login, {"uses": "goreleaser/goreleaser-action@v7"}, ATTEST)
    assert not released.images
    proposal = propose({"Dockerfile": DOCKERFILE}, {"Dockerfile"}, released=released)
    assert "attest: required" in render_proposal(proposal, schema="", file="images.yaml")


def test_what_attests_files_says_nothing_of_images() -> None:
    of_files: Step = {"uses": "actions/attest@v4", "with": {"subject-path": "dist/*"}}
    released = read(build(), of_files)
    assert released.attest is None
    assert proposed(released)[1].attest is None


def test_what_a_step_attests_besides_is_named() -> None:
    more: Step = {
        "uses": "actions/attest-sbom@v3",
        "with": {"subject-digest": "x", "sbom-path": "sbom.json"},
    }
    pushed: Step = {"uses": "actions/attest@v4", "with": {"subject-name": "a/b", "push-to-registry": True}}
    released = read(build(), more, pushed)
    assert any("here the SBOM is in the index" in line for line in released.lost)
    assert any("push-to-registry: the workflow of init leaves attestations at GitHub" in line for line in released.lost)
    assert released.attest is Attest.REQUIRED


@pytest.mark.parametrize(
    ("script", "tool"),
    [
        ("cosign sign --yes acme/shop@$DIGEST", "cosign"),
        ('echo "$TAGS" | xargs -I {} cosign sign --yes {}@$DIGEST', "cosign"),
        ("cosign attest --type spdxjson --predicate sbom.json acme/shop@$DIGEST", "cosign"),
        ("notation sign acme/shop@$DIGEST", "notation"),
        ("docker trust sign acme/shop:1", "docker trust"),
    ],
)
def test_a_script_that_signs_is_named_with_what_to_do(script: str, tool: str) -> None:
    installer: Step = {"uses": "sigstore/cosign-installer@v4"}
    released = read(build(), installer, {"run": script})
    said = (
        f"signs by {tool}: put such a step between '{BEFORE}' and '{AFTER}', for each digest of prepared/checksums.txt"
    )
    assert any(line.startswith(f"{FILE}:") and line.endswith(said) for line in released.lost)
    assert len(released.lost) == 1


def test_who_signs_files_or_charts_elsewhere_is_not_named() -> None:
    assert not read(build(), {"run": "cosign sign-blob app.tar.gz\n# cosign sign later"}).lost
    assert any("installs cosign" in line for line in read(build(), {"uses": "sigstore/cosign-installer@v4"}).lost)
    chart = workflow({"run": "cosign sign acme/chart@$DIGEST"})
    given = {FILE: workflow(build()), ".github/workflows/chart.yml": chart}
    assert not gather(given, {"Dockerfile"}, "shop").lost


def test_the_workflow_has_the_steps_that_are_named() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())["jobs"]
    names = [step.get("name") for step in jobs["release"]["steps"]]
    assert names.index(BEFORE) < names.index(AFTER)
