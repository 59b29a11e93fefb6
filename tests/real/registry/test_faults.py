"""Every fault at every operation, between the client and a real registry; and what the proxy itself passes on."""

import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from ci.core.oci import OCI_MANIFEST
from ci.registry.client import RegistryClient
from ci.registry.errors import RegistryError, RegistryErrorKind
from ci.registry.retry import RetryPolicy
from tests.support.proxy import Fault, FaultProxy, Kind, Seen, always, at
from tests.support.servers import Registry

from .conftest import Content, client, fill

Operation = Callable[[RegistryClient, Content], Awaitable[object]]


async def resolve(registry: RegistryClient, content: Content) -> None:
    assert await registry.resolve(content.repository, "v1") == content.digest


async def get_manifest(registry: RegistryClient, content: Content) -> None:
    assert (await registry.get_manifest(content.repository, "v1")).body == content.manifest


async def put_manifest(registry: RegistryClient, content: Content) -> None:
    put = await registry.put_manifest(content.repository, "v1", content.manifest, OCI_MANIFEST)
    assert put == content.digest


async def get_blob(registry: RegistryClient, content: Content) -> None:
    assert await registry.get_blob(content.repository, content.layer_digest, limit=1_000_000) == content.layer


async def blob_size(registry: RegistryClient, content: Content) -> None:
    assert await registry.blob_size(content.repository, content.layer_digest) == len(content.layer)


OPERATIONS: tuple[Operation, ...] = (resolve, get_manifest, put_manifest, get_blob, blob_size)
PASSING = (
    *(Fault(kind=Kind.STATUS, status=status) for status in (429, 500, 502, 503, 504)),
    *(Fault(kind=kind) for kind in Kind if kind not in {Kind.STATUS, Kind.WITHOUT}),
    Fault(kind=Kind.RESET, after=True),
    Fault(kind=Kind.STATUS, status=503, after=True),
    Fault(kind=Kind.STALL, after=True),
)
LASTING = {401: RegistryErrorKind.UNAUTHORIZED, 403: RegistryErrorKind.FORBIDDEN, 404: RegistryErrorKind.NOT_FOUND}


def fast(host: str, timeout: float = 0.5) -> RegistryClient:
    return client(host, timeout=timeout)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
@pytest.mark.parametrize("fault", PASSING, ids=str)
async def test_what_passes_is_tried_again(
    proxy: FaultProxy, content: Content, operation: Operation, fault: Fault
) -> None:
    proxy.reset(at(1, fault))
    async with fast(proxy.host) as registry:
        await operation(registry, content)
    assert [bool(seen.fault) for seen in proxy.seen] == [True, False]
    assert registry.effort.retries == 1


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
@pytest.mark.parametrize("fault", [f for f in PASSING if not f.after], ids=str)
async def test_what_does_not_pass_ends_after_some_attempts(
    proxy: FaultProxy, content: Content, operation: Operation, fault: Fault
) -> None:
    proxy.reset(always(fault))
    async with fast(proxy.host, timeout=0.2) as registry:
        with pytest.raises(RegistryError, match="gave up after 4 attempts") as caught:
            await operation(registry, content)
    assert len(proxy.seen) == 4
    limited = fault.kind is Kind.STATUS and fault.status == 429  # a 403 can be one too: test_ways.py
    assert caught.value.kind is (RegistryErrorKind.RATE_LIMITED if limited else RegistryErrorKind.UNAVAILABLE)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("operation", [resolve, get_manifest, put_manifest, get_blob], ids=lambda o: o.__name__)
@pytest.mark.parametrize("status", LASTING)
async def test_what_lasts_is_told_at_once(
    proxy: FaultProxy, content: Content, operation: Operation, status: int
) -> None:
    proxy.reset(always(Fault(kind=Kind.STATUS, status=status)))
    async with fast(proxy.host) as registry:
        with pytest.raises(RegistryError) as caught:
            await operation(registry, content)
    assert caught.value.kind is LASTING[status]
    assert caught.value.status == status
    # A HEAD cannot say what is missing, so a GET asks; and where a tag is forbidden, whether there is one.
    assert len(proxy.seen) == ({404: 2, 403: 3}.get(status, 1) if operation is resolve else 1)
    assert registry.effort.retries == 0


async def test_a_404_without_a_reason_is_not_taken_for_a_missing_tag(proxy: FaultProxy, content: Content) -> None:
    proxy.reset(at(1, Fault(kind=Kind.STATUS, status=404)))
    async with fast(proxy.host) as registry:
        await resolve(registry, content)
    proxy.reset(always(Fault(kind=Kind.STATUS, status=404, body=b"<html>")))
    async with fast(proxy.host) as registry:
        with pytest.raises(RegistryError, match="404"):
            await registry.resolve(content.repository, "v1")


