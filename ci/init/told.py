"""Says what init has written, and what to type next: for people whose terminal shows no list of changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci.core.runners import Machine, are_several
from ci.init.proposed import Proposal


def tell(written: Mapping[str, str], proposal: Proposal, *, module: str, config: str, install: str) -> str:
    """Write it.

    Args:
        written: the files that are new: of each path what to say behind it.
        proposal: what the configuration holds; without images where it is an earlier one.
        module: the address by which the module is called.
        config: the path of the configuration.
        install: the path of the script that installs the hook.

    """
    if not written:
        return f"init: {config}, the workflow and the hook are there, and stay as they are (--overwrite replaces them)."
    lines = ["init writes:", *(f"  {path}{about}" for path, about in written.items())]
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


def about_machines(machines: Sequence[Machine]) -> str:
    """Say of the workflow how many jobs build."""
    if not are_several(machines):
        return ": one job builds and releases"
    each = ", ".join(f"{machine.platform} on {machine.runs_on}" for machine in machines)
    return f": one job for each platform ({each}), and one that releases"


def about_images(proposal: Proposal) -> str:
    """Say of the configuration how many images it holds, and where they are from."""
    count = len(proposal.images)
    if not count:
        return ""
    origin = "as they are released today" if proposal.released else "a guess, from the Dockerfiles alone"
    return f": {count} image{'s' if count > 1 else ''}, {origin}"
