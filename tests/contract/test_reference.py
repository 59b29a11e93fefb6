"""What is generated from the code is what the code generates, and what is written for users holds."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ci.config.parse import parse_config
from ci.config.reference import render_reference
from ci.config.schema import config_schema, render_schema

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = config_schema()


@pytest.mark.parametrize(
    ("file", "text"), [("deploy/images.schema.json", render_schema()), ("docs/configuration.md", render_reference())]
)
def test_a_generated_file_is_current(file: str, text: str) -> None:
    assert (ROOT / file).read_text() == text, f"{file} is stale; run: make reference"


def test_the_configuration_names_its_schema_and_keeps_to_it() -> None:
    file = ROOT / "deploy/images.yaml"
    text = file.read_text()
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert found
    schema = json.loads((file.parent / found[1]).read_text())
    assert not list(Draft202012Validator(schema).iter_errors(yaml.safe_load(text)))


def test_the_examples_of_the_readme_are_configurations() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    examples = [text for text in examples if text.startswith("repository:")]
    assert examples
    for text in examples:
        assert parse_config(text, file="README.md")
        assert Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text))


def fields(record: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(record["properties"].items())


@pytest.mark.parametrize(
    ("record", "key", "field"),
    [(name, key, field) for name, record in [("", SCHEMA), *SCHEMA["$defs"].items()] for key, field in fields(record)],
)
def test_every_key_is_described_and_its_examples_and_default_are_accepted(
    record: str, key: str, field: dict[str, Any]
) -> None:
    assert field["description"], f"{record}.{key}"
    validator = Draft202012Validator({**field, "$defs": SCHEMA["$defs"]})
    for value in [*field.get("examples", []), *([field["default"]] if "default" in field else [])]:
        assert validator.is_valid(value), f"{record}.{key}: {value!r}"
    assert f"| `{key}` |" in render_reference()


def test_every_link_of_the_reference_leads_somewhere() -> None:
    text = render_reference()
    titles = re.findall("^## (.*)$", text, re.MULTILINE)
    anchors = {re.sub("[^a-z -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\(#([^)]*)\)", text)) <= anchors
