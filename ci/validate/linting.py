"""Looks at the source and runs the linters, in one container that the engine keeps; asks registries about bases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import dagger
from dagger import dag

from ci.config.parse import referenced_paths
from ci.config.read import DEFAULT_CONFIG
from ci.core.engine import failure_of, fan_out
from ci.core.findings import Finding, error, warning
from ci.validate.dockerfile import Answer, check_bases
from ci.validate.linter_reports import parse_reports
from ci.validate.linters.survey import survey
from ci.validate.report import sort_findings
from ci.validate.source import dockerfiles_of, validate_source
from ci.validate.tree import Tree, make_tree, parse_survey
from ci.validate.workflow import Surface

BASE = "python:3.13-slim"
_TOOLS = "/linters"
_SOURCE = "/source"
_RESULT = "/result.json"
_PIP = [
    *("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"),
    *("--require-hashes", "--no-deps", "--only-binary=:all:"),
]
# What the linters read: their own configuration, and what they look at.
_READ = [".hadolint.yaml", ".hadolint.yml", "zizmor.yml", "zizmor.yaml", ".github", "action.yml", "action.yaml"]
_PATIENCE = 20  # seconds for the first answer of a registry that may not be reachable
_ASKED = 8  # registries' answers waited for at a time


async def find_all(
    source: dagger.Directory, file: dagger.File | None, surface: Surface, *, offline: bool
) -> tuple[Finding, ...]:
    """Find all that can be found in a source without building it.

    Args:
        source: the repository.
        file: the configuration, where it is not the default one.
        surface: what the calls in workflows may name.
        offline: ask no registry about base images, and go on where the linters' container cannot be had.

    """
    if file is None:
        if not await source.exists(DEFAULT_CONFIG, expected_type=dagger.ExistsType.REGULAR_TYPE):
            message, remedy = "the configuration does not exist in the source", "Write it, or name one by --config."
            return (error(DEFAULT_CONFIG, 1, "config", message, remedy),)
        file, name = source.file(DEFAULT_CONFIG), DEFAULT_CONFIG
    else:
        name = await file.name()
    text = await file.contents()
    paths = sorted(referenced_paths(text))
    findings: list[Finding] = []
    try:
        container = await linters(offline=offline)
        tree = await _look(container, source, paths)
        dockerfiles = dockerfiles_of(tree, text)
        findings += parse_reports(await lint(container, source, dockerfiles))
    except (dagger.DaggerError, TimeoutError) as problem:
        say = warning if offline else error
        message = f"hadolint, actionlint and zizmor did not run: {failure_of(problem, 'linters').reason}"
        remedy = f"They are made once, of {BASE} and packages, with a network; --offline goes on without them."
        findings.append(say(name, 1, "linters-missing", message, remedy))
        tree = await _look_alone(source, paths)
    checked = validate_source(tree, text=text, config=_place(tree, name), surface=surface)
    references = [] if offline else sorted({base.reference for _, base in checked.bases if not base.pinned})
    answers = await fan_out(references, _ask, limit=_ASKED)
    bases = check_bases(checked.bases, dict(zip(references, answers, strict=True)))
    return sort_findings([*findings, *checked.findings, *bases])


async def linters(*, offline: bool = False) -> dagger.Container:
    """Describe the container that holds the linters; it is made once, and again when a pin changes."""
    with anyio.fail_after(_PATIENCE if offline else None):
        pinned = await dag.container().from_(BASE).image_ref()
    base = dag.container().from_(pinned)
    actionlint = (
        _with(base, "go-requirements.txt")
        .with_exec([*_PIP, "-r", f"{_TOOLS}/go-requirements.txt"])
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
        .with_exec([*_PIP, "-r", f"{_TOOLS}/requirements.txt"])
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
    container: dagger.Container, source: dagger.Directory, dockerfiles: Sequence[str], *, persona: str = "regular"
) -> str:
    """Run the linters over a source; return what linters/lint.py prints. The persona is zizmor's."""
    # actionlint knows a repository by its .git.
    read = source.filter(include=[*_READ, *map(_literal, dockerfiles)]).with_new_directory(".git")
    return await (
        container.with_directory(_SOURCE, read)
        .with_workdir(_SOURCE)
        .with_exec(["python", f"{_TOOLS}/lint.py", _RESULT, persona, *dockerfiles])
        .file(_RESULT)
        .contents()
    )


async def _look(container: dagger.Container, source: dagger.Directory, paths: Sequence[str]) -> Tree:
    """Look at the source in the engine, which keeps the result for as long as nothing changes."""
    command = ["python", f"{_TOOLS}/survey.py", _RESULT, _SOURCE, *paths]
    looked = container.with_mounted_directory(_SOURCE, source).with_exec(command)
    return parse_survey(await looked.file(_RESULT).contents())


async def _look_alone(source: dagger.Directory, paths: Sequence[str]) -> Tree:
    """Look at the source where the function itself runs: slower for a large one, and needs no image."""
    with TemporaryDirectory() as folder:
        await source.export(folder)
        return make_tree(survey(Path(folder), paths))


async def _ask(reference: str) -> Answer:
    """Ask its registry what a reference names."""
    try:
        found = await dag.container().from_(reference).image_ref()
    except dagger.DaggerError as problem:
        reason = failure_of(problem, "resolve").reason
        gone = any(text in reason for text in ("not found", "denied", "does not exist"))
        return Answer(missing=reason) if gone else Answer(unknown=reason)
    return Answer(digest=found.rpartition("@")[2])


def _place(tree: Tree, name: str) -> str:
    """Find the configuration in the source, of which only the last part of the name is known."""
    found = [path for path in tree.files if path == name or path.endswith(f"/{name}")]
    return found[0] if len(found) == 1 else name


def _literal(path: str) -> str:
    """Write a path as a pattern that matches nothing else."""
    return "".join(f"\\{c}" if c in "*?[]\\!#" else c for c in path)
