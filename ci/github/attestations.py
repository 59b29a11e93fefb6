"""Asks GitHub which digests its attestations are about, so that a release goes by what is there and not by a step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any  # a JSON document

import anyio
import httpx

from ci.core.engine import fan_out
from ci.core.quiet import quiet
from ci.core.text import clean
from ci.github.bundles import BundleError, fault_of, read_bundle
from ci.github.snappy import unpack

_AT_A_TIME = 8
_MOST = 4 << 20  # bytes of an answer
_WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds: what was stored a moment ago may not be listed yet
_SECONDS = 20.0  # for one request
_SHOWN = 300  # characters of what GitHub says
_OK, _NONE, _AGAIN, _BROKEN = 200, 404, 429, 500
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "drydock"}


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHub:
    """The repository whose workflow attests, and who is asked about it."""

    repository: str  # OWNER/NAME
    server: str = "https://github.com"
    api: str = "https://api.github.com"
    token: str | None = field(default=None, repr=False)


async def find_unattested(
    github: GitHub, digests: Sequence[str], *, waits: Sequence[float] = _WAITS
) -> Mapping[str, str]:
    """Ask for an attestation of each digest; return those that have none, each with what GitHub says.

    What is read of an attestation: that it is the provenance of this digest, signed for a workflow of the repository.
    That the signature is right, and that a log has it, is not verified.

    Args:
        github: whom to ask.
        digests: of manifests, as sha256:…
        waits: seconds before each further look at those that are not there yet.

    """
    headers = {**_HEADERS, **({"Authorization": f"Bearer {github.token}"} if github.token else {})}
    missing = dict.fromkeys(digests, _Answer(why="", again=True))
    async with httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client:
        for wait in (0.0, *waits):
            asked = [digest for digest, answer in missing.items() if answer.again]
            if not asked:
                break
            await anyio.sleep(wait)
            with quiet():
                answers = await fan_out(asked, partial(_look, client, github, headers), limit=_AT_A_TIME)
            missing |= dict(zip(asked, answers, strict=True))
            missing = {digest: answer for digest, answer in missing.items() if answer.why}
    return {digest: answer.why for digest, answer in missing.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What came of a look."""

    why: str  # there is no attestation; "" where there is one
    again: bool = False  # whether a later look may find one


async def _look(client: httpx.AsyncClient, github: GitHub, headers: Mapping[str, str], digest: str) -> _Answer:
    """Look for the attestation of a digest."""
    address = f"{github.api}/repos/{github.repository}/attestations/{digest}?per_page=100"
    try:
        answer = await client.get(address, headers=headers)
        if answer.status_code != _OK:
            return _refusal(github, answer)
        faults = [await _fault(client, github, one, digest) for one in _listed(answer)]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _Answer(why=f"GitHub did not answer: {_shown(str(error) or type(error).__name__)}", again=True)
    except ValueError:
        return _Answer(why="GitHub's answer cannot be read", again=True)
    if "" in faults:
        return _Answer(why="")
    return _Answer(why="; ".join(dict.fromkeys(faults)) or _nothing(github), again=True)


def _nothing(github: GitHub) -> str:
    return f"GitHub has no attestation of it in {github.repository}"


def _refusal(github: GitHub, answer: httpx.Response) -> _Answer:
    """Say what GitHub says where it says no."""
    try:
        said = f": {_shown(str(answer.json()['message']))}"
    except (ValueError, KeyError, TypeError):
        said = ""
    code = answer.status_code
    if code == _NONE:
        return _Answer(why=f"{_nothing(github)} ({code}{said})", again=True)
    return _Answer(why=f"GitHub answered {code}{said}", again=code == _AGAIN or code >= _BROKEN)


def _shown(text: str) -> str:
    return " ".join(clean(text)[:_SHOWN].split())


def _listed(answer: httpx.Response) -> list[Mapping[str, Any]]:
    if len(answer.content) > _MOST:
        raise ValueError
    document = answer.json()
    listed = document.get("attestations") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError
    return listed


async def _fault(client: httpx.AsyncClient, github: GitHub, one: Mapping[str, Any], digest: str) -> str:
    """Say why one attestation is not what is looked for; its bundle stands in the list, or at an address."""
    bundle = one.get("bundle")
    if bundle is None and (address := one.get("bundle_url")):
        # Storage behind GitHub: the address lets whoever has it read, and gets no token.
        answer = await client.get(str(address), headers={"User-Agent": "drydock"})
        if answer.status_code != _OK:
            return f"its bundle cannot be fetched: {answer.status_code}"
        packed = answer.headers.get("Content-Type", "").startswith("application/x-snappy")
        bundle = json.loads(unpack(answer.content, limit=_MOST) if packed else answer.content)
    try:
        return fault_of(read_bundle(bundle), digest, repository=github.repository, server=github.server)
    except BundleError as error:
        return str(error)
