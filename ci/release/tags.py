"""Reads what tags name, and says which of them a release moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ci.core.engine import gather
from ci.core.errors import DrydockError
from ci.core.names import CREATED, VERSION
from ci.core.oci import Manifest
from ci.registry import RegistryClient
from ci.release.outcome import Change, TagOutcome
from ci.release.registries import Registries
from ci.release.request import Target, rank_tags
from ci.tags import compare_versions

_AT_A_TIME = 4


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


async def find_unreadable(registries: Registries, targets: Sequence[Target]) -> tuple[str, ...]:
    """Ask what each tag names, and return why where nobody says: what cannot be read cannot be given back either."""
    asked = {f"{target.repository}:{tag}": (target, tag) for target in targets for tag in (target.own, *target.tags)}

    async def ask(one: tuple[Target, str]) -> str | None:
        target, tag = one
        return await registries.of(target).resolve(target.name, tag)

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
                replace(outcome_of(m, before[m.reference]), change=Change.KEPT, after=digest_of(before[m.reference]))
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
