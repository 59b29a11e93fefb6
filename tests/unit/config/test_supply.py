"""What is attested of the images, and what a release insists on."""

from collections.abc import Callable

import pytest

from ci.config.parse import parse_config
from ci.core.findings import Finding
from ci.core.supply import GENERATOR, Promised, ProvenanceMode, Require, Scan

Problems = Callable[..., tuple[Finding, ...]]

IMAGES = """\
images:
  - {name: app, dockerfile: D, platforms: [linux/amd64], smoke: none, smoke-reason: x}
  - {name: other, dockerfile: D, platforms: [linux/amd64], smoke: none, smoke-reason: x, sbom: acme/scanner:1}
"""
BASIS = f"repository: ghcr.io/acme/{{name}}\n{IMAGES}"


def test_all_is_attested_unless_a_configuration_says_otherwise() -> None:
    config = parse_config(BASIS, file="images.yaml")
    assert [config.promised(image) for image in config.images] == [
        Promised(provenance=ProvenanceMode.MAX, generator=generator) for generator in (GENERATOR, "acme/scanner:1")
    ]
    config = parse_config(f"{BASIS}sbom: off\nprovenance: off\n", file="images.yaml")
    assert [image.sbom for image in config.images] == ["", "acme/scanner:1"]
    assert not config.promised(config.images[0]).any
    assert config.promised(config.images[1]).any


def test_what_a_release_insists_on() -> None:
    text = f"""{BASIS}require: {{provenance: true, sbom: true, base-age: 30d, reproducible: true,
  without: [curl, "deb/*-dev"]}}
scan:
  - {{image: anchore/grype:v0.121.3, run: [/grype, "sbom:/sbom.spdx.json", --fail-on, high]}}
  - {{image: acme/x, run: [x, 1]}}
"""
    config = parse_config(text, file="images.yaml")
    assert config.require == Require(
        provenance=True, sbom=True, base_age=30 * 86400, reproducible=True, without=("curl", "deb/*-dev")
    )
    assert config.scans == (
        Scan(image="anchore/grype:v0.121.3", run=("/grype", "sbom:/sbom.spdx.json", "--fail-on", "high")),
        Scan(image="acme/x", run=("x", "1")),
    )


@pytest.mark.parametrize(
    ("line", "key", "message"),
    [
        ("provenance: maximal", "provenance", "'maximal' is not known"),
        ("provenance: [max]", "provenance", "is not known"),
        ("sbom: onn", "sbom", "'onn' is not known"),
        ("sbom: true", "sbom", "true is not known"),
        ("sbom: {generator: x/y}", "sbom", "is not known"),
        ("sbom: acme//scanner:1", "sbom", "'acme//scanner:1' is not known"),
        ("require: {sboms: true}", "require.sboms", "the key 'sboms' is not known"),
        ("require: {sbom: yes}", "require.sbom", "is given"),
        ("require: {base-age: 30}", "require.base-age", "30"),
        ("require: {without: curl}", "require.without", "is given"),
        ("scan: {image: acme/x}", "scan.run", "the key is missing"),
        ("scan: {image: acme//x, run: [x]}", "scan.image", "'acme//x'"),
        ("scan: []", "scan", "the list is empty"),
        ("require: {provenance: true}\nprovenance: off", "require", "provenance: off says that there is none"),
        ("require: {sbom: true}\nsbom: off", "require", "require: sbom needs the SBOM of each image, and sbom: off"),
        ("require: {without: [x]}\nsbom: off", "require", "says that there is none of app"),
        ("scan: {image: acme/x, run: [x]}\nsbom: off", "scan", "scan needs the SBOM of each image"),
    ],
)
def test_mistakes(line: str, key: str, message: str, problems: Problems) -> None:
    found = problems(f"{BASIS}{line}\n")
    assert [(one.key, message in one.message) for one in found] == [(key, True)], found
