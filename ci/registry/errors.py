"""What a registry refuses, in words that stand alone: what was asked, where, why not, what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ci.core.errors import DrydockError
from ci.core.text import clean

_MAX_TEXT = 300  # characters of a registry's own words
_CODE = re.compile(r"[A-Z0-9_]{1,64}")
_TRANSIENT = frozenset((429, 500, 502, 503, 504))
_MISSING_BLOB = re.compile(r"BLOB_UNKNOWN|unknown blob|blob unknown", re.IGNORECASE)


class RegistryErrorKind(StrEnum):
    """Why a registry did not do what was asked."""

    UNAUTHORIZED = "unauthorized"  # it does not know who asks
    FORBIDDEN = "forbidden"  # it knows, and who asks may not
    NOT_FOUND = "not found"
    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"  # it fails, or cannot be reached: what it did is unknown
    REFUSED = "refused"  # any other answer that says no
    PROTOCOL = "protocol"  # the answer breaks the specification, or a promise such as a digest


class RegistryError(DrydockError):
    """A registry did not do what was asked.

    After kind UNAVAILABLE a change may have happened or not: only reading back tells.
    """

    def __init__(
        self,
        *,
        kind: RegistryErrorKind,
        what: str,
        where: str,
        why: str,
        remedy: str = "",
        status: int | None = None,
        code: str = "",
        wait: float | None = None,
    ) -> None:
        """Say what failed.

        Args:
            kind: the class of the failure.
            what: method, repository and reference.
            where: the host.
            why: one clause.
            remedy: what the user can do, one sentence.
            status: of the answer, where there was one.
            code: the registry's own, such as DENIED.
            wait: seconds the registry asks to wait before the next attempt; None where no repetition can help.

        """
        self.kind, self.what, self.where, self.why, self.remedy = kind, what, where, why, remedy
        self.status, self.code, self.wait = status, code, wait
        super().__init__(f"{what} at {where} failed: {why}." + (f" {remedy}" if remedy else ""))

    def after(self, attempts: int, seconds: float, *, redact: Callable[[str], str]) -> RegistryError:
        """Return this error with the effort that was spent on it, and without secrets.

        Args:
            attempts: how many there were.
            seconds: how long they took.
            redact: removes secrets from a text; a server chooses some of this one, and can repeat what it was sent.

        """
        effort = f" (gave up after {attempts} attempts in {seconds:.1f} s)" if attempts > 1 else ""
        return RegistryError(
            kind=self.kind,
            what=self.what,
            where=redact(self.where),
            why=redact(self.why) + effort,
            remedy=self.remedy,
            status=self.status,
            code=self.code,
            wait=self.wait,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An answer with a status that says no."""

    what: str
    where: str
    status: int
    body: bytes
    scope: str  # what a token needs for the request
    logged_in: bool  # whether credentials were given
    insufficient: bool = False  # the registry knows the token, and its scope is too small
    retry_after: float | None = None


def parse_refusal(body: bytes) -> tuple[str, str]:
    """Read the first code and message of a registry's error (distribution specification, "Error Codes")."""
    try:
        first = json.loads(body)["errors"][0]
        code, message = first.get("code"), first.get("message")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", ""
    code = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    return code, message if isinstance(message, str) else ""


def quote(text: str, redact: Callable[[str], str] = str) -> str:
    """Fit a server's own words into a message: on one line, short, without control characters and secrets."""
    text = redact(" ".join(clean(text).split()))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def error_of(refusal: Refusal, *, redact: Callable[[str], str]) -> RegistryError:
    """Turn an answer that says no into an error with a remedy.

    Args:
        refusal: the answer.
        redact: removes secrets from a text, since a server can repeat what it was sent.

    """
    code, message = parse_refusal(refusal.body)
    kind = _kind(refusal)
    remedy = remedy_for(refusal.status, refusal.scope, logged_in=refusal.logged_in, insufficient=refusal.insufficient)
    wait = None
    if (
        refusal.what.startswith("PUT ")
        and refusal.status not in {401, 403}
        and _MISSING_BLOB.search(f"{code} {message}")
    ):
        # Some registries answer a manifest before they see the layers that were uploaded a moment ago.
        wait = refusal.retry_after or 0.0
        remedy = "The registry does not see layers or manifests that this one names; push them first."
    elif refusal.status in _TRANSIENT:
        wait = refusal.retry_after or 0.0
    detail = ": ".join(part for part in (code, quote(message, redact)) if part)
    return RegistryError(
        kind=kind,
        what=refusal.what,
        where=refusal.where,
        why=f"{refusal.status} {detail}".strip().rstrip("."),
        remedy=remedy,
        status=refusal.status,
        code=code,
        wait=wait,
    )


def remedy_for(status: int, scope: str, *, logged_in: bool, insufficient: bool = False) -> str:
    """Say what helps against a status that says no; nothing where nobody can tell.

    Args:
        status: of the answer, such as 403.
        scope: what a token needs for the request, such as "repository:acme/backend:pull,push".
        logged_in: whether credentials were given.
        insufficient: whether the registry knows the token, and its scope is too small.

    """
    permission = "packages: read" if scope.endswith(":pull") else "packages: write"
    if status == 403 or (status == 401 and insufficient):  # noqa: PLR2004
        return f"The token needs the scope {scope}; on GitHub, `{permission}`."
    if status == 401 and logged_in:  # noqa: PLR2004
        return "Check the user name and the token: wrong, expired, or not for this registry."
    known = {
        401: "Log in: give a user name and a token for this registry.",
        404: "It does not exist, or the token cannot see it; check its name and the token's access.",
        429: "Wait, then run the same command again.",
    }
    unavailable = "Run the same command again when the registry is well." if status >= 500 else ""  # noqa: PLR2004
    return known.get(status, unavailable)


def _kind(refusal: Refusal) -> RegistryErrorKind:
    kinds = RegistryErrorKind
    known = {
        401: kinds.FORBIDDEN if refusal.insufficient else kinds.UNAUTHORIZED,
        403: kinds.FORBIDDEN,
        404: kinds.NOT_FOUND,
        429: kinds.RATE_LIMITED,
    }
    if refusal.status >= 500:  # noqa: PLR2004
        return kinds.UNAVAILABLE
    return known.get(refusal.status, kinds.PROTOCOL if refusal.status < 400 else kinds.REFUSED)  # noqa: PLR2004
