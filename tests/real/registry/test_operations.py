"""Every operation against a real registry: without login, with basic authentication, over TLS, with tokens."""

import asyncio
import base64
import json
from collections.abc import Generator

import httpx
import pytest

from ci.core.errors import DrydockError
from ci.core.oci import OCI_INDEX, OCI_MANIFEST, digest_of
from ci.registry.auth import Credentials
from ci.registry.client import RegistryClient
from ci.registry.errors import RegistryError, RegistryErrorKind
from ci.registry.http import trust_also
from tests.support.servers import PASSWORD, USER, Certificate, Registry, Reply, TokenServer

from .conftest import LOGIN, Content, client, fill

UNKNOWN = digest_of(b"nowhere")
BASIC = httpx.BasicAuth(USER, PASSWORD)


async def exercise(registry: RegistryClient, content: Content) -> None:
    """Do everything once, and check what comes back."""
    name = content.repository
    assert await registry.resolve(name, "v1") == content.digest
    assert await registry.resolve(name, content.digest) == content.digest
    assert await registry.resolve(name, "absent") is None
    assert await registry.resolve(name, UNKNOWN) is None
    assert await registry.resolve("acme/nothing-here", "v1") is None
    for reference in ("v1", content.digest):
        found = await registry.get_manifest(name, reference)
        assert (found.body, found.media_type, found.digest) == (content.manifest, OCI_MANIFEST, content.digest)
    assert await registry.put_manifest(name, "v2", content.manifest, OCI_MANIFEST) == content.digest
    assert await registry.put_manifest(name, content.digest, content.manifest, OCI_MANIFEST) == content.digest
    entry = {"mediaType": OCI_MANIFEST, "digest": content.digest, "size": len(content.manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
    assert await registry.put_manifest(name, "v3", index, OCI_INDEX) == digest_of(index)
    assert (await registry.get_manifest(name, "v3")).media_type == OCI_INDEX
    assert await registry.get_blob(name, content.layer_digest, limit=len(content.layer)) == content.layer
    assert await registry.blob_size(name, content.layer_digest) == len(content.layer)
    assert await registry.blob_size(name, UNKNOWN) is None
    assert registry.effort.retries == 0
    assert registry.effort.seconds > 0


async def test_without_login(plain: Registry, content: Content) -> None:
    async with client(plain.host) as registry:
        await exercise(registry, content)


async def test_with_basic_authentication(basic: Registry) -> None:
    content = fill(f"http://{basic.host}", BASIC)
    async with client(basic.host, login=True) as registry:
        await exercise(registry, content)


async def test_over_tls(secure: Registry, certificate: Certificate) -> None:
    content = fill(f"https://{secure.host}", BASIC, verify=certificate.trust())
    async with client(secure.host, login=True, verify=certificate.trust()) as registry:
        await exercise(registry, content)


async def test_a_ca_of_ones_own_besides_the_usual_ones(secure: Registry, certificate: Certificate) -> None:
    content = fill(f"https://{secure.host}", BASIC, verify=certificate.trust())
    trusted = trust_also(certificate.certificate.read_text())
    async with client(secure.host, login=True, verify=trusted) as registry:
        assert await registry.resolve(content.repository, "v1") == content.digest
    assert len(trusted.get_ca_certs()) > 1
    for text in ("", "no certificate", certificate.key.read_text()):
        with pytest.raises(DrydockError, match="give a file in PEM"):
            trust_also(text)


async def test_a_certificate_nobody_vouches_for_is_refused_at_once(secure: Registry) -> None:
    async with client(secure.host, login=True, plain_http=False) as registry:
        with pytest.raises(RegistryError, match="certificate is not trusted") as caught:
            await registry.resolve("acme/a", "v1")
    assert registry.effort.retries == 0
    assert caught.value.kind is RegistryErrorKind.UNAVAILABLE


@pytest.mark.parametrize("field", ["token", "access_token"])
async def test_with_tokens(guarded: Registry, tokens: TokenServer, field: str) -> None:
    content = fill_guarded(guarded)
    tokens.field = field
    before = len(tokens.tokens)
    async with client(guarded.host, login=True) as registry:
        await exercise(registry, content)
    # Reading and writing this repository, and reading the one that does not exist: each asked for once.
    assert len(tokens.tokens) - before == 3


def fill_guarded(guarded: Registry) -> Content:
    """Fill a registry with tokens: ask for one as its challenge says."""

    class Login(httpx.Auth):
        requires_response_body = True

        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            answer = yield request
            if answer.status_code == 401:
                fields = dict(
                    part.split("=", 1)
                    for part in answer.headers["WWW-Authenticate"]
                    .removeprefix("Bearer ")
                    .replace('"', "")
                    .split(",", 2)
                )
                given = yield httpx.Request(
                    "GET", httpx.URL(fields.pop("realm"), params=fields), headers={"Authorization": LOGIN.basic}
                )
                request.headers["Authorization"] = f"Bearer {given.json().get('token')}"
                yield request

    return fill(f"http://{guarded.host}", Login())


async def test_a_token_is_renewed_before_it_expires_and_when_it_is_refused(
    guarded: Registry, tokens: TokenServer
) -> None:
    content = fill_guarded(guarded)
    before = len(tokens.tokens)
    async with client(guarded.host, login=True) as registry:
        await registry.resolve(content.repository, "v1")
        await registry.resolve(content.repository, "v1")
        assert len(tokens.tokens) - before == 1
        # A token the registry no longer takes.
        scope = f"repository:{content.repository}:pull"
        known = registry._session.auth._tokens[scope]
        registry._session.auth._tokens[scope] = type(known)(header=known.header + "x", until=known.until)
        assert await registry.resolve(content.repository, "v1") == content.digest
        assert len(tokens.tokens) - before == 2
        registry._session.auth._tokens[scope] = type(known)(header=known.header, until=0.0)
        assert await registry.resolve(content.repository, "v1") == content.digest
        assert len(tokens.tokens) - before == 3


async def test_many_requests_at_once_ask_for_one_token(guarded: Registry, tokens: TokenServer) -> None:
    content = fill_guarded(guarded)
    before = len(tokens.tokens)
    async with client(guarded.host, login=True) as registry:
        found = await asyncio.gather(*(registry.resolve(content.repository, "v1") for _ in range(8)))
    assert set(found) == {content.digest}
    assert len(tokens.tokens) - before == 1


async def test_many_requests_at_once_log_in_by_basic_authentication(basic: Registry) -> None:
    content = fill(f"http://{basic.host}", BASIC)
    async with client(basic.host, login=True) as registry:
        found = await asyncio.gather(*(registry.resolve(content.repository, "v1") for _ in range(8)))
    assert set(found) == {content.digest}


async def test_a_token_without_the_permission_names_the_scope(guarded: Registry, tokens: TokenServer) -> None:
    content = fill_guarded(guarded)
    tokens.grant = ("pull",)
    async with client(guarded.host, login=True) as registry:
        assert await registry.resolve(content.repository, "v1") == content.digest
        with pytest.raises(RegistryError, match="packages: write") as caught:
            await registry.put_manifest(content.repository, "v2", content.manifest, OCI_MANIFEST)
    assert caught.value.kind is RegistryErrorKind.FORBIDDEN
    assert f"repository:{content.repository}:pull,push" in str(caught.value)
    assert registry.effort.retries == 0


async def test_anonymous_where_a_login_is_needed(basic: Registry, guarded: Registry) -> None:
    for host in (basic.host, guarded.host):
        async with client(host) as registry:
            with pytest.raises(RegistryError, match=r"^GET|^HEAD acme/a:v1 at 127") as caught:
                await registry.resolve("acme/a", "v1")
        assert caught.value.kind in {RegistryErrorKind.UNAUTHORIZED, RegistryErrorKind.FORBIDDEN}
    async with client(basic.host) as registry:
        with pytest.raises(RegistryError, match="Log in"):
            await registry.resolve("acme/a", "v1")


async def test_a_wrong_password_is_told_once(basic: Registry, guarded: Registry) -> None:
    wrong = Credentials(username=USER, password="planted-wrong-55aa")
    for host in (basic.host, guarded.host):
        async with client(host, credentials=wrong) as registry:
            with pytest.raises(RegistryError, match="Check the user name and the token") as caught:
                await registry.get_manifest("acme/a", "v1")
        assert caught.value.kind is RegistryErrorKind.UNAUTHORIZED
        assert registry.effort.retries == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token": 5}',
        b'{"token": "a\\r\\nHost: b"}',
        b'{"token": ""}',
        b"[" * 100_000,
        b"x" * 300_000,
    ],
)
async def test_a_token_server_that_gives_no_token(guarded: Registry, tokens: TokenServer, body: bytes) -> None:
    tokens.broken = Reply(body=body)
    async with client(guarded.host, login=True) as registry:
        with pytest.raises(RegistryError) as caught:
            await registry.resolve("acme/a", "v1")
    assert caught.value.kind is RegistryErrorKind.PROTOCOL


