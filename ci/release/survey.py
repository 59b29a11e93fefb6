"""Reads every manifest of a repository that can be found: what its tags name, and all that hangs on that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from ci.core.engine import gather
from ci.core.errors import DrydockError
from ci.core.names import CREATED
from ci.core.oci import MANIFEST_TYPES, Manifest
from ci.registry import RegistryClient, RegistryError, RegistryErrorKind
from ci.release.holdings import Holdings, Node, subject_of_tag

_AT_A_TIME = 8


class UnreadError(DrydockError):
    """Something of a repository could not be read; `problems` says what."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


async def read_tags(client: RegistryClient, name: str) -> dict[str, str]:
    """Read what every tag of a repository names.

    Raises:
        UnreadError: of some tag the registry does not say it.

    """
    tags = {tag: tag for tag in sorted(await client.list_tags(name))}
    found, failed = await gather(tags, lambda tag: client.resolve(name, tag), limit=_AT_A_TIME)
    if failed:
        raise UnreadError(f"{name}:{tag}: {error}" for tag, error in failed.items())
    return {tag: digest for tag, digest in found.items() if digest}


async def survey(client: RegistryClient, repository: str, *, listed: Mapping[str, datetime] | None = None) -> Holdings:
    """Read all of a repository that can be found.

    Args:
        client: of its registry.
        repository: its whole name.
        listed: all its manifests, where something other than the registry lists them; a registry lists tags only.

    Raises:
        UnreadError: something of it could not be read.
        DrydockError: its tags could not be.

    """
    name = repository.partition("/")[2]
    tags = await read_tags(client, name)
    empty = Holdings(repository=repository, tags=tags, listed=listed or {})
    return await extend(client, empty, {*tags.values(), *(listed or {})})


async def extend(client: RegistryClient, holdings: Holdings, digests: Iterable[str]) -> Holdings:
    """Read more manifests, and all that hangs on them."""
    name = holdings.repository.partition("/")[2]
    nodes, missing, about = dict(holdings.nodes), set(holdings.missing), dict(holdings.about)
    left = {*digests, *filter(None, map(subject_of_tag, holdings.tags))} - nodes.keys()
    asks = not holdings.listed  # who has the list of all knows what is about what by reading it
    while left:
        found, failed = await gather({one: one for one in left}, lambda one: _read(client, name, one), limit=_AT_A_TIME)
        if failed:
            raise UnreadError(f"{name}@{digest}: {error}" for digest, error in failed.items())
        missing |= {digest for digest, node in found.items() if node is None}
        new = {digest: node for digest, node in found.items() if node}
        nodes |= new
        if asks:
            told, failed = await gather(
                {one: one for one in new}, lambda one: _about(client, name, one), limit=_AT_A_TIME
            )
            if failed:
                raise UnreadError(str(error) for error in failed.values())
            about |= {digest: each for digest, each in told.items() if each}
            asks = None not in told.values()
        named = {
            each for digest, node in new.items() for each in (*node.children, node.subject, *about.get(digest, ()))
        }
        left = named - nodes.keys() - missing - {""}
    return replace(holdings, nodes=nodes, missing=frozenset(missing), about=about)


async def _read(client: RegistryClient, name: str, digest: str) -> Node | None:
    try:
        return node_of(await client.get_manifest(name, digest))
    except RegistryError as error:
        # A 404 without the specification's code may come from a wrong address, or from what stands before a registry.
        if error.kind is RegistryErrorKind.NOT_FOUND and await client.resolve(name, digest) is None:
            return None
        raise


async def _about(client: RegistryClient, name: str, digest: str) -> tuple[str, ...] | None:
    found = await client.referrers(name, digest)
    return None if found is None else tuple(each.digest for each in found)


def node_of(manifest: Manifest) -> Node:
    """Reduce a manifest to what others depend on; an index that lists layers, as a layer cache can, has blobs."""
    blobs = {manifest.digest: len(manifest.body)}
    children: tuple[str, ...] = ()
    if manifest.is_index:
        entries = manifest.listed
        children = tuple(dict.fromkeys(entry.digest for entry in entries if entry.media_type in MANIFEST_TYPES))
        blobs |= {entry.digest: entry.size for entry in entries if entry.media_type not in MANIFEST_TYPES}
    else:
        image = manifest.image
        blobs |= {blob.digest: blob.size for blob in (image.config, *image.layers)}
    return Node(
        digest=manifest.digest,
        children=children,
        subject=manifest.about[1],
        blobs=blobs,
        created=manifest.annotations.get(CREATED, ""),
    )
