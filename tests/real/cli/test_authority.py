"""A registry whose certificate a CA of its own has signed: pushed to, cached in and built from, once that is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ci.registry.address import RegistryAddress
from ci.registry.auth import Credentials
from ci.registry.client import RegistryClient
from deploy.engine.mirror import bridge_mirror
from tests.support.servers import PASSWORD, USER, Certificate, Registry, make_certificate, run_registry

from .conftest import Call, Repository

pytestmark = pytest.mark.timeout(900)

IMAGE = """\
name: alpha
dockerfile: Dockerfile
platforms: [linux/amd64]
smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
"""
FIRST = ("--revision", "a" * 40, "--created", "2026-03-01T12:00:00Z")
SECOND = ("--revision", "b" * 40, "--created", "2026-03-02T12:00:00Z")


@dataclass(frozen=True, kw_only=True)
class Signed:
    registry: Registry
    certificate: Certificate

    def client(self) -> RegistryClient:
        login = Credentials(username=USER, password=PASSWORD)
        address = RegistryAddress(host=self.registry.host)
        return RegistryClient(address, credentials=login, verify=self.certificate.trust())


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Signed]:
    """Serve by TLS on the bridge, where the engine's containers reach this host."""
    address = bridge_mirror().partition(":")[0]
    certificate = make_certificate(tmp_path, address)
    with run_registry(tmp_path / "signed", htpasswd=True, tls=certificate, host=address) as registry:
        yield Signed(registry=registry, certificate=certificate)


async def test_a_release_to_a_registry_with_a_ca_of_its_own(
    signed: Signed, repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_TOKEN", PASSWORD)
    place = f"{signed.registry.host}/acme"
    top = f"repository: {place}/{{name}}\ncompression: gzip"
    repository.configure(IMAGE, top=top)
    repository.write({"Dockerfile": "FROM scratch\nCOPY hello.txt /hello.txt\n", "hello.txt": "hello"})
    login = ("--username", USER, "--password", "env:REGISTRY_TOKEN")

    distrusted = call(*login, "publish", "--latest", *FIRST)
    assert distrusted.code != 0
    assert "its certificate is not trusted" in distrusted.err
    assert "--registry-ca FILE" in distrusted.err
    assert not (signed.registry.log.parent / "data/docker/registry/v2/repositories").exists()

    unreadable = call(*login, "--registry-ca", "hello.txt", "publish", "--latest", *FIRST)
    assert unreadable.code != 0
    assert "--registry-ca holds no certificates" in unreadable.err

    trusting = (*login, "--registry-ca", str(signed.certificate.certificate))
    first = call(*trusting, "publish", "--latest", *FIRST)
    assert first.code == 0, first.err[-3000:]
    async with signed.client() as registry:
        # The cache is BuildKit's own push.
        assert await registry.list_tags("acme/alpha") == {"sha-aaaaaaa", "latest", "cache-alpha-linux-amd64"}
    assert call(*trusting, "verify", *FIRST[:2]).code == 0

    # Another repository's state, so that what is cached comes from the registry, and what is built on too.
    repository.configure(IMAGE, top=f"{top}\nsource: https://git.test/acme/other")
    cached = call(*trusting, "--cache", "read", "build-all")
    assert cached.code == 0, cached.err[-3000:]
    assert "cache-alpha-linux-amd64" in cached.out
    repository.write({"Dockerfile": f"FROM {place}/alpha:latest\nCOPY hello.txt /other.txt\n"})
    second = call(*trusting, "publish", "--latest", *SECOND)
    assert second.code == 0, second.err[-3000:]
    async with signed.client() as registry:
        (entry,) = (await registry.get_manifest("acme/alpha", "latest")).entries
        assert len((await registry.get_manifest("acme/alpha", entry.digest)).image.layers) == 2
