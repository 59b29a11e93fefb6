"""What a registry refuses, in words that stand alone: what was asked, where, why not, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from ci.core.errors import DrydockError
from ci.registry.refusals import Refusal, quote
from ci.registry.remedies import remedy_for

_TRANSIENT = frozenset((500, 502, 503, 504))
_MISSING_BLOB = frozenset(("BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"))
_MISSING_BLOB_TEXT = re.compile(r"unknown blob|blob unknown", re.IGNORECASE)


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


def error_of(refusal: Refusal, *, redact: Callable[[str], str]) -> RegistryError:
    """Turn an answer that says no into an error with a remedy.

    Args:
        refusal: the answer.
        redact: removes secrets from a text, since a server can repeat what it was sent.

    """
    code, message = refusal.words
    remedy = remedy_for(refusal)
    wait = None
    if refusal.limited:
        wait = refusal.pause
    elif refusal.what.startswith("PUT ") and refusal.status not in {401, 403} and _is_missing_blob(code, message):
        # Some registries answer a manifest before they see the layers that were uploaded a moment ago.
        wait = refusal.pause
        remedy = "The registry does not see layers or manifests that this one names; push them first."
    elif refusal.status in _TRANSIENT:
        wait = refusal.pause
    detail = ": ".join(part for part in (code, quote(message, redact)) if part)
    return RegistryError(
        kind=_kind(refusal),
        what=refusal.what,
        where=refusal.where,
        why=f"{refusal.status} {detail}".strip().rstrip("."),
        remedy=remedy,
        status=refusal.status,
        code=code,
        wait=wait,
    )


def _is_missing_blob(code: str, message: str) -> bool:
    return code in _MISSING_BLOB or bool(_MISSING_BLOB_TEXT.search(message))


def _kind(refusal: Refusal) -> RegistryErrorKind:
    kinds = RegistryErrorKind
    if refusal.limited:
        return kinds.RATE_LIMITED
    known = {
        401: kinds.FORBIDDEN if refusal.insufficient else kinds.UNAUTHORIZED,
        403: kinds.FORBIDDEN,
        404: kinds.NOT_FOUND,
    }
    if refusal.status >= 500:  # noqa: PLR2004
        return kinds.UNAVAILABLE
    return known.get(refusal.status, kinds.PROTOCOL if refusal.status < 400 else kinds.REFUSED)  # noqa: PLR2004
