"""Moves tags of several images: all of them, or back to what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import anyio

from ci.core.engine import gather
from ci.core.errors import DrydockError
from ci.core.names import CREATED, VERSION
from ci.core.oci import Manifest
from ci.registry import RegistryClient
from ci.release.outcome import Change, TagOutcome
from ci.release.request import Target, rank_tags
from ci.tags import compare_versions

_AT_A_TIME = 4
_RESTORE_SECONDS = 120  # a cancelled release still restores, for so long


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A tag that shall name a manifest which the registry serves already."""

    target: Target
    tag: str
    manifest: Manifest
    rank: int = 0  # tags of one rank move together

    @property
    def reference(self) -> str:
        """The tag with its repository, for messages."""
        return f"{self.target.repository}:{self.tag}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What became of all moves."""

    tags: tuple[TagOutcome, ...]
    problems: tuple[str, ...] = ()


def list_moves(named: Sequence[tuple[Target, Manifest]]) -> tuple[Move, ...]:
    """List the moves that make the tags of all targets name their manifests: tag by tag, `latest` last."""
    manifests = {target.key: manifest for target, manifest in named}
    return tuple(
        Move(target=target, tag=tag, manifest=manifests[target.key], rank=rank)
        for rank, target, tag in rank_tags([target for target, _ in named])
    )


async def read_live(client: RegistryClient, name: str, tag: str) -> Manifest | None:
    """Read what a tag names now; nothing where there is no such tag."""
    digest = await client.resolve(name, tag)
    return await client.get_manifest(name, digest) if digest else None


async def find_unreadable(client: RegistryClient, targets: Sequence[Target]) -> tuple[str, ...]:
    """Ask what each tag names, and return why where nobody says: what cannot be read cannot be given back either."""
    asked = {
        f"{target.repository}:{tag}": (target.name, tag) for target in targets for tag in (target.own, *target.tags)
    }

    async def ask(one: tuple[str, str]) -> str | None:
        return await client.resolve(*one)

    _, failed = await gather(asked, ask, limit=_AT_A_TIME)
    return tuple(f"{reference}: {error}" for reference, error in failed.items())


async def untouched(client: RegistryClient, target: Target, tag: str) -> TagOutcome:
    """Say what a tag names that was not written; a registry that gives no answer leaves it unknown."""
    known = TagOutcome(repository=target.repository, tag=tag, before=None, after=None, change=Change.NOT_WRITTEN)
    try:
        live = await client.resolve(target.name, tag)
    except DrydockError:
        return replace(known, change=Change.UNKNOWN, note="not written; the registry does not say what it names")
    return replace(known, before=live, after=live)


Before = Mapping[str, Manifest | None]  # what each tag named before anything was moved, by its reference


