"""The engine's part of a release: pushes variants to a registry, and runs published ones again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import dagger

from ci.build import compression_of, smoke_variant
from ci.core.engine import failure_of
from ci.core.errors import DrydockError
from ci.core.model import Compression, Variant
from ci.core.names import is_digest
from ci.registry import ExhaustedError, Retry, RetryPolicy, remedy_for
from ci.release.destination import Login
from ci.release.request import Staged, Target

# What the engine says of a push that may succeed the next time.
_TRANSIENT = re.compile(
    r"\b(429|500|502|503|504)\b|EOF|reset by peer|broken pipe|timeout|timed out|unknown blob|connection refused",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"\b(401|403|404)\b")
# Large layers on a slow line take long; what is repeated skips the layers that are there already.
PUSH_POLICY = RetryPolicy(attempts=5, base=1.0, deadline=3600.0)
_CHECKS_AT_A_TIME = 4


class _TransientError(DrydockError):
    """A push failed in a way that may pass."""


async def push_target(
    containers: Mapping[str, dagger.Container],
    compression: Compression,
    login: Login | None,
    policy: RetryPolicy,
    target: Target,
    tag: str,
) -> str:
    """Push the containers that were smoked, all variants of one image under one tag; return the digest.

    Raises:
        DrydockError: the registry did not take them, after repetitions where those could help.

    """
    publisher = dagger.dag.container()
    if login:
        publisher = login.on(publisher, target.repository)

    async def attempt() -> str:
        try:
            return await publisher.publish(
                f"{target.repository}:{tag}",
                platform_variants=[containers[str(variant)] for variant in target.variants],
                forced_compression=compression_of(compression),
                media_types=dagger.ImageMediaTypes.OCI,
            )
        except dagger.DaggerError as error:
            reason = failure_of(error, "push").reason
            raise (_TransientError if _TRANSIENT.search(reason) else DrydockError)(reason) from None

    retry = Retry(wait_of=lambda error: 0.0 if isinstance(error, _TransientError) else None, policy=policy)
    try:
        reference = await retry.run(attempt)
    except ExhaustedError as error:
        tried = f" (after {error.attempts} attempts)" if error.attempts > 1 else ""
        reason = str(error.last or f"no answer within {policy.deadline:g} s")
        raise DrydockError(
            f"{reason}{tried}. {_remedy(reason, target, logged_in=login is not None)}".rstrip()
        ) from None
    digest = reference.rpartition("@")[2]
    if not is_digest(digest):
        raise DrydockError(f"the engine names no digest for what it pushed: {reference}")
    return digest


def _remedy(reason: str, target: Target, *, logged_in: bool) -> str:
    """Say what helps against a refusal that the engine reports in a sentence of its own."""
    insufficient = "insufficient_scope" in reason
    status = _REFUSED.search(reason)
    if not (insufficient or status):
        return ""
    scope = f"repository:{target.name}:pull,push"
    return remedy_for(int(status[0]) if status else 401, scope, logged_in=logged_in, insufficient=insufficient)


async def smoke_published(login: Login | None, staged: Staged) -> Sequence[str]:
    """Pull every variant by its digest and run its smoke checks; return what failed."""
    failures: list[str] = []
    for variant, entry in zip(staged.target.variants, staged.index.entries, strict=True):
        container = dagger.dag.container(platform=dagger.Platform(variant.platform))
        if login:
            container = login.on(container, staged.target.repository)
        container = container.from_(f"{staged.target.repository}@{entry.digest}")
        failures += await _smoke(container, variant)
    return failures


async def _smoke(container: dagger.Container, variant: Variant) -> list[str]:
    found = await smoke_variant(container, variant, limit=_CHECKS_AT_A_TIME)
    return [f"{variant} as published: {failure.step}: {failure.reason}" for failure in found]