async def test_a_token_server_in_trouble_is_asked_again(guarded: Registry, tokens: TokenServer) -> None:
    tokens.broken = Reply(status=503)
    async with client(guarded.host, login=True) as registry:
        with pytest.raises(RegistryError, match=r"asking for a token .* 4 attempts") as caught:
            await registry.resolve("acme/a", "v1")
    assert caught.value.kind is RegistryErrorKind.UNAVAILABLE


async def test_deleting_a_tag(plain: Registry, basic: Registry, content: Content) -> None:
    """This release of the registry removes no tags, only manifests; one that allows no deletes says so."""
    async with client(plain.host) as registry:
        assert await registry.delete_tag(content.repository, "v1") is False
        assert await registry.resolve(content.repository, "v1") == content.digest
    closed = fill(f"http://{basic.host}", BASIC)
    async with client(basic.host, login=True) as registry:
        assert await registry.delete_tag(closed.repository, "v1") is False
        assert await registry.resolve(closed.repository, "v1") == closed.digest


async def test_what_is_absent(plain: Registry, content: Content) -> None:
    async with client(plain.host) as registry:
        with pytest.raises(RegistryError, match="MANIFEST_UNKNOWN") as caught:
            await registry.get_manifest(content.repository, "absent")
        assert caught.value.kind is RegistryErrorKind.NOT_FOUND
        with pytest.raises(RegistryError, match="BLOB_UNKNOWN") as caught:
            await registry.get_blob(content.repository, UNKNOWN, limit=10)
        assert caught.value.kind is RegistryErrorKind.NOT_FOUND
    assert registry.effort.retries == 0


