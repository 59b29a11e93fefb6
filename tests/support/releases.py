"""Fills a registry with releases by hand, without the code under test: images, attestations, caches, signatures."""

import gzip
import io
import json
import tarfile
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"
PLATFORMS = ("linux/amd64", "linux/arm64")


def digest_of(body: bytes) -> str:
    return f"sha256:{sha256(body).hexdigest()}"


def layer_of(files: dict[str, bytes]) -> tuple[bytes, str]:
    """Write a layer; return it compressed, and the digest of what it is uncompressed."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0), digest_of(plain.getvalue())


@dataclass
class Shelf:
    """One repository of a registry, and all that was put into it."""

    url: str  # of the registry
    name: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))

    def blob(self, body: bytes, media_type: str, **more: object) -> dict[str, Any]:
        place = self.http.post(f"{self.url}/v2/{self.name}/blobs/uploads/")
        assert place.status_code == 202, place.text
        target = httpx.URL(self.url).join(place.headers["Location"]).copy_merge_params({"digest": digest_of(body)})
        done = self.http.put(target, content=body, headers={"Content-Type": "application/octet-stream"})
        assert done.status_code == 201, done.text
        return {"mediaType": media_type, "digest": digest_of(body), "size": len(body), **more}

    def manifest(self, document: dict[str, Any], tag: str = "", **more: object) -> dict[str, Any]:
        body = json.dumps({"schemaVersion": 2, **document}).encode()
        kind, digest = document["mediaType"], digest_of(body)
        place = f"{self.url}/v2/{self.name}/manifests/{tag or digest}"
        done = self.http.put(place, content=body, headers={"Content-Type": kind})
        assert done.status_code == 201, done.text
        return {"mediaType": kind, "digest": digest, "size": len(body), **more}

    def variant(
        self, platform: str, content: bytes, labels: dict[str, str] | None = None, created: str = ""
    ) -> dict[str, Any]:
        """Push the image of one platform; the same content gives the same digest."""
        layer, diff_id = layer_of({"app": content, "machine": platform.encode()})
        system, architecture = platform.split("/")
        config = {
            "architecture": architecture,
            "os": system,
            "config": {"Labels": labels or {}},
            **({"created": created} if created else {}),
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created_by": "COPY app /app"}],
        }
        document = {
            "mediaType": MANIFEST,
            "config": self.blob(json.dumps(config).encode(), CONFIG),
            "layers": [self.blob(layer, LAYER)],
        }
        return self.manifest(document, platform={"architecture": architecture, "os": system})

    def attestation(self, subject: dict[str, Any], text: str) -> dict[str, Any]:
        """Push what BuildKit puts into an index beside a variant."""
        return self.statements(subject, {"https://slsa.dev/provenance/v1": {"text": text}})

    def statements(self, subject: dict[str, Any], predicates: dict[str, Any]) -> dict[str, Any]:
        """Push statements about a variant, by their type, as BuildKit does."""
        layers = []
        for kind, predicate in predicates.items():
            statement = {
                "_type": "https://in-toto.io/Statement/v1",
                "predicateType": kind,
                "subject": [{"name": "_", "digest": {"sha256": subject["digest"].removeprefix("sha256:")}}],
                "predicate": predicate,
            }
            notes = {"in-toto.io/predicate-type": kind}
            layers.append(self.blob(json.dumps(statement).encode(), IN_TOTO, annotations=notes))
        document = {
            "mediaType": MANIFEST,
            "config": self.blob(json.dumps({"about": subject["digest"]}).encode(), CONFIG),
            "layers": layers,
        }
        return self.manifest(
            document,
            platform={"architecture": "unknown", "os": "unknown"},
            annotations={
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": subject["digest"],
            },
        )

    def signature(self, subject: dict[str, Any], text: str, certificate: bytes = b"") -> dict[str, Any]:
        """Push what cosign writes about a manifest, under no tag."""
        bundle = {"text": text, "verificationMaterial": {"certificate": {"rawBytes": b64encode(certificate).decode()}}}
        kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
        document = {
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": self.blob(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [self.blob(json.dumps(bundle).encode(), kind)],
            "annotations": {"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"},
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
        }
        return self.manifest(document)

    def fallback(self, subject: dict[str, Any], *referrers: dict[str, Any]) -> dict[str, Any]:
        """Name what is about a manifest as it is done where a registry has no list of referrers."""
        tag = subject["digest"].replace(":", "-")
        return self.manifest({"mediaType": INDEX, "manifests": list(referrers)}, tag)

    def cache(self, tag: str, text: str, *, as_index: bool = False) -> dict[str, Any]:
        """Push a layer cache as BuildKit writes it: as an image, or as an index of layers."""
        layer, _ = layer_of({"cached": text.encode()})
        parts = [self.blob(layer, LAYER)]
        config = self.blob(json.dumps({"layers": [text]}).encode(), "application/vnd.buildkit.cacheconfig.v0")
        if as_index:
            return self.manifest({"mediaType": INDEX, "manifests": [*parts, config]}, tag)
        return self.manifest({"mediaType": MANIFEST, "config": config, "layers": parts}, tag)

    def release(
        self, tags: tuple[str, ...], content: bytes, created: str, *, attest: str = "", revision: str = ""
    ) -> dict[str, Any]:
        """Push an index of both platforms, with an attestation of each, under some tags."""
        variants = [self.variant(platform, content) for platform in PLATFORMS]
        attestations = [self.attestation(each, attest) for each in variants] if attest else []
        notes = {"org.opencontainers.image.created": created, "org.opencontainers.image.revision": revision}
        document = {"mediaType": INDEX, "manifests": [*variants, *attestations], "annotations": notes}
        named = [self.manifest(document, tag) for tag in tags]
        return {**named[0], "variants": variants}

    def tag(self, digest: str, tag: str) -> None:
        """Give what a digest names another tag."""
        found = self.http.get(
            f"{self.url}/v2/{self.name}/manifests/{digest}", headers={"Accept": f"{INDEX}, {MANIFEST}"}
        )
        assert found.status_code == 200, found.text
        place = f"{self.url}/v2/{self.name}/manifests/{tag}"
        done = self.http.put(place, content=found.content, headers={"Content-Type": found.headers["Content-Type"]})
        assert done.status_code == 201, done.text

    def tags(self) -> set[str]:
        found = self.http.get(f"{self.url}/v2/{self.name}/tags/list")
        return set(found.json().get("tags") or ()) if found.status_code == 200 else set()

    def has(self, reference: str) -> bool:
        place = f"{self.url}/v2/{self.name}/manifests/{reference}"
        return self.http.head(place, headers={"Accept": f"{INDEX}, {MANIFEST}"}).status_code == 200
