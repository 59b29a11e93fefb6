"""A matrix makes the images that a person would have written one by one, and says where one of its cases is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from ci.config.parse import lines_of_images, parse_config, referenced_paths
from ci.core.checks import HttpCheck, RunCheck
from ci.core.findings import Finding
from ci.core.model import Config

from .test_schema import errors_of_schema

Problems = Callable[..., tuple[Finding, ...]]

HEAD = "repository: ghcr.io/acme/{name}\nimages:\n"
REGCTL = f"""{HEAD}\
  - matrix:
      tool: [regctl, regsync]
      base:
        - {{target: scratch, suffix: ""}}
        - {{target: alpine, suffix: -alpine}}
      of: [{{name: a word of the run is no word of its own here}}]
    name: "{{tool}}{{base.suffix}}"
    title: "The {{tool}} tool"
    dockerfile: build/Dockerfile.{{tool}}
    context: "./{{tool}}"
    contexts: {{"acme/{{base.target}}:1": "docker-image://{{base.target}}:3"}}
    target: release-{{base.target}}
    platforms: [linux/amd64]
    build-args: {{TOOL: "{{tool}}", VERSION: "{{version:-{{base.target}}}}", KEPT: '\\{{tool}}'}}
    smoke:
      - {{run: ["/{{tool}}", version], stdout: {{contains: "{{tool}} v"}}}}
"""


def read(text: str) -> Config:
    assert errors_of_schema(text) == []
    return parse_config(text, file="images.yaml")


def test_each_value_meets_every_other() -> None:
    images = read(REGCTL).images
    assert [image.name for image in images] == ["regctl", "regctl-alpine", "regsync", "regsync-alpine"]
    last = images[-1]
    assert (last.title, last.dockerfile, last.context) == ("The regsync tool", "build/Dockerfile.regsync", "regsync")
    assert (last.target, last.contexts) == ("release-alpine", {"acme/alpine:1": "docker-image://alpine:3"})
    # What a run fills in stays, with what the matrix fills in; so does what is to stay.
    assert last.build_args == {"TOOL": "regsync", "VERSION": "{version:-alpine}", "KEPT": r"\{tool}"}
    check = last.smoke[0].check
    assert isinstance(check, RunCheck)
    assert check.argv == ("/regsync", "version")
    assert check.stdout
    assert check.stdout.contains == ("regsync v",)


def test_a_list_has_the_cases_one_by_one_and_a_placeholder_alone_is_any_value() -> None:
    text = f"""{HEAD}\
  - matrix:
      - {{module: config-server, port: 8888, on: [linux/amd64], labels: {{a: b}}}}
      - {{module: admin, port: 9090, on: [linux/amd64, linux/arm64], labels: {{a: c}}}}
    name: "{{module}}"
    dockerfile: docker/Dockerfile
    build-args: {{EXPOSED_PORT: "{{port}}"}}
    platforms: "{{on}}"
    labels: "{{labels}}"
    smoke: [{{http: {{port: "{{port}}"}}}}]
"""
    first, second = read(text).images
    assert (first.platforms, second.platforms) == (("linux/amd64",), ("linux/amd64", "linux/arm64"))
    assert (first.build_args, second.labels) == ({"EXPOSED_PORT": "8888"}, {"a": "c"})
    assert isinstance(second.smoke[0].check, HttpCheck)
    assert second.smoke[0].check.port == 9090


def test_what_a_merge_key_brings_is_filled_in_too() -> None:
    text = """\
repository: ghcr.io/acme/{name}
images:
  - &base {name: base, dockerfile: D, platforms: [linux/amd64], smoke: none, smoke-reason: "of {it}"}
  - {<<: *base, matrix: {it: [a, b]}, name: "x-{it}"}
"""
    assert [(image.name, image.smoke_reason) for image in read(text).images] == [
        ("base", "of {it}"),  # no matrix, no placeholder
        ("x-a", "of a"),
        ("x-b", "of b"),
    ]


def test_paths_and_lines_are_those_of_every_image() -> None:
    assert referenced_paths(REGCTL) == {
        *("build/Dockerfile.regctl", "build/Dockerfile.regsync", "regctl", "regsync"),
    }
    lines = lines_of_images(REGCTL)
    assert len(lines) == 4
    assert {each["dockerfile"] for each in lines} == {11}
    assert lines[1]["contexts.acme/alpine:1"] == 13


def entry(matrix: str, line: str = "") -> str:
    return f"""{HEAD}\
  - matrix: {matrix}
    name: "app-{{it}}"
    dockerfile: D
    platforms: [linux/amd64]
    smoke: [{{run: [app]}}]
    {line}
