"""Names the images that are pushed by digest, a platform at a time, as the job does that makes one index of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ci.init.holes import hide, show_again, shown
from ci.init.naming import named, tagged
from ci.init.released import Built, unique, without_platform
from ci.init.run import Run
from ci.init.scripts import Values, expand
from ci.init.tagging import read_name
from ci.init.workflows import Job

_MERGES = re.compile(r"\bdocker manifest create\b|\bimagetools create\b|\bmanifest-tool\b")
_COMMAND = re.compile(r"\bimagetools create\b.*")
_NAME = re.compile(r"(?<!\S)(?:-t|--tag)[= ]\s*(\S+)")
_OPENS, _CLOSES = re.compile(r"(?:if|case)\s"), re.compile(r"(?:fi|esac)\b")
_ENDS = re.compile(r"\bexit(?:\s+0)?\s*(?:$|[;}])")
_DEEPEST = 8  # jobs that wait for each other


def note_merge(run: Run, script: str, values: Values) -> None:
    """Note the names that a script gives an index of several images, and those that it may give.

    Args:
        run: of the job.
        script: of one of its steps.
        values: what its variables may be.

    """
    opened, ended = 0, False
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        word = line.strip()
        opened += bool(_OPENS.match(word)) - bool(_CLOSES.match(word))
        ended = ended or bool(_ENDS.search(word))
        if not (command := _COMMAND.search(word)) or word.startswith("#"):
            continue
        options = [_names(option) for option in expand(command[0], values)]
        always = [name for name in options[0] if all(name in other for other in options)]
        always = [] if opened or ended else always
        run.merged += always
        run.chosen += [name for option in options for name in option if name not in always]


def _names(command: str) -> list[str]:
    bare, kept = hide(command)
    return [show_again(name, kept) for name in _NAME.findall(bare)]


def name_later(runs: Sequence[tuple[Job, Run]]) -> None:
    """Give images that are pushed by their digests the names that a job gives them which waits for theirs."""
    for job, run in runs:
        made: list[Built] = []
        alone = [bare.by_digest for bare in run.bare].count(True) == 1
        for bare, built in zip(run.bare, run.built, strict=True):
            made += _named_by(bare, built, job, runs, alone=alone)
        run.built = made
    for job, run in runs:
        for later, its in runs:
            if later.file == job.file and job.name in later.needs and not its.built and _fits(job, later):
                condition = its.condition or later.events
                run.built = [
                    named(replace(built, unnamed=()), its.metas.values(), its.outputs, condition)
                    if not built.rules and not built.local and (its.metas or its.outputs)
                    else built
                    for built in run.built
                ]


def _named_by(bare: Built, built: Built, job: Job, runs: Sequence[tuple[Job, Run]], *, alone: bool) -> list[Built]:
    """Name an image as each job does that makes an index of it; its own job's words are for its labels alone."""
    found = []
    waiting = [*_waiting(job, runs)] if bare.by_digest else []
    for later, its in waiting:
        metas = [its.metas[name] for name in its.metas if name in its.own_metas]
        condition = its.condition or later.events
        if metas:
            made = named(bare, metas, its.outputs, condition)
        else:
            names = [name for name in unique(its.merged) if alone or _may_be(name, bare)]
            made = named(tagged(bare, names, {}, its.outputs, condition), (), {}, condition)
        if made.rules:
            found.append(made)
    chosen = unique(shown(name) for _, its in waiting for name in its.chosen)
    if waiting and bare.local and not found and not chosen:
        return [replace(bare, repositories=())]  # it is there for those that are built on it
    first = found[0] if found else built
    said = (f"{bare.place}: a script chooses whether it is named {' '.join(chosen)}",) if chosen else ()
    return [replace(first, lost=unique((*first.lost, *said))), *found[1:]]


def _may_be(name: str, bare: Built) -> bool:
    """Tell whether a name is one of an image, of several in one job: by what the repositories end with."""
    ends = {repository.rpartition("/")[2] for repository in bare.repositories}
    return not ends or read_name(name).repository.rpartition("/")[2] in ends


def _waiting(job: Job, runs: Sequence[tuple[Job, Run]]) -> Iterator[tuple[Job, Run]]:
    """List the jobs that make an index, and wait for a job, or for one that waits for it."""
    names = {job.name}
    for _ in range(_DEEPEST):
        names |= {later.name for later, _ in runs if later.file == job.file and names & {*later.needs}}
    for later, its in runs:
        waits = later.file == job.file and later.name in names and later.name != job.name
        if waits and not its.built and _fits(job, later) and any(map(_MERGES.search, its.scripts)):
            yield later, its


def _fits(job: Job, later: Job) -> bool:
    """Tell whether two jobs are of the same case, as far as their matrices have words in common."""
    same = {name for name in job.known.keys() & later.known.keys() if name.startswith("matrix.")}
    return all(job.known[name] == later.known[name] for name in same)


def merge_platforms(runs: Sequence[tuple[Job, Run]]) -> None:
    """Take the platform out of the names of images that a later job makes one of, and give them the names of that."""
    for job, run in runs:
        merged = any(_MERGES.search(script) for other, its in runs if other.file == job.file for script in its.scripts)
        run.built = [_of_all_platforms(built, job, runs) if merged else built for built in run.built]


def _of_all_platforms(built: Built, job: Job, runs: Sequence[tuple[Job, Run]]) -> Built:
    plain = without_platform(built)
    if plain is built:
        return built
    for later, its in _waiting(job, runs):
        names = [name for name in its.merged if read_name(name).repository in built.repositories]
        if names:
            made = tagged(replace(plain, rules=()), unique(names), {}, its.outputs, its.condition or later.events)
            plain = replace(made, repositories=built.repositories)
    return plain
