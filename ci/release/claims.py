"""Holds what the folders of stages say against the plan: what is missing, what failed, and what belongs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ci.core.model import Plan, Variant
from ci.core.names import utc_text
from ci.release.folder import Folder, StagedVariant
from ci.release.record import digest_configuration
from ci.release.request import ReleaseRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What folders say of a plan: nothing of it is known to be true."""

    staged: Mapping[str, StagedVariant] = field(default_factory=dict)  # by variant
    problems: tuple[str, ...] = ()


def judge_folders(plan: Plan, request: ReleaseRequest, folders: Sequence[Folder], *, pushed: bool = True) -> Claims:
    """Say what folders lack, each fault in a sentence of its own.

    Args:
        plan: all of it has to be staged.
        request: the release that they are for.
        folders: of all stages.
        pushed: whether all has to be in the registry, or only to be checked.

    """
    wanted = {str(variant): variant for variant in plan.variants if variant.image.release or not pushed}
    problems: list[str] = []
    found: dict[str, list[tuple[StagedVariant, Folder]]] = {name: [] for name in wanted}
    elsewhere: set[str] = set()
    for folder in folders:
        if fault := _elsewhere(plan, request, folder):
            problems.append(fault)
            elsewhere |= {one.variant for one in folder.variants}
            continue
        for one in folder.variants:
            if one.variant in found:
                found[one.variant].append((one, folder))
            elif one.variant not in map(str, plan.variants):
                problems.append(
                    f"{folder} names {one.variant!r}, which the plan does not have; no stage has written it"
                )
    staged: dict[str, StagedVariant] = {}
    for name, variant in wanted.items():
        if name in elsewhere and not found[name]:
            continue  # said of its folder already
        faults = [*_faults(variant, found[name], request, pushed=pushed)]
        problems += faults
        if not faults:
            staged[name] = found[name][0][0]
    return Claims(staged=staged, problems=tuple(problems))


def _elsewhere(plan: Plan, request: ReleaseRequest, folder: Folder) -> str:
    """Say why a folder is not of this release; nothing where it is."""
    if folder.revision != request.revision:
        return (
            f"{folder} was staged for the commit {folder.revision}, and this is {request.revision}; "
            f"give the folders of {request.revision}, or finish with --revision {folder.revision}"
        )
    if folder.created != utc_text(request.created):
        return (
            f"{folder} was staged with --created {folder.created}, and this is {utc_text(request.created)}; "
            "give stage and finish the same, as git log -1 --format=%cI prints it"
        )
    ours = digest_configuration(plan.config)
    if folder.configuration != ours:
        return (
            f"{folder} was staged with another configuration ({_short(folder.configuration)}, this is {_short(ours)}); "
            "give stage and finish the same --config, --owner, --version and --ref"
        )
    return ""


def _faults(
    variant: Variant, found: Sequence[tuple[StagedVariant, Folder]], request: ReleaseRequest, *, pushed: bool
) -> Iterator[str]:
    if not found:
        yield f"{variant} is in none of the folders: nobody has staged it; {to_stage(variant, request)}"
        return
    if len({(one.digest, one.record) for one, _ in found}) > 1:
        each = ", ".join(f"{one.digest or 'nothing'} in {folder}" for one, folder in found)
        yield f"{variant} is in {len(found)} folders that differ: {each}; give the newest of them alone"
        return
    one, folder = found[0]
    failed = [text for each, _ in found for text in each.failures]
    failed += [f"smoke: {check.name}" for each, _ in found for check in each.smoke if not check.ok]
    if failed:
        yield f"{variant} failed in {folder}: {failed[0]}; mend that, then {to_stage(variant, request)}"
    elif pushed and not (one.digest and one.record):
        why = "it was built there, and not pushed, since something else failed or nothing was to be released"
        yield f"{variant} has no digest in {folder}: {why}; {to_stage(variant, request)}"
    elif not pushed and not one.reused and (missing := _unchecked(variant, one)):
        yield f"{variant} was staged in {folder} without its smoke check {missing!r}; {to_stage(variant, request)}"


def _unchecked(variant: Variant, one: StagedVariant) -> str:
    passed = {check.name for check in one.smoke}
    return next((check.name for check in variant.checks if check.name not in passed), "")


def to_stage(variant: Variant, request: ReleaseRequest) -> str:
    """Say how a variant is staged: what to type, and where."""
    return (
        f"run the job that stages {variant.platform} again, or type dagger call stage --only {variant.image.name} "
        f"--platforms {variant.platform} --revision {request.revision} --created {utc_text(request.created)} ... "
        "export --path FOLDER"
    )


def _short(digest: str) -> str:
    return digest[:19]  # "sha256:" and twelve digits