"""


@pytest.mark.parametrize(
    ("matrix", "line", "key", "parts"),
    [
        ("{it: []}", "", "images[0].matrix.it", ["the list is empty"]),
        ("{it: a}", "", "images[0].matrix.it", ["a list"]),
        ("[]", "", "images[0].matrix", ["the list is empty"]),
        ("[a]", "", "images[0].matrix[0]", ["a mapping"]),
        ("none", "", "images[0].matrix", ["'none' is given", "a mapping"]),
        ("[{it: a}, {it: b, too: c}]", "", "images[0].matrix[1]", ["it has it, too, and the first has it"]),
        ("{it: [a, {b: c}]}", "", "images[0].matrix.it[1]", ["it has it.b, and the first has it"]),
        ("[{it: a}, {it: }]", "", "images[0].matrix[1].it", ["no value", '"" is an empty text']),
        ("[{it: a, version: b}]", "", "images[0].matrix[0].version", ["stands for the version", "another word"]),
        ("[{it: a, a b: c}]", "", "images[0].matrix[0]['a b']", ["cannot be written as a placeholder"]),
        (f"{{it: {list(range(257))}}}", "", "images[0].matrix", ["makes 257 images", "at most 256"]),
        ("{it: [a, a]}", "", "images[0][app-a].name", ["two images are called 'app-a'"]),
        # What is wrong with every image is told once, and names one of them.
        ("{it: [a, b]}", "dockerfil: D", "images[0][app-a].dockerfil", ["did you mean 'dockerfile'"]),
        ("{it: [a, b]}", "title: an {itt}", "images[0].title", ["{itt} stands for nothing", "did you mean '{it}'"]),
        ("{it: [a, b]}", "title: a {version}", "images[0].title", ["{version} stands for nothing", "{it}"]),
        ("{it: [a, b]}", "build-args: {A: '{itt}'}", "images[0].build-args.A", ["did you mean '{it}'", "{revision}"]),
        ("{it: [a, b]}", "title: {it}", "images[0].title", ["YAML reads {it} as a mapping", '"{it}"']),
        ("[{it: a, on: [x]}]", "title: on {on}", "images[0].title", ["is a list or a mapping"]),
        # What is wrong with one image names that one.
        ("{it: [a, B]}", "", "images[0][app-B].name", ["'app-B' is not accepted"]),
        ("{it: [a, b]}", "platforms: ['linux/{it}']", "images[0][app-a].platforms", ["given twice"]),
    ],
)
def test_a_mistake(matrix: str, line: str, key: str, parts: list[str], problems: Problems) -> None:
    found = problems(entry(matrix, line))
    assert found[0].key == key, [str(problem) for problem in found]
    for part in parts:
        assert part in str(found[0])


def test_a_mistake_in_one_value_is_shown_where_the_value_stands(problems: Problems) -> None:
    text = f"""{HEAD}\
  - matrix:
      - {{name: a, on: [linux/amd64]}}
      - {{name: b, on: [linux/amd46]}}
    name: x
    dockerfile: D
    platforms: "{{on}}"
    smoke: none
    smoke-reason: data
""".replace("{name: ", "{it: ").replace("name: x", 'name: "{it}"')
    [problem] = problems(text)
    assert (problem.line, problem.key) == (5, "images[0][b].platforms[0]")


def test_two_mistakes_are_both_told(problems: Problems) -> None:
    found = problems(entry("{it: [a, b]}", "title: {no: way}\n    target: a b"))
    assert [problem.key for problem in found] == ["images[0][app-a].title", "images[0][app-a].target"]


def test_the_cases_may_be_many_and_stay_few_for_the_reader() -> None:
    text = entry(f"{{it: {[f'n{number}' for number in range(256)]}}}")
    assert len(read(text).images) == 256
    assert yaml.safe_load(text)