async def read_before(client: RegistryClient, moves: Sequence[Move]) -> Before:
    """Read what every tag that shall be moved names now."""
    return {move.reference: await read_live(client, move.target.name, move.tag) for move in moves}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which tags to move, and which to leave because what they name is newer."""

    moves: tuple[Move, ...]
    kept: tuple[TagOutcome, ...] = ()
    notes: tuple[str, ...] = ()


def leave_newer(before: Before, moves: Sequence[Move], created: str | None) -> Choice:
    """Take out a tag, for all images, where any of them names what is newer than what it would be moved to.

    Of two versions the greater one is newer; of anything else, what was made of a later commit.

    Args:
        before: what the tags name now.
        moves: of all images, those of one rank together.
        created: when the commit was made (RFC 3339, UTC); None takes out nothing.

    """
    if created is None:
        return Choice(moves=tuple(moves))
    chosen: list[Move] = []
    kept: list[TagOutcome] = []
    notes: list[str] = []
    for group in (tuple(group) for _, group in groupby(moves, key=lambda move: move.rank)):
        if newer := _newer(before, group, created):
            names = ", ".join(dict.fromkeys(move.tag for move in group))
            notes.append(f"{names} was left as it is: {newer}; promote moves it all the same, or publish --allow-older")
            kept += [
                replace(_outcome(m, before[m.reference]), change=Change.KEPT, after=_digest(before[m.reference]))
                for m in group
            ]
        else:
            chosen += group
    return Choice(moves=tuple(chosen), kept=tuple(kept), notes=tuple(notes))


def _newer(before: Before, moves: Sequence[Move], created: str) -> str:
    for move in moves:
        live = before[move.reference]
        if not live or live.digest == move.manifest.digest:
            continue
        if why := why_newer(live.annotations, move.manifest.annotations.get(VERSION, ""), created):
            return f"{move.reference} is of {why}"
    return ""


def why_newer(live: Mapping[str, str], version: str, created: str) -> str:
    """Say why what a tag names is newer than what it would be moved to; nothing if it is not.

    Args:
        live: annotations of what it names.
        version: of what it would name; empty where it has none.
        created: when that commit was made (RFC 3339, UTC); empty where that is not known.

    """
    other, made = live.get(VERSION, ""), live.get(CREATED, "")
    order = compare_versions(version, other)
    if order:
        return f"version {other}, this is {version}" if order < 0 else ""
    return f"{made}, this commit of {created}" if created and made > created else ""


async def move_tags(client: RegistryClient, moves: Sequence[Move], before: Before) -> Moved:
    """Put each manifest under its tag, read all of them back, and undo everything where one fails."""
    touched: list[Move] = []
    try:
        for move in moves:
            if _digest(before[move.reference]) == move.manifest.digest:
                continue
            touched.append(move)
            await client.put_manifest(move.target.name, move.tag, move.manifest.body, move.manifest.media_type)
        for move in moves:
            await _read_back(client, move)
    except BaseException as error:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_RESTORE_SECONDS):
            tags = [await _restore(client, move, before[move.reference], written=move in touched) for move in moves]
            if isinstance(error, DrydockError):
                return Moved(tags=tuple(tags), problems=(str(error),))
        if isinstance(error, DrydockError):
            unknown = [replace(_outcome(m, before[m.reference]), change=Change.UNKNOWN, after=None) for m in moves]
            return Moved(tags=tuple(unknown), problems=(str(error), "the earlier tags could not be restored in time"))
        raise
    return Moved(tags=tuple(_outcome(move, before[move.reference]) for move in moves))


async def _read_back(client: RegistryClient, move: Move) -> None:
    found = await client.resolve(move.target.name, move.tag)
    if found != move.manifest.digest:
        raise DrydockError(f"{move.reference} names {found or 'nothing'} instead of {move.manifest.digest}")


def _digest(manifest: Manifest | None) -> str | None:
    return manifest.digest if manifest else None


def _outcome(move: Move, before: Manifest | None) -> TagOutcome:
    old = _digest(before)
    change = Change.UNCHANGED if old == move.manifest.digest else Change.MOVED if old else Change.CREATED
    return TagOutcome(
        repository=move.target.repository, tag=move.tag, before=old, after=move.manifest.digest, change=change
    )


async def _restore(client: RegistryClient, move: Move, before: Manifest | None, *, written: bool) -> TagOutcome:
    """Give a tag back its earlier manifest, and say what it names now."""
    outcome = replace(_outcome(move, before), change=Change.NOT_WRITTEN, after=_digest(before))
    if not written:
        return outcome
    try:
        found = await client.resolve(move.target.name, move.tag)
        # Only what this release wrote is undone: somebody else's digest may be a newer release's.
        if found == move.manifest.digest and before:
            await client.put_manifest(move.target.name, move.tag, before.body, before.media_type)
        elif found == move.manifest.digest:
            await client.delete_tag(move.target.name, move.tag)
        found = await client.resolve(move.target.name, move.tag)
    except DrydockError as error:
        return replace(outcome, change=Change.UNKNOWN, after=None, note=f"could not be restored: {error}")
    if found == outcome.before:
        return replace(outcome, change=Change.RESTORED)
    if found == move.manifest.digest:
        note = "did not exist before, and this registry deletes no tags" if not before else "could not be restored"
        return replace(outcome, change=Change.CREATED if not before else Change.MOVED, after=found, note=note)
    return replace(outcome, change=Change.UNKNOWN, after=found, note="was moved by somebody else")
