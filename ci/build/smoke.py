"""Runs one variant's smoke checks on its own platform: container and checks in, failures out."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import anyio
import dagger

from ci.build import look
from ci.build.files import judge_config, judge_file, judge_metadata, match_of
from ci.build.look import Facts
from ci.build.probe import compare
from ci.build.services import beside
from ci.build.started import Group, ask_group, group_checks
from ci.core.checks import ConfigCheck, FileCheck, MetadataCheck, RunCheck, SmokeCheck
from ci.core.engine import PYTHON, failure_of, fan_out, with_variables
from ci.core.model import Failure, Variant
from ci.core.oci import ImageConfig
from ci.core.text import last_lines

_ROOT = "/image"
_FACTS = "/facts.json"
# As os.Expand of Go reads it: $NAME, ${NAME}, and the shell's own, such as $1 and $$.
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([*#$@!?0-9-])|([A-Za-z_][A-Za-z0-9_]*))")


async def smoke_variant(
    container: dagger.Container,
    config: ImageConfig,
    variant: Variant,
    *,
    limit: int,
    images: Mapping[str, dagger.Container] | None = None,
) -> tuple[Failure, ...]:
    """Run every check of a variant; return what failed, in the order of the checks.

    Args:
        container: made of the variant.
        config: its configuration, as its archive or its registry has it.
        variant: of the plan.
        limit: how many checks run at a time.
        images: containers of the other images of the run that are services beside it, by name.

    """
    checks = [_expanded(check, config) for check in variant.checks]
    runs = [check for check in checks if isinstance(check.check, RunCheck)]
    files = [check for check in checks if isinstance(check.check, FileCheck)]
    services = variant.image.services
    found: dict[str, Failure] = {check.name: failure for check in checks if (failure := _compared(check, config))}

    async def started() -> None:
        ask = partial(ask_group, container, services, images or {}, str(variant))
        groups: Sequence[Group] = group_checks(checks)
        for failures in await fan_out(groups, ask, limit=limit):
            found.update(failures)

    async def commands() -> None:
        results = await fan_out(runs, partial(_command, container, variant, images or {}), limit=limit)
        found.update({failure.step: failure for failure in results if failure})

    async def looks() -> None:
        found.update(await _look(container, files) if files else {})

    async with anyio.create_task_group() as group:
        for work in (started, commands, looks):
            group.start_soon(work)
    return tuple(replace(found[c.name], step=f"smoke: {c.name}") for c in checks if c.name in found)


def _expanded(smoke: SmokeCheck, config: ImageConfig) -> SmokeCheck:
    """Put the image's own variables where a structure test names them."""
    if smoke.expands is None:
        return smoke
    given = {name: _expand(value, config.env) for name, value in smoke.expands.items()}
    known = {**config.env, **given}
    own = {name: _expand(value, known) for name, value in smoke.env.items()}
    check = smoke.check
    match check:
        case RunCheck():
            # A command before it leaves a container that has the test's own variables.
            seen = {**known, **own} if check.setup else known
            check = replace(check, argv=tuple(_expand(word, seen) for word in check.argv))
        case FileCheck():
            path = _expand(check.path, known)
            check = replace(check, path=path if path.startswith("/") else f"/{path}")
    return replace(smoke, check=check, env={**given, **own})


def _expand(text: str, env: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: env.get(found[1] or found[2] or found[3] or "", ""), text)


def _compared(smoke: SmokeCheck, config: ImageConfig) -> Failure | None:
    """Run a check that needs the image's configuration alone."""
    match smoke.check:
        case ConfigCheck() as check:
            problems = judge_config(check, config)
        case MetadataCheck() as check:
            problems = judge_metadata(check, config)
        case _:
            problems = []
    return Failure(step=smoke.name, reason="; ".join(problems)) if problems else None


async def _look(container: dagger.Container, checks: Sequence[SmokeCheck]) -> dict[str, Failure]:
    """Look at all paths at once, from beside the image, which may have no shell and be of any platform."""
    wanted = [check.check for check in checks if isinstance(check.check, FileCheck)]
    paths = json.dumps([(check.path, check.follow, check.content is not None) for check in wanted])
    client = dagger.dag.container().from_(PYTHON).with_new_file("/look.py", inspect.getsource(look))
    try:
        done = client.with_mounted_directory(_ROOT, container.rootfs())
        text = await done.with_exec(["python", "/look.py", _ROOT, paths, _FACTS]).file(_FACTS).contents()
    except dagger.DaggerError as error:
        return {check.name: failure_of(error, check.name) for check in checks}
    facts = [Facts(**found) for found in json.loads(text)]
    judged = zip(checks, wanted, facts, strict=True)
    found = {smoke.name: "; ".join(judge_file(check, each)) for smoke, check, each in judged}
    return {name: Failure(step=name, reason=reason) for name, reason in found.items() if reason}


async def _command(
    container: dagger.Container, variant: Variant, images: Mapping[str, dagger.Container], smoke: SmokeCheck
) -> Failure | None:
    """Run a command in the image; every way it can end is an answer."""
    if not isinstance(smoke.check, RunCheck):
        raise TypeError(smoke.name)
    check, step = smoke.check, smoke.name
    try:
        async with beside(variant.image.services, smoke.services, images, f"{variant}: {step}") as around:
            container = with_variables(container, smoke.env)
            container = around.bind(container if check.user is None else container.with_user(check.user))
            for words in check.setup:
                container = container.with_exec(list(words), expect=dagger.ReturnType.ANY)
            failure = await _run(container, check, step, check.deadline + around.patience)
            if failure and around.known:
                return await around.why_one_failed(step) or await around.explain(failure)
            return failure
    except dagger.DaggerError as error:
        return failure_of(error, step)


async def _run(container: dagger.Container, check: RunCheck, step: str, patience: float) -> Failure | None:
    # The engine keeps what it does not take for a failure; one that it does runs again at the next call.
    expect = dagger.ReturnType.ANY if check.exit_code else dagger.ReturnType.SUCCESS
    done = container.with_exec(list(check.argv), expect=expect)
    command = shlex.join(check.argv)
    try:
        with anyio.fail_after(patience):
            # Each question takes some milliseconds, and there are many checks: one that is to succeed fails each.
            told = not check.exit_code and bool(check.stdout or check.stderr)
            code = 0 if told else await done.exit_code()
            failed = code != check.exit_code
            out = await done.stdout() if failed or check.stdout else ""
            err = await done.stderr() if failed or check.stderr else ""
    except dagger.ExecError as error:
        if error.command != list(check.argv):
            return failure_of(error, step)  # a command before it, or a service beside it
        # The engine takes 128 to 191 for a failure whatever is expected (0.21.8, core/container.go, ReturnCodes).
        failed, code, out, err = error.exit_code != check.exit_code, error.exit_code, error.stdout, error.stderr
    except TimeoutError:
        return Failure(step=step, reason=f"did not end within {check.deadline:g} s", command=command)
    problems = []
    if failed:
        problems.append(f"expected exit code {check.exit_code}, got {code}")
    problems += compare(out, match_of(check.stdout), "stdout") + compare(err, match_of(check.stderr), "stderr")
    if not problems:
        return None
    return Failure(
        step=step,
        reason="; ".join(problems),
        command=command,
        exit_code=code,
        stderr=last_lines(err or out),
    )
