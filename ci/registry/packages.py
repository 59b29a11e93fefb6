"""Asks GitHub for the versions of a container package: ghcr.io itself deletes nothing.

A version is a digest, with all tags that name it. Source: GitHub, "REST API endpoints for packages", 2022-11-28.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from ci.core.errors import DrydockError
from ci.core.names import is_digest
from ci.registry.address import RegistryAddress
from ci.registry.auth import Credentials
from ci.registry.errors import RegistryError
from ci.registry.http import Request, Response, parse_url, protocol_error
from ci.registry.retry import Clock, RetryPolicy
from ci.registry.session import Call, Session

GITHUB = "https://api.github.com"
_PAGE, _MAX_PAGES = 100, 1000
_MAX_ANSWER = 16 * 1024 * 1024  # bytes
_NOT_FOUND = 404
_REMEDY = (
    "Versions of a package are listed and deleted with a classic token that has read:packages and delete:packages, or "
    "with a workflow's GITHUB_TOKEN, if the package gives its repository the role Admin; a public version with more "
    "than 5000 downloads, and the last one of a package, are not deleted by anybody."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of a package."""

    id: int
    digest: str
    tags: tuple[str, ...]
    updated: datetime  # or made, if that was later


class Packages:
    """A client of GitHub's packages API, to be used as a context manager."""

    def __init__(
        self,
        url: str,
        credentials: Credentials | None,
        *,
        verify: ssl.SSLContext | None = None,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            url: where the API is, such as https://api.github.com.
            credentials: the password is the token.
            verify: the certificates to trust, by default the usual ones.
            policy: how often and how long one request is tried.
            clock: stands in for time and chance in tests.

        Raises:
            DrydockError: the URL is none.

        """
        place = parse_url(url.rstrip("/"))
        if place is None or not place.host or place.query:
            raise DrydockError(f"--github-api {url!r} is not an address such as {GITHUB}")
        address = RegistryAddress(host=place.netloc.decode("ascii"), plain_http=place.scheme == "http")
        if address.plain_http and not address.loopback:
            raise DrydockError(f"--github-api {url!r} would send the token without TLS; give an https address")
        self._url = f"{address.url}{place.path.rstrip('/')}"
        self._token = credentials.password if credentials else ""
        self._owners: dict[str, str] = {}
        self._session = Session(
            address,
            credentials=credentials,
            verify=verify,
            timeout=30.0,
            policy=policy or RetryPolicy(),
            clock=clock or Clock(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.transport.close()

    async def list(self, repository: str) -> tuple[Version, ...]:
        """Return all versions of a package, tagged or not; none where there is no such package.

        Args:
            repository: as the registry knows it: the owner, a slash, and the package.

        """
        found: list[Version] = []
        path = f"{await self._package(repository)}/versions"
        for page in range(1, _MAX_PAGES + 1):
            what = f"GET the versions of {repository}"
            answer = await self._ask("GET", f"{path}?per_page={_PAGE}&page={page}&state=active", what)
            if answer.status == _NOT_FOUND and page == 1:
                return ()
            versions = list(_versions(what, self._required(what, answer)))
            found += versions
            if len(versions) < _PAGE:
                return tuple(found)
        raise protocol_error(f"GET the versions of {repository}", self._url, "the list does not end")

    async def tags(self, repository: str, version: Version) -> tuple[str, ...] | None:
        """Return the tags that a version has now; None where it is gone."""
        what = f"GET the version {version.id} of {repository}"
        answer = await self._ask("GET", f"{await self._package(repository)}/versions/{version.id}", what)
        if answer.status == _NOT_FOUND:
            return None
        body = self._required(what, answer).body
        (now,) = _versions(what, Response(**{**_fields(answer), "body": b"[" + body + b"]"}))
        if now.digest != version.digest:
            raise protocol_error(what, answer.where, f"it is {now.digest} now, and was {version.digest}")
        return now.tags

    async def delete(self, repository: str, version: Version) -> None:
        """Delete a version, and with it every tag that names it; one that is gone already is no error."""
        what = f"DELETE the version {version.id} of {repository}, {version.digest}"
        answer = await self._ask("DELETE", f"{await self._package(repository)}/versions/{version.id}", what)
        if answer.status != _NOT_FOUND:
            self._required(what, answer)

    async def _package(self, repository: str) -> str:
        """Return the path of a package, which depends on what its owner is."""
        owner, _, name = repository.partition("/")
        if owner not in self._owners:
            what = f"GET the owner {owner}"
            answer = self._required(what, await self._ask("GET", f"/users/{quote(owner, safe='')}", what))
            kind = _document(what, answer, dict).get("type")
            self._owners[owner] = "orgs" if kind == "Organization" else "users"
        return f"/{self._owners[owner]}/{quote(owner, safe='')}/packages/container/{quote(name, safe='')}"

    async def _ask(self, method: str, path: str, what: str) -> Response:
        """Send one request: all that goes to GitHub goes through here."""
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        }
        request = Request(method=method, url=f"{self._url}{path}", what=what, headers=headers, limit=_MAX_ANSWER)
        return await self._session.send(Call(request=request, scope="packages"))

    def _required(self, what: str, answer: Response) -> Response:
        if answer.ok:
            return answer
        error = self._session.error(Call(request=Request(method="", url="", what=what), scope="packages"), answer)
        raise RegistryError(
            kind=error.kind,
            what=error.what,
            where=error.where,
            why=error.why,
            remedy=_REMEDY,
            status=error.status,
            code=error.code,
        )


def _fields(answer: Response) -> dict[str, Any]:
    return {"status": answer.status, "headers": answer.headers, "url": answer.url, "left": answer.left}


def _document(what: str, answer: Response, kind: type) -> Any:  # noqa: ANN401  # a document of others
    try:
        found: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, kind):
        raise protocol_error(what, answer.where, "the answer is not as GitHub documents it")
    return found


def _versions(what: str, answer: Response) -> Iterator[Version]:
    for each in _document(what, answer, list):
        try:
            tags = each["metadata"]["container"]["tags"]
            times = [datetime.fromisoformat(each[key]) for key in ("created_at", "updated_at")]
            version = Version(id=int(each["id"]), digest=each["name"], tags=tuple(map(str, tags)), updated=max(times))
        except (KeyError, TypeError, ValueError, AttributeError):
            version = None
        if version is None or not is_digest(version.digest) or version.updated.tzinfo is None:
            raise protocol_error(what, answer.where, "a version is not as GitHub documents it")
        yield version
