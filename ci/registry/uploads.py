"""Uploads a blob, in one piece, or in the two steps that some registries want; or has it taken from another repository.

Source: OCI distribution specification 1.1, "Pushing blobs" and "Mounting a blob from another repository".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx

from ci.core.names import check_digest, is_digest
from ci.core.oci import Descriptor
from ci.registry.answers import DIGEST_HEADER, name_digest, upload_place
from ci.registry.http import Request, Response, origin_of, protocol_error
from ci.registry.refusals import parse_refusal
from ci.registry.session import Call, Session

# What one answers that takes a blob by PATCH alone, as docker push sends it.
_NOT_IN_ONE_PIECE = frozenset((400, 404, 405, 411, 415, 501))
_ABOUT_THE_BLOB = frozenset(("DIGEST_INVALID", "SIZE_INVALID", "NAME_INVALID", "NAME_UNKNOWN"))
_CREATED = 201
_BYTES = {"Content-Type": "application/octet-stream"}

Content = Callable[[], AsyncIterator[bytes]]  # hands out the bytes of a blob, once for each attempt


class Upload:
    """The upload of one blob."""

    def __init__(
        self, session: Session, repository: str, blob: Descriptor, content: Content, *, beside: str | None = None
    ) -> None:
        """Prepare it; nothing is sent yet. The arguments are those of RegistryClient.put_blob."""
        self._session, self._repository, self._blob, self._content = session, repository, blob, content
        self._beside = beside
        self._what = f"PUT blob {repository}@{blob.digest}"
        self._in_steps = False

    async def run(self) -> None:
        """Upload it, from the beginning again where that may help.

        Raises:
            RegistryError: the registry does not take it.

        """
        begin = self._call("POST", f"{self._session.address.url}/v2/{self._repository}/blobs/uploads/")
        answer = await self._session.repeat(self._what, self._attempt, upload=True)
        if not self._in_steps and self._wants_steps(answer):
            self._in_steps = True
            answer = await self._session.repeat(self._what, self._attempt, upload=True)
        self._session.require(begin, answer)
        served = answer.headers.get(DIGEST_HEADER)
        if served is not None and is_digest(served) and served != self._blob.digest:
            raise protocol_error(self._what, answer.where, f"it says it stored {served}")

    async def _attempt(self) -> Response:
        begin = self._call("POST", f"{self._session.address.url}/v2/{self._repository}/blobs/uploads/")
        answer = await self._session.attempt(self._mount(begin) if self._beside else begin)
        if self._beside and answer.status == _CREATED:
            return answer
        if self._beside and not answer.ok:  # a registry that mounts nothing, or not for this user
            answer = await self._session.attempt(begin)
        self._session.require(begin, answer)
        place = upload_place(self._what, answer, self._repository)
        if self._in_steps:
            done = await self._send(self._call("PATCH", str(place), content=True), answer)
            if not done.ok:
                return done
            place = upload_place(self._what, done, self._repository, before=place)
            return await self._send(self._call("PUT", str(name_digest(place, self._blob.digest))), answer)
        return await self._send(self._call("PUT", str(name_digest(place, self._blob.digest)), content=True), answer)

    def _mount(self, begin: Call) -> Call:
        url = f"{begin.request.url}?mount={check_digest(self._blob.digest)}&from={self._beside}"
        scope = f"{begin.scope} repository:{self._beside}:pull"
        return replace(begin, request=replace(begin.request, url=url), scope=scope)

    async def _send(self, call: Call, begun: Response) -> Response:
        """Send a part of the upload. Storage elsewhere has a right of its own in its address, and is not told ours."""
        if origin_of(httpx.URL(call.request.url)) == origin_of(begun.url):
            return await self._session.attempt(call)
        return self._session.checked(call, await self._session.transport.send(call.request))

    def _call(self, method: str, url: str, *, content: bool = False) -> Call:
        size = {"Content-Length": str(self._blob.size if content else 0)} if method != "POST" else {}
        return Call(
            request=Request(
                method=method,
                url=url,
                what=self._what,
                headers={**_BYTES, **size} if size else {},
                content=self._content if content else None,
            ),
            scope=f"repository:{self._repository}:pull,push",
        )

    def _wants_steps(self, answer: Response) -> bool:
        return answer.status in _NOT_IN_ONE_PIECE and parse_refusal(answer.body).code not in _ABOUT_THE_BLOB
