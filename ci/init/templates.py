"""Turns this repository's own workflow and hook into those of another one, which calls the module by its address."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence

from ci.core.errors import DrydockError
from ci.core.runners import Machine
from ci.dockerfile import GIT
from ci.init.checkout import Input
from ci.init.machines import fit_workflow
from ci.init.released import Triggers

# As Dagger takes it: no white space, nothing that YAML or a shell reads as more than text.
_ADDRESS = re.compile(r"(?:https://|ssh://)?[A-Za-z0-9_.~][A-Za-z0-9_./~-]*(?:@[A-Za-z0-9_./-]+)?")
_ARGUMENTS = re.compile(r"^( +)(args: >-\n +--source \.)$", re.MULTILINE)
_CHECKOUT = re.compile(r"^( +)persist-credentials: false$", re.MULTILINE)
_SOURCE = re.compile(r"^( +)--source \.$", re.MULTILINE)
_PUSH = re.compile(r"^  push:\n(?:    .*\n)+", re.MULTILINE)
_RELEASE = re.compile(r"^  # release:.*\n  #   types: .*\n", re.MULTILINE)
_SCHEDULE = re.compile(r"^  # schedule:.*\n  #   - cron: .*\n", re.MULTILINE)
_DEFAULT = 'module=$(git config drydock.module || echo "$here")'


def check_module(address: str) -> str:
    """Return the address of a module that can stand in a workflow and in a shell script; refuse any other.

    Raises:
        DrydockError: it is not an address such as github.com/acme/drydock@v1.

    """
    if not _ADDRESS.fullmatch(address):
        raise DrydockError(
            f"The module {address!r} is not an address such as github.com/drydock/drydock@v1: "
            "letters, digits and . _ / ~ -, and a version after @"
        )
    return address


def adapt_workflow(
    text: str,
    module: str,
    inputs: Collection[Input] = (),
    triggers: Triggers = Triggers(),  # noqa: B008
    machines: Sequence[Machine] = (),
) -> str:
    """Let every step of the workflow that calls Dagger call the module at an address, on the machines that build.

    Args:
        text: the workflow.
        module: the address.
        inputs: what every checkout is given; with the whole history, every build is given .git.
        triggers: what starts the workflows that release today; nothing known leaves the template's own.
        machines: that build; none where they are not known, which is one machine.

    """
    adapted, count = _ARGUMENTS.subn(rf"\1module: {module}\n\1\2", fit_workflow(text, machines))
    adapted = _CHECKOUT.sub(lambda found: found[0] + "".join(f"\n{found[1]}{line}" for line in inputs), adapted)
    if Input.HISTORY in inputs:
        adapted = _SOURCE.sub(rf"\g<0>\n\1--git {GIT}", adapted)
    adapted = _triggered(adapted, triggers)
    if not count or "module:" in text:
        raise ValueError("the workflow no longer calls Dagger with `args: >-` and `--source .`")
    return adapted.replace("ci/github/events.py", "ci/github/events.py of the module")


def _triggered(text: str, triggers: Triggers) -> str:
    """Start the workflow by what starts the release today."""
    if triggers == Triggers():
        return text
    branches = [branch for branch in triggers.branches if branch != "**"]
    tags = ["*" if tag == "**" else tag for tag in triggers.tags]
    lines = []
    if branches or "**" in triggers.branches:
        lines.append(f"    branches: {_list(branches) if branches else '[main, master]'}")
    if tags:
        lines.append(f"    tags: {_list(tags)}")
    push = "".join(f"{line}\n" for line in (["  push:", *lines] if lines else []))
    push += "  release:\n    types: [published]\n" if triggers.release else ""
    push += "  schedule:\n" + "".join(f'    - cron: "{cron}"\n' for cron in triggers.crons) if triggers.crons else ""
    adapted, count = _PUSH.subn(lambda _: push, text)
    if count != 1:
        raise ValueError("the workflow no longer says on which branches and tags it starts")
    if triggers.release:
        adapted = _RELEASE.sub("", adapted)
    return _SCHEDULE.sub("", adapted) if triggers.crons else adapted


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(json.dumps(name) for name in names)}]"


def adapt_hook(text: str, module: str) -> str:
    """Let the hook call the module at an address, unless git's own configuration says otherwise."""
    if text.count(_DEFAULT) != 1:
        raise ValueError(f"the hook no longer says {_DEFAULT}")
    return text.replace(_DEFAULT, _DEFAULT.replace('"$here"', module))
