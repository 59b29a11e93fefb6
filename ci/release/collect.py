"""Reads from the registries what was staged: nothing is believed because a folder says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import dagger

from ci.core.engine import Stopwatch
from ci.core.errors import DrydockError
from ci.core.model import Variant
from ci.core.oci import Manifest
from ci.core.text import clean
from ci.registry import RegistryError, RegistryErrorKind
from ci.release.claims import to_stage
from ci.release.folder import MAX_STAGED, STAGED, Folder, StagedVariant, read_folder
from ci.release.record import Entry, Record, compose_index, read_record
from ci.release.registries import Registries
from ci.release.request import PushError, ReleaseRequest, Staged, Target
from ci.release.reuse import as_named
from ci.release.sending import keep_attested
from ci.release.tags import read_live
from ci.release.uploads import Uploads

_MOST = 100  # staged.json in one folder
_NAME = 60  # characters of a path in a message


async def read_folders(given: Sequence[dagger.Directory]) -> tuple[Folder, ...]:
    """Read the staged.json of each folder, or of the folders in it.

    Raises:
        DrydockError: one holds none, or one that no stage has written.

    """
    folders: list[Folder] = []
    for number, directory in enumerate(given, 1):
        paths = sorted({*await directory.glob(STAGED), *await directory.glob(f"*/{STAGED}")})
        if not 0 < len(paths) <= _MOST:
            raise DrydockError(
                f"--staged, folder {number} of {len(given)}: it holds {len(paths) or 'no'} {STAGED}; give what dagger "
                "call stage ... export --path FOLDER has written, or a folder of such folders"
            )
        for path in paths:
            place = f"folder {number}, {clean(path)[:_NAME]}"
            file = directory.file(path)
            if await file.size() > MAX_STAGED:
                raise DrydockError(f"{place}: it has more than {MAX_STAGED} bytes, so that no stage has written it")
            folders.append(read_folder(await _text(file, place), place))
    return tuple(folders)


async def _text(file: dagger.File, place: str) -> str:
    try:
        return await file.contents()
    except dagger.DaggerError:
        raise DrydockError(f"{place}: it is no text, so that no stage has written it") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Collector:
    """Makes a release of what was staged.

    Args:
        registries: that it was staged in.
        request: what the release is asked for.
        configuration: the digest of the one that it is for.
        staged: what the folders say, by variant.

    """

    registries: Registries
    request: ReleaseRequest
    configuration: str
    staged: Mapping[str, StagedVariant]

    async def collect(self, targets: Sequence[Target], watch: Stopwatch) -> tuple[Staged, ...]:
        """Read all variants of an image and their records from its repositories, and compose the index.

        Args:
            targets: all of one image.
            watch: notes when each variant was read.

        Raises:
            PushError: something is missing, or is not what it was staged as.

        """
        entries: list[Entry] = []
        problems: list[str] = []
        for variant in targets[0].variants:
            try:
                with watch.step(str(variant), "verify"):
                    entries.append(await self._read(targets, variant))
            except PushError as error:
                problems += error.problems
        if problems:
            raise PushError(tuple(problems))
        if self.request.once and (live := await self._own(targets, entries)):
            return tuple(Staged(target=as_named(target), index=live, entries=tuple(entries)) for target in targets)
        base, *others = (entry.record.base for entry in entries)
        same = all(other == base for other in others)
        labels = {**targets[0].labels, **(base if same else {})}
        known = zip(targets[0].variants, entries, strict=True)
        pins = {variant.platform: entry.record.pins for variant, entry in known if entry.record.pins}
        index = compose_index(entries, targets[0].variants, {**labels, **targets[0].image.annotations})
        if not self.request.overwrite:
            index = await keep_attested(Uploads(self.registries), targets, index)
        note = (
            ""
            if same
            else f"{targets[0].image.name}: its variants were built on different bases, one of which has moved between "
            "two stages; its index names none"
        )
        return tuple(
            Staged(target=replace(target, labels=labels, pins=pins), index=index, entries=tuple(entries), note=note)
            for target in targets
        )

    async def _read(self, targets: Sequence[Target], variant: Variant) -> Entry:
        """Read one variant and its record.

        Raises:
            PushError: says all that is wrong with it.

        """
        claim = self.staged[str(variant)]
        manifests, problems = [], []
        for target in targets:
            try:
                manifests.append(await self._get(target, variant, str(claim.digest), "it"))
            except DrydockError as error:
                problems.append(str(error))
        record: Record | None = None
        for target in targets if not problems else ():
            try:
                found = await self._get(target, variant, str(claim.record), "the record of its checks")
                record = self._recorded(target, variant, found)
                break
            except DrydockError as error:
                problems.append(str(error))
        if record is None:
            raise PushError(tuple(problems))
        if wrong := self._wrong(variant, claim, record):
            raise PushError((f"{targets[0].repository}: {wrong}; {to_stage(variant, self.request)}",))
        return Entry(
            record=record, manifest=manifests[0], attestation=await self._attestation(targets, variant, record)
        )

    async def _attestation(self, targets: Sequence[Target], variant: Variant, record: Record) -> Manifest | None:
        """Read the attestation that a variant was staged with, from all of its repositories.

        Raises:
            PushError: some lack it.

        """
        if not record.attestation:
            return None
        found, problems = [], []
        for target in targets:
            try:
                found.append(await self._get(target, variant, record.attestation, "the attestation of its build"))
            except DrydockError as error:
                problems.append(str(error))
        if problems:
            raise PushError(tuple(problems))
        return found[0]

    async def _get(self, target: Target, variant: Variant, digest: str, what: str) -> Manifest:
        """Read a manifest by its digest, and say in a sentence of its own where it is gone or another one.

        Raises:
            DrydockError: it cannot be read.

        """
        try:
            return await self.registries.of(target).get_manifest(target.name, digest)
        except RegistryError as error:
            if error.kind is RegistryErrorKind.NOT_FOUND:
                raise DrydockError(
                    f"{variant}: {target.repository} does not serve {what} as it was staged, {digest}: it was deleted, "
                    f"or staged elsewhere; {to_stage(variant, self.request)}"
                ) from None
            if error.kind is RegistryErrorKind.PROTOCOL:
                raise DrydockError(
                    f"{variant}: {target.repository} serves something else in place of {digest}: {error}"
                ) from None
            raise DrydockError(f"{variant}: {target.repository}: {error}") from None

    def _recorded(self, target: Target, variant: Variant, found: Manifest) -> Record:
        """Read a record, or say what to do where another version has written it, or nobody.

        Raises:
            DrydockError: it is none.

        """
        try:
            return read_record(found)
        except DrydockError as error:
            raise DrydockError(f"{variant}: {target.repository}: {error}; {to_stage(variant, self.request)}") from None

    def _wrong(self, variant: Variant, claim: StagedVariant, record: Record) -> str:
        """Say in what a record is not that of this variant of this release; nothing where it is."""
        request = self.request
        if (record.variant, record.digest) != (str(variant), claim.digest):
            return f"the record that {variant} is staged with is of {clean(record.variant)[:_NAME]}, {record.digest}"
        if record.revision != request.revision:
            return (
                f"{variant} was staged for the commit {clean(record.revision)[:_NAME]}, and this is {request.revision}"
            )
        if record.configuration != self.configuration:
            return f"{variant} was staged with another configuration"
        if missing := next((check.name for check in variant.checks if check.name not in record.checks), ""):
            return f"no record says that {variant} has passed its smoke check {missing!r}"
        if record.pins is None and not record.reused:
            return f"no record says which images the build of {variant} had to take"
        return ""

    async def _own(self, targets: Sequence[Target], entries: Sequence[Entry]) -> Manifest | None:
        """Find what the commit's own tag names already, if it is these very variants: it stays as it is."""
        wanted = sorted(entry.manifest.digest for entry in entries)
        for target in targets:
            live = await read_live(self.registries.of(target), target.name, target.own)
            if live and live.is_index and sorted(entry.digest for entry in live.entries) == wanted:
                return live
        return None
