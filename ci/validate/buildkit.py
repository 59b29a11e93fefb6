"""Has BuildKit read the Dockerfiles of a source, all in one container, whose answers the engine keeps."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import dagger
from dagger import dag

from ci.core.buildkit import IMAGE, LOGIN, NO_ROOT, needs_root
from ci.core.engine import failure_of
from ci.core.findings import Finding, error, warning
from ci.validate.buildkit_reports import read_answers, read_unanswered, read_unfetched
from ci.validate.buildkit_script import DOCKERFILES, NO_BASES, RESULT, STATE, Subject, write_script
from ci.validate.linting import literal

_SCRIPT = "/ask.sh"
_PATIENCE = 20  # seconds for the first answer of a registry that may not be reachable


async def ask_buildkit(
    source: dagger.Directory,
    subjects: Sequence[Subject],
    config: str,
    *,
    offline: bool,
    login: dagger.Secret | None = None,
) -> list[Finding]:
    """Find what BuildKit says of each image: why it would refuse to build it, and what it warns of.

    Args:
        source: the repository.
        subjects: the images, each with its Dockerfile.
        config: the path of the configuration, for the findings.
        offline: have it ask no registry about base images, and go on where it cannot be had itself.
        login: Docker's config.json with the logins for base images.

    """
    asked = [subject for subject in subjects if subject.is_own]
    others = read_unanswered([subject for subject in subjects if not subject.is_own])
    if not asked:
        return others
    try:
        return [*others, *await _ask(source, asked, config, offline=offline, login=login)]
    except (dagger.DaggerError, TimeoutError) as problem:
        say = warning if offline else error
        reason = failure_of(problem, "buildkit")
        why = NO_ROOT if needs_root(str(problem)) else reason.stderr or reason.reason
        message = f"BuildKit read no Dockerfile: {why}"
        remedy = f"It runs in {IMAGE}, which the engine fetches once; --offline goes on without it."
        faults = [fault for subject in subjects for fault in subject.dockerfile.faults]
        return [*faults, say(config, 1, "buildkit-missing", message, remedy)]


async def _ask(
    source: dagger.Directory,
    subjects: Sequence[Subject],
    config: str,
    *,
    offline: bool,
    login: dagger.Secret | None,
) -> list[Finding]:
    """Ask with the base images first, since variables come from them; without them where they cannot be had."""
    container = dag.container().from_(IMAGE)
    if offline:
        with anyio.fail_after(_PATIENCE):
            await container.sync()
    # Only what a source is reduced to is told apart by its content, and kept while that is the same.
    files = source.filter(include=[literal(subject.file) for subject in subjects])
    for subject in subjects:
        if subject.linked:  # what it leads to was left out
            files = files.without_file(subject.file).with_new_file(subject.file, subject.text)
    container = container.with_mounted_directory(DOCKERFILES, files).with_mounted_temp(STATE)
    if login:
        container = container.with_mounted_secret(LOGIN, login)
    unfetched: list[Finding] = []
    if not offline:
        try:
            answers = await _run(container, write_script(subjects, bases=True))
            return read_answers(subjects, answers, config=config, bases=True)
        except dagger.ExecError as failed:
            if failed.exit_code != NO_BASES:
                raise
            unfetched = read_unfetched(subjects, failed.stderr)
    answers = await _run(container, write_script(subjects, bases=False))
    return [*unfetched, *read_answers(subjects, answers, config=config, bases=False)]


async def _run(container: dagger.Container, script: str) -> str:
    """Run a daemon and all requests to it in one command: it has its result as long as nothing changes."""
    done = container.with_new_file(_SCRIPT, script).with_exec(["sh", _SCRIPT], insecure_root_capabilities=True)
    return await done.file(RESULT).contents()
