"""Asks GitHub and the registries what is attested, so that a release goes by what is there and not by a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any  # a JSON document

import anyio
import httpx

from ci.core.engine import fan_out
from ci.core.errors import DrydockError
from ci.core.quiet import quiet
from ci.core.text import clean
from ci.github.bundles import BundleError, fault_of, read_bundle
from ci.github.snappy import unpack
from ci.release import Registries, Staged, list_referrers, read_bundles

_AT_A_TIME = 8
_MOST = 4 << 20  # bytes of an answer, and of a bundle
_REFERRERS = 50  # of a digest that are read, in one repository
_WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds: what was stored a moment ago may not be listed yet
_SECONDS = 20.0  # for one request
_SHOWN = 300  # characters of what others say
_FAULTS = 3  # that are told of several bundles
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
    github: GitHub, registries: Registries, places: Mapping[str, Sequence[Staged]], *, waits: Sequence[float] = _WAITS
) -> Mapping[str, str]:
    """Look for an attestation of each digest; return those that have none, each with what was said where it was looked.

    GitHub is asked first. Where it has none, or says nothing, a bundle in a registry that refers to the digest does.

    What is read of an attestation: that it is the provenance of this digest, signed for a workflow of the repository.
    That the signature is right, and that a log has it, is not verified.

    Args:
        github: whom to ask.
        registries: that have the manifests.
        places: digests of manifests, as sha256:…, each with what is staged of it, in one repository or several.
        waits: seconds before each further look at those that are not there yet.

    """
    headers = {**_HEADERS, **({"Authorization": f"Bearer {github.token}"} if github.token else {})}
    missing = dict.fromkeys(places, _Answer(why="", again=True))
    async with httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client:

        async def look(digest: str) -> _Answer:
            answer = await _look(client, github, headers, digest)
            return await _look_beside(github, registries, places[digest], digest, answer) if answer.why else answer

        for wait in (0.0, *waits):
            asked = [digest for digest, answer in missing.items() if answer.again]
            if not asked:
                break
            await anyio.sleep(wait)
            with quiet():
                answers = await fan_out(asked, look, limit=_AT_A_TIME)
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
    except (ValueError, RecursionError):
        return _Answer(why="GitHub's answer cannot be read", again=True)
    if "" in faults:
        return _Answer(why="")
    return _Answer(why=_told(faults) or _nothing(github), again=True)


async def _look_beside(
    github: GitHub, registries: Registries, staged: Sequence[Staged], digest: str, answer: _Answer
) -> _Answer:
    """Look for a bundle in the repositories of a digest, beside what GitHub said of it."""
    for one in staged:
        said = await _fault_beside(github, registries, one, digest)
        if not said:
            return _Answer(why="")
        answer = replace(answer, why=f"{answer.why}; {said}")
    return answer


async def _fault_beside(github: GitHub, registries: Registries, one: Staged, digest: str) -> str:
    """Say why no bundle that refers to a digest in a repository is what is looked for; "" where one is."""
    client, target = registries.of(one.target), one.target
    try:
        referrers = await list_referrers(client, target.name, digest)
    except DrydockError as error:
        return f"what refers to it in {target.repository} cannot be read: {_shown(str(error))}"
    faults: list[str] = []
    for referrer in referrers[:_REFERRERS]:
        try:
            async for bundle in read_bundles(client, target.name, referrer.digest, limit=_MOST):
                if not (fault := _judge(github, bundle.body, digest)):
                    return ""
                faults.append(_shown(fault))
        except DrydockError as error:  # of this one; another may be what is looked for
            faults.append(_shown(str(error)))
    said = f"no bundle of Sigstore refers to it in {target.repository}"
    if faults:
        said = f"none of the bundles that refer to it in {target.repository} counts: {_told(faults)}"
    more = len(referrers) - _REFERRERS
    return f"{said}; {more} of its {len(referrers)} referrers were not read" if more > 0 else said


def _judge(github: GitHub, bundle: object, digest: str) -> str:
    """Say why a bundle is not what is looked for, wherever it was found; "" where it is."""
    try:
        return fault_of(read_bundle(bundle), digest, repository=github.repository, server=github.server)
    except BundleError as error:
        return str(error)


def _told(faults: Iterable[str]) -> str:
    """Tell of the faults of several bundles the first ones."""
    each = [_shown(fault) for fault in dict.fromkeys(faults)]
    more = [f"and {len(each) - _FAULTS} more faults"] if len(each) > _FAULTS else []
    return "; ".join([*each[:_FAULTS], *more])


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
    return " ".join(clean(text[:_SHOWN]).split()).rstrip(".")


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
        bundle = unpack(answer.content, limit=_MOST) if packed else answer.content
    return _judge(github, bundle, digest)
