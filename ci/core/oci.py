"""Reads and writes the documents of a release: the index of an image, its manifests, their configurations.

Source of the shapes: OCI image specification 1.1, image-index.md, manifest.md, config.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any  # documents of others, whose shape _Shape checks

from ci.core.errors import DrydockError
from ci.core.names import is_digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = (
    b"{}"  # the configuration and the layer of an artifact that consists of its annotations (manifest.md, guidelines)
)
MAX_MANIFEST = 4 * 1024 * 1024  # bytes; what the distribution specification asks registries to accept

# What an entry of an index is that says something of another one, and of which.
REFERENCE_TYPE, REFERENCE = "vnd.docker.reference.type", "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"
UNKNOWN = "unknown/unknown"  # the platform of such an entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Descriptor:
    """One entry of an index, or one blob of a manifest."""

    media_type: str
    digest: str
    size: int
    platform: str = ""  # "linux/arm64"; of the entries of an index
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageManifest:
    """The manifest of one variant."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """Bytes that a pull of the variant moves: configuration and compressed layers."""
        return self.config.size + sum(layer.size for layer in self.layers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A manifest or an index, byte for byte as the registry serves it."""

    body: bytes
    media_type: str
    digest: str

    @classmethod
    def of_index(cls, entries: Sequence[Descriptor], annotations: Mapping[str, str]) -> Manifest:
        """Write an index; the same entries and annotations give the same bytes, and so the same digest."""
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [_entry(entry) for entry in entries],
            "annotations": dict(annotations),
        }
        body = json.dumps(document, indent=2, sort_keys=True).encode()
        return cls(body=body, media_type=OCI_INDEX, digest=digest_of(body))

    def attesting(self, variant: Manifest) -> Descriptor:
        """Write the entry that an index has of an attestation manifest, as BuildKit writes it.

        Args:
            variant: that it is about.

        Source: BuildKit, docs/attestations/attestation-storage.md.

        """
        about = {REFERENCE: variant.digest, REFERENCE_TYPE: ATTESTATION}
        return Descriptor(
            media_type=self.media_type,
            digest=self.digest,
            size=len(self.body),
            platform=UNKNOWN,
            annotations=about,
        )

    @classmethod
    def of_artifact(cls, kind: str, subject: Descriptor, annotations: Mapping[str, str]) -> Manifest:
        """Write an artifact that consists of its annotations, and says something of another manifest."""
        empty = {"mediaType": EMPTY_TYPE, "digest": digest_of(EMPTY), "size": len(EMPTY)}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": empty,
            "layers": [empty],
            "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
            "annotations": dict(annotations),
        }
        body = json.dumps(document, indent=2, sort_keys=True).encode()
        return cls(body=body, media_type=OCI_MANIFEST, digest=digest_of(body))

    @property
    def about(self) -> tuple[str, str]:
        """The kind of an artifact, and the digest of the manifest that it is about; empty where it says none.

        Raises:
            DrydockError: the document is not a manifest as the specification writes it.

        """
        with _Shape(self) as document:
            subject = document.get("subject") or {}
            return str(document.get("artifactType") or ""), str(subject["digest"]) if subject else ""

    @property
    def is_index(self) -> bool:
        """Whether it is an index, and not the manifest of one variant."""
        return self.media_type in {OCI_INDEX, DOCKER_LIST}

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        """The variants of an index; attestations, whose platform is unknown, are no variants.

        Raises:
            DrydockError: the document is not an index as the specification writes it.

        """
        return tuple(entry for entry in self.listed if not entry.platform.startswith("unknown/"))

    @property
    def attestations(self) -> tuple[Descriptor, ...]:
        """The attestation manifests of an index, in its order; the annotation REFERENCE of each names its variant.

        Raises:
            DrydockError: the document is not an index as the specification writes it.

        """
        return tuple(
            entry
            for entry in self.listed
            if entry.platform.startswith("unknown/") and entry.annotations.get(REFERENCE_TYPE) == ATTESTATION
        )

    @property
    def listed(self) -> tuple[Descriptor, ...]:
        """All entries of an index, attestations too.

        Raises:
            DrydockError: the document is not an index as the specification writes it.

        """
        with _Shape(self) as document:
            return tuple(_entries(document["manifests"]))

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations of an index or a manifest; none where there are none."""
        with _Shape(self) as document:
            return _texts(document.get("annotations") or {})

    @property
    def image(self) -> ImageManifest:
        """The manifest of one variant.

        Raises:
            DrydockError: the document is not such a manifest.

        """
        with _Shape(self) as document:
            config, *layers = _entries([document["config"], *document["layers"]])
            return ImageManifest(config=config, layers=tuple(layers))


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageConfig:
    """What a variant's configuration says of itself."""

    platform: str
    labels: Mapping[str, str]
    diff_ids: tuple[str, ...]
    created: str = ""  # when its newest layer was made (RFC 3339)
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    workdir: str = ""
    volumes: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()  # such as "8000/tcp"
    healthcheck: bool = False  # whether one is declared

    @property
    def architecture(self) -> str:
        """Its architecture, such as "arm64"."""
        return self.platform.split("/")[1]


