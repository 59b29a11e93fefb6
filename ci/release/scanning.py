"""Has scanners of the user's choice judge what is in each image, before any tag."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Sequence
from functools import partial

import dagger

from ci.core.attestations import SBOM, read_sbom
from ci.core.engine import explain, fan_out, step
from ci.core.errors import DrydockError
from ci.core.oci import REFERENCE
from ci.core.supply import Scan
from ci.core.text import last_lines
from ci.release.attested import MAIN, read_statements
from ci.release.registries import Registries
from ci.release.release import Promise
from ci.release.request import Staged

_FILE = "/sbom.spdx.json"  # where the scanner finds it
_CACHE = "/cache"  # a volume: databases are fetched once
_AT_A_TIME = 2
_LINES = 12  # of what a scanner printed


def promise_scans(scans: Sequence[Scan]) -> tuple[Promise, ...]:
    """Make what a release looks at before any tag, of what scanners say."""
    return (partial(_scan_all, scans),) if scans else ()


async def _scan_all(scans: Sequence[Scan], registries: Registries, staged: Sequence[Staged]) -> Sequence[str]:
    """Run all scanners on all variants; say what is wrong."""
    one_each = list({one.target.image.name: one for one in staged}.values())
    found = await fan_out(one_each, partial(_scan_image, scans, registries), limit=_AT_A_TIME)
    return [text for texts in found for text in texts]


async def _scan_image(scans: Sequence[Scan], registries: Registries, one: Staged) -> Sequence[str]:
    texts: list[str] = []
    for variant, entry in zip(one.target.variants, one.index.entries, strict=True):
        try:
            document = await _document(registries, one, entry.digest)
            for scan in scans:
                with step(f"{variant} scan"):
                    texts += [f"{variant}: {text}" for text in await _scan(scan, document)]
        except DrydockError as error:
            texts.append(f"{variant}: {error}")
    return texts


async def _document(registries: Registries, one: Staged, digest: str) -> str:
    """Read the SBOM of a variant as it is served."""
    client = registries.of(one.target)
    for entry in one.index.attestations:
        if entry.annotations.get(REFERENCE) == digest:
            for name, statement in await read_statements(client, one.target.name, entry, digest):
                if statement.predicate_type == SBOM and read_sbom(statement.predicate, name).name == MAIN:
                    return json.dumps(statement.predicate)
    raise DrydockError("no SBOM says what is in it, so that nothing can be scanned")


async def _scan(scan: Scan, document: str) -> Sequence[str]:
    container = (
        dagger.dag.container()
        .from_(scan.image)
        .with_new_file(_FILE, document)
        .with_mounted_cache(_CACHE, dagger.dag.cache_volume("drydock-scan"))
        .with_env_variable("XDG_CACHE_HOME", _CACHE)
        # What was no weakness yesterday may be one today.
        .with_env_variable("DRYDOCK_ASKED", uuid.uuid4().hex)
        .with_exec(list(scan.run), expect=dagger.ReturnType.ANY)
    )
    command = shlex.join(scan.run)
    try:
        code, printed, complained = await container.exit_code(), await container.stdout(), await container.stderr()
    except dagger.DaggerError as error:
        raise DrydockError(f"the scanner {scan.image} could not be run as {command}: {explain(error)}") from None
    if not code:
        return ()
    said = last_lines(printed.strip() or complained, _LINES)
    return (f"the scanner {scan.image} ended with exit code {code}: {command}\n{said}",)
