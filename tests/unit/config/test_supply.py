"""What is attested of the images, and what a release insists on."""

from collections.abc import Callable

import pytest

from ci.config.parse import parse_config, referenced_paths, referenced_texts
from ci.config.paths import PathKind
from ci.core.errors import ConfigError
from ci.core.findings import Finding
from ci.core.supply import GENERATOR, Promised, ProvenanceMode, Require, Scan, Signed

from .test_schema import compare

SOURCE = "source: https://github.com/acme/app\n"
PEM = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
ROOT = '{"certificateAuthorities": []}'
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
    ("written", "signed"),
    [
        ("false", None),
        ("true", Signed()),
        ("{by: [a@b.test]}", Signed(by=("a@b.test",), issuer="https://token.actions.githubusercontent.com")),
        (
            "{by: [a@b.test, '*@c.test'], issuer: https://x.test}",
            Signed(by=("a@b.test", "*@c.test"), issuer="https://x.test"),
        ),
        ("{key: cosign.pub}", Signed(key="cosign.pub")),
    ],
)
def test_who_has_to_have_signed(written: str, signed: Signed | None) -> None:
    text = f"{SOURCE}{BASIS}require: {{signed: {written}}}\n"
    assert parse_config(text, file="images.yaml").require.signed == signed
    compare(text)


def test_a_key_and_a_trusted_root_are_read_from_the_source() -> None:
    text = f"{BASIS}require: {{signed: {{key: keys/cosign.pub}}}}\ntrusted-root: ./root.json\n"
    assert referenced_texts(text) == {"keys/cosign.pub", "root.json"}
    assert referenced_texts(text) < referenced_paths(text)
    kinds = dict.fromkeys(("D", "keys/cosign.pub", "root.json"), PathKind.FILE)
    texts = {"keys/cosign.pub": PEM, "root.json": ROOT}
    config = parse_config(text, file="images.yaml", kinds=kinds, texts=texts)
    assert config.require.signed == Signed(key=PEM)
    assert config.trusted_root == ROOT
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="images.yaml", kinds=kinds, texts={"keys/cosign.pub": ROOT, "root.json": PEM})
    assert [(one.key, one.message) for one in caught.value.findings] == [
        ("require.signed.key", "keys/cosign.pub is something else"),
        ("trusted-root", "root.json is something else"),
    ]
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="images.yaml", kinds={"D": PathKind.FILE}, texts={})
    assert [(one.key, "does not exist" in one.message) for one in caught.value.findings] == [
        ("require.signed.key", True),
        ("trusted-root", True),
    ]


@pytest.mark.parametrize(
    "text", ["require: [signed]", "require: {signed: [key]}", "require: {signed: {key: [x]}}", "trusted-root: {a: b}"]
)
def test_files_are_listed_of_whatever_is_written(text: str) -> None:
    assert referenced_texts(text) == set()


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
        ("require: {signed: yes}", "require.signed", "is given"),
        ("require: {signed: cosign.pub}", "require.signed", "is given"),
        ("require: {signed: {}}", "require.signed", "the mapping is empty"),
        ("require: {signed: {issuer: https://x.test}}", "require.signed", "either a key or identities sign"),
        ("require: {signed: {by: [a@b.test], key: k.pub}}", "require.signed", "either a key or identities sign"),
        ("require: {signed: {key: k.pub, issuer: https://x.test}}", "require.signed.issuer", "a key has no issuer"),
        ("require: {signed: {by: []}}", "require.signed.by", "the list is empty"),
        ("require: {signed: {by: [a@b.test, a@b.test]}}", "require.signed.by[1]", "is in the list twice"),
        ("require: {signed: {by: [a@b.test], issuer: accounts.google.com}}", "require.signed.issuer", "not accepted"),
        ("require: {signed: {key: /cosign.pub}}", "require.signed.key", "is absolute"),
        ("require: {signed: true}", "require", "source does not say which repository that is"),
        ("source: https://example.com\nrequire: {signed: true}", "require", "source does not say which repository"),
        ("trusted-root: ../root.json", "trusted-root", "leads upwards"),
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
