"""The schema and the parser: what one accepts the other accepts, but for what no schema can say."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators

from ci.config.parse import parse_config
from ci.config.schema import INEXPRESSIBLE, config_schema
from ci.core.errors import ConfigError
from ci.core.findings import Finding

from .test_checks import CHECKS, HEAD
from .test_parse import ANYWHERE, FULL, IMAGES, SMALL, TWO, image
from .test_parse_fuzz import GOOD, TREE, VALUES, places

# What the parser says where no schema can: a pattern for the problem's text, and the sentence that tells of it.
BEYOND = {
    r"is given twice|a list or a mapping is used as a key": INEXPRESSIBLE[1],
    r"YAML reads .* as|: (yes|no|on|off) is given": INEXPRESSIBLE[1],
    r": [-+0-9.][\w.+:-]* (is given; accepted: a decimal|is not a)": INEXPRESSIBLE[1],
    r"two (images|checks) are called": INEXPRESSIBLE[2],
    r"platforms\[\d+\]: .* is not known; accepted: linux|no check runs on": INEXPRESSIBLE[3],
    r"is not a registry and a lower-case repository|more than 255|would both be": INEXPRESSIBLE[4],
    r"ports\[\d+\]: .* is in the list twice": INEXPRESSIBLE[5],
    r"is no regular expression": INEXPRESSIBLE[6],
    r"'[0-9.]+ ?\w+' is not a(ccepted; accepted: more than 0| size)": INEXPRESSIBLE[7],
    r"the file holds too much|nested too deeply|holds the character": INEXPRESSIBLE[8],
    r"services(\[\d+\])?: .*(is not known|the image has no services)": INEXPRESSIBLE[9],
    r"case does not count in a header's name": INEXPRESSIBLE[10],
    r"there is no image|the image '.*' is not built for|need each other in a circle": INEXPRESSIBLE[11],
    r"is the name '.*' once more": INEXPRESSIBLE[12],
    r"'[0-9A-Fa-f:.]+' is not an address": INEXPRESSIBLE[13],
    r"the limit \w+ is given twice|has a soft limit above the hard one": INEXPRESSIBLE[14],
    r"it has .*, and the first has|the matrix makes|is a list or a mapping": INEXPRESSIBLE[15],
    r"stands for |is empty in a run without|two pairs of braces|means something in a work": INEXPRESSIBLE[16],
    r"it has no value for": INEXPRESSIBLE[17],
    r"is not released, and no image": INEXPRESSIBLE[18],
    r"(tags|flavor)(\[\d+\])?: (the rule|the text is empty)": INEXPRESSIBLE[19],
    r"source does not say which repository": INEXPRESSIBLE[21],
}


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    # In ECMA-262 a dollar is the end, in Python also the place before a last line feed.
    if isinstance(instance, str) and not re.search(re.sub(r"\$(?=\)|$)", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


VALIDATOR = validators.extend(Draft202012Validator, {"pattern": _pattern})(config_schema())  # type: ignore[no-untyped-call]


def value_of(node: yaml.Node) -> Any:  # noqa: ANN401  # whatever JSON can hold
    """Read a YAML tree as an editor does, by YAML 1.2: `on` and dates are texts."""
    if isinstance(node, yaml.MappingNode):
        yaml.SafeLoader("").flatten_mapping(node)
        return {key.value: value_of(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [value_of(item) for item in node.value]
    return _scalar(node.tag.rpartition(":")[2], node.value)


def _scalar(tag: str, text: str) -> object:
    match tag:
        case "null":
            return None
        case "bool" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "int" if re.fullmatch("[-+]?[0-9]{1,400}", text):
            return int(text)
        case "int" | "float" if re.fullmatch(r"[-+]?[0-9]*\.?[0-9]*(?:[eE][-+]?[0-9]{1,3})?", text):
            return float(text)
        case _:
            return text


def errors_of_schema(text: str) -> list[str]:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    value = None if node is None else value_of(node)
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(value)]


def accepted_by_schema(text: str) -> bool:
    return not errors_of_schema(text)


def beyond(problem: Finding) -> bool:
    return any(
        re.search(pattern, f"{problem.key}: {problem.message}; accepted: {problem.accepted}") for pattern in BEYOND
    )


def compare(text: str) -> None:
    """Hold both against a text."""
    try:
        parse_config(text, file="images.yaml")
    except ConfigError as error:
        if accepted_by_schema(text):
            missed = [str(problem) for problem in error.findings if not beyond(problem)]
            assert not missed, missed
    else:
        assert not errors_of_schema(text)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(config_schema())


@pytest.mark.parametrize("text", [FULL, SMALL, GOOD, TWO], ids=["full", "small", "good", "two"])
def test_both_accept(text: str) -> None:
    assert accepted_by_schema(text)
    assert parse_config(text, file="images.yaml")


@pytest.mark.parametrize(
    "text",
    [
        *(text for text, *_ in ANYWHERE if "? [a]" not in text),
        *(image(line) for line, *_ in IMAGES),
        *(f"{HEAD}:\n      - {check}\n" for check, *_ in CHECKS),
        *(HEAD + smoke for smoke in (": none", ": non", ": []", ":", ": false", ": {run: [a]}")),
        SMALL.replace("name: app", 'name: "app\\n"'),
        SMALL + SMALL.partition("images:\n")[2].replace("name: app", "name: other"),
        TWO.replace("quay.io/acme/{name}", "ghcr.io/acme/all"),
        TWO.replace("repository: quay", "description: quay"),
        SMALL.replace("/{name}", "/all") + SMALL.partition("images:\n")[2].replace("name: app", "name: other"),
    ],
)
def test_a_mistake_is_one_to_both(text: str) -> None:
    compare(text)


@pytest.mark.parametrize("key", ["dockerfile", "context"])
@pytest.mark.parametrize(
    "path",
    [
        *(
            "a",
            "./a",
            "a/",
            "a//b",
            ".",
            "./",
            "./.",
            "..a",
            "a..",
            ".a/b..c",
            "a b",
            "é",
            "..",
            "../a",
            "a/..",
            "a/../b",
        ),
        *("/a", "//", "...", ".../a", "a\\b", "'a\tb'", "''", "' '", "./..", "a/./b"),
    ],
)
def test_paths(key: str, path: str) -> None:
    text = SMALL.replace("    dockerfile: Dockerfile\n", f"    dockerfile: D\n    context: {path}\n")
    if key == "dockerfile":
        text = SMALL.replace("dockerfile: Dockerfile", f"dockerfile: {path}")
    compare(text)
    fault = None
    try:
        parse_config(text, file="images.yaml")
    except ConfigError as error:
        fault = error
    assert accepted_by_schema(text) == (fault is None), fault


@pytest.mark.parametrize(
    "template",
    [
        *(
            "ghcr.io/{owner}/{name}",
            "localhost/{name}",
            "localhost:5000/a/{name}",
            "a.b:1/x-{name}",
            "127.0.0.1:5000/{name}",
        ),
        *("{owner}.io/{name}", "ghcr.io/{name}{owner}", "ghcr.io/a__{name}", "{name}/{name}", "ghcr.io/-{name}"),
        *(
            "ghcr.io/{name}-",
            "ghcr.io/a___{name}",
            "ghcr.io/",
            "ghcr.io",
            "ghcr/{name}",
            "ghcr.io/{Name}",
            "ghcr.io/{",
            "x",
        ),
        *("https://ghcr.io/{name}", "ghcr.io/{name}:latest", "ghcr.io//{name}", "a..b/{name}", "-a.b/{name}"),
    ],
)
def test_repositories(template: str) -> None:
    text = SMALL.replace("ghcr.io/acme/{name}", f'"{template}"')
    compare(text)


@pytest.mark.parametrize(
    "budget", ["1", "0", "-1", "1kB", "1 kB", "1  kB", "0.5MiB", "0MB", "0.0 GB", "1mb", '"7"', "0.1kB", "on"]
)
@pytest.mark.parametrize(
    "deadline", ["1", "0", "0.5", "500ms", "60m", "3600", "3601", "0s", "0.0m", '"5"', "1h", "-1", "01s", "off"]
)
def test_sizes_and_times(budget: str, deadline: str) -> None:
    text = image(f"budget: {budget}").replace("[app, --version]", f"[a]\n        deadline: {deadline}")
    compare(text)


@pytest.mark.parametrize(
    "port", ["1", "0", "65535", "65536", "80/tcp", "65535/udp", "65536/udp", "80/http", '"80"', "080"]
)
def test_ports(port: str) -> None:
    compare(f"{HEAD}: [{{config: {{ports: [{port}]}}}}]")


LIKELY = VALUES | st.sampled_from(
    [
        *(0, 1, 80, 65535, 65536, 255, 256, 200, 599, True, False, "none", "zstd", "gzip", "linux/amd64", "amd64", "a"),
        *(
            "a b",
            "a\nb",
            "/a",
            "a/b",
            "../a",
            "1s",
            "0s",
            "61m",
            "1MB",
            "0MB",
            "80/tcp",
            "80",
            "0644",
            "{name}",
            "ghcr.io/a",
        ),
        *(
            ["a"],
            ["a", "a"],
            [80, 80],
            ["linux/amd64"],
            [""],
            [],
            {},
            {"a": "b"},
            {"A": 1},
            {"equals": "x"},
            {"port": 80},
        ),
        *("target:base", "target:worker", "target:x", "docker-image://a", "docker-image://A", "oci-layout://a", "a:b"),
        *("https://a", "git@a:b", "github.com/a", "host", "off", "read", "10.0.0.5", "::1", "1.2", "host-gateway"),
        *("follow", "postgres:17", "X-A", {"db": {"image": "a", "port": 1}}, ["db"], {"X-A": {"equals": "b"}}),
        *("nofile=1", "nofile=2:1", "nproc=1:-1", {"a": "target:base"}, {"mode": "off"}, {"repository": "ghcr.io/a"}),
        *(["ghcr.io/a"], ["ghcr.io/a", "docker.io/a/{name}"], ["ghcr.io/{name}", "ghcr.io/{name}"]),
        *({"path": "/a", "exists": False, "mode": "0644"}, {"user": "a"}, None, 1.5, "\x00", "é", "A" * 200, "a" * 128),
    ]
)
KEYS = st.sampled_from(
    [
        *("name", "title", "dockerfile", "context", "platforms", "build-args", "target", "secrets", "budget", "smoke"),
        *("smoke-reason", "run", "http", "file", "config", "exit", "stdout", "stderr", "deadline", "port", "path"),
        *("status", "body", "exists", "mode", "content", "user", "entrypoint", "env", "labels", "ports", "healthcheck"),
        *("services", "tcp", "grpc", "structure-test", "redirects", "headers", "response-headers", "service", "db"),
        *("image", "command", "platform", "contexts", "ssh", "network", "extra-hosts", "shm-size", "ulimits"),
        *("cache", "mode", "SOURCE_DATE_EPOCH"),
        *("architecture", "equals", "contains", "excludes", "matches", "repository", "source", "compression", "images"),
    ]
)


@given(st.data())
def test_a_good_document_with_other_values_and_keys(data: st.DataObject) -> None:
    tree = copy.deepcopy(TREE)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(tree)))
        match data.draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                container[key] = copy.deepcopy(data.draw(LIKELY))
            case "remove":
                del container[key]
            case _ if isinstance(container, dict):
                container[data.draw(KEYS)] = copy.deepcopy(data.draw(LIKELY))
            case _:
                container.append(copy.deepcopy(data.draw(LIKELY)))
        if not places(tree):
            break
    compare(yaml.safe_dump(tree, allow_unicode=True))
