"""What git and pre-commit are told to run is there, can be run, and is what the README says."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HOOKS = sorted((ROOT / ".githooks").iterdir())


@pytest.mark.parametrize("file", HOOKS, ids=lambda f: f.name)
def test_a_hook_can_be_run(file: Path) -> None:
    assert os.access(file, os.X_OK)
    subprocess.run(["sh", "-n", str(file)], check=True, timeout=30)


def test_users_of_pre_commit_get_the_same_script_and_see_what_it_says() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert ROOT / hook["entry"] in HOOKS
    assert hook["verbose"]
    assert hook["always_run"]
    assert hook["stages"] == ["pre-push"]
    assert f"`{hook['id']}`" in (ROOT / "README.md").read_text()


def test_every_setting_of_the_hook_is_one_that_it_reads() -> None:
    text = (ROOT / ".githooks/pre-push").read_text()
    for setting in ("drydock.prePush", "drydock.module", "drydock.config"):
        assert f"git config {setting} " in text
        assert f"$(git config {setting} ||" in text
