"""Servers that lie, and what they never get to see."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack

import pytest

from ci.core.oci import OCI_INDEX, OCI_MANIFEST, digest_of
from ci.registry.errors import RegistryError, RegistryErrorKind
from tests.support.servers import PASSWORD, Certificate, Reply, Request, Stub

from .conftest import LOGIN, client

BODY = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST}).encode()
TYPE = {"Content-Type": OCI_MANIFEST}
DIGEST = digest_of(BODY)
OTHER = digest_of(b"other")
TOKEN = "planted-token-d41d8c"
SECRETS = (PASSWORD, LOGIN.basic.removeprefix("Basic "), TOKEN, "planted-signature")

Start = Callable[..., Stub]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers that answer what they are told."""
    with ExitStack() as stack:

        def start(answer: Reply | Callable[[Request], Reply], tls: Certificate | None = None) -> Stub:
            function = (lambda _request: answer) if isinstance(answer, Reply) else answer
            return stack.enter_context(Stub(function, tls=tls))

        yield start


async def refused(work: Awaitable[object], text: str) -> RegistryError:
    with pytest.raises(RegistryError, match=text) as caught:
        await work
    assert caught.value.kind is RegistryErrorKind.PROTOCOL
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(body=BODY, headers={**TYPE, "Docker-Content-Digest": OTHER}), "not the one that was promised"),
        (Reply(body=BODY, headers={**TYPE, "Docker-Content-Digest": "sha256:12"}), "not the one that was promised"),
        (Reply(body=BODY, headers={"Content-Type": OCI_INDEX}), "media type"),
        (Reply(body=BODY, headers={"Content-Type": "text/html"}), "media type"),
        (Reply(body=BODY), "media type"),
        (Reply(body=b"{", headers=TYPE), "no JSON object"),
        (Reply(body=b"[]", headers=TYPE), "no JSON object"),
        (Reply(body=b"\xff\xfe", headers=TYPE), "no JSON object"),
        (Reply(body=b"[" * 200_000, headers=TYPE), "no JSON object"),
        (Reply(body=b"", headers=TYPE), "no JSON object"),
        (Reply(body=b" " * (4 * 1024 * 1024 + 1), headers=TYPE), "longer than 4194304 bytes"),
        (Reply(headers={**TYPE, "Content-Length": "9" * 18}), "longer than 4194304 bytes"),
        (Reply(status=304), "304"),
    ],
)
async def test_a_manifest_that_is_not_what_it_says(start: Start, reply: Reply, text: str) -> None:
    stub = start(reply)
    async with client(stub.host) as registry:
        await refused(registry.get_manifest("acme/a", "v1"), text)
    assert len(stub.requests) == 1


async def test_another_manifest_than_the_one_that_was_asked_for(start: Start) -> None:
    stub = start(Reply(body=BODY, headers={**TYPE, "Docker-Content-Digest": DIGEST}))
    async with client(stub.host) as registry:
        await refused(registry.get_manifest("acme/a", OTHER), "not the one that was promised")
        await refused(registry.resolve("acme/a", OTHER), "another digest")


async def test_a_digest_that_is_not_said_is_computed(start: Start) -> None:
    stub = start(Reply(body=BODY, headers=TYPE))
    async with client(stub.host) as registry:
        assert await registry.resolve("acme/a", "v1") == DIGEST
        assert (await registry.get_manifest("acme/a", "v1")).digest == DIGEST
    assert [r.method for r in stub.requests] == ["HEAD", "GET", "GET"]
    assert "application/vnd.oci.image.index.v1+json" in stub.requests[0].headers["accept"]


@pytest.mark.parametrize(("headers", "fine"), [({}, True), ({"Docker-Content-Digest": OTHER}, False)])
async def test_writing_compares_what_the_registry_says(start: Start, headers: dict[str, str], fine: bool) -> None:
    stub = start(Reply(status=201, headers=headers))
    async with client(stub.host) as registry:
        work = registry.put_manifest("acme/a", "v1", BODY, OCI_MANIFEST)
        if fine:
            assert await work == DIGEST
        else:
            await refused(work, "stored another digest")
    assert stub.requests[0].body == BODY
    assert stub.requests[0].headers["content-type"] == OCI_MANIFEST