async def test_the_registry_says_how_long_to_wait(proxy: FaultProxy, content: Content) -> None:
    proxy.reset(at(1, Fault(kind=Kind.STATUS, status=429, headers=(("Retry-After", "1"),))))
    start = time.monotonic()
    async with client(proxy.host, policy=RetryPolicy(attempts=2, base=0.01)) as registry:
        await resolve(registry, content)
    assert 1.0 <= time.monotonic() - start < 3.0


async def test_the_deadline_cuts_a_stall(proxy: FaultProxy, content: Content) -> None:
    proxy.reset(always(Fault(kind=Kind.STALL)))
    start = time.monotonic()
    async with client(proxy.host, timeout=30.0, policy=RetryPolicy(deadline=0.5)) as registry:
        with pytest.raises(RegistryError, match=r"no answer in 0\.[4-9] s") as caught:
            await resolve(registry, content)
    assert time.monotonic() - start < 2.0
    assert caught.value.kind is RegistryErrorKind.UNAVAILABLE


async def test_a_wait_beyond_the_deadline_is_not_begun(proxy: FaultProxy, content: Content) -> None:
    proxy.reset(always(Fault(kind=Kind.STATUS, status=503, headers=(("Retry-After", "3600"),))))
    start = time.monotonic()
    async with client(proxy.host, policy=RetryPolicy(deadline=5.0)) as registry:
        with pytest.raises(RegistryError, match="503"):
            await resolve(registry, content)
    assert time.monotonic() - start < 2.0


async def test_a_deletion_is_repeated_too(proxy: FaultProxy, content: Content) -> None:
    proxy.reset(at(1, Fault(kind=Kind.STATUS, status=503)))
    async with fast(proxy.host) as registry:
        assert await registry.delete_tag(content.repository, "v1") is False
    assert [seen.method for seen in proxy.seen] == ["DELETE", "DELETE"]
    proxy.reset(always(Fault(kind=Kind.STATUS, status=403)))
    async with fast(proxy.host) as registry:
        with pytest.raises(RegistryError, match="403"):
            await registry.delete_tag(content.repository, "v1")
    refused = b'{"errors":[{"code":"UNSUPPORTED","message":"no"}]}'
    proxy.reset(always(Fault(kind=Kind.STATUS, status=403, body=refused)))
    async with fast(proxy.host) as registry:
        assert await registry.delete_tag(content.repository, "v1") is False


async def test_a_registry_that_is_not_there(proxy: FaultProxy) -> None:
    del proxy
    async with fast("127.0.0.1:9") as registry:
        with pytest.raises(RegistryError, match=r"at 127\.0\.0\.1:9 failed: All connection attempts failed") as caught:
            await registry.resolve("acme/a", "v1")
    assert caught.value.kind is RegistryErrorKind.UNAVAILABLE


def test_the_proxy_passes_pushes_of_any_framing(proxy: FaultProxy) -> None:
    content = fill(f"http://{proxy.host}")
    assert [seen.number for seen in proxy.seen] == list(range(1, len(proxy.seen) + 1))
    layer = os.urandom(8_000_000)
    with httpx.Client(base_url=f"http://{proxy.host}", trust_env=False) as http:
        place = http.post(f"/v2/{content.repository}/blobs/uploads/")
        assert place.headers["Location"].startswith(f"http://{proxy.host}/")
        # Chunked, and on the same connection as everything else.
        patched = http.patch(place.headers["Location"], content=iter([layer[:5_000_000], layer[5_000_000:]]))
        assert patched.status_code == 202
        assert patched.headers["Range"] == f"0-{len(layer) - 1}"


def test_the_proxy_runs_a_callback_at_its_position(proxy: FaultProxy, content: Content) -> None:
    process = subprocess.Popen(["sleep", "60"])
    kill = Fault(kind=Kind.RESET, run=lambda: os.kill(process.pid, signal.SIGKILL))
    proxy.reset(at(2, kill))
    path = f"/v2/{content.repository}/blobs/{content.layer_digest}"
    url = f"http://{proxy.host}{path}"
    assert httpx.get(url).status_code == 200
    with pytest.raises(httpx.TransportError):
        httpx.get(url)
    assert process.wait(10) == -signal.SIGKILL
    agent = f"python-httpx/{httpx.__version__}"
    assert proxy.seen[0] == Seen(number=1, method="GET", path=path, authorized=False, agent=agent)
    assert proxy.seen[1].fault is kill


def test_the_proxy_listens_where_it_is_told(plain: Registry) -> None:
    with FaultProxy(plain.port) as first:
        port = first.port
    with FaultProxy(plain.port, port=port) as second:
        assert second.host == f"127.0.0.1:{port}"
        assert httpx.get(f"http://{second.host}/v2/").status_code == 200
