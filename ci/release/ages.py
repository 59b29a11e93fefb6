"""Asks how old the base images of a release are, before any tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from ci.core.engine import gather
from ci.core.errors import DrydockError
from ci.core.names import BASE_DIGEST, BASE_NAME
from ci.core.oci import read_image_config
from ci.registry import RegistryClient, parse_repository
from ci.release.destination import Destination
from ci.release.registries import Registries
from ci.release.release import Promise
from ci.release.request import Staged

_MAX_CONFIG = 4 * 1024 * 1024  # bytes
_AT_A_TIME = 4

Now = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def promise_ages(most: int | None, destination: Destination, *, now: Now = _utc_now) -> tuple[Promise, ...]:
    """Make what a release looks at before any tag, of the age of its base images.

    Args:
        most: seconds that one may be old; None: any.
        destination: knows the logins.
        now: the time, in UTC.

    """
    return () if most is None else (partial(_judge_ages, most, destination, now),)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class _Base:
    """A base image for one platform."""

    name: str  # its whole reference, such as "docker.io/library/python:3.13-slim"
    digest: str
    platform: str


async def _judge_ages(
    most: int, destination: Destination, now: Now, registries: Registries, staged: Sequence[Staged]
) -> Sequence[str]:
    wanted: dict[str, _Base] = {}
    for one in staged:
        notes = one.index.annotations
        if notes.get(BASE_NAME) and notes.get(BASE_DIGEST):
            for variant in one.target.variants:
                wanted[str(variant)] = _Base(
                    name=notes[BASE_NAME], digest=notes[BASE_DIGEST], platform=variant.platform
                )
    async with AsyncExitStack() as stack:
        clients = await _clients(stack, destination, registries, wanted)
        bases = {base: base for base in wanted.values()}
        times, failed = await gather(bases, partial(_read, clients), limit=_AT_A_TIME)
    problems = []
    for name, base in wanted.items():
        if error := failed.get(base):
            problems.append(f"{name}: nobody knows how old its base image {base.name} is: {error}")
        elif (age := now() - times[base]) > timedelta(seconds=most):
            problems.append(
                f"{name}: its base image {base.name} was made {age.days} days ago, on {times[base]:%Y-%m-%d}, and "
                f"the configuration says require: base-age: {_period(most)}; build it on a newer one"
            )
    return problems


async def _clients(
    stack: AsyncExitStack, destination: Destination, registries: Registries, wanted: Mapping[str, _Base]
) -> dict[str, RegistryClient]:
    """Open a client of each registry that a base is in; those of the release are open."""
    clients = dict(registries.clients)
    for host in dict.fromkeys(base.name.partition("/")[0] for base in wanted.values()):
        if host not in clients:
            address, _ = parse_repository(f"{host}/name")
            logins = await destination.logins((host,)) if not destination.username else None
            client = RegistryClient(address, credentials=logins.of(host) if logins else None)
            clients[host] = await stack.enter_async_context(client)
    return clients


async def _read(clients: Mapping[str, RegistryClient], base: _Base) -> datetime:
    host, _, rest = base.name.partition("/")
    name = rest.partition("@")[0].rpartition(":")[0] or rest.partition("@")[0]
    return await read_created(clients[host], name, base.digest, base.platform)


async def read_created(client: RegistryClient, repository: str, digest: str, platform: str) -> datetime:
    """Read when an image was made.

    Args:
        client: of its registry.
        repository: as the registry knows it.
        digest: of its index, or of its manifest.
        platform: such as "linux/arm64".

    Raises:
        DrydockError: the registry does not say.

    """
    manifest = await client.get_manifest(repository, digest)
    if manifest.is_index:
        digest = next((entry.digest for entry in manifest.entries if entry.platform == platform), "")
        if not digest:
            raise DrydockError(f"{repository}@{manifest.digest} has nothing for {platform}")
        manifest = await client.get_manifest(repository, digest)
    config = manifest.image.config
    text = read_image_config(await client.get_blob(repository, config.digest, limit=_MAX_CONFIG), config.digest).created
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        raise DrydockError(f"{repository}@{digest} does not say when it was made") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _period(seconds: int) -> str:
    return f"{seconds // 86400}d" if seconds % 86400 == 0 else f"{seconds // 3600}h"