async def test_a_blob_that_is_not_what_it_says(start: Start) -> None:
    stub = start(Reply(body=b"x" * 50))
    async with client(stub.host) as registry:
        await refused(registry.get_blob("acme/a", OTHER, limit=100), "the body has the digest")
        await refused(registry.get_blob("acme/a", OTHER, limit=49), "longer than 49 bytes")
        assert await registry.blob_size("acme/a", OTHER) == 50
        stub.answer = lambda _request: Reply(headers={"Content-Length": "-1"})
        with pytest.raises(RegistryError):
            await registry.blob_size("acme/a", OTHER)


async def test_storage_elsewhere_sees_no_authorization(start: Start) -> None:
    storage = start(Reply(body=b"blob"))

    def answer(request: Request) -> Reply:
        if "authorization" not in request.headers:
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return Reply(status=307, headers={"Location": f"{storage.url}/blob?signature=planted-signature"})

    stub = start(answer)
    async with client(stub.host, login=True) as registry:
        assert await registry.get_blob("acme/a", digest_of(b"blob"), limit=10) == b"blob"
        assert await registry.blob_size("acme/a", digest_of(b"blob")) == 4
    assert "authorization" in stub.requests[1].headers
    assert len(storage.requests) == 2
    assert all("authorization" not in request.headers for request in storage.requests)


