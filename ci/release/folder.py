"""The file of a stage, staged.json: what was staged and where to look for it. What it says is read as a stranger's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from textwrap import shorten
from typing import TypeVar

from ci.core.errors import DrydockError
from ci.core.model import Outcome, Plan, Stage
from ci.core.names import is_digest, utc_text
from ci.core.text import clean
from ci.core.timeline import Row
from ci.release.record import Entry, digest_configuration, write_record
from ci.release.request import ReleaseRequest, Staged

STAGED = "staged.json"
MAX_STAGED = 1024 * 1024  # bytes
_SCHEMA = 1
_MAX_VARIANTS = 1000
_LONGEST = 1000  # characters of a text
_MOST_SECONDS = 1e7
_LAST_MOMENT = 1e11  # seconds since 1970
_REVISION = re.compile(r"[0-9a-f]{7,64}")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Smoke:
    """One smoke check, and whether it has passed."""

    name: str
    ok: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedVariant:
    """One variant that was built, or found to need no build, and what came of it."""

    variant: str
    image: str
    platform: str
    digest: str | None = None  # of its manifest; None: it was not pushed
    size: int | None = None  # bytes, compressed
    record: str | None = None  # the digest of its record
    attestation: str | None = None  # the digest of BuildKit's attestation manifest
    repositories: tuple[str, ...] = ()
    inputs: str | None = None  # their digest, where it is known
    reused: str | None = None  # the sha- tag it was taken from
    smoke: tuple[Smoke, ...] = ()
    failures: tuple[str, ...] = ()
    build_seconds: float = 0.0
    smoke_seconds: float = 0.0
    built_on: str | None = None  # the machine that built it
    stages: tuple[Stage, ...] = ()  # what was done for it, and when

    @property
    def row(self) -> Row:
        """What was done for it, to be drawn."""
        note = f"reused from {self.reused}" if self.reused else ""
        return Row(label=self.variant, machine=self.built_on or "", stages=self.stages, note=note)


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Where it was staged."""

    platform: str = ""  # of its engine
    engine: str = ""  # its version


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """What one stage has left."""

    revision: str
    created: str
    configuration: str  # digest_configuration
    machine: Machine = field(default_factory=Machine)
    variants: tuple[StagedVariant, ...] = ()
    place: str = ""  # which of those that were given, for messages

    def __str__(self) -> str:
        return f"{self.place or STAGED} (of an engine on {self.machine.platform or 'an unknown platform'})"


def make_folder(
    plan: Plan,
    request: ReleaseRequest,
    outcomes: Sequence[Outcome],
    staged: Sequence[Staged],
    *,
    inputs: Mapping[str, str],
    machine: Machine,
    rows: Sequence[Row] = (),
) -> Folder:
    """Say what came of a stage.

    Args:
        plan: all that is released.
        request: what the release will be asked for.
        outcomes: of what was staged, or could not be.
        staged: what all repositories have and show; none, where anything failed.
        inputs: the digest of what a variant was made from, where it is known, by its name.
        machine: where it was staged.
        rows: what was done for each variant, and when.

    """
    done = {row.label: row for row in rows}
    entries = {entry.record.variant: entry for one in staged for entry in one.entries}
    where: dict[str, list[str]] = {}
    for one in staged:
        where.setdefault(one.target.image.name, []).append(one.target.repository)
    return Folder(
        revision=request.revision,
        created=utc_text(request.created),
        configuration=digest_configuration(plan.config),
        machine=machine,
        variants=tuple(
            _describe(
                outcome,
                entries.get(str(outcome.variant)),
                inputs=inputs.get(str(outcome.variant)),
                repositories=where.get(outcome.variant.image.name, ()),
                row=done.get(str(outcome.variant), Row(label="")),
            )
            for outcome in outcomes
            if outcome.variant.image.release  # of any other, what is built on it tells
        ),
    )


def _describe(
    outcome: Outcome, entry: Entry | None, *, inputs: str | None, repositories: Sequence[str], row: Row
) -> StagedVariant:
    variant, failed = outcome.variant, {failure.step for failure in outcome.failures}
    ran = not outcome.reused and not failed & {"build"}
    return StagedVariant(
        variant=str(variant),
        image=variant.image.name,
        platform=variant.platform,
        digest=entry.manifest.digest if entry else None,
        size=outcome.size,
        record=write_record(entry).digest if entry else None,
        attestation=entry.record.attestation if entry else None,
        repositories=tuple(repositories) if entry else (),
        inputs=inputs,
        reused=outcome.reused or None,
        smoke=tuple(Smoke(name=c.name[:_LONGEST], ok=f"smoke: {c.name}" not in failed) for c in variant.checks if ran),
        failures=tuple(shorten(f"{f.step}: {f.reason}", _LONGEST, placeholder=" ...") for f in outcome.failures),
        build_seconds=round(outcome.build_seconds, 3),
        smoke_seconds=round(outcome.smoke_seconds, 3),
        built_on=row.machine[:_LONGEST] or None,
        stages=tuple(replace(s, detail=s.detail[:_LONGEST]) for s in row.stages),
    )


