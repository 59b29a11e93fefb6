"""Texts that hold values of a run: what is accepted in them, and what a run makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ci.config.parse import parse_config
from ci.config.plan import plan_build
from ci.core.errors import DrydockError
from ci.core.fill import Missing, fill_plan
from ci.core.findings import Finding
from ci.core.model import Image, Plan
from ci.core.values import MEANING, Values

from .test_parse import image
from .test_schema import errors_of_schema

Problems = Callable[..., tuple[Finding, ...]]

REVISION = "0123456789abcdef0123456789abcdef01234567"
TOLD = Values(
    revision=REVISION,
    created="2026-01-31T12:00:00Z",
    ref="refs/tags/v1.2.3",
    version="1.2.3",
    owner="Acme",
)
ZEROS = "0" * 40


def plan_of(*lines: str) -> Plan:
    text = image("\n    ".join(lines))
    assert errors_of_schema(text) == []
    return plan_build(parse_config(text, file="images.yaml"))


def filled(written: str, values: Values = TOLD, missing: Missing = Missing.IS_REFUSED) -> str:
    quoted = "'" + written.replace("'", "''") + "'"
    [made] = fill_plan(plan_of(f"build-args: {{A: {quoted}}}"), values, missing).images
    return made.arguments("linux/amd64")["A"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("{version:-dev}", "1.2.3"),
        ("{tag:-}", "v1.2.3"),
        ("{ref}", "v1.2.3"),
        ("{revision}", REVISION),
        ("{short}", "0123456"),
        ("{created}", "2026-01-31T12:00:00Z"),
        ("{name}", "app"),
        ("{owner}", "acme"),
        ("-X main.v={version:-{ref}} -X main.c={short}", "-X main.v=1.2.3 -X main.c=0123456"),
        # What is no word in braces is left alone: JSON, patterns, a shell's and a template's.
        ('{"a": {"b": [1, {}]}}', '{"a": {"b": [1, {}]}}'),
        ("[0-9]{3} {a,b} { x } {1} {}", "[0-9]{3} {a,b} { x } {1} {}"),
        ("${HOME} ${version:-x} ${revision}", "${HOME} ${version:-x} ${revision}"),
        ("{{.Version}} {{ .X }} {{other}}", "{{.Version}} {{ .X }} {{other}}"),
        # What is to stay has a backslash.
        (r"\{version} \{x} \{version:-x} a\b", r"{version} {x} {version:-x} a\b"),
        (r"\{{version}}", "{{version}}"),
        (r"\${{ github.sha }}", r"\${{ github.sha }}"),
        ('{"v":{short}}', '{"v":0123456}'),
    ],
)
def test_what_a_text_becomes(written: str, text: str) -> None:
    assert filled(written) == text


@pytest.mark.parametrize(
    ("ref", "word", "text"),
    [
        ("refs/heads/main", "ref", "main"),
        ("main", "ref", "main"),
        ("refs/heads/a/b", "ref", "a/b"),
        ("refs/pull/7/merge", "ref", "7/merge"),
        ("refs/heads/v1", "tag:-none", "none"),
        ("v1", "tag:-none", "none"),
        ("refs/tags/v1", "tag:-none", "v1"),
        ("refs/heads/main", "version:-{ref}", "main"),
        ("refs/heads/main", "version:-", ""),
    ],
)
def test_a_ref_as_git_or_github_has_it(ref: str, word: str, text: str) -> None:
    values = Values(revision=REVISION, created=TOLD.created, ref=ref)
    assert filled(f"{{{word}}}", values) == text


def test_a_value_is_not_read_again() -> None:
    assert filled("{ref}", Values(ref="refs/heads/{revision}", revision=REVISION)) == "{revision}"


def test_a_build_that_nobody_tells_anything_is_always_the_same() -> None:
    text = "{version:-dev} {tag:-no} {ref} {revision} {short} {created} {name} {owner}"
    assert filled(text, Values(), Missing.STANDS_IN) == (f"dev no HEAD {ZEROS} 0000000 1970-01-01T00:00:00Z app owner")


def test_a_release_that_is_not_told_a_word_says_which_option_tells_it() -> None:
    for text in ("{ref}", "{version:-{ref}}"):
        with pytest.raises(DrydockError, match=r"build-args\.A of the image 'app' holds \{ref\}, .* add --ref$"):
            filled(text, Values(revision=REVISION))
    with pytest.raises(DrydockError, match=r"add --created and --owner$"):
        filled("{created} {owner}", Values(revision=REVISION))
    # A default that is not needed needs nothing.
    assert filled("{version:-{ref}}", Values(revision=REVISION, version="1")) == "1"


def test_where_nobody_says_more_a_word_stays_and_a_label_with_it_is_not_expected() -> None:
    plan = plan_of(
        "build-args: {A: '{created} {short}'}",
        "labels: {a: '{created}', b: '{version:-none}', c: '{version:-{ref}}'}",
        "annotations: {a: '{ref}', b: '{name}'}",
    )
    [made] = fill_plan(plan, Values(revision=REVISION), Missing.STAYS).images
    assert made.build_args == {"A": "{created} 0123456"}
    assert (made.labels, made.annotations) == ({"b": "none"}, {"b": "app"})


def test_arguments_by_platform() -> None:
    text = image("build-args: {ARCH: {linux/amd64: x64, linux/arm64: '{short}', linux/s390x: z}, SAME: a}")
    text = text.replace("[linux/amd64]", "[linux/amd64, linux/arm64]", 1)
    assert errors_of_schema(text) == []
    plan = fill_plan(plan_build(parse_config(text, file="images.yaml")), TOLD, Missing.IS_REFUSED)
    amd, arm = (variant.image.arguments(variant.platform) for variant in plan.variants)
    assert amd == {"SAME": "a", "ARCH": "x64"}
    assert arm == {"SAME": "a", "ARCH": "0123456"}


@pytest.mark.parametrize(
    ("line", "key", "parts"),
    [
        ("build-args: {A: '{vresion:-x}'}", "build-args.A", ["stands for nothing", "did you mean '{version}'"]),
        ("build-args: {A: '{nothing}'}", "build-args.A", [*(f"{{{word}" for word in MEANING), "where the brace"]),
        ("build-args: {A: '{version}'}", "build-args.A", ["is empty in a run without a version", "{version:-dev}"]),
        ("build-args: {A: '{tag}'}", "build-args.A", ["without a tag"]),
        ("build-args: {A: '{version:-{tag}}'}", "build-args.A", ["'{tag}' is empty"]),
        ("build-args: {A: '{version:-{no}}'}", "build-args.A", ["'{no}' stands for nothing"]),
        ("build-args: {A: '{{revision}}'}", "build-args.A", ["two pairs of braces", "one: {revision}"]),
        ("build-args: {A: '${{ github.sha }}'}", "build-args.A", ["in a workflow alone", "{revision}"]),
        ("build-args: {A: {revision}}", "build-args.A", ["YAML reads {revision} as a mapping", '"{revision}"']),
        (
            "build-args: {A: {linux/amd64: x, linux/amd46: x}}",
            "build-args.A.linux/amd46",
            ["did you mean 'linux/amd64'"],
        ),
        ("build-args: {A: {linux/arm64: x}}", "build-args.A", ["no value for linux/amd64"]),
        ("build-args: {A: {linux/amd64: '{x}'}}", "build-args.A.linux/amd64", ["'{x}' stands for nothing"]),
        ("build-args: {A: {}}", "build-args.A", ["the mapping is empty"]),
        ("build-args: {SOURCE_DATE_EPOCH: '{created}'}", "build-args.SOURCE_DATE_EPOCH", ["is not a time"]),
        ("build-args: {SOURCE_DATE_EPOCH: {linux/amd64: 1}}", "build-args.SOURCE_DATE_EPOCH", ["is not a time"]),
        ("labels: {a: '{x}'}", "labels.a", ["'{x}' stands for nothing"]),
        ("labels: {org.opencontainers.image.revision: a}", "labels.org.opencontainers.image.revision", ["itself"]),
        ("labels: {dev.drydock.x: a}", "labels.dev.drydock.x", ["each release writes 'dev.drydock.x' itself"]),
        (
            "annotations: {org.opencontainers.image.created: a}",
            "annotations.org.opencontainers.image.created",
            ["itse"],
        ),
        ("labels: {'a\\\\nb': c}".replace("'", '"').replace("\\\\", "\\"), "labels['a\\nb']", ["text on one line"]),
        ("labels: a", "labels", ["a mapping"]),
        ("release: maybe", "release", ["'maybe' is given"]),
        ("release: false", "release", ["'app' is not released, and no image that is released needs it"]),
    ],
)
def test_a_mistake(line: str, key: str, parts: list[str], problems: Problems) -> None:
    found = problems(image(line))
    told = [str(problem) for problem in found if problem.key == f"images[0].{key}"]
    assert any(all(part in text for part in parts) for text in told), [str(problem) for problem in found]


def mark(line: str, **told: Any) -> str:  # noqa: ANN401  # whatever Values takes
    return fill_plan(plan_of(line), Values(**told), Missing.STAYS).mark


def test_a_version_that_is_built_for_itself_has_a_mark() -> None:
    tag: Mapping[str, str] = {"ref": "refs/tags/v1.2.3+x", "version": "1.2.3+x"}
    assert mark("build-args: {A: '{version:-dev}'}", **tag) == "1.2.3-x"
    assert mark("labels: {A: '{tag:-dev}'}", ref="refs/tags/nightly") == "nightly"
    assert mark("annotations: {A: '{ref}'}", **tag) == "1.2.3-x"
    assert mark("build-args: {A: '{version:-dev}'}", ref="refs/heads/main") == ""
    assert mark("git: true", **tag) == "1.2.3-x"  # which git describes
    assert mark("git: true", ref="refs/heads/main") == mark("git: false", **tag) == ""
    assert mark("build-args: {A: '{revision}'}", **tag) == ""


def test_an_image_that_is_not_released_is_built_for_those_that_are() -> None:
    text = """\
repository: ghcr.io/acme/{name}
images:
  - &image {name: base, dockerfile: D, platforms: [linux/amd64], release: false, smoke: none, smoke-reason: x}
  - {<<: *image, name: middle, contexts: {base: "target:base"}}
  - {<<: *image, name: app, release: true, contexts: {base: "target:middle"}}
"""
    assert errors_of_schema(text) == []
    config = parse_config(text, file="images.yaml")
    assert [variant.image.name for variant in plan_build(config).variants] == ["app"]
    assert [variant.image.name for variant in plan_build(config, only=["base"]).variants] == ["base"]


def test_the_names_of_images_stay() -> None:
    [made] = fill_plan(plan_of("title: '{short}'"), TOLD, Missing.IS_REFUSED).images
    assert isinstance(made, Image)
    assert made.title == "{short}"
