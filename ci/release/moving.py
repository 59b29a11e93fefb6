"""Moves tags of several images in several registries: all of them, or back to what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import anyio

from ci.core.engine import fan_out
from ci.core.errors import DrydockError
from ci.core.names import REVISION, origin_of
from ci.core.oci import Manifest
from ci.registry import RegistryClient, RegistryError, RegistryErrorKind
from ci.release.outcome import Change, TagOutcome
from ci.release.registries import Registries
from ci.release.request import Target
from ci.release.tags import Before, Move, digest_of, outcome_of, untouched

_RESTORE_SECONDS = 120  # a cancelled release still restores, for so long, in each registry
# Seconds between reads that show what a tag named before a write: some registries answer reads from a copy that lags.
_LAG = (0.2, 0.5, 1.0, 2.0)
# After any other refusal nobody knows whether the tag was written.
_NOT_WRITTEN = frozenset(
    (
        RegistryErrorKind.UNAUTHORIZED,
        RegistryErrorKind.FORBIDDEN,
        RegistryErrorKind.NOT_FOUND,
        RegistryErrorKind.RATE_LIMITED,
        RegistryErrorKind.REFUSED,
    )
)
_OTHERS = "was moved by somebody else"


class _Write(Enum):
    """What is known of a write, by its own answer."""

    NONE = 0
    REFUSED = 1
    UNKNOWN = 2
    DONE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What became of all moves."""

    tags: tuple[TagOutcome, ...]
    problems: tuple[str, ...] = ()
    next: str = ""  # what to type, where not all is back


async def put_indexes(registries: Registries, named: Sequence[tuple[Target, Manifest]]) -> None:
    """Push indexes by their digests, so that what is said of them has something to be about before a tag names them.

    Raises:
        RegistryError: a registry did not take one.

    """
    pushed = {(target.repository, index.digest): (target, index) for target, index in named}
    for target, index in pushed.values():
        await registries.of(target).put_manifest(target.name, index.digest, index.body, index.media_type)


async def move_tags(registries: Registries, moves: Sequence[Move], before: Before) -> Moved:
    """Put each manifest under its tag, read all of them back, and undo everything where one fails."""
    writes: dict[str, _Write] = {}
    try:
        for move in moves:
            if digest_of(before[move.reference]) != move.manifest.digest:
                await _write(registries.of(move.target), move, writes)
        for move in moves:
            await _read_back(registries.of(move.target), move, before[move.reference])
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            tags, late = await _restore_all(registries, moves, before, writes)
        if isinstance(error, DrydockError):
            return Moved(tags=tags, problems=(str(error), *late), next=_way_on(tags, before))
        raise
    return Moved(tags=tuple(outcome_of(move, before[move.reference]) for move in moves))


async def _write(client: RegistryClient, move: Move, writes: dict[str, _Write]) -> None:
    writes[move.reference] = _Write.UNKNOWN
    try:
        await client.put_manifest(move.target.name, move.tag, move.manifest.body, move.manifest.media_type)
    except RegistryError as error:
        if error.kind in _NOT_WRITTEN:
            writes[move.reference] = _Write.REFUSED
        raise
    writes[move.reference] = _Write.DONE


async def _read_back(client: RegistryClient, move: Move, before: Manifest | None) -> None:
    found = await _read_until(client, move, move.manifest.digest, stale=digest_of(before))
    if found != move.manifest.digest:
        raise DrydockError(f"{move.reference} names {found or 'nothing'} instead of {move.manifest.digest}")


async def _read_until(client: RegistryClient, move: Move, wanted: str | None, *, stale: str | None) -> str | None:
    """Read what a tag names; again, for some seconds, where that is what it named before the last write."""
    for wait in _LAG:
        found = await client.resolve(move.target.name, move.tag)
        if found == wanted or found != stale:
            return found
        await anyio.sleep(wait)
    return await client.resolve(move.target.name, move.tag)


