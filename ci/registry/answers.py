"""Holds a registry's answers against what they have to be: manifests, lists of tags, the places for uploads."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import httpx

from ci.core.names import is_digest
from ci.core.oci import MANIFEST_TYPES, Manifest, digest_of
from ci.registry.headers import next_page, parse_media_type
from ci.registry.http import Response, origin_of, parse_url, protocol_error

DIGEST_HEADER = "Docker-Content-Digest"
_UUID = re.compile(r"[A-Za-z0-9_-]{1,128}")


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


def upload_place(what: str, answer: Response, repository: str, *, before: httpx.URL | None = None) -> httpx.URL:
    """Read where an upload goes on.

    Args:
        what: the request, for messages.
        answer: of the request that began the upload, or of its last part.
        repository: that it goes to.
        before: where the last part went, which stands where the answer names no other place.

    Raises:
        RegistryError: the answer names no place, or one without TLS.

    """
    named = answer.headers.get("Location", "")
    if not named and (upload := answer.headers.get("Docker-Upload-UUID", "")) and _UUID.fullmatch(upload):
        named = f"/v2/{repository}/blobs/uploads/{upload}"
    location = parse_url(named)
    if not named and before:
        return before
    if location is None or not named:
        raise protocol_error(what, answer.where, "the answer names no place to upload to")
    place = answer.url.join(location)
    if answer.url.scheme == "https" and place.scheme != "https":
        raise protocol_error(what, answer.where, "the place to upload to leads from https to http")
    return place


def name_digest(place: httpx.URL, digest: str) -> httpx.URL:
    """Add the digest to where an upload goes; what stands there stays letter for letter, since it may be signed."""
    query = b"digest=" + digest.replace(":", "%3A").encode()
    return place.copy_with(query=b"&".join(part for part in (place.query, query) if part))


def check_tags(what: str, answer: Response) -> tuple[frozenset[str], httpx.URL | None]:
    """Return the tags that an answer lists, and where the list goes on; nothing where it ends.

    Raises:
        RegistryError: it is no list, or goes on at another place.

    """
    try:
        found: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    tags = found.get("tags", ()) if isinstance(found, dict) else None
    if tags is None and isinstance(found, dict):
        tags = ()  # as some write an empty list
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise protocol_error(what, answer.where, "the answer is no list of tags")
    following = next_page(answer.headers.get("Link", ""))
    location = parse_url(following)
    place = answer.url.join(location) if following and location is not None else None
    if following and (place is None or origin_of(place) != origin_of(answer.url)):
        raise protocol_error(what, answer.where, "the list of tags goes on at another place")
    return frozenset(tags), place
