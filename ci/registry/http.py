"""Carries requests to a registry: bounded bodies, timeouts, redirects that take no secret along, quiet logs."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ci.core.errors import DrydockError
from ci.core.quiet import quiet
from ci.registry.address import RegistryAddress
from ci.registry.errors import RegistryError, RegistryErrorKind
from ci.registry.headers import whole_size
from ci.registry.refusals import quote

_MAX_PORT = 65535
_MAX_ERROR = 64 * 1024  # bytes of an answer that says no
_MAX_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request, as it is told in messages and as it is sent, without what authorizes it."""

    method: str
    url: str
    what: str  # for messages
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content: Callable[[], AsyncIterator[bytes]] | None = None  # in place of a body: made anew for each attempt
    limit: int = _MAX_ERROR  # bytes of the answer's body
    file: Path | None = None  # takes the body of an answer that says yes, in place of the memory
    leave: bool = False  # whether a redirect may lead to another origin
    measure: bool = False  # whether only the size of the body is wanted, and not the body


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What came back, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: httpx.URL  # of the request that was answered, after redirects
    left: bool  # whether a redirect led away from the origin that was asked
    size: int | None = None  # bytes of the whole body, where only that was wanted

    @property
    def ok(self) -> bool:
        """Whether the status says yes."""
        return 200 <= self.status < 300  # noqa: PLR2004

    @property
    def where(self) -> str:
        """The host that answered."""
        return host_of(self.url)


def host_of(url: httpx.URL) -> str:
    """Name a host for messages, without anything else of the address."""
    return url.netloc.decode("ascii", "replace")


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """Name what shares secrets: scheme, host and port."""
    return url.scheme, url.host, url.port


