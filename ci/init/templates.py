"""Turns this repository's own workflow and hook into those of another one, which calls the module by its address."""

from __future__ import annotations

import re
from collections.abc import Collection

from ci.core.errors import DrydockError
from ci.dockerfile import GIT
from ci.init.checkout import Input

# As Dagger takes it: no white space, nothing that YAML or a shell reads as more than text.
_ADDRESS = re.compile(r"(?:https://|ssh://)?[A-Za-z0-9_.~][A-Za-z0-9_./~-]*(?:@[A-Za-z0-9_./-]+)?")
_ARGUMENTS = re.compile(r"^( +)(args: >-\n +--source \.)$", re.MULTILINE)
_CHECKOUT = re.compile(r"^( +)persist-credentials: false$", re.MULTILINE)
_SOURCE = re.compile(r"^( +)--source \.$", re.MULTILINE)
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


def adapt_workflow(text: str, module: str, inputs: Collection[Input] = ()) -> str:
    """Let every step of the workflow that calls Dagger call the module at an address.

    Args:
        text: the workflow.
        module: the address.
        inputs: what every checkout is given; with the whole history, every build is given .git.

    """
    adapted, count = _ARGUMENTS.subn(rf"\1module: {module}\n\1\2", text)
    adapted = _CHECKOUT.sub(lambda found: found[0] + "".join(f"\n{found[1]}{line}" for line in inputs), adapted)
    if Input.HISTORY in inputs:
        adapted = _SOURCE.sub(rf"\g<0>\n\1--git {GIT}", adapted)
    if not count or "module:" in text:
        raise ValueError("the workflow no longer calls Dagger with `args: >-` and `--source .`")
    return adapted.replace("ci/github/events.py", "ci/github/events.py of the module")


def adapt_hook(text: str, module: str) -> str:
    """Let the hook call the module at an address, unless git's own configuration says otherwise."""
    if text.count(_DEFAULT) != 1:
        raise ValueError(f"the hook no longer says {_DEFAULT}")
    return text.replace(_DEFAULT, _DEFAULT.replace('"$here"', module))
