"""A generator of SBOMs by BuildKit's protocol, made for tests: Python lists the packages that dpkg knows."""

import gzip
import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import httpx

from deploy.engine.mirror import MIRROR

_BASE = "python:3.13-slim"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
# Source of the variables: BuildKit, docs/attestations/sbom-protocol.md.
_PROGRAM = r"""
import json, os, pathlib, platform, re

to = pathlib.Path(os.environ["BUILDKIT_SCAN_DESTINATION"])
extras = pathlib.Path(os.environ.get("BUILDKIT_SCAN_SOURCE_EXTRAS") or "/none")
for root in (pathlib.Path(os.environ["BUILDKIT_SCAN_SOURCE"]), *(extras.iterdir() if extras.is_dir() else ())):
    status = root / "var/lib/dpkg/status"
    found = re.findall(r"^Package: (.*)\n(?:.*\n)*?Version: (.*)$", status.read_text(), re.M) if status.exists() else []
    release = root / "etc/os-release"
    version = re.search(r'^VERSION_ID="?([0-9.]+)', release.read_text(), re.M) if release.exists() else None
    distro = f"?distro=debian-{version[1]}" if version else ""
    packages = [
        {"name": n, "SPDXID": f"SPDXRef-{i}", "versionInfo": v, "externalRefs": [
            {"referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{n}@{v}{distro}"}]}
        for i, (n, v) in enumerate(found)
    ]
    predicate = {"spdxVersion": "SPDX-2.3", "name": root.name, "packages": packages, "comment": platform.machine(),
                 "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: drydock-test"]}}
    statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",
                 "predicate": predicate}
    (to / f"{root.name}.spdx.json").write_text(json.dumps(statement))
"""


@contextmanager
def run_generator() -> Iterator[str]:
    """Put it into the local mirror, on the layers of the image that is there for Drydock itself; name it."""
    name = f"drydock-test-{uuid.uuid4().hex[:12]}"
    with httpx.Client(base_url=f"http://{MIRROR}/v2/library", trust_env=False) as http:
        digest = _push(http, name)
        yield f"docker.io/library/{name}:1"
        http.delete(f"/{name}/manifests/{digest}").raise_for_status()


def _push(http: httpx.Client, name: str) -> str:
    repository, _, tag = _BASE.partition(":")
    index = http.get(f"/{repository}/manifests/{tag}", headers={"Accept": _INDEX}).raise_for_status().json()
    (entry,) = (e for e in index["manifests"] if e["platform"]["architecture"] == "amd64")
    accept = {"Accept": _MANIFEST}
    manifest = http.get(f"/{repository}/manifests/{entry['digest']}", headers=accept).raise_for_status().json()
    config = http.get(f"/{repository}/blobs/{manifest['config']['digest']}").raise_for_status().json()
    for layer in manifest["layers"]:
        mount = {"mount": layer["digest"], "from": f"library/{repository}"}
        http.post(f"/{name}/blobs/uploads/", params=mount).raise_for_status()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("generate.py")
        member.size = len(_PROGRAM.encode())
        archive.addfile(member, io.BytesIO(_PROGRAM.encode()))
    config["rootfs"]["diff_ids"].append(f"sha256:{sha256(packed.getvalue()).hexdigest()}")
    config["config"] |= {"Entrypoint": ["python3", "/generate.py"], "Cmd": []}
    config.pop("history", None)
    layers = [*manifest["layers"], _blob(http, name, gzip.compress(packed.getvalue(), mtime=0), "layer.v1.tar+gzip")]
    described = _blob(http, name, json.dumps(config).encode(), "config.v1+json")
    document = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": layers}
    done = http.put(f"/{name}/manifests/1", content=json.dumps(document), headers={"Content-Type": _MANIFEST})
    digest: str = done.raise_for_status().headers["Docker-Content-Digest"]
    return digest


def _blob(http: httpx.Client, name: str, body: bytes, kind: str) -> dict[str, Any]:
    digest = f"sha256:{sha256(body).hexdigest()}"
    place = http.post(f"/{name}/blobs/uploads/").raise_for_status().headers["Location"]
    http.put(place, params={**httpx.URL(place).params, "digest": digest}, content=body).raise_for_status()
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(body)}
