"""Holds a registry's answers against what they have to be: its manifests, and the places it names for uploads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx

from ci.core.names import is_digest
from ci.core.oci import MANIFEST_TYPES, Manifest, digest_of
from ci.registry.http import Response, parse_media_type, parse_url, protocol_error

DIGEST_HEADER = "Docker-Content-Digest"


def check_manifest(what: str, answer: Response, reference: str) -> Manifest:
    """Return the manifest of an answer whose digest and media type are as they claim to be.

    Raises:
        RegistryError: they are not.

    """
    served = answer.headers.get(DIGEST_HEADER)
    for promised in (served, reference if ":" in reference else None):
        if promised is not None and (not is_digest(promised) or digest_of(answer.body, like=promised) != promised):
            why = f"the body has the digest {digest_of(answer.body)}, not the one that was promised"
            raise protocol_error(what, answer.where, why)
    try:
        found: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise protocol_error(what, answer.where, "the manifest is no JSON object")
    media_type = parse_media_type(answer.headers.get("Content-Type", ""))
    inside = found.get("mediaType", media_type)
    if media_type not in MANIFEST_TYPES or inside != media_type:
        raise protocol_error(what, answer.where, "the manifest's media type is unknown, or not the one it names inside")
    digest = reference if ":" in reference else served or digest_of(answer.body)
    return Manifest(body=answer.body, media_type=media_type, digest=digest)


def check_file(what: str, answer: Response, file: Path, digest: str) -> None:
    """Hold the body of an answer that was written to a file against its digest.

    Raises:
        RegistryError: it is another one's.

    """
    algorithm = digest.partition(":")[0]
    with file.open("rb") as stream:
        found = f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"
    if found != digest:
        raise protocol_error(what, answer.where, f"the body has the digest {found}")


def upload_place(what: str, answer: Response, digest: str) -> httpx.URL:
    """Read where an upload goes, and name the digest there.

    Raises:
        RegistryError: the answer names no place, or one without TLS.

    """
    location = parse_url(answer.headers.get("Location", ""))
    if location is None or not answer.headers.get("Location"):
        raise protocol_error(what, answer.where, "the answer names no place to upload to")
    place = answer.url.join(location)
    if answer.url.scheme == "https" and place.scheme != "https":
        raise protocol_error(what, answer.where, "the place to upload to leads from https to http")
    return place.copy_merge_params({"digest": digest})
