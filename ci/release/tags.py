"""Reads what tags name, and says which of them a release moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ci.core.errors import DrydockError
from ci.core.names import CREATED
from ci.core.oci import Manifest
from ci.registry import RegistryClient
from ci.release.outcome import Change, TagOutcome
from ci.release.registries import Registries
from ci.release.request import Target, rank_tags


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


async def untouched(client: RegistryClient, target: Target, tag: str) -> TagOutcome:
    """Say what a tag names that was not written; a registry that gives no answer leaves it unknown."""
    known = TagOutcome(repository=target.repository, tag=tag, before=None, after=None, change=Change.NOT_WRITTEN)
    try:
        live = await client.resolve(target.name, tag)
    except DrydockError:
        return replace(known, change=Change.UNKNOWN, note="not written; the registry does not say what it names")
    return replace(known, before=live, after=live)


Before = Mapping[str, Manifest | None]  # what each tag named before anything was moved, by its reference


async def read_before(registries: Registries, moves: Sequence[Move]) -> Before:
    """Read what every tag that shall be moved names now."""
    return {move.reference: await read_live(registries.of(move.target), move.target.name, move.tag) for move in moves}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which tags to move, and which to leave because what they name is newer."""

    moves: tuple[Move, ...]
    kept: tuple[TagOutcome, ...] = ()
    notes: tuple[str, ...] = ()


def leave_newer(before: Before, moves: Sequence[Move], created: str | None) -> Choice:
    """Take out a tag, for all images, where any of them names a commit made after `created` (RFC 3339, UTC).

    Args:
        before: what the tags name now.
        moves: of all images, those of one rank together.
        created: when the commit was made; None takes out nothing.

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
                replace(outcome_of(m, before[m.reference]), change=Change.KEPT, after=digest_of(before[m.reference]))
                for m in group
            ]
        else:
            chosen += group
    return Choice(moves=tuple(chosen), kept=tuple(kept), notes=tuple(notes))


def _newer(before: Before, moves: Sequence[Move], created: str) -> str:
    for move in moves:
        live = before[move.reference]
        if live and live.digest != move.manifest.digest and (other := live.annotations.get(CREATED, "")) > created:
            return f"{move.reference} is of {other}, this commit of {created}"
    return ""


def digest_of(manifest: Manifest | None) -> str | None:
    """Return the digest of what a tag names; None where there is no such tag."""
    return manifest.digest if manifest else None


def outcome_of(move: Move, before: Manifest | None) -> TagOutcome:
    """Say what becomes of a tag where its move succeeds."""
    old = digest_of(before)
    change = Change.UNCHANGED if old == move.manifest.digest else Change.MOVED if old else Change.CREATED
    return TagOutcome(
        repository=move.target.repository, tag=move.tag, before=old, after=move.manifest.digest, change=change
    )
