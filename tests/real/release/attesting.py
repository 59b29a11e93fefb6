"""What stands for a build that attests what it is: provenance and SBOM as BuildKit writes them, to be spoilt."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ci.core.attestations import IN_TOTO, PREDICATE, SBOM
from ci.core.model import Variant
from ci.core.names import BASE_DIGEST, BASE_NAME, REVISION
from ci.core.oci import EMPTY, EMPTY_TYPE, OCI_MANIFEST, Manifest, digest_of
from ci.core.supply import GENERATOR, ProvenanceMode
from ci.release.request import Target

from .hand import CONFIG, Hand

PYTHON = "docker.io/library/python:3.13-slim"
GOOD, BAD = "sha256:" + "5" * 64, "sha256:" + "6" * 64
SLSA = "https://slsa.dev/provenance/v1"
ATTESTED = replace(
    CONFIG,
    provenance=ProvenanceMode.MAX,
    images=tuple(replace(image, sbom=GENERATOR) for image in CONFIG.images),
)


@dataclass
class Said:
    """What is attested of one variant, to be spoilt."""

    about: str  # the digest of the variant
    subject: str  # of the attestation manifest
    revision: str
    bases: list[tuple[str, str]] = field(default_factory=lambda: [("python@3.13-slim", GOOD)])
    packages: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = True  # whether it has all that was asked, as mode=max
    started: str = "2026-02-01T12:00:00Z"
    leave_out: str = ""  # a predicate type
    kinds: dict[str, str] = field(default_factory=dict)  # what the manifest calls a predicate type
    body: bytes | None = None  # in place of the provenance


def package(name: str, version: str, address: str) -> dict[str, Any]:
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": address}
    return {"name": name, "SPDXID": f"SPDXRef-{name}", "versionInfo": version, "externalRefs": [reference]}


def write(said: Said) -> tuple[Manifest, dict[str, bytes]]:
    """Write it as BuildKit 0.34 does."""
    name, _, hexadecimal = said.about.partition(":")
    subject = [{"name": "pkg:docker/registry.test/alpha@sha-bbbbbbb", "digest": {name: hexadecimal}}]
    taken = [
        {"uri": f"pkg:docker/{name}?platform=linux%2Famd64", "digest": {"sha256": d[7:]}} for name, d in said.bases
    ]
    provenance = {
        "buildDefinition": {
            "resolvedDependencies": taken,
            "externalParameters": {"configSource": {"path": "Dockerfile"}, "request": {"args": {"build-arg:A": "1"}}},
        },
        "runDetails": {
            "builder": {"id": ""},
            "metadata": {
                "startedOn": said.started,
                "buildkit_completeness": {"request": said.whole},
                "buildkit_metadata": {"vcs": {"revision": said.revision}},
            },
        },
    }
    sbom = {"spdxVersion": "SPDX-2.3", "name": "sbom", "packages": said.packages, "relationships": []}
    blobs: dict[str, bytes] = {digest_of(EMPTY): EMPTY}
    layers = []
    for kind, predicate in ((SBOM, sbom), (SLSA, provenance)):
        if kind == said.leave_out:
            continue
        statement = {"_type": "https://in-toto.io/Statement/v1", "predicateType": kind, "subject": subject}
        body = json.dumps({**statement, "predicate": predicate}).encode()
        body = said.body if said.body is not None and kind == SLSA else body
        blobs[digest_of(body)] = body
        notes = {PREDICATE: said.kinds.get(kind, kind)}
        layers.append({"mediaType": IN_TOTO, "digest": digest_of(body), "size": len(body), "annotations": notes})
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
        "config": {"mediaType": EMPTY_TYPE, "digest": digest_of(EMPTY), "size": len(EMPTY)},
        "layers": layers,
        "subject": {"mediaType": OCI_MANIFEST, "digest": said.subject, "size": 1},
    }
    body = json.dumps(document).encode()
    return Manifest(body=body, media_type=OCI_MANIFEST, digest=digest_of(body)), blobs


def nothing(said: Said) -> None:
    """Spoil nothing."""
    del said


@dataclass(frozen=True, kw_only=True)
class Attesting(Hand):
    """Builds that attest what they are; `spoil` changes what is said of each variant."""

    base: Mapping[str, str] = field(default_factory=lambda: {BASE_NAME: PYTHON, BASE_DIGEST: GOOD})
    spoil: Callable[[Said], None] | None = nothing

    def attest(
        self, target: Target, variant: Variant, manifest: Manifest
    ) -> tuple[Manifest | None, Mapping[str, bytes]]:
        del variant
        if self.spoil is None:
            return None, {}
        said = Said(about=manifest.digest, subject=manifest.digest, revision=target.labels[REVISION])
        said.packages = [
            package("bash", "5.2", "pkg:deb/debian/bash@5.2?arch=amd64&distro=debian-13"),
            package("requests", "2.32", "pkg:pypi/requests@2.32"),
        ]
        self.spoil(said)
        return write(said)