async def _restore_all(
    registries: Registries, moves: Sequence[Move], before: Before, writes: Mapping[str, _Write]
) -> tuple[tuple[TagOutcome, ...], tuple[str, ...]]:
    """Give all tags back what they named, in all registries at once: one that is down does not hold up the others."""
    outcomes = {
        move.reference: replace(outcome_of(move, before[move.reference]), change=Change.UNKNOWN, after=None)
        for move in moves
    }

    async def restore(host: str) -> str:
        with anyio.move_on_after(_RESTORE_SECONDS) as scope:
            for move in reversed([move for move in moves if move.target.host == host]):
                write = writes.get(move.reference, _Write.NONE)
                old = before[move.reference]
                outcomes[move.reference] = await _restore(registries.of(move.target), move, old, write)
        return f"{host}: the earlier tags could not be restored in time" if scope.cancelled_caught else ""

    hosts = tuple(dict.fromkeys(move.target.host for move in moves))
    late = await fan_out(hosts, restore, limit=len(hosts) or 1)
    return tuple(outcomes[move.reference] for move in moves), tuple(filter(None, late))


async def _restore(client: RegistryClient, move: Move, before: Manifest | None, write: _Write) -> TagOutcome:
    """Give a tag back its earlier manifest, and say what it names now.

    What this release wrote, the answers to its writes say. A read alone may show what was there before them.
    """
    ours, old = move.manifest.digest, digest_of(before)
    if write is _Write.NONE:
        return replace(await untouched(client, move.target, move.tag), before=old)
    outcome = replace(outcome_of(move, before), change=Change.UNKNOWN, after=None)
    try:
        # Only what this release wrote is undone: somebody else's digest may be a newer release's.
        if write is _Write.REFUSED:
            found = await client.resolve(move.target.name, move.tag)
            if found == old:
                return replace(outcome, change=Change.NOT_WRITTEN, after=old)
        else:
            found = await _read_until(client, move, ours, stale=old)
        if found not in (ours, old):
            return replace(outcome, after=found, note=_OTHERS)
        outcome = replace(outcome, after=found)
        gone = await _take_back(client, move, before)
        found = await _read_until(client, move, old, stale=ours)
    except DrydockError as error:
        return replace(outcome, note=f"could not be restored: {error}")
    if found == old and not gone and write is _Write.DONE:
        return replace(outcome, after=None, note="was written, and the registry neither shows nor deletes it")
    return _judge(outcome, found, move, gone=gone)


def _judge(outcome: TagOutcome, found: str | None, move: Move, *, gone: bool) -> TagOutcome:
    """Say what became of a tag that was taken back.

    Args:
        outcome: what is known of it.
        found: what it names now.
        move: what was written.
        gone: whether the registry says that it has taken the write back.

    """
    if found == outcome.before:
        return replace(outcome, change=Change.RESTORED, after=found)
    if found != move.manifest.digest:
        return replace(outcome, after=found, note=_OTHERS)
    if outcome.before or gone:
        note = "could not be restored: the registry still shows the new image"
        return replace(outcome, change=Change.MOVED if outcome.before else Change.CREATED, after=found, note=note)
    note = "did not exist before, and this registry deletes no tags"
    return replace(outcome, change=Change.CREATED, after=found, note=note)


async def _take_back(client: RegistryClient, move: Move, before: Manifest | None) -> bool:
    """Write what a tag named before, or delete it; tell whether the registry says that it did."""
    if before is None:
        return await client.delete_tag(move.target.name, move.tag)
    await client.put_manifest(move.target.name, move.tag, before.body, before.media_type)
    return True


def _way_on(tags: Sequence[TagOutcome], before: Before) -> str:
    """Say what to type where not everything is back: on to the new images, or back to the earlier ones."""
    left = [tag for tag in tags if tag.change in {Change.UNKNOWN, Change.MOVED, Change.CREATED}]
    if not left or any(tag.note == _OTHERS for tag in left):
        return ""
    hosts = ", ".join(dict.fromkeys(tag.repository.partition("/")[0] for tag in left))
    on = (
        f"Not every tag at {hosts} is, or is known to be, what it was. "
        "When all is well there, the same command again completes the release."
    )
    olds = {origin_of(old.annotations.get(REVISION, "")) for old in before.values() if old}
    if len(olds) != 1 or not (origin := olds.pop()).startswith("sha-"):
        return on
    names = dict.fromkeys(tag.tag for tag in left)
    back = " and ".join(f"dagger call promote --from {origin} --tag {name}" for name in names)
    return f"{on} To go back everywhere instead: {back}"
