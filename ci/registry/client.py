"""Speaks the OCI distribution API (1.1) with one registry: reads and writes manifests and tags, trusts no answer."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio.to_thread

from ci.core.errors import DrydockError
from ci.core.names import check_digest, check_tag, is_digest
from ci.core.oci import MANIFEST_TYPES, MAX_MANIFEST, Descriptor, Manifest, digest_of
from ci.registry.address import RegistryAddress, check_name, check_reference
from ci.registry.answers import DIGEST_HEADER, check_file, check_manifest, upload_place
from ci.registry.auth import Authenticator, Credentials
from ci.registry.errors import RegistryError, RegistryErrorKind, parse_refusal
from ci.registry.http import Request, Response, Transport, origin_of, protocol_error
from ci.registry.retry import Clock, Effort, ExhaustedError, Retry, RetryPolicy

_ABSENT = frozenset(("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"))  # the last one is Harbor's
_ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
_CREATED = 201
_UNAUTHORIZED = 401
_UPLOAD = 3600.0  # seconds for one blob, with all repetitions: a large layer on a slow line takes long


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """What is asked of the registry, and what a token has to allow for it."""

    request: Request
    scope: str


class RegistryClient:
    """An asynchronous client of one registry, to be used as a context manager.

    Every operation repeats what may pass: 429, 500, 502, 503, 504, broken connections, timeouts, and on writing a
    manifest "unknown blob". It never repeats after any other refusal. All raise RegistryError when the registry does
    not do what was asked, and DrydockError when a name, tag or digest is not legal.
    """

    def __init__(
        self,
        address: RegistryAddress,
        *,
        credentials: Credentials | None = None,
        verify: ssl.SSLContext | None = None,
        timeout: float = 30.0,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            address: of the registry.
            credentials: None to stay anonymous.
            verify: the certificates to trust, by default the usual ones.
            timeout: seconds for connecting, and for each read and write.
            policy: how often and how long one operation is tried.
            clock: stands in for time and chance in tests.

        """
        clock = clock or Clock()
        self._address = address
        self._transport = Transport(address, verify=verify, timeout=timeout)
        self._auth = Authenticator(address, credentials, self._transport, clock)
        policy = policy or RetryPolicy()
        self._retry = Retry(wait_of=_wait_of, policy=policy, clock=clock)
        # A large layer on a slow line takes long.
        self._uploads = Retry(
            wait_of=_wait_of, policy=replace(policy, deadline=max(policy.deadline, _UPLOAD)), clock=clock
        )

    def __repr__(self) -> str:
        return f"RegistryClient({self._address})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    @property
    def effort(self) -> Effort:
        """How many attempts were repeated and how long all operations took, so far."""
        return self._retry.effort + self._uploads.effort

    async def resolve(self, repository: str, reference: str) -> str | None:
        """Return the digest behind a tag; nothing if the registry says that it or its repository does not exist.

        A 404 without an error code of the specification is no such answer: a wrong address gives one too.
        """
        call = self._manifest("HEAD", repository, reference)
        answer = await self._send(call)
        digest: str = answer.headers.get(DIGEST_HEADER, "")
        if answer.ok and is_digest(digest):
            if is_digest(reference) and digest != reference and _same_algorithm(digest, reference):
                raise protocol_error(call.request.what, answer.where, f"it answers with another digest, {digest}")
            return digest
        if answer.ok or answer.status == 404:  # noqa: PLR2004
            # A HEAD has no body to give the reason in, and the digest's header is optional.
            call = self._manifest("GET", repository, reference)
            answer = await self._send(call)
            if answer.status == 404 and parse_refusal(answer.body)[0] in _ABSENT:  # noqa: PLR2004
                return None
        self._require(call, answer)
        return check_manifest(call.request.what, answer, reference).digest

    async def get_manifest(self, repository: str, reference: str) -> Manifest:
        """Return a manifest whose digest and media type are as they claim to be."""
        call = self._manifest("GET", repository, reference)
        answer = await self._send(call)
        self._require(call, answer)
        return check_manifest(call.request.what, answer, reference)

    async def put_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> str:
        """Write a manifest under a tag or its digest, byte for byte, and return the digest of the bytes.

        Args:
            repository: inside the registry.
            reference: the tag; or the digest, which must be the body's.
            body: the manifest; all it names must be there already.
            media_type: of the body.

        Raises:
            DrydockError: the reference is a digest of something else.
            RegistryError: kind UNAVAILABLE leaves open whether it was written.

        """
        digest = digest_of(body)
        if ":" in reference:
            digest = digest_of(body, like=check_digest(reference))
            if digest != reference:
                raise DrydockError(f"The manifest to be written as {reference} has the digest {digest}")
        call = self._manifest("PUT", repository, reference)
        request = replace(call.request, headers={"Content-Type": media_type}, body=body)
        answer = await self._send(replace(call, request=request))
        self._require(call, answer)
        served = answer.headers.get(DIGEST_HEADER)
        if served is not None and served != digest_of(body, like=served if is_digest(served) else digest):
            raise protocol_error(request.what, answer.where, f"it says it stored another digest than {digest}")
        return digest

    async def get_blob(self, repository: str, digest: str, *, limit: int) -> bytes:
        """Return a blob of at most `limit` bytes whose digest is right."""
        call = self._blob("GET", repository, digest, limit=limit)
        answer = await self._send(call)
        self._require(call, answer)
        if (found := digest_of(answer.body, like=digest)) != digest:
            raise protocol_error(call.request.what, answer.where, f"the body has the digest {found}")
        return answer.body

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """Return how many bytes a blob has, as the registry says; nothing if there is none."""
        call = self._blob("HEAD", repository, digest, limit=0)
        answer = await self._send(call)
        if answer.status == 404:  # noqa: PLR2004
            return None
        self._require(call, answer)
        length = answer.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise protocol_error(call.request.what, answer.where, "the answer names no size")
        return int(length)

    async def save_blob(self, repository: str, blob: Descriptor, file: Path) -> None:
        """Write a blob whose size and digest are right to a file."""
        call = self._blob("GET", repository, blob.digest, limit=blob.size)
        call = replace(call, request=replace(call.request, file=file))
        answer = await self._repeat(call.request.what, partial(self._attempt, call), self._uploads)
        self._require(call, answer)
        await anyio.to_thread.run_sync(check_file, call.request.what, answer, file, blob.digest)

    async def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: Callable[[], AsyncIterator[bytes]],
        *,
        beside: str | None = None,
    ) -> None:
        """Have the registry take a blob from another of its repositories, or upload it in one piece.

        Args:
            repository: inside the registry.
            blob: its digest and size.
            content: hands out its bytes, once for each attempt.
            beside: another repository of the registry that has it.

        Source: OCI distribution specification 1.1, "POST then PUT" and "Mounting a blob from another repository".

        """
        scope = f"repository:{repository}:pull,push"
        what = f"PUT blob {repository}@{blob.digest}"
        place = f"{self._address.url}/v2/{check_name(repository)}/blobs/uploads/"
        begin = _Call(request=Request(method="POST", url=place, what=what), scope=scope)
        query = f"?mount={check_digest(blob.digest)}&from={check_name(beside)}" if beside else ""
        mount = _Call(request=replace(begin.request, url=f"{place}{query}"), scope=f"{scope} repository:{beside}:pull")

        async def attempt() -> Response:
            answer = await self._attempt(mount if beside else begin)
            if beside and answer.status == _CREATED:
                return answer
            if beside and not answer.ok:  # a registry that mounts nothing, or not for this user
                answer = await self._attempt(begin)
            self._require(begin, answer)
            place = upload_place(what, answer, blob.digest)
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
            request = Request(method="PUT", url=str(place), what=what, headers=headers, content=content)
            put = _Call(request=request, scope=scope)
            if origin_of(place) == origin_of(answer.url):
                return await self._attempt(put)
            # Storage elsewhere has a right of its own in the address, and is not told ours.
            return self._checked(put, await self._transport.send(request))

        self._require(begin, await self._repeat(what, attempt, self._uploads))

    async def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove a tag and leave the manifest; tell whether the registry says it did.

        Many registries cannot: they answer 400, 404, 405, or any status with the code UNSUPPORTED. Then nothing is
        said about the tag; only `resolve` tells whether it is there (distribution specification, "Deleting tags").
        """
        call = self._manifest("DELETE", repository, check_tag(tag))
        answer = await self._send(call)
        if answer.status in {400, 404, 405} or parse_refusal(answer.body)[0] == "UNSUPPORTED":
            return False
        self._require(call, answer)
        return True

    def _manifest(self, method: str, repository: str, reference: str) -> _Call:
        actions = {"PUT": "pull,push", "DELETE": "delete"}.get(method, "pull")
        joined = "@" if ":" in reference else ":"
        return _Call(
            request=Request(
                method=method,
                url=f"{self._address.url}/v2/{check_name(repository)}/manifests/{check_reference(reference)}",
                what=f"{method} {repository}{joined}{reference}",
                headers=_ACCEPT,
                limit=MAX_MANIFEST,
            ),
            scope=f"repository:{repository}:{actions}",
        )

    def _blob(self, method: str, repository: str, digest: str, *, limit: int) -> _Call:
        return _Call(
            request=Request(
                method=method,
                url=f"{self._address.url}/v2/{check_name(repository)}/blobs/{check_digest(digest)}",
                what=f"{method} blob {repository}@{digest}",
                limit=limit,
                leave=True,  # registries keep blobs in storage elsewhere
            ),
            scope=f"repository:{repository}:pull",
        )

    async def _send(self, call: _Call) -> Response:
        """Return the registry's last word on a request: an answer of any status that is not worth repeating."""
        return await self._repeat(call.request.what, partial(self._attempt, call), self._retry)

    async def _attempt(self, call: _Call) -> Response:
        return self._checked(call, await self._authorized(call))

    def _checked(self, call: _Call, answer: Response) -> Response:
        """Return an answer of any status; raise for one that is worth a repetition."""
        if not answer.ok and (error := self._error(call, answer)).wait is not None:
            raise error
        return answer

    async def _repeat(self, what: str, attempt: Callable[[], Awaitable[Response]], retry: Retry) -> Response:
        ended: ExhaustedError
        try:
            return await retry.run(attempt)
        except ExhaustedError as error:
            ended = error
        # Outside the handler: a chain of exceptions is shown, and says nothing that the last one does not.
        if isinstance(ended.last, RegistryError):
            raise ended.last.after(ended.attempts, ended.seconds, redact=self._auth.redact)
        if ended.last:
            raise ended.last
        raise RegistryError(
            kind=RegistryErrorKind.UNAVAILABLE,
            what=what,
            where=str(self._address),
            why=f"no answer in {ended.seconds:.1f} s",
            remedy="Check the address and the network, then run the same command again.",
        )

    async def _authorized(self, call: _Call) -> Response:
        header = self._auth.known(call.scope)
        answer = await self._transport.send(call.request, header)
        # Where a redirect led away, the challenge is not the registry's.
        if answer.status != _UNAUTHORIZED or answer.left:
            return answer
        header = await self._auth.answer(answer, what=call.request.what, scope=call.scope, sent=header)
        return await self._transport.send(call.request, header) if header else answer

    def _require(self, call: _Call, answer: Response) -> None:
        if not answer.ok:
            raise self._error(call, answer)

    def _error(self, call: _Call, answer: Response) -> RegistryError:
        return self._auth.error(answer, what=call.request.what, scope=call.scope)


def _wait_of(error: Exception) -> float | None:
    return error.wait if isinstance(error, RegistryError) else None


def _same_algorithm(one: str, other: str) -> bool:
    return one.partition(":")[0] == other.partition(":")[0]
