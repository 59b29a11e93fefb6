"""Finds all that can be found in a source without building it: the stages of `validate`, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # whatever a function takes and returns

import anyio
import dagger
from dagger import dag
from dagger.mod import default_module
from dagger.mod._resolver import Function as Registered

from ci.config import find_config, plan_build, referenced_paths
from ci.core.engine import PYTHON, failure_of, fan_out, missing_base
from ci.core.errors import ConfigError
from ci.core.findings import Finding, error, warning
from ci.core.model import Plan
from ci.core.text import parse_word
from ci.validate.accept import Judged, leave_accepted
from ci.validate.buildkit import ask_buildkit
from ci.validate.buildkit_reports import REFUSED
from ci.validate.dockerfile import Answer, BaseImage, check_bases
from ci.validate.linter_reports import parse_reports, raised_rules
from ci.validate.linters.survey import survey as survey_here
from ci.validate.linting import lint, linters, survey
from ci.validate.report import FORMATS, report_or_fail, sort_findings
from ci.validate.source import Validation, dockerfiles_of, follow_links, validate_source
from ci.validate.surface import Function, Parameter, Surface
from ci.validate.tree import Tree, make_tree
from ci.validate.workflow import Workflows, list_workflows

LogIn = Callable[[Plan], Awaitable[dagger.Secret | None]]

_SAID = ("base-missing", "base-unresolved", "stage-unknown")  # of images that BuildKit cannot get either
_ASKED = 8  # registries' answers waited for at a time


async def validate(
    source: dagger.Directory,
    file: dagger.File | None,
    *,
    module: str,
    offline: bool,
    workflows: str,
    style: str,
    fail: bool,
    log_in: LogIn | None = None,
) -> str:
    """Print all that can be found in a source without building it.

    Args:
        source: the repository.
        file: the configuration, where it is not the default one.
        module: the name of this module, whose calls in workflows are checked.
        offline: ask no registry about base images, and go on where the linters or BuildKit cannot be had.
        workflows: which are linted: own, those that call this module, or all.
        style: how the findings are written: table, json, sarif or baseline.
        fail: whether an error among them fails the call.
        log_in: logs in for base images; without, all are asked for by nobody in particular.

    Raises:
        PipelineError: there are errors; its text is what would have been printed.
        SelectionError: there is no such style, or no such choice of workflows.

    """
    wanted, which = parse_word(style, FORMATS), parse_word(workflows, Workflows, "workflows")
    judged = await find_all(source, file, module=module, offline=offline, which=which, log_in=log_in)
    return report_or_fail(sort_findings(judged.findings), wanted, accepted=judged.accepted, fail=fail)


async def find_all(
    source: dagger.Directory,
    file: dagger.File | None,
    *,
    module: str,
    offline: bool,
    which: Workflows,
    log_in: LogIn | None = None,
) -> Judged:
    """Find all that can be found in a source without building it, but what was accepted.

    Args:
        source: the repository.
        file: the configuration, where it is not the default one.
        module: the name of this module, whose calls in workflows are checked.
        offline: ask no registry about base images, and go on where the linters or BuildKit cannot be had.
        which: the workflows to lint.
        log_in: logs in for base images; without, all are asked for by nobody in particular.

    """
    try:
        name, text = await find_config(source, file)
    except ConfigError as missing:
        return Judged(findings=missing.findings)
    surface = read_surface(module)
    tree, linted = await _survey_and_lint(source, text, name, surface, which, offline=offline)
    config = _place(tree, name)
    checked = validate_source(tree, text=text, config=config, surface=surface)
    login = None
    if log_in and checked.config and not offline:
        login = await log_in(plan_build(checked.config))
    read, answers = await _ask_both(source, checked, name, offline=offline, login=login)
    found = merge([*linted, *checked.findings, *check_bases(checked.bases, answers)], read)
    return leave_accepted(
        dict.fromkeys(follow_links(tree, found)),
        checked.config.accepted if checked.config else (),
        read=lambda path: text if path == config else tree.text(path),
        config=config,
        baseline=checked.config.baseline if checked.config else None,
    )


def merge(found: Sequence[Finding], read: Sequence[Finding]) -> list[Finding]:
    """Put what BuildKit says beside the rest, and leave out of both what the other says better."""
    said = {finding.file for finding in found if finding.rule in _SAID}
    refused = {(finding.file, finding.line) for finding in read if finding.rule == REFUSED}
    return [
        *(f for f in found if (f.file, f.line) not in refused or f.rule not in ("base-unclear", "stage-unknown")),
        *(finding for finding in read if finding.file not in said or not finding.rule.startswith("base-")),
    ]


async def _ask_both(
    source: dagger.Directory, checked: Validation, config: str, *, offline: bool, login: dagger.Secret | None
) -> tuple[list[Finding], Mapping[str, Answer]]:
    """Ask BuildKit about the Dockerfiles and, at the same time, the registries about base images."""
    read: list[Finding] = []
    answers: dict[str, Answer] = {}

    async def dockerfiles() -> None:
        read.extend(await ask_buildkit(source, checked.subjects, config, offline=offline, login=login))

    async def registries() -> None:
        answers.update(await _ask_registries([base for _, base in checked.bases]))

    async with anyio.create_task_group() as group:
        group.start_soon(dockerfiles)
        if not offline:
            group.start_soon(registries)
    return read, answers


async def _survey_and_lint(
    source: dagger.Directory, text: str, name: str, surface: Surface, which: Workflows, *, offline: bool
) -> tuple[Tree, list[Finding]]:
    """Survey a source and run the linters over it; without their container, survey it alone."""
    paths = sorted(referenced_paths(text))
    try:
        container = await linters(offline=offline)
        tree = await survey(container, source, paths)
        workflows = list_workflows(tree, surface, which)
        reports = await lint(container, source, dockerfiles_of(tree, text), workflows)
        own = tree.text(".hadolint.yaml") or tree.text(".hadolint.yml") or ""
        return tree, parse_reports(reports, None if which is Workflows.ALL else workflows, raised_rules(own))
    except (dagger.DaggerError, TimeoutError) as problem:
        say = warning if offline else error
        message = f"hadolint, actionlint and zizmor did not run: {failure_of(problem, 'linters').reason}"
        remedy = f"They are made once, of {PYTHON} and packages, with a network; --offline goes on without them."
        return await _survey_alone(source, paths), [say(name, 1, "linters-missing", message, remedy)]


async def _survey_alone(source: dagger.Directory, paths: Sequence[str]) -> Tree:
    """Survey a source where the function itself runs: slower for a large one, and needs no image."""
    with TemporaryDirectory() as folder:
        await source.export(folder)
        return make_tree(survey_here(Path(folder), paths))


async def _ask_registries(bases: Sequence[BaseImage]) -> Mapping[str, Answer]:
    """Ask the registries about the base images that are not pinned; return the answers by reference."""
    references = sorted({base.reference for base in bases if not base.pinned})
    answers = await fan_out(references, _ask, limit=_ASKED)
    return dict(zip(references, answers, strict=True))


async def _ask(reference: str) -> Answer:
    """Ask its registry what a reference names."""
    try:
        found = await dag.container().from_(reference).image_ref()
    except dagger.DaggerError as problem:
        reason = failure_of(problem, "resolve").reason
        gone = any(text in reason for text in ("not found", "denied", "does not exist"))
        return Answer(missing=reason + await missing_base(reference)) if gone else Answer(unknown=reason)
    return Answer(digest=found.rpartition("@")[2])


def _place(tree: Tree, name: str) -> str:
    """Find the configuration in the source, of which only the last part of the name is known."""
    found = [path for path in tree.files if path == name or path.endswith(f"/{name}")]
    return found[0] if len(found) == 1 else name


def read_surface(module: str, main: str = "Ci") -> Surface:
    """List the functions of the module's main object, and their arguments, as the CLI names them."""
    main_object = default_module().get_object(main)
    functions = {
        _kebab(name): Function(
            name=_kebab(name),
            parameters=_parameters(function),
            ends=function.return_type in (str, None, type(None)),
        )
        for name, function in main_object.functions.items()
        if name
    }
    constructor = Function(name="", parameters=_parameters(main_object.get_constructor()), ends=False)
    return Surface(module=module, constructor=constructor, functions=functions)


def _parameters(function: Registered[Any, Any]) -> dict[str, Parameter]:
    return {
        _kebab(p.name): Parameter(name=_kebab(p.name), flag=p.resolved_type is bool, required=not p.is_optional)
        for p in function.parameters.values()
    }


def _kebab(name: str) -> str:
    return name.replace("_", "-")
