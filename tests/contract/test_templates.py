"""This repository's own workflow and hook can become another's, and the module holds what it needs for that."""

import difflib
import json
import subprocess
from pathlib import Path

import yaml

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


def test_every_step_of_the_workflow_that_calls_dagger_calls_the_module() -> None:
    text = (ROOT / WORKFLOW).read_text()
    adapted = adapt_workflow(text, MODULE)
    steps = [step for job in yaml.safe_load(adapted)["jobs"].values() for step in job["steps"]]
    called = [step["with"]["module"] for step in steps if step.get("uses", "").startswith("dagger/dagger-for-github@")]
    assert called == [MODULE] * text.count("dagger/dagger-for-github@")
    removed, added = changed(text, adapted)
    assert all("ci/github/events.py" in line for line in removed)
    assert [line for line in added if "ci/github/events.py" not in line] == [f"module: {MODULE}"] * len(called)


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
