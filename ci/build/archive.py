"""Reads what a build has made: the documents of its OCI archive, which is the one truth about a variant.

Source of the shapes: OCI image specification 1.1, image-layout.md; BuildKit, docs/attestations.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from ci.core.errors import DrydockError
from ci.core.names import short_reference
from ci.core.oci import Descriptor, ImageConfig, Manifest, digest_of, read_image_config

_INDEX = "index.json"
_PROVENANCE = "https://slsa.dev/provenance/"
_REFERENCE = "vnd.docker.reference.type"  # of an entry that is no image, but says something of one


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """The documents of one variant, as its archive holds them."""

    manifest: Manifest
    config: ImageConfig
    provenance: Mapping[str, object]  # the predicate, SLSA 1; empty where the build has written none

    @property
    def size(self) -> int:
        """Bytes that a pull of the variant moves."""
        return self.manifest.image.size

    @property
    def sources(self) -> Iterator[tuple[str, str]]:
        """The images that the build took from registries, by its own word: each short_reference, and its digest."""
        definition = self.provenance.get("buildDefinition")
        found = definition.get("resolvedDependencies") if isinstance(definition, dict) else None
        for each in found if isinstance(found, list) else ():
            uri, digests = str(each.get("uri", "")), each.get("digest") or {}
            if uri.startswith("pkg:docker/"):
                # The name ends with @ and the tag, where there is one (BuildKit, util/purl/image.go).
                path, _, version = uri.removeprefix("pkg:docker/").partition("?")[0].partition("@")
                reference = f"{unquote(path)}:{unquote(version)}" if version else unquote(path)
                yield short_reference(reference), f"sha256:{digests.get('sha256', '')}"


def read_archive(documents: str) -> Archive:
    """Read the documents of an archive.

    Args:
        documents: a line for each: its path in the archive, a space, and its bytes in base64.

    Raises:
        DrydockError: they are not those of one image.

    """
    try:
        pairs = (line.split(" ", 1) for line in documents.splitlines())
        blobs = {path.rpartition("/")[2]: base64.b64decode(text, validate=True) for path, text in pairs}
        top = _manifest(blobs[_INDEX], json.loads(blobs[_INDEX])["mediaType"])
        return _read(blobs, top)
    except (ValueError, KeyError, binascii.Error) as error:
        raise DrydockError(f"the build's archive is not one of the image specification: {error!r}") from None


def _read(blobs: Mapping[str, bytes], top: Manifest) -> Archive:
    images: list[Manifest] = []
    provenance: Mapping[str, object] = {}
    for entry in top.listed:
        document = _manifest(_blob(blobs, entry), entry.media_type)
        if document.is_index:
            return _read(blobs, document)
        if _REFERENCE in entry.annotations:
            provenance = _provenance(blobs, document) or provenance
        else:
            images.append(document)
    if len(images) != 1:
        raise DrydockError(f"the build's archive holds {len(images)} images instead of one")
    (image,) = images
    digest = image.image.config.digest
    config = read_image_config(_blob(blobs, image.image.config), digest)
    return Archive(manifest=image, config=config, provenance=provenance)


def _provenance(blobs: Mapping[str, bytes], document: Manifest) -> Mapping[str, object]:
    for layer in document.image.layers:
        if layer.annotations.get("in-toto.io/predicate-type", "").startswith(_PROVENANCE):
            predicate = json.loads(_blob(blobs, layer)).get("predicate")
            return predicate if isinstance(predicate, dict) else {}
    return {}


def _manifest(body: bytes, media_type: str) -> Manifest:
    return Manifest(body=body, media_type=media_type, digest=digest_of(body))


def _blob(blobs: Mapping[str, bytes], entry: Descriptor) -> bytes:
    body = blobs[entry.digest.partition(":")[2]]
    if digest_of(body, like=entry.digest) != entry.digest:
        raise DrydockError(f"the build's archive holds something else under {entry.digest}")
    return body
