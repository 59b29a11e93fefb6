"""Reads what a build has made: the documents of its OCI archive, which is the one truth about a variant.

Source of the shapes: OCI image specification 1.1, image-layout.md; BuildKit, docs/attestations.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from ci.core.attestations import PREDICATE, PROVENANCE, Statement, read_provenance, read_statement
from ci.core.errors import DrydockError
from ci.core.oci import REFERENCE, REFERENCE_TYPE, Descriptor, ImageConfig, Manifest, digest_of, read_image_config

_INDEX = "index.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """The documents of one variant, as its archive holds them."""

    manifest: Manifest
    config: ImageConfig
    attestation: Manifest | None = None  # what names the statements about it; None where the build has written none
    provenance: Statement | None = None  # one of them, SLSA 1

    @property
    def size(self) -> int:
        """Bytes that a pull of the variant moves."""
        return self.manifest.image.size

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """The images that the build took from registries, by its own word: each short_reference, and its digest."""
        if self.provenance is None:
            return ()
        return read_provenance(self.provenance.predicate, self.manifest.digest).bases


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
    attested: dict[str, Manifest] = {}
    for entry in top.listed:
        document = _manifest(_blob(blobs, entry), entry.media_type)
        if document.is_index:
            return _read(blobs, document)
        if REFERENCE_TYPE in entry.annotations:
            attested[entry.annotations.get(REFERENCE, "")] = document
        else:
            images.append(document)
    if len(images) != 1:
        raise DrydockError(f"the build's archive holds {len(images)} images instead of one")
    (image,) = images
    config = read_image_config(_blob(blobs, image.image.config), image.image.config.digest)
    attestation = attested.get(image.digest)
    provenance = _provenance(blobs, attestation) if attestation else None
    return Archive(manifest=image, config=config, attestation=attestation, provenance=provenance)


def _provenance(blobs: Mapping[str, bytes], attestation: Manifest) -> Statement | None:
    for layer in attestation.image.layers:
        if layer.annotations.get(PREDICATE, "").startswith(PROVENANCE):
            return read_statement(_blob(blobs, layer), layer.digest)
    return None


def _manifest(body: bytes, media_type: str) -> Manifest:
    return Manifest(body=body, media_type=media_type, digest=digest_of(body))


def _blob(blobs: Mapping[str, bytes], entry: Descriptor) -> bytes:
    body = blobs[entry.digest.partition(":")[2]]
    if digest_of(body, like=entry.digest) != entry.digest:
        raise DrydockError(f"the build's archive holds something else under {entry.digest}")
    return body
