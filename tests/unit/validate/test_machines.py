"""Whether a workflow builds each platform of the configuration, and where the configuration says."""

from dataclasses import replace
from pathlib import Path

import pytest

from ci.config.parse import parse_config
from ci.core.findings import Finding
from ci.core.runners import Machine
from ci.init.templates import adapt_workflow
from ci.validate.linters.survey import survey
from ci.validate.machines import check_machines
from ci.validate.source import validate_source
from ci.validate.tree import Tree, make_tree

from .test_source import BASE, SURFACE

ROOT = Path(__file__).resolve().parents[3]
CONFIG, WORKFLOW = "deploy/images.yaml", ".github/workflows/images.yml"
TEXT = (ROOT / WORKFLOW).read_text()
MODULE = "github.com/drydock/drydock@v1"
HOSTED = {"linux/amd64": "ubuntu-24.04", "linux/arm64": "ubuntu-24.04-arm"}
BOTH = ("linux/amd64", "linux/arm64")
RULES = ("matrix-platform", "matrix-runner", "matrix-none")


def config(*platforms: str, top: str = "") -> str:
    image = f"name: app, dockerfile: Dockerfile, platforms: [{', '.join(platforms)}], smoke: none, smoke-reason: none"
    return f"repository: ghcr.io/acme/{{name}}\n{top}images:\n  - {{{image}}}\n"


def workflow(**runners: str) -> str:
    machines = [Machine(platform=f"linux/{name}", labels=(label,)) for name, label in runners.items()]
    return adapt_workflow(TEXT, MODULE, machines=machines)


MATRIX = workflow(amd64="ubuntu-24.04", arm64="ubuntu-24.04-arm")
ONE = workflow(amd64="ubuntu-24.04")


def found_in(path: Path, text: str, flow: str) -> list[Finding]:
    files = {CONFIG: text, WORKFLOW: flow, "Dockerfile": f"FROM {BASE}\n", ".dockerignore": "*\n"}
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    tree = make_tree(survey(path, ["Dockerfile"]))
    checked = validate_source(tree, text=text, config=CONFIG, surface=SURFACE)
    return [finding for finding in checked.findings if finding.rule in RULES]


def line_of(flow: str, part: str, count: int = 0) -> int:
    return [n for n, line in enumerate(flow.splitlines(), 1) if part in line][count]


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        (config(*BOTH), MATRIX),
        (config("linux/amd64"), ONE),
        (config("linux/arm64"), workflow(arm64="ubuntu-24.04-arm")),
        (config(*BOTH, top="runners: ubuntu-24.04\n"), ONE),
        (config(*BOTH, top="runners: {linux/arm64: pi}\n"), workflow(amd64="ubuntu-24.04", arm64="pi")),
        # What another module or another configuration is called for, or what names its platforms itself.
        (config(*BOTH), ONE.replace("drydock/drydock", "acme/other")),
        (config(*BOTH), ONE.replace("--source .", "--source . --config other.yaml")),
        (config(*BOTH), ONE.replace("--stage", "--stage --platforms linux/amd64")),
        # Where the runner is not said in so many words.
        (config(*BOTH), MATRIX.replace("runs-on: ${{ matrix.runner }}", "runs-on: ${{ inputs.runner }}")),
    ],
)
def test_what_fits_is_no_news(text: str, flow: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, text, flow) == []


def test_a_platform_that_nobody_builds_is_an_error_in_each_job_that_builds(tmp_path: Path) -> None:
    found = found_in(tmp_path, config(*BOTH, "linux/riscv64"), MATRIX)
    assert [(f.severity, f.rule, f.line) for f in found] == [
        ("error", "matrix-platform", line_of(MATRIX, "name: linux-arm64", count)) for count in (0, 1)
    ]
    assert "no entry of this matrix is for linux/riscv64" in found[0].message
    assert found[0].remedy == "Add to it: - {name: linux-riscv64, platform: linux/riscv64, runner: ubuntu-24.04}"


def test_a_platform_that_no_image_has_is_an_error(tmp_path: Path) -> None:
    found = found_in(tmp_path, config("linux/amd64"), MATRIX)
    assert [(f.severity, f.rule) for f in found] == [("error", "matrix-platform")] * 2
    assert found[0].line == line_of(MATRIX, "name: linux-arm64")
    assert "this entry is for 'linux/arm64', for which deploy/images.yaml has no image" in found[0].message


def test_another_runner_than_the_configuration_says_is_a_warning(tmp_path: Path) -> None:
    found = found_in(tmp_path, config(*BOTH), MATRIX.replace("runner: ubuntu-24.04-arm", "runner: [self-hosted, arm]"))
    assert [(f.severity, f.rule) for f in found] == [("warning", "matrix-runner")] * 2
    assert found[0].message == (
        "linux/arm64 is built on [self-hosted, arm] here, and on ubuntu-24.04-arm by deploy/images.yaml"
    )
    assert found[0].remedy == (
        "Write ubuntu-24.04-arm here, or in deploy/images.yaml: runners: {linux/arm64: [self-hosted, arm]}"
    )
    found = found_in(tmp_path, config(*BOTH, top="runners: [self-hosted, big]\n"), ONE)
    assert [(f.severity, f.rule) for f in found] == [("warning", "matrix-runner")] * 2
    assert found[0].remedy == "Write [self-hosted, big] here, or in deploy/images.yaml: runners: ubuntu-24.04"


def test_that_one_machine_emulates_what_another_is_native_for_is_a_note(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, config(*BOTH), ONE)
    assert (found.severity, found.rule, found.line) == ("note", "matrix-none", line_of(ONE, "runs-on:"))
    assert "linux/amd64 on ubuntu-24.04, linux/arm64 on ubuntu-24.04-arm" in found.message


def test_a_matrix_of_plain_platforms_is_read_too(tmp_path: Path) -> None:
    lines = MATRIX.replace("include:\n", "platform:\n")
    for name, runner in HOSTED.items():
        entry = f"- {{name: {name.replace('/', '-')}, platform: {name}, runner: {runner}}}"
        assert entry in lines
        lines = lines.replace(entry, f"- {name}")
    assert found_in(tmp_path, config(*BOTH), lines) == []
    assert {f.rule for f in found_in(tmp_path, config(*BOTH, "linux/s390x"), lines)} == {"matrix-platform"}


def test_this_repositorys_own_workflow_fits_its_configuration() -> None:
    texts = {file: (ROOT / file).read_text() for file in (WORKFLOW, "dagger.json", "ci/main.py")}
    tree = Tree(files={file: len(text) for file, text in texts.items()}, texts=texts)
    parsed = parse_config((ROOT / CONFIG).read_text(), file=CONFIG)
    assert list(check_machines(tree, SURFACE, parsed, config=CONFIG)) == []
    (image, *_) = parsed.images
    emptier = replace(parsed, images=(replace(image, platforms=("linux/s390x",)),))
    assert len(list(check_machines(tree, SURFACE, emptier, config=CONFIG))) == 6
