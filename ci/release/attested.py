"""Reads back what is attested of the variants of an index, and holds it against what was promised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ci.build import Pins
from ci.core.attestations import (
    MAX_STATEMENT,
    PREDICATE,
    PROVENANCE,
    SBOM,
    Attested,
    Provenance,
    Sbom,
    Statement,
    read_provenance,
    read_sbom,
    read_statement,
)
from ci.core.engine import fan_out
from ci.core.errors import DrydockError
from ci.core.oci import REFERENCE, Descriptor, Manifest
from ci.core.supply import Promised, ProvenanceMode, match_package
from ci.registry import RegistryClient

_AT_A_TIME = 4
_SHOWN = 5  # packages in a sentence
MAIN = "sbom"  # what BuildKit calls the scan of the image itself; others begin with it (frontend/attestations/sbom)


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What one variant is, as the rest of the registry says it."""

    digest: str
    revision: str = ""  # the commit that it was built from
    base: str = ""  # the name of the image that it descends from, where that is recorded
    base_digest: str = ""
    pins: Pins | None = None  # what its build had to take, where this run knows, or the record of its stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What is attested of a variant, what is wrong with that, and what it lacks."""

    attested: Attested = field(default_factory=Attested)
    problems: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


async def read_statements(
    client: RegistryClient, repository: str, entry: Descriptor, digest: str
) -> tuple[tuple[str, Statement], ...]:
    """Read what is said of a variant: the digest of each statement, and the statement; each document by its digest.

    Args:
        client: of the registry.
        repository: as the registry knows it.
        entry: of the attestation manifest, in the index.
        digest: of the variant.

    Raises:
        DrydockError: it cannot be read, or is of something else.

    """
    manifest = await client.get_manifest(repository, entry.digest)
    if len(manifest.body) != entry.size:
        raise DrydockError(f"the attestation has {len(manifest.body)} bytes, the index says {entry.size}")
    if (subject := manifest.about[1]) not in ("", digest):
        raise DrydockError(f"its attestation is of {subject}, not of {digest}")
    found: list[tuple[str, Statement]] = []
    for layer in manifest.image.layers:
        kind = layer.annotations.get(PREDICATE, "")
        if not kind.startswith((PROVENANCE, SBOM)):
            continue
        if layer.size > MAX_STATEMENT:
            raise DrydockError(f"the statement {layer.digest} has {layer.size} bytes, more than {MAX_STATEMENT}")
        statement = read_statement(await client.get_blob(repository, layer.digest, limit=layer.size), layer.digest)
        if statement.predicate_type != kind:
            raise DrydockError(
                f"the statement {layer.digest} is {statement.predicate_type}, and its manifest says {kind}"
            )
        if digest not in statement.subjects:
            of = ", ".join(statement.subjects) or "nothing"
            raise DrydockError(f"its {_name(kind)} is of {of}, not of {digest}")
        found.append((layer.digest, statement))
    return tuple(found)


async def read_attested(client: RegistryClient, repository: str, entry: Descriptor, digest: str) -> Attested:
    """Read what is attested of a variant, as read_statements does, and make values of it.

    Raises:
        DrydockError: it cannot be read, is of something else, or is not of the kind that it says.

    """
    found = Attested()
    for name, statement in await read_statements(client, repository, entry, digest):
        found = _with(found, statement, name)
    return found


def _name(kind: str) -> str:
    return "SBOM" if kind.startswith(SBOM) else "provenance"


def _with(found: Attested, statement: Statement, digest: str) -> Attested:
    if statement.predicate_type.startswith(PROVENANCE):
        if found.provenance:
            raise DrydockError("it has provenance twice")
        return replace(found, provenance=read_provenance(statement.predicate, digest))
    sbom = read_sbom(statement.predicate, digest)
    if sbom.name.startswith(f"{MAIN}-"):
        return replace(found, stages=(*found.stages, sbom))
    if found.sbom:
        raise DrydockError("it has two SBOMs")
    return replace(found, sbom=sbom)


