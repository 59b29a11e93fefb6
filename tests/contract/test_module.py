"""What the SDK will register: names, arguments, texts and cache policies, read from its own registry."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from dagger.mod import default_module

import ci.main

ROOT = Path(__file__).resolve().parents[2]
CI = default_module().get_object("Ci")
FUNCTIONS = {name: function for name, function in CI.functions.items() if name}

CONSTRUCTOR = {
    *("source", "git", "config", "owner", "repository", "username", "password", "login", "docker_config"),
    *("registry", "registry_ca", "cache", "ssh"),
    *("builder", "builder_tunnel", "builder_ca", "builder_cert", "builder_key"),
}
EXPECTED = {
    "plan": {"format", "only", "platforms", "revision", "live", "created", "event", "ref", "default_branch"},
    "build_all": {"reuse", "only", "platforms", "parallel", "secrets", "revision", "version", "ref", "format"},
    "publish": {"format", "parallel", "secrets", "rebuild", "builder_id"}
    | {"revision", "created", "latest", "tags", "version", "ref", "overwrite", "allow_older", "smoke_published"},
    "stage": {"revision", "created", "only", "platforms", "version", "ref", "rebuild", "parallel", "secrets"}
    | {"builder_id"},
    "finish": {"staged", "format", "prepare"}
    | {"revision", "created", "latest", "tags", "version", "ref", "overwrite", "allow_older", "smoke_published"},
    "validate": {"offline", "fail", "workflows", "format"},
    "verify": {"format", "revision", "latest", "tags", "version", "ref"},
    "promote": {"format", "from", "tag"},
    "rollback": {"format", "to"},
    "inspect": {"format", "tag", "only", "platforms", "packages", "diff"},
    "reproduce": {"format", "only", "platforms", "parallel", "secrets", "revision", "version", "ref"},
    "prune": {"format", "keep", "yes", "github_api"},
    "init": {"module", "overwrite"},
    "github": {"event", "ref", "default_branch", "base_ref", "prerelease"}
    | {"private", "github_repository", "github_server", "github_api", "github_token"}
    | {"revision", "created", "parallel", "secrets", "rebuild", "stage", "platforms", "staged", "prepare"}
    | {"builder_id"},
}


def test_the_functions_and_their_arguments() -> None:
    assert {name: {p.name for p in f.parameters.values()} for name, f in FUNCTIONS.items()} == EXPECTED


def test_where_a_release_goes_is_said_once_before_the_function() -> None:
    parameters = CI.get_constructor().parameters.values()
    assert {parameter.name for parameter in parameters} == CONSTRUCTOR
    assert all(parameter.doc for parameter in parameters)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_and_argument_is_documented(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.doc
    assert re.fullmatch(r"[A-Z][^.]*\.", function.doc.splitlines()[0]), function.doc
    assert all(parameter.doc for parameter in function.parameters.values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_states_its_cache_policy(name: str) -> None:
    assert FUNCTIONS[name].cache_policy is not None


def test_dagger_check_runs_the_validation() -> None:
    assert [name for name, function in FUNCTIONS.items() if function.check] == ["validate"]


def test_the_module_says_what_it_is() -> None:
    assert ci.__doc__
    assert ci.main.Ci.__doc__


def test_the_entry_point_and_the_module_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["dagger.mod"]["main_object"] == "ci.main:Ci"
    assert "dagger-io" in project["dependencies"]


def test_no_file_with_dagger_types_hides_its_import() -> None:
    """Dagger evaluates annotations when it loads the module; an import for type checkers only would be missing."""
    for file in (ROOT / "ci").rglob("*.py"):
        if file.parent.name == "linters":
            continue  # programs of another container, where nothing of ci/ is
        assert "TYPE_CHECKING" not in file.read_text(), file.name


def test_files_stay_readable() -> None:
    for folder in ("ci", "deploy/engine", "deploy/services"):
        for file in (ROOT / folder).rglob("*.py"):
            assert len(file.read_text().splitlines()) <= 320, file


def test_every_public_function_is_documented() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for file in (ROOT / "ci").rglob("*.py"):
        tree = ast.parse(file.read_text())
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for node in [*tree.body, *(method for each in classes for method in each.body)]:
            if isinstance(node, kinds) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{file.name}: {node.name}"
