"""Reads what a registry has about a manifest, beside what its index names: its referrers, and the bundles in them.

Source of the shapes: distribution specification 1.1, "Listing Referrers"; sigstore, specs/BUNDLE_SPEC.md (cosign).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from ci.core.oci import Descriptor
from ci.core.text import size_text
from ci.registry import RegistryClient

_BUNDLE = "application/vnd.dev.sigstore.bundle"
_KIND = "dev.sigstore.bundle.predicateType"
_MOST = 4  # bundles of one referrer; one is usual


@dataclass(frozen=True, kw_only=True, slots=True)
class Referred:
    """A bundle of Sigstore, as a registry has it."""

    kind: str  # the type of what it says, by the word of its manifest
    body: bytes
    fault: str = ""  # why it was not read


def tag_of_signature(digest: str) -> str:
    """Name the tag that cosign kept the signatures of a manifest under, before its version 3."""
    return f"{_tag_of(digest)}.sig"


def _tag_of(digest: str) -> str:
    return digest.replace(":", "-")


async def list_referrers(client: RegistryClient, name: str, digest: str) -> tuple[Descriptor, ...]:
    """List what refers to a manifest: by the registry's list, or by the tag that is made of its digest.

    What such an entry says besides its digest, old clients have written wrongly: only the manifest tells what it is.

    Args:
        client: of the registry.
        name: of the repository, inside the registry.
        digest: of the manifest.

    Raises:
        DrydockError: the registry refuses to say, or says what is no such list.

    """
    entries = await client.referrers(name, digest)
    if entries is None:
        tag = _tag_of(digest)
        if not await client.resolve(name, tag):
            return ()
        named = await client.get_manifest(name, tag)
        entries = named.listed if named.is_index else ()
    return entries


async def read_bundles(client: RegistryClient, name: str, referrer: str, *, limit: int) -> AsyncIterator[Referred]:
    """Read the bundles of a referrer; none where it is something else.

    Args:
        client: of the registry.
        name: of the repository, inside the registry.
        referrer: its digest.
        limit: bytes of a bundle; a larger one is not read, which is said.

    Raises:
        DrydockError: the referrer or a bundle cannot be read.

    """
    manifest = await client.get_manifest(name, referrer)
    if manifest.is_index:
        return
    kind = manifest.annotations.get(_KIND, "signature")
    for layer in [one for one in manifest.image.layers if one.media_type.startswith(_BUNDLE)][:_MOST]:
        if layer.size > limit:
            fault = f"the bundle has {size_text(layer.size)}, and no more than {size_text(limit)} are read"
            yield Referred(kind=kind, body=b"", fault=fault)
        else:
            yield Referred(kind=kind, body=await client.get_blob(name, layer.digest, limit=layer.size))
