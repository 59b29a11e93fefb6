"""Write OCI image layouts: what the local mirror serves and what the engine reads its SDK from.

Source of the shapes: OCI image specification 1.1, image-layout.md, manifest.md, config.md, image-index.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
Descriptor = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rootfs:
    """One image: uncompressed layers, the lowest first, and what to say of it."""

    layers: Sequence[Path]
    architecture: str
    config: Mapping[str, object]


def write_layout(
    folder: Path, images: Sequence[Rootfs], tag: str, *, annotations: Mapping[str, str] | None = None
) -> list[str]:
    """Write one layout whose `tag` is the index of the images; return each manifest's digest.

    Layers are linked into it, so they have to be on its file system.
    """
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    manifests = [_write_image(blobs, image) for image in images]
    content = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    index = _write_blob(blobs, {**content, "annotations": annotations} if annotations else content, INDEX)
    index["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    return [str(manifest["digest"]) for manifest in manifests]


def _write_image(blobs: Path, image: Rootfs) -> Descriptor:
    layers = [_copy_layer(blobs, layer) for layer in image.layers]
    platform = {"architecture": image.architecture, "os": "linux"}
    rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    config = _write_blob(blobs, {**platform, "config": image.config, "rootfs": rootfs}, CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return {**_write_blob(blobs, manifest, MANIFEST), "platform": platform}


def _copy_layer(blobs: Path, layer: Path) -> Descriptor:
    with layer.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not (blobs / digest).exists():
        os.link(layer, blobs / digest)
    return {"mediaType": LAYER, "digest": f"sha256:{digest}", "size": layer.stat().st_size}


def _write_blob(blobs: Path, content: Mapping[str, object], media_type: str) -> Descriptor:
    data = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
