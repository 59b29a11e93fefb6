"""The documents of an archive: one image, its configuration, and what the build says it took."""

import base64
import json
from typing import Any

import pytest

from ci.build.archive import read_archive
from ci.core.errors import DrydockError
from ci.core.oci import digest_of

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = {
    "os": "linux",
    "architecture": "arm64",
    "variant": "v8",
    "created": "2026-01-01T00:00:00Z",
    "config": {
        "User": "1:2",
        "Env": ["PATH=/bin", "EMPTY=", "TWO=a=b"],
        "Entrypoint": ["/x"],
        "ExposedPorts": {"9899/sctp": {}},
        "Healthcheck": {"Test": ["CMD", "true"]},
        "Labels": {"a": "b"},
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]},
}


class Layout:
    """Blobs that are put into an archive, and its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def put(self, value: Any, media_type: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # any document
        body = json.dumps(value).encode()
        digest = digest_of(body)
        self.write(f"blobs/{digest.replace(':', '/')}", body)
        return {"mediaType": media_type, "digest": digest, "size": len(body), **more}

    def write(self, path: str, body: bytes) -> None:
        self.lines.append(f"{path} {base64.b64encode(body).decode()}")

    def finish(self, *manifests: dict[str, Any]) -> str:
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        self.write("index.json", json.dumps(document).encode())
        return "\n".join(self.lines)

    def image(self, config: dict[str, Any] = CONFIG) -> dict[str, Any]:
        layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": f"sha256:{'1' * 64}", "size": 70}
        described = self.put(config, "application/vnd.oci.image.config.v1+json")
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [layer]}
        return self.put(document, MANIFEST)

    def attestation(self, image: dict[str, Any], taken: list[object]) -> dict[str, Any]:
        kind = "https://slsa.dev/provenance/v1"
        predicate = {
            "buildDefinition": {"externalParameters": {}, "resolvedDependencies": taken},
            "runDetails": {"builder": {"id": ""}},
        }
        said = {"_type": "https://in-toto.io/Statement/v1", "predicateType": kind, "predicate": predicate}
        statement = self.put(said, "application/vnd.in-toto+json")
        statement["annotations"] = {"in-toto.io/predicate-type": kind}
        config = self.put({}, "application/vnd.oci.image.config.v1+json")
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [statement]}
        about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image["digest"]}
        return self.put(document, MANIFEST, annotations=about)


def test_an_image_beside_what_is_attested_of_it() -> None:
    layout = Layout()
    image = layout.image()
    dependency = {"uri": "pkg:docker/python@3.13-slim?platform=linux%2Farm64", "digest": {"sha256": "d"}}
    bare = {"uri": "pkg:docker/ghcr.io/acme/b@latest?platform=linux%2Farm64", "digest": {"sha256": "e"}}
    taken = [
        dependency,
        {"uri": "https://x"},
        bare,
        {"uri": "pkg:oci/part0?digest=sha256:f", "digest": {"sha256": "f"}},
    ]
    attested = layout.attestation(image, taken)
    inner = layout.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image, attested]}, INDEX)
    found = read_archive(layout.finish(inner))
    assert found.manifest.digest == image["digest"]
    assert found.attestation
    assert found.attestation.digest == attested["digest"]
    assert found.size == 70 + found.manifest.image.config.size
    assert list(found.sources) == [("python:3.13-slim", "sha256:d"), ("ghcr.io/acme/b", "sha256:e")]
    config = found.config
    assert (config.platform, config.architecture, config.user) == ("linux/arm64", "arm64", "1:2")
    assert config.env == {"PATH": "/bin", "EMPTY": "", "TWO": "a=b"}
    assert (config.entrypoint, config.ports, config.healthcheck) == (("/x",), ("9899/sctp",), True)
    assert (config.labels, config.created) == ({"a": "b"}, "2026-01-01T00:00:00Z")


def test_an_image_alone() -> None:
    layout = Layout()
    found = read_archive(layout.finish(layout.image({**CONFIG, "config": {"Healthcheck": {"Test": ["NONE"]}}})))
    assert found.config.healthcheck is False
    assert list(found.sources) == []


def test_two_images_are_not_one() -> None:
    layout = Layout()
    text = layout.finish(layout.image(), layout.image({**CONFIG, "created": ""}))
    with pytest.raises(DrydockError, match="holds 2 images instead of one"):
        read_archive(text)


@pytest.mark.parametrize("text", ["", "index.json", "index.json !!!", "index.json e30=", "x e30="])
def test_what_is_no_archive_is_refused(text: str) -> None:
    with pytest.raises(DrydockError, match="is not one of the image specification"):
        read_archive(text)


def test_a_document_that_is_another_one_is_refused() -> None:
    layout = Layout()
    image = layout.image()
    layout.lines = [line.partition(" ")[0] + " e30=" if image["digest"][7:] in line else line for line in layout.lines]
    with pytest.raises(DrydockError, match="holds something else under"):
        read_archive(layout.finish(image))
