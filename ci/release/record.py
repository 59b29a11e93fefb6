"""What is recorded, in the registry and beside a variant, of its build: what it was staged as, and what it has passed.

The record is an artifact whose subject is the variant's manifest. It is pushed by its digest, under no tag, after the
variant was verified. It holds nothing that differs between two runs of the same build.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from ci.build import Pins
from ci.core.errors import DrydockError
from ci.core.model import Cache, Config, Runners, Variant
from ci.core.names import is_digest
from ci.core.oci import Descriptor, Manifest, digest_of

KIND = "application/vnd.drydock.staged.v1+json"
_KEY = "dev.drydock.staged"  # the annotation that holds all of it, as JSON
_SCHEMA = 2  # 1 had no pins


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What a variant was staged as, and what it has passed."""

    variant: str
    digest: str  # of its manifest
    revision: str
    configuration: str  # digest_configuration
    annotations: Mapping[str, str] = field(default_factory=dict)  # of its entry in an index: commit, inputs, time
    base: Mapping[str, str] = field(default_factory=dict)  # labels that name what it is built on
    checks: tuple[str, ...] = ()  # the names of the smoke checks that it has passed
    reused: str = ""  # the sha- tag it was taken from, where this run has not built it
    attestation: str | None = None  # the digest of BuildKit's attestation manifest
    pins: Pins | None = None  # what its build had to take; None where this run has not built it, and nobody knows


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A variant that the repositories of its image have, and what is recorded of it."""

    record: Record
    manifest: Manifest
    attestation: Manifest | None = None  # BuildKit's, as the record names it


def digest_configuration(config: Config) -> str:
    """Reduce a configuration, with the texts of the run filled in, to a digest.

    Comments change nothing of it, nor does what decides neither what is built nor what has to pass.
    """
    kept = replace(
        config, cache=Cache(), rebuild_after=None, accepted=(), baseline=None, runners=Runners(), attest=None
    )
    return digest_of(json.dumps(asdict(kept), sort_keys=True, separators=(",", ":")).encode())


def write_record(entry: Entry) -> Manifest:
    """Write the record of a variant; the same record gives the same bytes."""
    variant = entry.manifest
    subject = Descriptor(media_type=variant.media_type, digest=variant.digest, size=len(variant.body))
    text = json.dumps({"schema": _SCHEMA, **asdict(entry.record)}, sort_keys=True, separators=(",", ":"))
    return Manifest.of_artifact(KIND, subject, {_KEY: text})


def read_record(manifest: Manifest) -> Record:
    """Read the record of a variant.

    Raises:
        DrydockError: it is none.

    """
    kind, subject = manifest.about
    record = _read(manifest.annotations.get(_KEY, "")) if kind == KIND else None
    if record is None or subject != record.digest:
        raise DrydockError(f"{manifest.digest} is no record of this version of Drydock")
    return record


def _read(text: str) -> Record | None:
    try:
        found = json.loads(text)
        if found.pop("schema") != _SCHEMA:
            return None
        record = Record(**{**found, "checks": tuple(found["checks"]), "pins": _pins(found["pins"])})
        texts = [record.variant, record.digest, record.revision, record.configuration, record.reused, *record.checks]
        pairs = [*record.annotations.items(), *record.base.items()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    texts += [record.attestation or "", *(text for pair in pairs for text in pair)]
    return record if all(isinstance(text, str) for text in texts) else None


def _pins(found: Mapping[str, object] | None) -> Pins | None:
    """Read what a build had to take.

    Raises:
        TypeError, ValueError, AttributeError: it is not as a stage writes it.

    """
    if found is None:
        return None
    pins = Pins(**found)  # type: ignore[arg-type]  # checked below
    if not all(isinstance(digest, str) and is_digest(digest) for digest in pins.digests.values()):
        raise ValueError
    if not (isinstance(pins.whole, bool) and isinstance(pins.still, bool)):
        raise TypeError
    return pins


def compose_index(entries: Sequence[Entry], variants: Sequence[Variant], annotations: Mapping[str, str]) -> Manifest:
    """Compose the index of an image; the same entries and annotations give the same bytes.

    What is attested of the variants stands behind them.

    Args:
        entries: of its variants, in their order.
        variants: of the image.
        annotations: of the index.

    """
    listed = [
        Descriptor(
            media_type=entry.manifest.media_type,
            digest=entry.manifest.digest,
            size=len(entry.manifest.body),
            platform=variant.platform,
            annotations=entry.record.annotations,
        )
        for entry, variant in zip(entries, variants, strict=True)
    ]
    attested = [entry.attestation.attesting(entry.manifest) for entry in entries if entry.attestation]
    return Manifest.of_index([*listed, *attested], annotations)
