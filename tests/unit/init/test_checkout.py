"""What init finds out of a checkout: .git, submodules and files of Git LFS that a build needs."""

from pathlib import Path

import pytest
import yaml

from ci.config.parse import parse_config
from ci.core.runners import Machine
from ci.init.adopt import WORKFLOW
from ci.init.checkout import Input, describing
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.init.templates import adapt_workflow

ROOT = Path(__file__).resolve().parents[3]
MODULES = '[submodule "lib"]\n\tpath = vendor/lib\n'
TWO = (
    Machine(platform="linux/amd64", labels=("ubuntu-24.04",)),
    Machine(platform="linux/arm64", labels=("ubuntu-24.04-arm",)),
)
GIT, SUBMODULES, LFS = Input.HISTORY, Input.SUBMODULES, Input.LFS


@pytest.mark.parametrize(
    ("copied", "beside", "inputs", "notes"),
    [
        (".", {}, (), []),
        (".", {".dockerignore": "*\n!.git\n"}, (GIT,), [".dockerignore:2 asks for it: calls that build give .git by "]),
        (".", {".dockerignore": ".git\n"}, (), []),
        (".", {"Dockerfile.dockerignore": "", ".dockerignore": "!.git\n"}, (), []),
        (".", {".gitmodules": MODULES}, (SUBMODULES,), ["it copies the submodule vendor/lib"]),
        ("src", {".gitmodules": MODULES}, (), []),
        ("vendor", {".gitmodules": MODULES.replace("lib", "none")}, (SUBMODULES,), ["none; 1 empty here"]),
        ("models", {"models/.gitattributes": "*.onnx filter=lfs\n"}, (LFS,), ["such as models/a.onnx"]),
        ("src", {".gitattributes": "*.onnx filter=lfs\n"}, (), []),
        (".", {".gitattributes": "*.onnx text\n"}, (), []),
    ],
)
def test_what_an_image_needs_of_a_checkout(
    copied: str, beside: dict[str, str], inputs: tuple[Input, ...], notes: list[str]
) -> None:
    paths = {"vendor", "vendor/lib", "vendor/lib/a.c", "vendor/none", "models", "models/a.onnx", "src"}
    proposal = propose({"Dockerfile": f"FROM a\nCOPY {copied} /x\n"}, paths, beside=beside)
    assert proposal.inputs == inputs
    (proposed,) = proposal.images
    assert len(proposed.notes) == len(notes)
    assert all(part in note for part, note in zip(notes, proposed.notes, strict=True))
    (image,) = parse_config(render_proposal(proposal, schema="", file="x"), file="x").images
    assert image.git == (GIT in inputs)


def test_the_files_that_tell_it_are_few() -> None:
    files = {".dockerignore", "a/.dockerignore", "a/Dockerfile.dockerignore", ".gitmodules", "a/.gitattributes", "a.c"}
    assert describing(["a/Dockerfile"], files) == [
        ".dockerignore",
        ".gitmodules",
        "a/.gitattributes",
        "a/Dockerfile.dockerignore",
    ]


@pytest.mark.parametrize("machines", [(), TWO], ids=["one", "two"])
def test_the_workflow_brings_what_is_needed_in_each_job(machines: tuple[Machine, ...]) -> None:
    text = (ROOT / WORKFLOW).read_text()
    jobs = yaml.safe_load(adapt_workflow(text, "x/y@v1", tuple(Input), machines=machines))["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    checkouts = [step["with"] for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    wanted = {"persist-credentials": False, "fetch-depth": 0, "submodules": True, "lfs": True}
    assert checkouts == [wanted] * len(jobs)
    calls = [step["with"]["args"] for step in steps if "dagger-for-github" in step.get("uses", "")]
    assert len(calls) >= len(jobs)
    assert all(call.startswith("--source . --git .git ") for call in calls)
    assert "--git " not in adapt_workflow(text, "x/y@v1", (SUBMODULES,))


@pytest.mark.parametrize(
    ("file", "text", "run", "ignored", "said"),
    [
        ("pyproject.toml", 'requires = ["hatchling", "hatch-vcs"]', "pip install .", "", "by hatch-vcs"),
        ("pyproject.toml", 'requires = ["setuptools_scm[toml]>=8"]', "uv build", "", "by setuptools_scm"),
        ("setup.py", "setup(use_scm_version=False, setup_requires=['pbr'])", "python setup.py sdist", "", "by pbr"),
        ("Makefile", "V ?= $(shell git describe --tags)\n", "CGO_ENABLED=0 make build", "", "by git describe"),
        ("Makefile", "", 'go build -ldflags "-X main.v=$(git describe)"', "", "a RUN asks git"),
        ("Makefile", "V ?= $(shell git describe --tags)\n", "go build", "", ""),
        ("Makefile", "V ?= $(shell git describe --tags)\n", "make", ".git\n", ""),
        ("Makefile", "V ?= 1.2.3\n", "make", "", ""),
        ("Makefile", "", "git clone https://example.com/x && cd x && git describe", "", ""),
        ("pyproject.toml", 'requires = ["hatchling"]', "pip install .", "", ""),
    ],
)
def test_a_build_that_asks_git_for_its_version_is_given_git_as_it_is_today(
    file: str, text: str, run: str, ignored: str, said: str
) -> None:
    beside = {file: text, ".dockerignore": ignored}
    for copied, expected in ((".", said), ("src", "")):
        proposal = propose({"Dockerfile": f"FROM a\nCOPY {copied} /x\nRUN {run}\n"}, {file, "src"}, beside=beside)
        (proposed,) = proposal.images
        assert proposed.image.git == bool(expected)
        assert [note for note in proposed.notes if expected in note and "--git .git" in note] or not expected
