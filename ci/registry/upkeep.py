"""Asks a registry what a clean-up has to know, and to forget a manifest (distribution specification 1.1)."""

from __future__ import annotations

from dataclasses import replace

from ci.core.errors import DrydockError
from ci.core.names import check_digest
from ci.core.oci import MANIFEST_TYPES, OCI_INDEX, Descriptor, Manifest
from ci.registry.address import check_name
from ci.registry.headers import next_page
from ci.registry.http import Request, origin_of, parse_url, protocol_error
from ci.registry.refusals import parse_refusal
from ci.registry.session import Call, Session

_NO_API = frozenset((400, 404, 405, 501))
_GONE = frozenset(("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"))
_MAX_LIST = 4 * 1024 * 1024  # bytes
_MAX_PAGES = 100


async def list_referrers(session: Session, repository: str, digest: str) -> tuple[Descriptor, ...] | None:
    """Return what says of itself that it is about a manifest; None where the registry has no such list.

    ghcr.io and Docker Hub have none: there, what refers to a manifest is in the index that the tag of its digest names.

    Raises:
        RegistryError: the registry refuses, or answers what is no such list.

    """
    url = f"{session.address.url}/v2/{check_name(repository)}/referrers/{check_digest(digest)}"
    request = Request(
        method="GET",
        url=url,
        what=f"GET the referrers of {repository}@{digest}",
        headers={"Accept": OCI_INDEX},
        limit=_MAX_LIST,
    )
    call = Call(request=request, scope=f"repository:{repository}:pull")
    found: tuple[Descriptor, ...] = ()
    for _ in range(_MAX_PAGES):
        answer = await session.read(call)
        if answer.status in _NO_API:
            return None
        session.require(call, answer)
        try:
            found += Manifest(body=answer.body, media_type=OCI_INDEX, digest=digest).listed
        except DrydockError:
            raise protocol_error(request.what, answer.where, "the answer is no list of referrers") from None
        following = next_page(answer.headers.get("Link", ""))
        if not following:
            return found
        location = parse_url(following)
        place = answer.url.join(location) if location is not None else None
        if place is None or origin_of(place) != origin_of(answer.url):
            raise protocol_error(request.what, answer.where, "the list of referrers goes on at another place")
        call = replace(call, request=replace(call.request, url=str(place)))
    raise protocol_error(request.what, str(session.address), "the list of referrers does not end")


async def delete_manifest(session: Session, repository: str, digest: str) -> bool:
    """Have a registry forget a manifest, and with it most often its tags; tell whether it deletes manifests at all.

    One that is not there any more counts as deleted.
    """
    request = Request(
        method="DELETE",
        url=f"{session.address.url}/v2/{check_name(repository)}/manifests/{check_digest(digest)}",
        what=f"DELETE {repository}@{digest}",
        headers={"Accept": ", ".join(MANIFEST_TYPES)},
    )
    call = Call(request=request, scope=f"repository:{repository}:delete")
    answer = await session.send(call)
    code = parse_refusal(answer.body).code if not answer.ok else ""
    if answer.status == 405 or code == "UNSUPPORTED":  # noqa: PLR2004
        return False
    if answer.status == 404 and code in _GONE:  # noqa: PLR2004
        return True
    session.require(call, answer)
    return True