def read_image_config(body: bytes, digest: str) -> ImageConfig:
    """Read the configuration of one variant.

    Raises:
        DrydockError: the blob is not such a configuration.

    """
    with _Shape(Manifest(body=body, media_type="", digest=digest)) as document:
        config = document.get("config") or {}
        test = (config.get("Healthcheck") or {}).get("Test") or []
        pairs = (variable.partition("=") for variable in config.get("Env") or [])
        return ImageConfig(
            platform=_platform(document),
            labels=_texts(config.get("Labels") or {}),
            diff_ids=tuple(map(str, document["rootfs"]["diff_ids"])),
            created=str(document.get("created") or ""),
            user=str(config.get("User") or ""),
            entrypoint=tuple(map(str, config.get("Entrypoint") or [])),
            cmd=tuple(map(str, config.get("Cmd") or [])),
            workdir=str(config.get("WorkingDir") or ""),
            volumes=tuple(config.get("Volumes") or {}),
            env={name: value for name, _, value in pairs},
            ports=tuple(config.get("ExposedPorts") or {}),
            healthcheck=bool(test) and test != ["NONE"],
        )


class _Shape:
    """Turns whatever a hostile document breaks into one error that names it."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __enter__(self) -> dict[str, Any]:
        try:
            document = json.loads(self._manifest.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._error()
        return document

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | IndexError):
            raise self._error() from None

    def _error(self) -> DrydockError:
        return DrydockError(f"{self._manifest.digest} is not a document of the image specification")


def _texts(values: object) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise TypeError
    return values


def _entries(values: list[dict[str, Any]]) -> Iterator[Descriptor]:
    for value in values:
        digest, size, media_type = value["digest"], value["size"], value["mediaType"]
        if not isinstance(size, int) or size < 0 or not isinstance(digest, str) or not is_digest(digest):
            raise ValueError
        platform = _platform(value["platform"]) if value.get("platform") else ""
        notes = _texts(value.get("annotations") or {})
        yield Descriptor(media_type=str(media_type), digest=digest, size=size, platform=platform, annotations=notes)


def _platform(value: dict[str, Any]) -> str:
    """Write a platform as the configuration does: v8 is what linux/arm64 means."""
    parts = [value["os"], value["architecture"], value.get("variant") or ""]
    if parts[1:] == ["arm64", "v8"]:
        parts[2] = ""
    return "/".join(filter(None, map(str, parts)))


def digest_of(body: bytes, *, like: str = "sha256:") -> str:
    """Compute the digest of bytes, by the algorithm of the digest it will be compared with."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, body, usedforsecurity=True).hexdigest()}"


def _entry(entry: Descriptor) -> dict[str, object]:
    written = {"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size}
    if entry.platform:
        written |= {"platform": dict(zip(("os", "architecture", "variant"), entry.platform.split("/"), strict=False))}
    return {**written, **({"annotations": dict(entry.annotations)} if entry.annotations else {})}
