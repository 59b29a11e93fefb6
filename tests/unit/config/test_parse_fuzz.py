"""Whatever the text: a configuration, or ConfigError."""

import copy
import warnings
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci.config.parse import parse_config, referenced_paths
from ci.config.paths import PathKind
from ci.config.plan import plan_build, render_plan, render_plan_json
from ci.core.errors import ConfigError
from ci.core.model import Config
from ci.core.order import build_levels, needed_variants

GOOD = """
repository: ghcr.io/{owner}/{name}
source: https://github.com/acme/app
compression: gzip
cache: {mode: read, repository: "ghcr.io/{owner}/{name}-cache"}
images:
  - &base
    name: backend
    title: Backend
    description: Answers requests
    dockerfile: docker/Dockerfile
    context: docker
    platforms: [linux/amd64, linux/arm64]
    build-args: {KEY: 3.10, ON: on, SOURCE_DATE_EPOCH: 1700000000}
    contexts: &contexts {alpine: "docker-image://alpine:3.22", libs: docker, base: "target:base"}
    target: runtime
    secrets: [pip_token]
    ssh: [default]
    network: host
    extra-hosts: {db: 10.0.0.5, six: "::1"}
    shm-size: 64MB
    ulimits: [nofile=1024:2048, nproc=-1]
    budget: 300MB
    services:
      db: {image: "postgres:17", port: 5432, env: {A: 1.0}, command: [a], platform: linux/amd64, deadline: 5s}
      fix: {image: "target:base", port: 80}
    smoke:
      - {tcp: {port: 80, deadline: 1s}, env: {A: b}, services: [db]}
      - {grpc: {port: 80, service: a.B}}
      - {http: {port: 80, redirects: follow, headers: {A: b}, response-headers: {C: {equals: d}}}}
      - {structure-test: tests/app.yaml, deadline: 5m, services: [fix]}
      - {name: one, run: [python, -c, pass], exit: 0, stdout: {equals: a, matches: "^b+$"}, deadline: 2m}
      - {http: {port: 8000, path: /health, status: 200, body: {contains: [ok], excludes: bad}}}
      - {file: {path: /app, exists: true, mode: "0644", content: {contains: x}}, platforms: [linux/amd64]}
      - config: {user: app, entrypoint: [a], env: {K: v}, labels: {k: v}, ports: [80, 53/udp],
                 healthcheck: true, architecture: amd64}
  - {<<: *base, name: worker, smoke: none, smoke-reason: none needed}
  - {<<: *base, name: base, contexts: {libs: .}, services: {db: {image: postgres, port: 1}},
     smoke: [{run: [a]}]}
"""
TREE = yaml.safe_load(GOOD)
NASTY = st.sampled_from(
    [
        *(
            "0x",
            "0x_",
            "0b",
            "0o9",
            "1:99",
            "9" * 5000,
            "1e9999",
            ".inf",
            ".nan",
            "2024-99-99",
            "-",
            "=",
            "<<",
        ),
        *("~", "null", "on", "*a", "&a [*a]", "&a {<<: *a}", "!!int x", "!!binary x", "!!timestamp x", "! x"),
        *(
            "!!python/object/apply:os.system [x]",
            "!<x> y",
            "[[]]",
            "{{}: 1}",
            "{? [a] : b}",
            "[" * 60,
            "- " * 60,
        ),
        *('"\\0"', '"\\ud800"', '"\\UFFFFFFFF"', '"\\x1b[31m"', "'(((('", '"[[a]"', '"a{99999999999}"'),
        *(
            '"' + "(" * 5000 + '"',
            "../x",
            "/x",
            "a\\b",
            "linux/arm46",
            "{a: 1, a: 2}",
            "%YAML 1.1\n---",
            "---",
        ),
        *(
            "...",
            "\ufeff",
            "\x85",
            "\u2028",
            "\t",
            "#",
            "|",
            ">9",
            "|+\n",
            "? ",
            ": ",
            "@",
            "`",
            "%",
            "!",
            "&",
            "*",
        ),
    ]
)


def parses(text: str) -> Config | None:
    """Parse a text in every way; return its configuration, if it is one."""
    kinds = dict.fromkeys(referenced_paths(text), PathKind.MISSING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            parse_config(text, file="images.yaml", kinds=kinds)
        except ConfigError as error:
            check(error)
        try:
            return parse_config(text, file="images.yaml")
        except ConfigError as error:
            check(error)
            return None


def check(error: ConfigError) -> None:
    """Every problem says what and where, on one line that a terminal can show."""
    assert error.findings
    assert [p.line for p in error.findings] == sorted(p.line for p in error.findings)
    for problem in error.findings:
        assert problem.message
        assert problem.line > 0
        assert "\n" not in str(problem)
        assert "\x1b" not in str(problem)
        assert str(problem).encode()


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    parses(text)


@given(st.lists(st.one_of(st.text("ab:-[]{},&*!|>'\"%@`#? \n\t0\\<~", max_size=8), NASTY), max_size=30))
def test_pieces_of_yaml(pieces: list[str]) -> None:
    parses("".join(pieces))


@given(st.data())
def test_a_good_document_cut_and_spliced(data: st.DataObject) -> None:
    position = st.integers(0, len(GOOD))
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        begin, end = sorted((data.draw(position), data.draw(position)))
        end = min(end, begin + data.draw(st.integers(0, 20)))
        text = text[:begin] + data.draw(NASTY) + text[end:]
    parses(text)


def places(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401  # a YAML tree has no narrower type
    """List every place of a tree that holds a value: its container and its key there."""
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    keys += range(len(value)) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=20)
    | st.sampled_from(
        ["..", "/", "none", "linux/arm64", "{name}", "", "(", "1s", "5XB", "a" * 300, "target:base", "target:worker"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_a_good_document_with_other_values_and_keys(data: st.DataObject) -> None:
    tree = copy.deepcopy(TREE)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(tree)))
        match data.draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                container[key] = data.draw(VALUES)
            case "remove":
                del container[key]
            case _ if isinstance(container, dict):
                container[data.draw(st.text(max_size=12))] = data.draw(VALUES)
            case _:
                container.append(data.draw(VALUES))
    config = parses(yaml.safe_dump(tree, allow_unicode=True))
    if config:
        plan = plan_build(config)
        assert all(variant.checks or variant.image.smoke_reason for variant in plan.variants)
        assert render_plan(plan)
        assert render_plan_json(plan)
        assert sorted(map(str, needed_variants(plan))) == sorted(str(v) for level in build_levels(plan) for v in level)


@given(st.data())
def test_nasty_values_in_every_place(data: st.DataObject) -> None:
    lines = GOOD.splitlines()
    number = data.draw(st.sampled_from([n for n, line in enumerate(lines) if ": " in line]))
    lines[number] = lines[number].partition(": ")[0] + ": " + data.draw(NASTY)
    parses("\n".join(lines))


def test_the_good_document_is_good() -> None:
    config = parses(GOOD)
    assert config
    assert [image.name for image in config.images] == ["backend", "worker", "base"]


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? ", "&a [", "!!seq [", "a:\n ", "[?"])
@pytest.mark.parametrize("count", [30, 49, 50, 51, 52, 10_000])
def test_nesting_of_every_kind(bracket: str, count: int) -> None:
    assert parses(bracket * count) is None