async def test_storage_elsewhere_gets_no_credentials_by_asking(start: Start) -> None:
    storage = start(Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="give"'}))
    back = start(Reply(status=307))
    stub = start(Reply(status=307, headers={"Location": f"{storage.url}/blob"}))
    async with client(stub.host, login=True) as registry:
        with pytest.raises(RegistryError) as caught:
            await registry.get_blob("acme/a", OTHER, limit=10)
    assert caught.value.kind is RegistryErrorKind.UNAUTHORIZED
    assert caught.value.where == storage.host
    assert len(storage.requests) == 1
    assert not back.requests


async def test_a_redirect_back_home_regains_no_authorization(start: Start) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/home":
            return Reply(body=b"blob")
        if "authorization" not in request.headers:
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return Reply(status=302, headers={"Location": f"{away.url}/away"})

    stub = start(answer)
    away = start(lambda _request: Reply(status=302, headers={"Location": f"{stub.url}/home"}))
    async with client(stub.host, login=True) as registry:
        assert await registry.get_blob("acme/a", digest_of(b"blob"), limit=10) == b"blob"
    assert "authorization" not in stub.requests[-1].headers


async def test_manifests_come_from_the_registry_alone(start: Start) -> None:
    other = start(Reply(body=BODY, headers=TYPE))
    stub = start(lambda request: Reply(status=307, headers={"Location": f"{other.url}{request.path}"}))
    async with client(stub.host, login=True) as registry:
        await refused(registry.get_manifest("acme/a", "v1"), "a redirect leads to another host")
        await refused(registry.resolve("acme/a", "v1"), "a redirect leads to another host")
        await refused(registry.put_manifest("acme/a", "v1", BODY, OCI_MANIFEST), "does not follow")
        await refused(registry.delete_tag("acme/a", "v1"), "does not follow")
    assert not other.requests


async def test_a_redirect_on_the_same_host_is_followed(start: Start) -> None:
    def answer(request: Request) -> Reply:
        if request.path.startswith("/v2/"):
            return Reply(status=308, headers={"Location": "/moved"})
        return Reply(body=BODY, headers=TYPE)

    stub = start(answer)
    async with client(stub.host) as registry:
        assert (await registry.get_manifest("acme/a", "v1")).digest == DIGEST


async def test_no_redirect_leads_out_of_tls(start: Start, certificate: Certificate) -> None:
    storage = start(Reply(body=b"blob"))
    stub = start(Reply(status=307, headers={"Location": f"{storage.url}/blob"}), tls=certificate)
    async with client(stub.host, verify=certificate.trust()) as registry:
        await refused(registry.get_blob("acme/a", digest_of(b"blob"), limit=10), "from https to http")
    assert not storage.requests


async def test_redirects_end(start: Start) -> None:
    stub = start(Reply(status=307, headers={"Location": "/again"}))
    async with client(stub.host) as registry:
        await refused(registry.get_blob("acme/a", OTHER, limit=10), "more than 5 redirects")
    assert len(stub.requests) == 6


@pytest.mark.parametrize("location", ["", "ftp://x/", "http://ada:pw@127.0.0.1/", "http://a:99999/", "file:///etc"])
async def test_a_redirect_to_no_legal_address(start: Start, location: str) -> None:
    stub = start(Reply(status=307, headers={"Location": location}))
    async with client(stub.host) as registry:
        await refused(registry.get_blob("acme/a", OTHER, limit=10), "leads to no legal address")


def bearer(realm: str) -> Reply:
    return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="a:b:pull"'})


async def test_credentials_do_not_go_to_a_token_server_elsewhere_that_plain_http_names(start: Start) -> None:
    stub = start(lambda _request: bearer("http://localhost:1/token"))
    async with client(stub.host, login=True) as registry:
        await refused(registry.resolve("acme/a", "v1"), "without TLS, from localhost:1")
    stub.answer = lambda _request: bearer("https://tokens.test/token")
    async with client(stub.host, login=True) as registry:
        await refused(registry.resolve("acme/a", "v1"), "credentials sent to another host, tokens.test")


async def test_a_registry_with_tls_cannot_name_a_token_server_without(start: Start, certificate: Certificate) -> None:
    tokens = start(Reply(body=b'{"token": "t"}'))
    stub = start(lambda _request: bearer(f"{tokens.url}/token"), tls=certificate)
    for login in (True, False):
        async with client(stub.host, login=login, verify=certificate.trust()) as registry:
            await refused(registry.resolve("acme/a", "v1"), "without TLS")
    assert not tokens.requests


@pytest.mark.parametrize("realm", ["", "token", "ftp://127.0.0.1/", "http://ada:pw@127.0.0.1/", "x" * 70_000])
async def test_a_realm_that_is_no_address(start: Start, realm: str) -> None:
    stub = start(lambda _request: bearer(realm))
    async with client(stub.host, login=True) as registry:
        await refused(registry.resolve("acme/a", "v1"), "no legal address for tokens")


async def test_a_token_server_does_not_redirect_credentials(start: Start) -> None:
    other = start(Reply(body=b'{"token": "t"}'))
    tokens = start(lambda _request: Reply(status=302, headers={"Location": f"{other.url}/token"}))
    stub = start(lambda _request: bearer(f"{tokens.url}/token"))
    async with client(stub.host, login=True) as registry:
        await refused(registry.resolve("acme/a", "v1"), "a redirect leads to another host")
    assert not other.requests


async def test_no_secret_is_shown_anywhere(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """A server repeats every secret it was sent, in every place it can."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    storage = start(Reply(status=500, body=b'{"errors":[{"code":"X","message":"planted-signature"}]}'))
    tokens = start(Reply(body=json.dumps({"token": TOKEN}).encode()))

    def answer(request: Request) -> Reply:
        sent = request.headers.get("authorization", "")
        if not sent:
            return bearer(f"{tokens.url}/token")
        if request.path.endswith("/kept"):
            return Reply(status=307, headers={"Location": f"{storage.url}/?s=planted-signature"})
        message = f"you sent {sent} and {PASSWORD}, in pieces {TOKEN[:5]}\x00{TOKEN[5:]} \x1b[31m" + "x" * 1000
        body = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
        return Reply(status=int(request.path.rpartition("-")[2]), headers={"X-Echo": sent}, body=body)

    stub = start(answer)
    texts = []
    async with client(stub.host, login=True) as registry:
        for status in (400, 401, 403, 404, 429, 500):
            for work in (
                registry.get_manifest("acme/a", f"v-{status}"),
                registry.put_manifest("acme/a", f"v-{status}", BODY, OCI_MANIFEST),
            ):
                with pytest.raises(RegistryError) as caught:
                    await work
                error: BaseException = caught.value
                assert error.__cause__ is None
                assert error.__context__ is None
                texts += [str(error), repr(error), repr(error.__dict__)]
        texts += [repr(registry), repr(registry.__dict__)]
    assert any("you sent Bearer ***" in text for text in texts)
    assert all("\x1b" not in text and len(text) < 2000 for text in texts)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for secret in SECRETS:
        for text in (*texts, logged):
            assert secret not in text


async def test_the_address_of_storage_is_not_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name or None)
    storage = start(Reply(body=b"blob"))
    stub = start(Reply(status=307, headers={"Location": f"{storage.url}/?s=planted-signature"}))
    async with client(stub.host) as registry:
        await registry.get_blob("acme/a", digest_of(b"blob"), limit=10)
    assert "planted-signature" not in caplog.text
    logging.getLogger("httpx").info("others may still speak")
    assert "others may still speak" in caplog.text