async def test_a_manifest_whose_layers_are_missing_is_tried_again(plain: Registry, content: Content) -> None:
    broken = content.manifest.replace(content.layer_digest.encode(), UNKNOWN.encode())
    async with client(plain.host) as registry:
        with pytest.raises(RegistryError, match=r"BLOB_UNKNOWN.* 4 attempts .* push them first"):
            await registry.put_manifest(content.repository, "v9", broken, OCI_MANIFEST)
        assert registry.effort.retries == 3
        assert await registry.resolve(content.repository, "v9") is None


async def test_a_blob_over_the_limit_is_not_read(plain: Registry, content: Content) -> None:
    async with client(plain.host) as registry:
        with pytest.raises(RegistryError, match="longer than 100 bytes"):
            await registry.get_blob(content.repository, content.layer_digest, limit=100)


async def test_names_that_would_lead_elsewhere_are_not_sent(plain: Registry, content: Content) -> None:
    async with client(plain.host) as registry:
        for name, reference in (("../x", "v1"), ("a?b", "v1"), ("A/b", "v1"), ("a", "../v1"), ("a", "sha256:12")):
            with pytest.raises(DrydockError):
                await registry.resolve(name, reference)
        with pytest.raises(DrydockError, match="has the digest"):
            await registry.put_manifest(content.repository, UNKNOWN, content.manifest, OCI_MANIFEST)


def test_nothing_shows_the_password(plain: Registry) -> None:
    registry = client(plain.host, login=True)
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for value in (LOGIN, registry, registry._session.auth, registry._session.transport):
        for text in (repr(value), str(value), f"{value}"):
            assert PASSWORD not in text
            assert encoded not in text
