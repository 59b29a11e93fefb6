"""Which runner builds for which platform, and whether what it built has to be attested."""

import pytest
import yaml

from ci.config.checks import PLATFORMS
from ci.config.parse import parse_config
from ci.core.errors import ConfigError
from ci.core.model import Attest, Config
from ci.core.runners import Machine, are_several, list_machines

from .test_parse import SMALL
from .test_schema import compare, errors_of_schema

BOTH = SMALL.replace("[linux/amd64]", "[linux/amd64, linux/arm64, linux/riscv64]")


def read(text: str) -> Config:
    assert errors_of_schema(text) == []
    return parse_config(text, file="images.yaml")


def labels(text: str) -> dict[str, tuple[str, ...]]:
    return {machine.platform: machine.labels for machine in list_machines(read(text))}


@pytest.mark.parametrize(
    ("head", "amd64", "arm64", "riscv64"),
    [
        ("", "ubuntu-24.04", "ubuntu-24.04-arm", "ubuntu-24.04"),
        ("runners: ubuntu-24.04\n", "ubuntu-24.04", "ubuntu-24.04", "ubuntu-24.04"),
        ("runners: {linux/arm64: pi}\n", "ubuntu-24.04", "pi", "ubuntu-24.04"),
        ("runners: {linux/amd64: big, linux/riscv64: board}\n", "big", "ubuntu-24.04-arm", "board"),
        ("runners: {linux/amd64: big}\n", "big", "ubuntu-24.04-arm", "big"),
    ],
)
def test_each_platform_has_its_runner_and_the_others_are_emulated(
    head: str, amd64: str, arm64: str, riscv64: str
) -> None:
    found = labels(head + BOTH)
    assert found == {"linux/amd64": (amd64,), "linux/arm64": (arm64,), "linux/riscv64": (riscv64,)}


def test_several_labels_are_one_runner() -> None:
    assert set(labels(f"runners: [self-hosted, linux, x64]\n{BOTH}").values()) == {("self-hosted", "linux", "x64")}
    head = "runners: {linux/arm64: [self-hosted, linux, arm64]}\n"
    assert labels(head + BOTH)["linux/arm64"] == ("self-hosted", "linux", "arm64")


def test_platforms_of_all_images_have_one_job_each_in_their_order() -> None:
    second = SMALL.partition("images:\n")[2].replace("name: app", "name: other").replace("amd64", "arm64")
    assert [machine.platform for machine in list_machines(read(SMALL + second))] == ["linux/amd64", "linux/arm64"]


@pytest.mark.parametrize(
    ("text", "several"),
    [(SMALL, False), (BOTH, True), (f"runners: a\n{BOTH}", False), (f"runners: {{linux/amd64: a}}\n{BOTH}", True)],
)
def test_one_runner_is_one_machine(text: str, several: bool) -> None:
    assert are_several(list_machines(read(text))) is several


@pytest.mark.parametrize("label", ["ubuntu-24.04-arm", "24.04", "on", "NULL", "1e3", "a=b/c", "x@1"])
def test_a_label_is_read_in_the_workflow_as_it_was_written(label: str) -> None:
    machine = Machine(platform="linux/arm/v7", labels=(label,))
    assert yaml.safe_load(machine.entry) == {"name": "linux-arm-v7", "platform": "linux/arm/v7", "runner": label}
    assert yaml.safe_load(Machine(platform="linux/amd64", labels=(label, "b")).entry)["runner"] == [label, "b"]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("''", "a runner's label"),
        ("a b", "a runner's label"),
        ("'${{ x }}'", "a runner's label"),
        ("[a, a]", "in the list twice"),
        ("[]", "the list is empty"),
        ("{}", "the mapping is empty"),
        ("24.04", "YAML reads 24.04 as a number"),
        ("{linux/arm: a}", f"accepted: {PLATFORMS[0]}"),
        ("{linux/arm64: {group: a}}", "a mapping is given"),
    ],
)
def test_what_is_no_runner_is_refused(value: str, part: str) -> None:
    text = f"runners: {value}\n{SMALL}"
    with pytest.raises(ConfigError, match="runners") as refused:
        parse_config(text, file="images.yaml")
    assert part in str(refused.value)
    compare(text)


@pytest.mark.parametrize(
    ("head", "value"),
    [
        ("", None),
        ("attest: required\n", Attest.REQUIRED),
        ("attest: optional\n", Attest.OPTIONAL),
        ("attest: off\n", Attest.OFF),
        ("attest: 'off'\n", Attest.OFF),
    ],
)
def test_attestations_are_required_optional_or_off(head: str, value: Attest | None) -> None:
    assert read(head + SMALL).attest is value


@pytest.mark.parametrize("value", ["yes", "requierd", "[required]", "''", "on", "false"])
def test_what_is_no_such_word_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"attest: .* is not known; accepted: required, optional, off"):
        parse_config(f"attest: {value}\n{SMALL}", file="images.yaml")
    compare(f"attest: {value}\n{SMALL}")
