"""Registries of every kind, each started once, and what is put into them."""

import json
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ci.core.oci import OCI_MANIFEST, digest_of
from ci.registry.address import RegistryAddress
from ci.registry.auth import Credentials
from ci.registry.client import RegistryClient
from ci.registry.retry import RetryPolicy
from tests.support.proxy import FaultProxy
from tests.support.servers import (
    PASSWORD,
    USER,
    Certificate,
    Registry,
    TokenServer,
    make_certificate,
    registry_binary,
    run_registry,
)

LOGIN = Credentials(username=USER, password=PASSWORD)
QUICK = RetryPolicy(attempts=4, base=0.01, deadline=20.0, longest=0.05)


def client(host: str, *, login: bool = False, **options: Any) -> RegistryClient:  # noqa: ANN401  # its own arguments
    """Make a client that loses no time."""
    plain = options.pop("plain_http", "verify" not in options)
    credentials = options.pop("credentials", LOGIN if login else None)
    address = RegistryAddress(host=host, plain_http=plain)
    return RegistryClient(address, credentials=credentials, **{"policy": QUICK, "timeout": 2.0, **options})


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a registry holds under the tag v1 of a repository."""

    repository: str
    manifest: bytes
    digest: str
    layer: bytes

    @property
    def layer_digest(self) -> str:
        return digest_of(self.layer)


def fill(url: str, login: httpx.Auth | None = None, verify: ssl.SSLContext | None = None) -> Content:
    """Push a small image as v1 into a repository of its own, without the client under test."""
    repository = f"acme/{uuid.uuid4().hex[:12]}"
    config, layer = b'{"architecture":"amd64","os":"linux"}', uuid.uuid4().bytes * 5000
    with httpx.Client(auth=login, verify=verify or True, trust_env=False, base_url=url) as http:
        for blob in (config, layer):
            place = http.post(f"/v2/{repository}/blobs/uploads/")
            assert place.status_code == 202, place.text
            target = httpx.URL(place.headers["Location"]).copy_merge_params({"digest": digest_of(blob)})
            done = http.put(target, content=blob)
            assert done.status_code == 201, done.text
        parts = [
            {"mediaType": kind, "digest": digest_of(blob), "size": len(blob)}
            for kind, blob in (
                ("application/vnd.oci.image.config.v1+json", config),
                ("application/vnd.oci.image.layer.v1.tar", layer),
            )
        ]
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": parts[0], "layers": parts[1:]}
        ).encode()
        address = f"/v2/{repository}/manifests/v1"
        done = http.put(address, content=manifest, headers={"Content-Type": OCI_MANIFEST})
        assert done.status_code == 201, done.text
    return Content(repository=repository, manifest=manifest, digest=digest_of(manifest), layer=layer)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not registry_binary():
        pytest.fail("no docker-registry; run the tests by `make test`, which installs one with the engine")
    return tmp_path_factory.mktemp("registries")


@pytest.fixture(scope="session")
def certificate(folder: Path) -> Certificate:
    return make_certificate(folder)


@pytest.fixture(scope="session")
def plain(folder: Path) -> Iterator[Registry]:
    """Give a registry that asks for no login."""
    with run_registry(folder / "plain") as registry:
        yield registry


@pytest.fixture(scope="session")
def basic(folder: Path) -> Iterator[Registry]:
    """Give a registry with basic authentication, which allows no deletes."""
    with run_registry(folder / "basic", htpasswd=True, deletes=False) as registry:
        yield registry


@pytest.fixture(scope="session")
def secure(folder: Path, certificate: Certificate) -> Iterator[Registry]:
    """Give a registry with basic authentication over TLS."""
    with run_registry(folder / "secure", htpasswd=True, tls=certificate) as registry:
        yield registry


@pytest.fixture
def tokens(certificate: Certificate) -> Iterator[TokenServer]:
    with TokenServer(certificate) as server:
        yield server


@pytest.fixture
def guarded(tmp_path: Path, tokens: TokenServer) -> Iterator[Registry]:
    """Give a registry that wants tokens, as ghcr.io does."""
    with run_registry(tmp_path / "guarded", token=tokens) as registry:
        yield registry


@pytest.fixture
def proxy(plain: Registry) -> Iterator[FaultProxy]:
    with FaultProxy(plain.port) as running:
        yield running


@pytest.fixture(scope="session")
def content(plain: Registry) -> Content:
    return fill(f"http://{plain.host}")