def render_folder(folder: Folder) -> str:
    """Write staged.json.

    Keys: schema (1), revision, created, configuration (a digest of the configuration as the run has filled it in),
    machine (platform, engine), and variants, a list of variant ("backend@linux/arm64"), image, platform, digest
    (of its manifest, or null: not pushed), size, record, attestation (digests, or null), repositories, inputs (a
    digest, or null), reused (the sha- tag it was taken from, or null), smoke (a list of name and ok), failures,
    build_seconds, smoke_seconds, built_on (the machine, or null) and stages (as in the report).
    """
    value = {"schema": _SCHEMA, **asdict(folder)}
    del value["place"]
    return json.dumps(value, indent=2) + "\n"


def read_folder(text: str, place: str) -> Folder:
    """Read staged.json.

    Args:
        text: of the file, of at most MAX_STAGED bytes.
        place: where it is, for messages.

    Raises:
        DrydockError: it is not what a stage writes; the text names the first key that is wrong.

    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise DrydockError(f"{place}: it is no JSON, so that no stage has written it") from None
    key = ""
    try:
        if not isinstance(found, dict) or found.get("schema") != _SCHEMA:
            raise DrydockError(
                f"{place}: its schema is not {_SCHEMA}: another version of Drydock has written it; stage and finish "
                "with the same version"
            )
        at = _Reader(found)
        variants = at.read("variants", _listed)
        machine = _Reader(at.read("machine", _mapping))
        return Folder(
            revision=at.read("revision", _revision),
            created=at.read("created", _text),
            configuration=at.read("configuration", _digest),
            machine=Machine(**{key: machine.read(key, _text) for key in ("platform", "engine")}),
            variants=tuple(map(_variant, variants)),
            place=place,
        )
    except _WrongError as error:
        key = str(error)
    raise DrydockError(f"{place}: {key!r} is not as a stage writes it; export the folder again")


class _WrongError(Exception):
    """The key of what has the wrong shape."""


@dataclass(frozen=True)
class _Reader:
    """Takes the values of one object, each of which has to be what it should be."""

    found: Mapping[str, object]

    def read(self, key: str, shape: Callable[[object], T | None]) -> T:
        """Take a value that has to be there."""
        value = shape(self.found.get(key))
        if value is None:
            raise _WrongError(key)
        return value

    def maybe(self, key: str, shape: Callable[[object], T | None]) -> T | None:
        """Take a value that may be null."""
        return None if self.found.get(key) is None else self.read(key, shape)


def _variant(value: object) -> StagedVariant:
    if not isinstance(value, dict):
        raise _WrongError("variants")
    at = _Reader(value)
    checks = [_Reader(check) for check in at.read("smoke", _listed) if isinstance(check, dict)]
    return StagedVariant(
        variant=at.read("variant", _text),
        image=at.read("image", _text),
        platform=at.read("platform", _text),
        digest=at.maybe("digest", _digest),
        size=at.maybe("size", _number),
        record=at.maybe("record", _digest),
        attestation=at.maybe("attestation", _digest),
        repositories=tuple(at.read("repositories", _texts)),
        inputs=at.maybe("inputs", _digest),
        reused=at.maybe("reused", _text),
        smoke=tuple(Smoke(name=check.read("name", _text), ok=check.found.get("ok") is True) for check in checks),
        failures=tuple(at.read("failures", _texts)),
        build_seconds=at.read("build_seconds", _seconds),
        smoke_seconds=at.read("smoke_seconds", _seconds),
        built_on=at.maybe("built_on", _text),
        stages=tuple(_stage(each) for each in at.read("stages", _listed)),
    )


def _stage(value: object) -> Stage:
    if not isinstance(value, dict):
        raise _WrongError("stages")
    at = _Reader(value)
    return Stage(
        name=at.read("name", _text),
        began=at.read("began", _moment),
        seconds=at.read("seconds", _seconds),
        detail=at.read("detail", _text),
        ok=at.found.get("ok") is True,
    )


def _mapping(value: object) -> dict[str, object] | None:
    return value if isinstance(value, dict) else None


def _listed(value: object) -> list[object] | None:
    return value if isinstance(value, list) and len(value) <= _MAX_VARIANTS else None


def _texts(value: object) -> list[str] | None:
    read = [_text(each) for each in _listed(value) or ()]
    return None if not isinstance(value, list) or None in read else [text for text in read if text is not None]


def _text(value: object) -> str | None:
    """Take a text that can be shown, on one line."""
    return clean(value).replace("\n", " ") if isinstance(value, str) and len(value) <= _LONGEST else None


def _digest(value: object) -> str | None:
    return value if isinstance(value, str) and is_digest(value) else None


def _revision(value: object) -> str | None:
    return value if isinstance(value, str) and _REVISION.fullmatch(value) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _moment(value: object) -> float | None:
    """Take seconds since 1970."""
    return float(value) if isinstance(value, int | float) and 0 <= value < _LAST_MOMENT else None


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < _MOST_SECONDS else None
