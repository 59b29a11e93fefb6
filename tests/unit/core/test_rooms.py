"""The pure half of the module stays pure, and unit tests stay inside."""

import ast
import socket
import subprocess
import sys
from pathlib import Path

import pytest

FOLDERS = {"ci", *(f"ci.{room}" for room in ("core", "config", "validate"))}
CI = Path(__file__).resolve().parents[3] / "ci"

PURE = (
    "dockerfile/bases",
    "dockerfile/stages",
    "validate/calls",
    "validate/context",
    "validate/dockerfile",
    "validate/workflow",
    "config/checks",
    "config/parse",
    "config/cursor",
    "dockerfile/parser",
    "init/facts",
    "init/search",
    "dockerfile/ignore",
    "core/errors",
    "core/findings",
    "validate/report",
    "github/events",
    "build/inputs",
    "validate/linter_reports",
    "validate/surface",
    "core/model",
    "core/names",
    "core/text",
    "config/plan",
    "init/project",
    "init/proposal",
    "init/proposal_yaml",
    "config/reference",
    "build/report",
    "config/schema",
    "init/templates",
    "validate/tree",
    "validate/source",
    "config/yaml",
)
# What reads or changes anything but its arguments, or does work that a pure function has no need of.
IMPURE = {
    *("asyncio", "glob", "http", "io", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil"),
    *("signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today", "exec", "eval", "__import__"}


def tree(module: str) -> ast.Module:
    return ast.parse((CI / f"{module}.py").read_text())


def imported(module: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            base = node.module or ""
            names.update(f"{base}.{alias.name}" if base in FOLDERS else base for alias in node.names)
    return names


def called(module: str) -> set[str]:
    calls = [node.func for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
    return {f.id for f in calls if isinstance(f, ast.Name)} | {f.attr for f in calls if isinstance(f, ast.Attribute)}


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_exists(module: str) -> None:
    assert (CI / f"{module}.py").is_file()


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_only_pure_things(module: str) -> None:
    for name in imported(module):
        first = name.partition(".")[0]
        if first == "ci":
            assert name.removeprefix("ci.").replace(".", "/") in PURE, name
        else:
            assert first == "yaml" or first in sys.stdlib_module_names, name
            assert first not in IMPURE or name == "urllib.parse", name


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_calls_nothing_that_looks_outside(module: str) -> None:
    assert not called(module) & IMPURE_CALLS


def test_a_unit_test_can_start_no_process() -> None:
    with pytest.raises(AssertionError, match="the world outside"):
        subprocess.run(["true"], check=False)


def test_a_unit_test_can_open_no_connection() -> None:
    with (
        socket.socket() as client,
        pytest.raises(AssertionError, match="the world outside"),
    ):
        client.connect(("127.0.0.1", 9))