async def inspect_attestations(
    client: RegistryClient,
    repository: str,
    index: Manifest,
    expected: Sequence[Expected],
    promised: Promised,
) -> tuple[dict[str, Reading], tuple[str, ...]]:
    """Read what is attested of each variant; return that by its digest, and what is wrong with the index itself.

    Args:
        client: of the registry.
        repository: as the registry knows it.
        index: of the image.
        expected: its variants.
        promised: what has to be attested.

    """
    entries: dict[str, Descriptor] = {}
    problems: list[str] = []
    known = {each.digest for each in expected}
    for entry in index.attestations:
        subject = entry.annotations.get(REFERENCE, "")
        if subject not in known:
            problems.append(f"the attestation {entry.digest} is of {subject or 'nothing'}, which is no variant of it")
        elif subject in entries:
            problems.append(f"{subject} has two attestations: {entries[subject].digest} and {entry.digest}")
        else:
            entries[subject] = entry
    look = partial(_look, client, repository, entries, promised)
    readings = await fan_out(expected, look, limit=_AT_A_TIME)
    return {each.digest: reading for each, reading in zip(expected, readings, strict=True)}, tuple(problems)


async def _look(
    client: RegistryClient,
    repository: str,
    entries: Mapping[str, Descriptor],
    promised: Promised,
    expected: Expected,
) -> Reading:
    found = Attested()
    if entry := entries.get(expected.digest):
        try:
            found = await read_attested(client, repository, entry, expected.digest)
        except DrydockError as error:
            return Reading(problems=(str(error),))
    return judge(found, promised, expected)


def judge(found: Attested, promised: Promised, expected: Expected) -> Reading:
    """Hold what is attested of a variant against what was promised, and against what else is known of it."""
    require = promised.require
    lacks: list[str] = []
    problems: list[str] = []
    if found.provenance is None and (require.provenance or promised.provenance is not ProvenanceMode.OFF):
        (problems if require.provenance else lacks).append("no provenance says how it was made")
    if found.sbom is None and (require.sbom or require.without or promised.generator):
        (problems if require.sbom or require.without else lacks).append("no SBOM says what is in it")
    if found.provenance:
        problems += _judge_provenance(found.provenance, promised, expected)
    if found.sbom:
        problems += _judge_sbom(found.sbom, expected)
        problems += _unwanted(found.sbom, require.without)
    if not promised.before:
        return Reading(attested=found, problems=(*lacks, *problems))
    return Reading(attested=found, problems=tuple(problems), lacks=tuple(lacks))


def _judge_provenance(found: Provenance, promised: Promised, expected: Expected) -> Iterator[str]:
    if expected.revision and found.revision != expected.revision:
        yield f"its provenance is of commit {found.revision or 'none'}, and the image of {expected.revision}"
    if promised.provenance is ProvenanceMode.MAX and not promised.before and found.mode != "max":
        yield "its provenance has neither its Dockerfile nor its steps, and the configuration says provenance: max"
    if expected.base_digest and expected.base_digest not in {digest for _, digest in found.bases}:
        named = ", ".join(f"{reference}@{digest}" for reference, digest in found.bases) or "none"
        yield f"it is based on {expected.base}@{expected.base_digest}, and its provenance names other images: {named}"
    elif expected.pins:
        try:
            expected.pins.check(found.bases, beside=promised.generator, then="build it again")
        except DrydockError as error:
            yield f"by its provenance, {error}"


def _judge_sbom(found: Sbom, expected: Expected) -> Iterator[str]:
    if not found.packages and expected.base:
        yield f"its SBOM is empty, and it is based on {expected.base}"
    elif found.of_distribution and not found.distribution:
        yield "its SBOM lists packages of a distribution, and does not name it"


def _unwanted(found: Sbom, patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        if packages := [each for each in found.packages if match_package(pattern, each.name, each.kind)]:
            shown = ", ".join(f"{each.name} {each.version}".strip() for each in packages[:_SHOWN])
            more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
            yield f"it has {shown}{more}, and the configuration says require: without: {pattern}"
