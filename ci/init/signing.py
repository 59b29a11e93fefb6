"""Reads by what a job attests or signs the images that it pushes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ci.core.model import Attest
from ci.init.documents import Lines, text_of
from ci.init.run import Run
from ci.init.workflows import Job

# Between these steps of the workflow that init writes, every digest is in a registry, and none has a name.
BEFORE, AFTER = "Put the images together, under no tag", "Release what is staged, smoke-checked and attested"
_ATTESTS = re.compile(r"actions/attest(?:-build-provenance|-sbom)?(?:@.*)?")
_OWN_PREDICATE = frozenset(("sbom-path", "predicate", "predicate-path"))
_SIGNS = re.compile(r"\b(cosign|notation)\s+(?:sign|attest)(?![\w-])|\bdocker\s+(trust)\s+sign\b")
_INSTALLS = "cosign-installer"
_TO_DO = f"put such a step between {BEFORE!r} and {AFTER!r}, for each digest of prepared/checksums.txt"


def note_attestation(run: Run, uses: str, given: Lines, step: Lines) -> None:
    """Note a step of GitHub's action that attests an image; what has a path or a list of checksums is a file."""
    to_registry = given.get("push-to-registry", "") not in ("", "false")
    if not _ATTESTS.fullmatch(uses) or not (given.get("subject-digest") or to_registry):
        return
    if "attest-sbom" in uses or _OWN_PREDICATE & given.keys():
        said = "attests more than the provenance: here the SBOM is in the index, and not signed by itself"
        run.signs.append(f"{run.place}: {said}")
        return
    quiet = text_of(step, "continue-on-error") not in ("", "false")
    run.attests.append(Attest.OPTIONAL if quiet else Attest.REQUIRED)
    if to_registry:
        said = "push-to-registry: the workflow of init leaves attestations at GitHub, and in no registry"
        run.signs += [] if any(line.endswith(said) for line in run.signs) else [f"{run.place}: {said}"]


def note_signing(run: Run, script: str) -> None:
    """Note a script that signs an image."""
    lines = (line for line in script.splitlines() if not line.lstrip().startswith("#"))
    tools = dict.fromkeys((found[1] or "docker trust") for line in lines for found in _SIGNS.finditer(line))
    if tools:
        run.signs = [line for line in run.signs if not line.endswith(_unseen())]
        run.signs.append(f"{run.place}: signs by {' and '.join(tools)}: {_TO_DO}")


def note_installer(run: Run, action: str) -> None:
    """Note a step that brings cosign, as long as no step is found that signs by it."""
    if action == _INSTALLS:
        run.signs.append(f"{run.place}: {_unseen()}")


def _unseen() -> str:
    return f"installs cosign: what it signs is not read; {_TO_DO}"


def list_signing(runs: Sequence[tuple[Job, Run]]) -> tuple[Attest | None, list[str]]:
    """Say whether images are attested, as far as the workflows that push them tell; name all else that signs."""
    files = {job.file for job, run in runs if run.built} or {job.file for job, run in runs if run.logged_in}
    beside = [run for job, run in runs if job.file in files]
    found = [attest for run in beside for attest in run.attests]
    attest = Attest.REQUIRED if Attest.REQUIRED in found else next(iter(found), None)
    said = {line.partition(": ")[2]: line for run in reversed(beside) for line in reversed(run.signs)}
    return attest, [*reversed(said.values())]  # each once, with its first place
