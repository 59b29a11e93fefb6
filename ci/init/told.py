"""Says what init has written, and what to type next: for people whose terminal shows no list of changes."""

from __future__ import annotations

from collections.abc import Sequence

from ci.init.proposed import Proposal


def tell(written: Sequence[str], proposal: Proposal, *, module: str, config: str, install: str) -> str:
    """Write it.

    Args:
        written: the paths of the files that are new.
        proposal: what the configuration holds; without images where it is an earlier one.
        module: the address by which the module is called.
        config: the path of the configuration.
        install: the path of the script that installs the hook.

    """
    if not written:
        return f"init: {config}, the workflow and the hook are there, and stay as they are (--overwrite replaces them)."
    lines = ["init writes:", *(f"  {path}{_about(proposal) if path == config else ''}" for path in written)]
    if proposal.lost:
        lines.append(f"{len(proposal.lost)} lines at the end of {config} say what could not be taken over, and why.")
    call = f"dagger -m {module} call --source ."
    example = f" --only {proposal.images[0].image.name}" if proposal.images else ""
    return "\n".join(
        [
            *lines,
            "What to type next:",
            f"  {call} validate",
            f"  {call} build-all{example} --platforms linux/amd64",
            f"  sh {install}",
        ]
    )


def _about(proposal: Proposal) -> str:
    count = len(proposal.images)
    if not count:
        return ""
    origin = "as they are released today" if proposal.released else "a guess, from the Dockerfiles alone"
    return f": {count} image{'s' if count > 1 else ''}, {origin}"
