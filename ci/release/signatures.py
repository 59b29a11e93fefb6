"""Reads who has signed what is in a registry, and whether that is proven; the rules of a release are not held to it."""

from __future__ import annotations

from dataclasses import replace

from ci.registry import RegistryClient
from ci.release.bundles import BundleError, read_bundle, read_identity
from ci.release.inspected import Signature
from ci.release.referrers import Referred, list_referrers, read_bundles, tag_of_signature
from ci.release.search import MAX_BUNDLE
from ci.release.trust import Trust

_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_MOST = 50  # of what is about one digest
_OLD = "what cosign wrote before version 3 is not verified here"


async def read_signatures(
    client: RegistryClient, name: str, digest: str, *, trust: Trust, key: str = ""
) -> tuple[Signature, ...]:
    """List the signatures of a manifest: by the registry's list, or by the tags that are made of its digest.

    Args:
        client: of the registry.
        name: of the repository, inside the registry.
        digest: of the manifest.
        trust: verifies them.
        key: the public key (PEM) of the configuration; "" where it names none.

    Raises:
        DrydockError: the registry refuses to say; or the trusted root, or the key, cannot be used.

    """
    found: list[Signature] = []
    for entry in (await list_referrers(client, name, digest))[:_MOST]:
        found += [
            await _judged(bundle, digest, trust, key)
            async for bundle in read_bundles(client, name, entry.digest, limit=MAX_BUNDLE)
        ]
    old = tag_of_signature(digest)
    if await client.resolve(name, old):
        for layer in (await client.get_manifest(name, old)).image.layers:
            if layer.media_type == _SIMPLE:
                signers = signers_of(layer.annotations.get(_CERTIFICATE, "").encode())
                found.append(Signature(about=digest, kind="signature", signers=signers, fault=_OLD))
    return tuple(found)


async def _judged(found: Referred, digest: str, trust: Trust, key: str) -> Signature:
    known = Signature(about=digest, kind=found.kind, fault=found.fault)
    if known.fault:
        return known
    try:
        bundle = read_bundle(found.body)
    except BundleError as error:
        return replace(known, fault=str(error))
    known = replace(known, kind=bundle.predicate, signers=bundle.identity.names if bundle.identity else ())
    if digest not in bundle.digests:
        return replace(known, fault="it is about another digest")
    return replace(known, fault=await trust.fault_of(bundle, "" if bundle.identity else key))


def signers_of(certificate: bytes) -> tuple[str, ...]:
    """Read whom a certificate (PEM or DER) names; nobody where it is none."""
    try:
        return read_identity(certificate).names
    except Exception:  # noqa: BLE001  # anybody may have written it
        return ()
