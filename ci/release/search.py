"""Looks for the bundle of each digest that a release names: where GitHub has them, and in the registries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import anyio

from ci.core.engine import fan_out
from ci.core.errors import DrydockError
from ci.core.text import clean
from ci.release.referrers import list_referrers, read_bundles, tag_of_signature
from ci.release.registries import Registries
from ci.release.request import Staged
from ci.release.signers import Judge

MAX_BUNDLE = 4 << 20  # bytes
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds: what was stored a moment ago may not be listed yet
_AT_A_TIME = 8
_REFERRERS = 50  # of a digest that are read, in one repository
_SHOWN = 300  # characters of what others say
_FAULTS = 3  # that are told of several bundles


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What somebody who keeps bundles says of a digest."""

    bundles: tuple[object, ...] = ()
    faults: tuple[str, ...] = ()  # of those that cannot be read
    why: str = ""  # there is none: nobody has stored it, or it cannot be asked
    again: bool = True  # whether a later look may find more


class Store(Protocol):
    """Whoever keeps bundles besides a registry, such as GitHub."""

    async def __call__(self, digest: str) -> Stored:
        """List the bundles of a digest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What came of a look."""

    why: str  # there is no bundle that counts; "" where there is one
    again: bool = False  # whether a later look may find one


async def find_missing(
    registries: Registries,
    places: Mapping[str, Sequence[Staged]],
    judge: Judge,
    *,
    store: Store | None = None,
    waits: Sequence[float] = WAITS,
) -> Mapping[str, str]:
    """Look for a bundle of each digest; return those that have none, each with what was said where it was looked.

    The store is asked first. Where it has none, or says nothing, a bundle in a registry that refers to the digest does.

    Args:
        registries: that have the manifests.
        places: digests of manifests, as sha256:…, each with what is staged of it, in one repository or several.
        judge: says which bundle counts.
        store: that is asked besides the registries.
        waits: seconds before each further look at those that are not there yet.

    """
    missing = dict.fromkeys(places, _Answer(why="", again=True))

    async def look(digest: str) -> _Answer:
        answer = await _look(store, judge, digest) if store else _Answer(why="nothing")
        if not answer.why:
            return answer
        said = [await fault_beside(registries, one, digest, judge) for one in places[digest]]
        if "" in said:
            return _Answer(why="")
        return replace(answer, why="; ".join([*([answer.why] if store else []), *said]))

    for wait in (0.0, *waits):
        asked = [digest for digest, answer in missing.items() if answer.again]
        if not asked:
            break
        await anyio.sleep(wait)
        answers = await fan_out(asked, look, limit=_AT_A_TIME)
        missing |= dict(zip(asked, answers, strict=True))
        missing = {digest: answer for digest, answer in missing.items() if answer.why}
    return {digest: answer.why for digest, answer in missing.items()}


async def _look(store: Store, judge: Judge, digest: str) -> _Answer:
    stored = await store(digest)
    if stored.why:
        return _Answer(why=stored.why, again=stored.again)
    faults = [*stored.faults]
    for bundle in stored.bundles:
        fault = await judge(bundle, digest, stored=True)
        if not fault:
            return _Answer(why="")
        faults.append(fault)
    return _Answer(why=tell_faults(faults), again=stored.again)


async def fault_beside(registries: Registries, one: Staged, digest: str, judge: Judge) -> str:
    """Say why no bundle that refers to a digest in a repository is what is looked for; "" where one is."""
    client, target = registries.of(one.target), one.target
    try:
        referrers = await list_referrers(client, target.name, digest)
    except DrydockError as error:
        return f"what refers to it in {target.repository} cannot be read: {shown(str(error))}"
    faults: list[str] = []
    for referrer in referrers[:_REFERRERS]:
        try:
            async for bundle in read_bundles(client, target.name, referrer.digest, limit=MAX_BUNDLE):
                if not (fault := bundle.fault or await judge(bundle.body, digest)):
                    return ""
                faults.append(fault)
        except DrydockError as error:  # of this one; another may be what is looked for
            faults.append(str(error))
    said = f"no bundle of Sigstore refers to it in {target.repository}"
    if faults:
        said = f"none of the bundles that refer to it in {target.repository} counts: {tell_faults(faults)}"
    if (more := len(referrers) - _REFERRERS) > 0:
        said = f"{said}; {more} of its {len(referrers)} referrers were not read"
    old = tag_of_signature(digest)
    if await client.resolve(target.name, old):
        said = f"{said}; what the tag {old} names is of cosign before version 3, and does not count"
    return said


def tell_faults(faults: Iterable[str]) -> str:
    """Tell of the faults of several bundles the first ones."""
    each = [shown(fault) for fault in dict.fromkeys(faults)]
    more = [f"and {len(each) - _FAULTS} more faults"] if len(each) > _FAULTS else []
    return "; ".join([*each[:_FAULTS], *more])


def shown(text: str) -> str:
    """Show the beginning of what somebody else says, on one line."""
    return " ".join(clean(text[:_SHOWN]).split()).rstrip(".")
