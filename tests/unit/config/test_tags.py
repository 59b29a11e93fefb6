"""The rules for tags in the configuration: read as they stand in a workflow, with the line of what is wrong."""

import pytest

from ci.config.parse import parse_config
from ci.core.errors import ConfigError
from ci.core.model import Config

from .test_parse import SMALL
from .test_schema import VALIDATOR, errors_of_schema

BLOCK = """\
tags: |
  # a release
  type=semver,pattern={{version}}

  type=raw,value=latest,enable=${{ github.ref == 'refs/heads/main' }}
flavor: |
  latest=false
"""
LISTED = """\
tags:
  - type=semver,pattern={{version}}
  - "type=raw,value=latest,enable=${{ github.ref == 'refs/heads/main' }}"
flavor: [latest=false]
"""


def read(text: str) -> Config:
    return parse_config(text, file="images.yaml")


@pytest.mark.parametrize("head", [BLOCK, LISTED])
def test_rules_are_a_list_or_a_text_as_a_workflow_has_it(head: str) -> None:
    text = head + SMALL
    config = read(text)
    assert config.tags == (
        "type=semver,pattern={{version}}",
        "type=raw,value=latest,enable=${{ github.ref == 'refs/heads/main' }}",
    )
    assert config.flavor == ("latest=false",)
    assert config.images[0].tags is None
    assert errors_of_schema(text) == []


def test_without_rules_there_are_none() -> None:
    config = read(SMALL)
    assert config.tags is None
    assert config.flavor == ()


def test_an_image_may_have_its_own() -> None:
    text = f"{SMALL}    tags: [type=schedule]\n    flavor: 'suffix=-alpine,onlatest=true'\n"
    (image,) = read(text).images
    assert image.tags == ("type=schedule",)
    assert image.flavor == ("suffix=-alpine,onlatest=true",)
    assert errors_of_schema(text) == []


@pytest.mark.parametrize(
    ("head", "line", "key", "part"),
    [
        ("tags: [type=semvr]\n", 1, "tags[0]", "the type 'semvr' is not known"),
        ("tags: [type=edge, type=ref]\n", 1, "tags[1]", "event= is missing"),
        (BLOCK.replace("{{version}}", "{{versoin}}"), 3, "tags", "did you mean 'version'"),
        (BLOCK.replace("github.ref", "github.actor"), 5, "tags", "github.actor is not known"),
        (BLOCK.replace("latest=false", "latest=no"), 7, "flavor", "accepted: latest=auto, latest=true, latest=false"),
        ("tags: type=edge,x=1\n", 1, "tags", "'x' is nothing that type=edge knows"),
        ("tags: >\n  type=edge\n  type=edge\n", 1, "tags", "'edge type=edge' is not known"),
        ("tags: {type: edge}\n", 1, "tags", "a mapping is given"),
        ("tags: 7\n", 1, "tags", "7 is given"),
        ("tags: []\n", 1, "tags", "the list is empty"),
        ("tags: ''\n", 1, "tags", "the text is empty"),
        ("tags: |\n  # nothing\n", 1, "tags", "the text is empty"),
        ("flavor: [sufix=-x]\n", 1, "flavor[0]", "'sufix' is not known"),
    ],
)
def test_a_mistake_is_named_where_it_stands(head: str, line: int, key: str, part: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(head + SMALL)
    [problem] = raised.value.findings
    assert (problem.line, problem.key) == (line, key)
    assert part in str(problem)
    assert problem.accepted


@pytest.mark.parametrize("value", [7, [], [7], {"type": "edge"}, "", [""]])
def test_the_schema_takes_texts_alone(value: object) -> None:
    assert list(VALIDATOR.iter_errors({"tags": value})) != list(VALIDATOR.iter_errors({}))
