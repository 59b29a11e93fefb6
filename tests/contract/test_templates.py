"""This repository's own workflow and hook can become another's, and the module holds what it needs for that."""

import difflib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.core.runners import Machine
from ci.init.adopt import HOOK, INSTALL, WORKFLOW
from ci.init.templates import adapt_hook, adapt_workflow

from .test_module import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
MODULE = "github.com/acme/drydock@v1.2"


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    lines = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    return [line[2:].strip() for line in lines if line[0] == "-"], [
        line[2:].strip() for line in lines if line[0] == "+"
    ]


def machines(**labels: str) -> tuple[Machine, ...]:
    return tuple(Machine(platform=f"linux/{name}", labels=(label,)) for name, label in labels.items())


OWN = machines(amd64="ubuntu-24.04", arm64="ubuntu-24.04-arm")
FORMS = {
    "as here": OWN,
    "three": (*OWN, *machines(riscv64="ubuntu-24.04")),
    "labels": (*machines(arm64="on"), Machine(platform="linux/amd64", labels=("self-hosted", "24.04"))),
    "one": machines(amd64="ubuntu-24.04"),
    "emulated": machines(amd64="a", arm64="a"),
    "unknown": (),
}


def jobs_of(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text)["jobs"])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_step_of_the_workflow_that_calls_dagger_calls_the_module(form: tuple[Machine, ...]) -> None:
    adapted = adapt_workflow((ROOT / WORKFLOW).read_text(), MODULE, machines=form)
    steps = [step for job in jobs_of(adapted).values() for step in job["steps"]]
    called = [step["with"]["module"] for step in steps if step.get("uses", "").startswith("dagger/dagger-for-github@")]
    assert called == [MODULE] * len(called)
    assert len(called) == adapted.count("dagger/dagger-for-github@") == len(("check", "stage", "prepare", "finish"))


def test_on_the_same_machines_nothing_else_is_changed() -> None:
    text = (ROOT / WORKFLOW).read_text()
    removed, added = changed(text, adapt_workflow(text, MODULE, machines=OWN))
    assert all("ci/github/events.py" in line for line in removed)
    assert [line for line in added if "ci/github/events.py" not in line] == [f"module: {MODULE}"] * 4


@pytest.mark.parametrize("name", ["as here", "three", "labels"])
def test_each_platform_is_built_on_its_own_machine(name: str) -> None:
    form = FORMS[name]
    jobs = jobs_of(adapt_workflow((ROOT / WORKFLOW).read_text(), MODULE, machines=form))
    assert list(jobs) == ["check", "stage", "release"]
    for job in ("check", "stage"):
        assert jobs[job]["runs-on"] == "${{ matrix.runner }}"
        entries = jobs[job]["strategy"]["matrix"]["include"]
        assert [(entry["platform"], entry["name"]) for entry in entries] == [(m.platform, m.name) for m in form]
        runners = [entry["runner"] for entry in entries]
        assert [(label,) if isinstance(label, str) else tuple(label) for label in runners] == [m.labels for m in form]
    (first,) = (machine for machine in form if machine.platform == "linux/amd64")
    assert jobs["release"]["runs-on"] == (first.labels[0] if len(first.labels) == 1 else list(first.labels))


@pytest.mark.parametrize("name", ["one", "emulated", "unknown"])
def test_one_machine_does_the_same_in_one_job(name: str) -> None:
    form = FORMS[name]
    text = (ROOT / WORKFLOW).read_text()
    adapted = adapt_workflow(text, MODULE, machines=form)
    three, one = jobs_of(text), jobs_of(adapted)
    assert list(one) == ["check", "publish"]
    assert {job["runs-on"] for job in one.values()} == {form[0].labels[0] if form else "ubuntu-24.04"}
    assert "matrix" not in adapted
    assert "PLATFORM" not in adapted
    assert one["publish"]["permissions"] == three["release"]["permissions"]
    assert one["publish"]["if"] == three["stage"]["if"]
    assert "needs" not in one["publish"]
    moved = {"Check out", "Fetch what was staged", "Keep what was staged for the release"}
    steps = [*three["stage"]["steps"], *three["release"]["steps"]]
    names = [step["name"] for step in steps if step["name"] not in moved]
    assert [step["name"] for step in one["publish"]["steps"]] == ["Check out", *names]
    assert [step["name"] for step in one["check"]["steps"]] == [step["name"] for step in three["check"]["steps"]]


@pytest.mark.parametrize(
    ("old", "new"), [("  stage:\n", "  build:\n"), ("include:", "exclude:"), ("    steps:", "    stages:")]
)
def test_a_workflow_that_it_was_not_made_for_is_noticed(old: str, new: str) -> None:
    text = (ROOT / WORKFLOW).read_text().replace(old, new)
    with pytest.raises(ValueError, match="the workflow no longer"):
        adapt_workflow(text, MODULE, machines=OWN if old == "include:" else ())


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_zizmor_finds_nothing_in_what_init_writes(form: tuple[Machine, ...], tmp_path: Path) -> None:
    file = tmp_path / WORKFLOW
    file.parent.mkdir(parents=True)
    file.write_text(adapt_workflow((ROOT / WORKFLOW).read_text(), MODULE, machines=form))
    zizmor = shutil.which("zizmor")
    assert zizmor, "no zizmor on PATH; run the tests by `make test`"
    command = [zizmor, "--offline", "--no-progress", "--persona", "pedantic", str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout + done.stderr


def test_the_hook_asks_git_before_it_calls_the_module(tmp_path: Path) -> None:
    adapted = adapt_hook((ROOT / HOOK).read_text(), MODULE)
    hook = tmp_path / "pre-push"
    hook.write_text(adapted)
    subprocess.run(["sh", "-n", str(hook)], check=True, timeout=10)
    removed, added = changed((ROOT / HOOK).read_text(), adapted)
    assert removed == ['module=$(git config drydock.module || echo "$here")']
    assert added == [f"module=$(git config drydock.module || echo {MODULE})"]


def test_the_module_holds_its_templates() -> None:
    included = json.loads((ROOT / "dagger.json").read_text())["include"]
    for file in (WORKFLOW, HOOK, INSTALL):
        assert any(file == pattern or file.startswith(f"{pattern}/") for pattern in included), file


def test_init_is_a_generator() -> None:
    assert [name for name, function in FUNCTIONS.items() if function.generate] == ["init"]