def parse_url(text: str) -> httpx.URL | None:
    """Read an address a server names; nothing if it is none, or brings a user name along."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        return None
    if url.userinfo or (url.is_absolute_url and url.scheme not in {"http", "https"}):
        return None
    return None if url.port is not None and not 0 < url.port <= _MAX_PORT else url


def protocol_error(what: str, where: str, why: str) -> RegistryError:
    """Say that an answer breaks the rules: repeating the request would not make it trustworthy."""
    return RegistryError(
        kind=RegistryErrorKind.PROTOCOL,
        what=what,
        where=where,
        why=why,
        remedy="Nothing of the answer was used; check the address, and what stands between here and the registry.",
    )


class Transport:
    """Sends one request at a time over kept connections."""

    def __init__(self, address: RegistryAddress, *, verify: ssl.SSLContext | None, timeout: float) -> None:
        """Prepare the connections.

        Args:
            address: decides whether the environment's proxies are used: never for a loopback address.
            verify: the certificates to trust, by default the usual ones.
            timeout: seconds for each phase: connecting, and each read and write.

        """
        self._client = httpx.AsyncClient(
            verify=verify or True,
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
            follow_redirects=False,
            trust_env=not address.loopback,  # proxies and certificates; httpx reads no .netrc on its own
            # The bytes of a body are what a digest covers, so nothing may be compressed on the way.
            headers={"User-Agent": "drydock", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def send(self, request: Request, authorization: str | None = None) -> Response:
        """Send a request and follow redirects where they are allowed.

        Only a GET or HEAD follows a redirect at all; `Request.leave` says whether to another origin. The authorization
        stays behind for good as soon as a redirect leaves the origin. One from https to http is refused.

        Raises:
            RegistryError: there was no whole answer, or it was too long, or led where it must not.

        """
        first = url = httpx.URL(request.url)
        left = False
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._once(request, url, None if left else authorization, left=left)
            if answer.status not in _REDIRECTS:
                return answer
            url = _next(request, answer)
            left = left or origin_of(url) != origin_of(first)
        raise protocol_error(request.what, answer.where, f"more than {_MAX_REDIRECTS} redirects")

    async def _once(self, request: Request, url: httpx.URL, authorization: str | None, *, left: bool) -> Response:
        headers = {**request.headers, **({"Authorization": authorization} if authorization else {})}
        outgoing = self._client.build_request(
            request.method, url, headers=headers, content=request.content() if request.content else request.body
        )
        failure: RegistryError
        size = None
        try:
            with quiet():
                response = await self._client.send(outgoing, stream=True)
                try:
                    if request.measure and response.is_success:
                        size, body, whole = await _measure(response), b"", True
                    else:
                        body, whole = await _read(response, request)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            failure = _failure(request.what, host_of(url), error)
        else:
            answer = Response(
                status=response.status_code, headers=response.headers, body=body, url=url, left=left, size=size
            )
            if whole or not answer.ok:
                return answer
            failure = protocol_error(request.what, answer.where, f"the answer is longer than {request.limit} bytes")
        # Outside the handler, since the exceptions of httpx hold the request with its headers.
        raise failure


async def _measure(response: httpx.Response) -> int:
    """Count the bytes of a body where its answer does not say how many they are."""
    known = whole_size(response.headers, response.status_code)
    if known is not None:
        return known
    count = 0
    async for chunk in response.aiter_raw():
        count += len(chunk)
    return count


async def _read(response: httpx.Response, request: Request) -> tuple[bytes, bool]:
    limit, file = request.limit, request.file
    if response.status_code >= 300:  # noqa: PLR2004
        limit, file = _MAX_ERROR, None
    announced = response.headers.get("Content-Length", "")
    if response.request.method != "HEAD" and announced.isdecimal() and int(announced[:20]) > limit:
        return b"", False
    if file:
        return b"", await _save(response, limit, file)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


async def _save(response: httpx.Response, limit: int, file: Path) -> bool:
    """Write a body to a file, and tell whether all of it is there."""
    size = 0
    with file.open("wb") as stream:  # a local file, a chunk at a time
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > limit:
                return False
            stream.write(chunk)
    return True


def _next(request: Request, answer: Response) -> httpx.URL:
    location = parse_url(answer.headers.get("Location", ""))
    target = None if location is None else answer.url.join(location)
    if not answer.headers.get("Location") or target is None or not target.host:
        raise protocol_error(request.what, answer.where, f"{answer.status} leads to no legal address")
    if request.method not in {"GET", "HEAD"}:
        raise protocol_error(
            request.what, answer.where, f"{answer.status} leads elsewhere, and {request.method} does not follow"
        )
    if answer.url.scheme == "https" and target.scheme != "https":
        raise protocol_error(request.what, answer.where, "a redirect leads from https to http")
    if not request.leave and origin_of(target) != origin_of(answer.url):
        where = quote(host_of(target))
        raise protocol_error(request.what, answer.where, f"a redirect leads to another host, {where}")
    return target


def _failure(what: str, where: str, error: Exception) -> RegistryError:
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        # Its text can repeat a header as it was to be sent.
        return protocol_error(what, where, "the request cannot be written as HTTP")
    if _distrust(error):
        return RegistryError(
            kind=RegistryErrorKind.UNAVAILABLE,
            what=what,
            where=where,
            why="its certificate is not trusted",
            remedy="Check the address; for a registry with a CA of its own give that: --registry-ca FILE.",
        )
    why = "no answer in time" if isinstance(error, httpx.TimeoutException) else quote(str(error))
    return RegistryError(
        kind=RegistryErrorKind.UNAVAILABLE,
        what=what,
        where=where,
        why=why or "the connection broke",
        remedy="Check the address and the network, then run the same command again.",
        wait=0.0,
    )


def _distrust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def trust_also(authorities: str) -> ssl.SSLContext:
    """Trust certificates besides those that are trusted anyway.

    Args:
        authorities: the certificates of the authorities, in PEM.

    Raises:
        DrydockError: they are none.

    """
    context = httpx.create_ssl_context()
    try:
        context.load_verify_locations(cadata=authorities)
    except (ssl.SSLError, ValueError):
        raise DrydockError(
            "--registry-ca holds no certificates: give a file in PEM, with lines such as -----BEGIN CERTIFICATE-----"
        ) from None
    return context
