"""Turns this repository's own workflow and hook into those of another one, which calls the module by its address."""

from __future__ import annotations

import re

from ci.core.errors import DrydockError

# As Dagger takes it: no white space, nothing that YAML or a shell reads as more than text.
_ADDRESS = re.compile(r"(?:https://|ssh://)?[A-Za-z0-9_.~][A-Za-z0-9_./~-]*(?:@[A-Za-z0-9_./-]+)?")
_ARGUMENTS = re.compile(r"^( +)(args: >-\n +--source \.)$", re.MULTILINE)
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


def adapt_workflow(text: str, module: str) -> str:
    """Let every step of the workflow that calls Dagger call the module at an address."""
    adapted, count = _ARGUMENTS.subn(rf"\1module: {module}\n\1\2", text)
    if not count or "module:" in text:
        raise ValueError("the workflow no longer calls Dagger with `args: >-` and `--source .`")
    return adapted.replace("ci/github/events.py", "ci/github/events.py of the module")


def adapt_hook(text: str, module: str) -> str:
    """Let the hook call the module at an address, unless git's own configuration says otherwise."""
    if text.count(_DEFAULT) != 1:
        raise ValueError(f"the hook no longer says {_DEFAULT}")
    return text.replace(_DEFAULT, _DEFAULT.replace('"$here"', module))
