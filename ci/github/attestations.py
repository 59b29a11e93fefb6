"""Asks GitHub what is attested, so that a release goes by what is there and not by a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # a JSON document

import httpx

from ci.core.quiet import quiet
from ci.github.snappy import unpack
from ci.release import MAX_BUNDLE, Stored, shown

SERVER, API = "https://github.com", "https://api.github.com"  # unless it is a GitHub of one's own
_SECONDS = 20.0  # for one request
_OK, _NONE, _AGAIN, _BROKEN = 200, 404, 429, 500
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "drydock"}


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHub:
    """The repository whose workflow attests, and who is asked about it."""

    repository: str  # OWNER/NAME
    server: str = SERVER
    api: str = API
    token: str | None = field(default=None, repr=False)

    async def __call__(self, digest: str) -> Stored:
        """List the attestations of a digest, as sha256:…, that GitHub has."""
        headers = {**_HEADERS, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        address = f"{self.api}/repos/{self.repository}/attestations/{digest}?per_page=100"
        try:
            with quiet():
                async with httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client:
                    answer = await client.get(address, headers=headers)
                    if answer.status_code != _OK:
                        return _refusal(self, answer)
                    found = [await _fetched(client, one) for one in _listed(answer)]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Stored(why=f"GitHub did not answer: {shown(str(error) or type(error).__name__)}")
        except (ValueError, RecursionError):
            return Stored(why="GitHub's answer cannot be read")
        return Stored(
            bundles=tuple(bundle for bundle, fault in found if not fault),
            faults=tuple(fault for _, fault in found if fault),
            why="" if found else _nothing(self),
        )


def _nothing(github: GitHub) -> str:
    return f"GitHub has no attestation of it in {github.repository}"


def _refusal(github: GitHub, answer: httpx.Response) -> Stored:
    """Say what GitHub says where it says no."""
    try:
        said = f": {shown(str(answer.json()['message']))}"
    except (ValueError, KeyError, TypeError):
        said = ""
    code = answer.status_code
    if code == _NONE:
        return Stored(why=f"{_nothing(github)} ({code}{said})")
    return Stored(why=f"GitHub answered {code}{said}", again=code == _AGAIN or code >= _BROKEN)


def _listed(answer: httpx.Response) -> list[Mapping[str, Any]]:
    if len(answer.content) > MAX_BUNDLE:
        raise ValueError
    document = answer.json()
    listed = document.get("attestations") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError
    return listed


async def _fetched(client: httpx.AsyncClient, one: Mapping[str, Any]) -> tuple[object, str]:
    """Return the bundle of one attestation, which stands in the list or at an address; or why it cannot be fetched."""
    bundle = one.get("bundle")
    if bundle is None and (address := one.get("bundle_url")):
        # Storage behind GitHub: the address lets whoever has it read, and gets no token.
        answer = await client.get(str(address), headers={"User-Agent": "drydock"})
        if answer.status_code != _OK:
            return None, f"its bundle cannot be fetched: {answer.status_code}"
        packed = answer.headers.get("Content-Type", "").startswith("application/x-snappy")
        bundle = unpack(answer.content, limit=MAX_BUNDLE) if packed else answer.content
    return bundle, ""
