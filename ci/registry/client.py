"""Speaks the OCI distribution API (1.1) with one registry: reads and writes manifests and tags, trusts no answer."""

from __future__ import annotations

import ssl
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio.to_thread

from ci.core.errors import DrydockError
from ci.core.names import check_digest, check_tag, is_digest
from ci.core.oci import MANIFEST_TYPES, MAX_MANIFEST, Descriptor, Manifest, digest_of
from ci.registry.address import RegistryAddress, check_name, check_reference
from ci.registry.answers import DIGEST_HEADER, check_file, check_manifest, check_tags
from ci.registry.auth import Credentials
from ci.registry.errors import RegistryError
from ci.registry.headers import whole_size
from ci.registry.http import Request, Response, protocol_error
from ci.registry.refusals import parse_refusal
from ci.registry.retry import Clock, Effort, RetryPolicy
from ci.registry.session import Call, Session
from ci.registry.upkeep import delete_manifest, list_referrers
from ci.registry.uploads import Content, Upload

_ABSENT = frozenset(("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"))  # the last one is Harbor's
_ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
_NOT_FOUND, _FORBIDDEN = 404, 403
_PAGE, _MAX_PAGES = 1000, 1000  # tags of one answer, and answers of one list
_MAX_PAGE = 4 * 1024 * 1024  # bytes


