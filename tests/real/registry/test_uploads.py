"""Blobs go up whole, once for each attempt, and to no place that must not have them."""

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ci.core.oci import Descriptor, digest_of
from ci.registry.errors import RegistryError, RegistryErrorKind
from tests.support.proxy import Fault, FaultProxy, Kind, at, no_fault
from tests.support.servers import Certificate, Registry, Reply, Request, Stub

from .conftest import LOGIN, client

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar"


def blob_of(body: bytes) -> Descriptor:
    return Descriptor(media_type=MEDIA_TYPE, digest=digest_of(body), size=len(body))


def reader(body: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    return read


def content() -> bytes:
    return uuid.uuid4().bytes * 5000


async def test_a_blob_is_there_afterwards(plain: Registry) -> None:
    body = content()
    async with client(plain.host) as registry:
        assert await registry.blob_size("acme/up", digest_of(body)) is None
        await registry.put_blob("acme/up", blob_of(body), reader(body))
        assert await registry.get_blob("acme/up", digest_of(body), limit=1_000_000) == body


@pytest.mark.parametrize("position", [1, 2])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=Kind.STATUS, status=503),
        Fault(kind=Kind.STATUS, status=429),
        Fault(kind=Kind.RESET),
        Fault(kind=Kind.RESET, after=True),
        Fault(kind=Kind.EOF),
    ],
    ids=str,
)
async def test_what_may_pass_is_repeated_from_the_beginning(plain: Registry, fault: Fault, position: int) -> None:
    body = content()
    with FaultProxy(plain.port, rule=at(position, fault)) as proxy:
        async with client(proxy.host) as registry:
            await registry.put_blob("acme/again", blob_of(body), reader(body))
            assert registry.effort.retries == 1
    async with client(plain.host) as registry:
        assert await registry.blob_size("acme/again", digest_of(body)) == len(body)


async def test_a_refusal_is_not_repeated(basic: Registry) -> None:
    body = content()
    async with client(basic.host) as registry:
        with pytest.raises(RegistryError) as caught:
            await registry.put_blob("acme/up", blob_of(body), reader(body))
        assert caught.value.kind is RegistryErrorKind.UNAUTHORIZED
        assert registry.effort.retries == 0
    async with client(basic.host, login=True) as registry:
        await registry.put_blob("acme/up", blob_of(body), reader(body))


async def test_other_bytes_than_promised_are_refused(plain: Registry) -> None:
    body = content()
    other = b"x" * len(body)
    async with client(plain.host) as registry:
        with pytest.raises(RegistryError):
            await registry.put_blob("acme/up", blob_of(body), reader(other))
        assert await registry.blob_size("acme/up", digest_of(body)) is None


async def test_storage_elsewhere_gets_the_blob_and_no_login() -> None:
    """Some registries send uploads to a storage of another host, with a right of its own in the address."""
    body = content()
    with Stub(lambda _: Reply(status=201)) as storage:

        def answer(request: Request) -> Reply:
            if "authorization" not in request.headers:
                return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return Reply(status=202, headers={"Location": f"{storage.url}/put?signature=1"})

        with Stub(answer) as asked:
            async with client(asked.host, credentials=LOGIN) as registry:
                await registry.put_blob("acme/a", blob_of(body), reader(body))
    (put,) = storage.requests
    assert put.body == body
    assert put.query == {"signature": ["1"], "digest": [digest_of(body)]}
    assert "authorization" not in put.headers


@pytest.mark.parametrize(
    ("headers", "text"),
    [({}, "names no place to upload to"), ({"Location": "ftp://x/y"}, "names no place to upload to")],
)
async def test_a_place_that_is_none_is_refused(headers: dict[str, str], text: str) -> None:
    with Stub(lambda _: Reply(status=202, headers=headers)) as stub:
        async with client(stub.host) as registry:
            with pytest.raises(RegistryError, match=text):
                await registry.put_blob("acme/a", blob_of(b"x"), reader(b"x"))
    assert len(stub.requests) == 1


async def test_no_upload_leaves_tls(certificate: Certificate) -> None:
    with Stub(lambda _: Reply(status=202, headers={"Location": "http://127.0.0.1:9/x"}), tls=certificate) as stub:
        async with client(stub.host, verify=certificate.trust()) as registry:
            with pytest.raises(RegistryError, match="leads from https to http"):
                await registry.put_blob("acme/a", blob_of(b"x"), reader(b"x"))


async def test_a_blob_is_taken_from_beside(plain: Registry) -> None:
    body = content()
    with FaultProxy(plain.port) as proxy:
        async with client(proxy.host) as registry:
            await registry.put_blob("acme/has", blob_of(body), reader(body))
            await registry.put_blob("acme/gets", blob_of(body), reader(b""), beside="acme/has")
            assert await registry.get_blob("acme/gets", digest_of(body), limit=1_000_000) == body
        assert len([seen for seen in proxy.seen if seen.method == "PUT"]) == 1


@pytest.mark.parametrize("status", [202, 400, 403, 404, 405])
async def test_a_blob_that_cannot_be_taken_from_beside_is_sent(plain: Registry, status: int) -> None:
    """A registry that does not mount begins an upload, or refuses."""
    body = content()
    fault = Fault(kind=Kind.STATUS, status=status)
    with FaultProxy(plain.port, rule=at(1, fault) if status != 202 else no_fault) as proxy:
        async with client(proxy.host) as registry:
            await registry.put_blob("acme/sent", blob_of(body), reader(body), beside="acme/lacks")
            assert await registry.get_blob("acme/sent", digest_of(body), limit=1_000_000) == body


async def test_a_blob_is_saved_whole_or_not_at_all(plain: Registry, tmp_path: Path) -> None:
    body, file = content(), tmp_path / "blob"
    async with client(plain.host) as registry:
        await registry.put_blob("acme/saved", blob_of(body), reader(body))
    with FaultProxy(plain.port, rule=at(1, Fault(kind=Kind.EOF))) as proxy:
        async with client(proxy.host) as registry:
            await registry.save_blob("acme/saved", blob_of(body), file)
    assert digest_of(file.read_bytes()) == digest_of(body)
    wrong = Fault(kind=Kind.STATUS, status=200, body=body[:-1] + bytes([body[-1] ^ 1]))
    with FaultProxy(plain.port, rule=at(1, wrong)) as proxy:
        async with client(proxy.host) as registry:
            with pytest.raises(RegistryError, match="the body has the digest"):
                await registry.save_blob("acme/saved", blob_of(body), file)
    longer = Fault(kind=Kind.STATUS, status=200, body=body + b"x")
    with FaultProxy(plain.port, rule=at(1, longer)) as proxy:
        async with client(proxy.host) as registry:
            with pytest.raises(RegistryError, match="the answer is longer than"):
                await registry.save_blob("acme/saved", blob_of(body), file)
