"""Holds a release to who has signed it: each digest that it names, of an index or of a variant, before any tag."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ci.core.errors import DrydockError
from ci.core.model import Config
from ci.core.supply import Signed
from ci.release.registries import Registries
from ci.release.release import Promise
from ci.release.request import Staged
from ci.release.search import Store, find_missing
from ci.release.signers import SIGNATURES, Judge, Signers
from ci.release.trust import Trust


def promise_signed(config: Config, store: Store | None = None, *, waits: Sequence[float] = ()) -> tuple[Promise, ...]:
    """Make what is looked at, before any tag or at any time, of the signatures of what is named.

    Args:
        config: says whose they have to be.
        store: who keeps signatures besides the registries, such as GitHub.
        waits: seconds before each further look at those that the store does not have yet.

    """
    signed = config.require.signed
    if signed is None:
        return ()
    judge = Judge(
        signers=Signers(signed=signed, repository=config.source or ""),
        kinds=SIGNATURES,
        trust=Trust(root=config.trusted_root),
    )
    return (partial(_judge_signed, signed, judge, store, waits),)


def refuse_unsigned(config: Config) -> None:
    """Refuse to build, push and name in one call what somebody has to sign in between.

    Raises:
        DrydockError: the configuration insists on signatures.

    """
    if config.require.signed is not None:
        raise DrydockError(
            "require: signed: nobody could sign in the middle of this call, and what is not signed gets no tag. Do it "
            "in three: dagger call stage ... export --path FOLDER; then dagger call finish --staged FOLDER --prepare "
            "..., which lists the digests to be signed; and, when they are, the same without --prepare"
        )


async def _judge_signed(
    signed: Signed,
    judge: Judge,
    store: Store | None,
    waits: Sequence[float],
    registries: Registries,
    staged: Sequence[Staged],
) -> Sequence[str]:
    places: dict[str, list[Staged]] = {}
    names: dict[str, str] = {}
    for one in staged:
        named = {one.index.digest: "the index"}
        named |= {entry.digest: f"{one.target.image.name}@{entry.platform}" for entry in one.index.entries}
        reused = {entry.manifest.digest: entry.record for entry in one.entries if entry.record.reused}
        named |= {
            digest: f"{record.variant} (reused from {record.reused}; --rebuild builds it anew)"
            for digest, record in reused.items()
        }
        for digest, name in named.items():
            places.setdefault(digest, []).append(one)
            names[digest] = name
    missing = await find_missing(registries, places, judge, store=store, waits=waits)
    problems = []
    for digest, why in missing.items():
        reference = f"{places[digest][0].target.repository}@{digest}"
        problems.append(
            f"{reference}, {names[digest]}, is not signed as require: signed says: {why}; {_next(signed, reference)}"
        )
    return problems


def _next(signed: Signed, reference: str) -> str:
    """Say how it is signed."""
    if signed.key:
        return f"cosign sign --key KEY {reference} signs it, from version 3 on"
    if signed.by:
        return f"{' or '.join(signed.by)} has to sign it: cosign sign {reference}, from version 3 on"
    return f"a workflow of the repository has to sign it: by actions/attest, or by cosign sign {reference} of version 3"
