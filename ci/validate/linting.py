"""Surveys and lints a source in one container, which the engine keeps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import dagger
from dagger import dag

from ci.core.engine import PIP, PYTHON
from ci.validate.tree import Tree, parse_survey

_TOOLS = "/linters"
_SOURCE = "/source"
_RESULT = "/result.json"
# What the linters read: their own configuration, and what they look at.
_READ = [".hadolint.yaml", ".hadolint.yml", "zizmor.yml", "zizmor.yaml", ".github", "action.yml", "action.yaml"]
_PATIENCE = 20  # seconds for the first answer of a registry that may not be reachable


async def linters(*, offline: bool = False) -> dagger.Container:
    """Describe the container that holds the linters; it is made once, and again when a pin changes."""
    with anyio.fail_after(_PATIENCE if offline else None):
        pinned = await dag.container().from_(PYTHON).image_ref()
    base = dag.container().from_(pinned)
    actionlint = (
        _with(base, "go-requirements.txt")
        .with_exec([*PIP, f"{_TOOLS}/go-requirements.txt"])
        .with_(partial(_with, name="actionlint/go.mod"))
        .with_(partial(_with, name="actionlint/go.sum"))
        .with_workdir(f"{_TOOLS}/actionlint")
        .with_env_variable("CGO_ENABLED", "0")
        .with_env_variable("GOFLAGS", "-mod=readonly -trimpath")
        .with_env_variable("GOTOOLCHAIN", "local")
        # go.sum holds every hash; a proxy need not relay the checksum database.
        .with_env_variable("GOSUMDB", "off")
        .with_exec(["go", "build", "-o", "/actionlint", "github.com/rhysd/actionlint/cmd/actionlint"])
        .file("/actionlint")
    )
    return (
        _with(base, "requirements.txt")
        .with_exec([*PIP, f"{_TOOLS}/requirements.txt"])
        # actionlint runs it over the workflows' commands.
        .with_exec(["sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends shellcheck"])
        .with_file("/usr/local/bin/actionlint", actionlint)
        .with_(partial(_with, name="survey.py"))
        .with_(partial(_with, name="lint.py"))
    )


def _with(container: dagger.Container, name: str) -> dagger.Container:
    """Put in one of the linters' files: by its text, so that the engine keeps the container as long as that stays."""
    text = (Path(__file__).parent / "linters" / name).read_text()
    return container.with_new_file(f"{_TOOLS}/{name}", text)


async def lint(
    container: dagger.Container,
    source: dagger.Directory,
    dockerfiles: Sequence[str],
    workflows: Sequence[str],
    *,
    persona: str = "regular",
) -> str:
    """Run the linters over some files of a source; return what linters/lint.py prints. The persona is zizmor's.

    zizmor looks at all workflows, and at the actions that they may use.
    """
    # actionlint knows a repository by its .git.
    read = source.filter(include=[*_READ, *map(literal, dockerfiles)]).with_new_directory(".git")
    return await (
        container.with_directory(_SOURCE, read)
        .with_workdir(_SOURCE)
        .with_exec(["python", f"{_TOOLS}/lint.py", _RESULT, persona, *dockerfiles, "--", *workflows])
        .file(_RESULT)
        .contents()
    )


async def survey(container: dagger.Container, source: dagger.Directory, paths: Sequence[str]) -> Tree:
    """Look at the source in the engine, which keeps the result for as long as nothing changes."""
    command = ["python", f"{_TOOLS}/survey.py", _RESULT, _SOURCE, *paths]
    looked = container.with_mounted_directory(_SOURCE, source).with_exec(command)
    return parse_survey(await looked.file(_RESULT).contents())


def literal(path: str) -> str:
    """Write a path as a pattern that matches nothing else."""
    return "".join(f"\\{c}" if c in "*?[]\\!#" else c for c in path)
