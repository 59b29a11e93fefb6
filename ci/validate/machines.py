"""Checks that a workflow builds each platform of the configuration, and where the configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ci.core.findings import Finding, error, note, warning
from ci.core.model import Config
from ci.core.runners import Machine, are_several, list_machines
from ci.core.text import show
from ci.validate.calls import Entry, Job, read_workflow
from ci.validate.checkout import names_config
from ci.validate.surface import Surface
from ci.validate.tree import Tree
from ci.validate.workflow import Workflows, is_own, list_workflows

_FUNCTION, _FINISHING, _PART = "github", "--staged", "--platforms"


def check_machines(tree: Tree, surface: Surface, parsed: Config, *, config: str) -> Iterator[Finding]:
    """Find jobs that build by an event and leave a platform out, or build it elsewhere than the configuration says.

    Args:
        tree: what the source holds.
        surface: the functions and arguments that calls may name.
        parsed: the configuration.
        config: its path; a call that names another one is passed over.

    """
    machines = list_machines(parsed)
    for file in list_workflows(tree, surface, Workflows.OWN):
        told = False  # that one machine does all of it
        for job in read_workflow(tree.text(file) or "").jobs:
            calls = [call for call in job.calls if is_own(call, tree, surface) and names_config(call, config)]
            building = [call for call in calls if _FUNCTION in call.words and _FINISHING not in call.words]
            if not building:
                continue
            if job.entries:
                yield from _check_entries(file, job, machines, config)
            elif not any(_PART in word for call in building for word in call.words):
                shared = parsed.runners.shared
                if shared and job.labels and job.labels != shared:
                    yield _differs(file, job.line, job.labels, machines[0], config, shared=True)
                elif are_several(machines) and not told:
                    told = True
                    yield _one(file, job.line, machines, config)


def _check_entries(file: str, job: Job, machines: Sequence[Machine], config: str) -> Iterator[Finding]:
    built = {entry.platform: entry for entry in job.entries}
    known = {machine.platform: machine for machine in machines}
    for platform, machine in known.items():
        if platform not in built:
            message = f"no entry of this matrix is for {platform}, for which {config} has images"
            remedy = f"Add to it: - {machine.entry}"
            yield error(file, job.entries[-1].line, "matrix-platform", message, remedy)
    for platform, entry in built.items():
        yield from _check_entry(file, entry, known.get(platform), config)


def _check_entry(file: str, entry: Entry, machine: Machine | None, config: str) -> Iterator[Finding]:
    if not machine:
        message = f"this entry is for {show(entry.platform)}, for which {config} has no image"
        yield error(file, entry.line, "matrix-platform", message, "Delete the entry.")
    elif entry.labels and entry.labels != machine.labels:
        yield _differs(file, entry.line, entry.labels, machine, config)


def _differs(
    file: str, line: int, labels: Sequence[str], machine: Machine, config: str, *, shared: bool = False
) -> Finding:
    found = Machine(platform=machine.platform, labels=tuple(labels)).runs_on
    what = "every platform" if shared else machine.platform
    message = f"{what} is built on {found} here, and on {machine.runs_on} by {config}"
    value = found if shared else f"{{{machine.platform}: {found}}}"
    remedy = f"Write {machine.runs_on} here, or in {config}: runners: {value}"
    return warning(file, line, "matrix-runner", message, remedy)


def _one(file: str, line: int, machines: Sequence[Machine], config: str) -> Finding:
    others = ", ".join(f"{machine.platform} on {machine.runs_on}" for machine in machines)
    message = (
        f"one machine builds for all platforms, and emulates those that are not its own; each could have one: {others}"
    )
    remedy = f"init --overwrite writes such a workflow; if one is right, say so in {config}: runners: LABEL"
    return note(file, line, "matrix-none", message, remedy)