class RegistryClient:
    """An asynchronous client of one registry, to be used as a context manager.

    Every operation repeats what may pass: 500, 502, 503, 504, broken connections, timeouts, on writing a manifest
    "unknown blob", and a limit of requests, which is a 429 or a 403 that says so. It never repeats after any other
    refusal. All raise RegistryError when the registry does not do what was asked, and DrydockError when a name, tag or
    digest is not legal.
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
        self._address = address
        self._session = Session(
            address,
            credentials=credentials,
            verify=verify,
            timeout=timeout,
            policy=policy or RetryPolicy(),
            clock=clock or Clock(),
        )

    def __repr__(self) -> str:
        return f"RegistryClient({self._address})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.transport.close()

    @property
    def effort(self) -> Effort:
        """How many attempts were repeated and how long all operations took, so far."""
        return self._session.effort

    async def resolve(self, repository: str, reference: str) -> str | None:
        """Return the digest behind a tag; nothing if the registry says that it or its repository does not exist.

        A 404 without an error code of the specification is no such answer: a wrong address gives one too. A 403 is one
        where the registry lists its tags and this is none of them: Artifactory forbids what is absent.
        """
        call = self._manifest("HEAD", repository, reference)
        answer = await self._session.read(call)
        digest: str = answer.headers.get(DIGEST_HEADER, "")
        if answer.ok and is_digest(digest):
            if is_digest(reference) and digest != reference and _same_algorithm(digest, reference):
                raise protocol_error(call.request.what, answer.where, f"it answers with another digest, {digest}")
            return digest
        if answer.ok or answer.status in {400, _FORBIDDEN, _NOT_FOUND, 405}:
            # A HEAD has no body to give the reason in, and the digest's header is optional.
            call = self._manifest("GET", repository, reference)
            answer = await self._session.read(call)
            if answer.status == _NOT_FOUND and parse_refusal(answer.body).code in _ABSENT:
                return None
            if answer.status == _FORBIDDEN and not is_digest(reference):
                await self._require_unlisted(call, answer, repository, reference)
                return None
        self._session.require(call, answer)
        return check_manifest(call.request.what, answer, reference).digest

    async def _require_unlisted(self, call: Call, refused: Response, repository: str, tag: str) -> None:
        """Raise the refusal of a tag, unless the registry's own list of tags says that there is none.

        A tag that cannot be read may exist, and would then be destroyed by a release that takes it for absent.
        """
        error = self._session.error(call, refused)
        try:
            listed = tag in await self.list_tags(repository)
        except RegistryError:
            raise RegistryError(
                kind=error.kind,
                what=error.what,
                where=error.where,
                why=error.why,
                remedy=(
                    "It does not list its tags either, so nobody knows whether this one exists, and no release can be "
                    "sure to destroy nothing: the account needs to read the whole repository. (Artifactory answers 403 "
                    f"for what does not exist, too.) {error.remedy}"
                ),
                status=error.status,
                code=error.code,
            ) from None
        if listed:
            raise error

    async def list_tags(self, repository: str) -> frozenset[str]:
        """Return all tags of a repository; none if it does not exist."""
        call = Call(
            request=Request(
                method="GET",
                url=f"{self._address.url}/v2/{check_name(repository)}/tags/list?n={_PAGE}",
                what=f"GET the tags of {repository}",
                limit=_MAX_PAGE,
            ),
            scope=f"repository:{repository}:pull",
        )
        tags: frozenset[str] = frozenset()
        for _ in range(_MAX_PAGES):
            answer = await self._session.read(call)
            if answer.status == _NOT_FOUND and parse_refusal(answer.body).code in _ABSENT:
                return tags
            self._session.require(call, answer)
            page, following = check_tags(call.request.what, answer)
            tags |= page
            if following is None and len(page) == _PAGE:
                raise protocol_error(
                    call.request.what, answer.where, "the list of tags may be cut: it names no next page"
                )
            if following is None:
                return tags
            call = replace(call, request=replace(call.request, url=str(following)))
        raise protocol_error(call.request.what, str(self._address), "the list of tags does not end")

    async def get_manifest(self, repository: str, reference: str) -> Manifest:
        """Return a manifest whose digest and media type are as they claim to be."""
        call = self._manifest("GET", repository, reference)
        answer = await self._session.read(call)
        self._session.require(call, answer)
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
        answer = await self._session.send(replace(call, request=request))
        self._session.require(call, answer)
        served = answer.headers.get(DIGEST_HEADER)
        if served is not None and served != digest_of(body, like=served if is_digest(served) else digest):
            raise protocol_error(request.what, answer.where, f"it says it stored another digest than {digest}")
        return digest

    async def get_blob(self, repository: str, digest: str, *, limit: int) -> bytes:
        """Return a blob of at most `limit` bytes whose digest is right."""
        call = self._blob("GET", repository, digest, limit=limit)
        answer = await self._session.send(call)
        self._session.require(call, answer)
        if (found := digest_of(answer.body, like=digest)) != digest:
            raise protocol_error(call.request.what, answer.where, f"the body has the digest {found}")
        return answer.body

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """Return how many bytes a blob has, as the registry says; nothing if there is none.

        Where a HEAD does not say, or is refused as on public.ecr.aws, a GET of its first byte does, or all of it.
        """
        call = self._blob("HEAD", repository, digest, limit=0)
        answer = await self._session.read(call)
        if answer.status == _NOT_FOUND:
            return None
        size = whole_size(answer.headers, answer.status) if answer.ok else None
        if size or answer.status >= 500:  # noqa: PLR2004
            self._session.require(call, answer)
            return size
        call = self._blob("GET", repository, digest, limit=0)
        call = replace(call, request=replace(call.request, headers={"Range": "bytes=0-0"}, measure=True))
        answer = await self._session.read(call)
        if answer.status == _NOT_FOUND:
            return None
        self._session.require(call, answer)
        return answer.size

    async def save_blob(self, repository: str, blob: Descriptor, file: Path) -> None:
        """Write a blob whose size and digest are right to a file."""
        call = self._blob("GET", repository, blob.digest, limit=blob.size)
        call = replace(call, request=replace(call.request, file=file))
        answer = await self._session.repeat(call.request.what, partial(self._session.attempt, call), upload=True)
        self._session.require(call, answer)
        await anyio.to_thread.run_sync(check_file, call.request.what, answer, file, blob.digest)

    async def put_blob(self, repository: str, blob: Descriptor, content: Content, *, beside: str | None = None) -> None:
        """Have the registry take a blob from another of its repositories, or upload it.

        Args:
            repository: inside the registry.
            blob: its digest and size.
            content: hands out its bytes, once for each attempt.
            beside: another repository of the registry that has it.

        """
        other = check_name(beside) if beside else None
        await Upload(self._session, check_name(repository), blob, content, beside=other).run()

    async def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove a tag and leave the manifest; tell whether the registry says it did.

        Many registries cannot: they answer 400, 404, 405, or any status with the code UNSUPPORTED. Then nothing is
        said about the tag; only `resolve` tells whether it is there (distribution specification, "Deleting tags").
        """
        call = self._manifest("DELETE", repository, check_tag(tag))
        answer = await self._session.send(call)
        if answer.status in {400, 404, 405} or parse_refusal(answer.body)[0] == "UNSUPPORTED":
            return False
        self._session.require(call, answer)
        return True

    async def delete_manifest(self, repository: str, digest: str) -> bool:
        """Forget a manifest; tell whether the registry deletes any."""
        return await delete_manifest(self._session, repository, digest)

    async def referrers(self, repository: str, digest: str) -> tuple[Descriptor, ...] | None:
        """Return what says that it is about a manifest; None where the registry has no list of such."""
        return await list_referrers(self._session, repository, digest)

    def _manifest(self, method: str, repository: str, reference: str) -> Call:
        actions = {"PUT": "pull,push", "DELETE": "delete"}.get(method, "pull")
        joined = "@" if ":" in reference else ":"
        return Call(
            request=Request(
                method=method,
                url=f"{self._address.url}/v2/{check_name(repository)}/manifests/{check_reference(reference)}",
                what=f"{method} {repository}{joined}{reference}",
                headers=_ACCEPT,
                limit=MAX_MANIFEST,
            ),
            scope=f"repository:{repository}:{actions}",
        )

    def _blob(self, method: str, repository: str, digest: str, *, limit: int) -> Call:
        return Call(
            request=Request(
                method=method,
                url=f"{self._address.url}/v2/{check_name(repository)}/blobs/{check_digest(digest)}",
                what=f"{method} blob {repository}@{digest}",
                limit=limit,
                leave=True,  # registries keep blobs in storage elsewhere
            ),
            scope=f"repository:{repository}:pull",
        )


def _same_algorithm(one: str, other: str) -> bool:
    return one.partition(":")[0] == other.partition(":")[0]
