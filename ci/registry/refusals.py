"""Reads what a registry says no with: the status, its own words, and how long it asks to wait."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple  # what a server sends

from ci.core.text import clean

_MAX_TEXT = 300  # characters of a registry's own words
_CODE = re.compile(r"[A-Z0-9_]{1,64}")
# Names hold no space, so that none that a registry repeats, such as acme/rate-limit-404, can pass for one of these.
_LIMIT = re.compile(r"rate limit|too many requests|rate exceeded", re.IGNORECASE)
_LIMIT_CODE = "TOOMANYREQUESTS"
_PAUSE = 60.0  # seconds after a 403 that is a limit and does not say for how long
_MAX_LEGIBLE = 4096  # bytes of an answer that is text and nothing else


class Words(NamedTuple):
    """What a registry says in an answer, as far as it can be read."""

    code: str = ""  # of the specification, such as DENIED
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An answer with a status that says no."""

    what: str
    where: str
    status: int
    body: bytes
    scope: str  # what a token needs for the request
    registry: str = ""  # its host, whoever answered
    logged_in: bool  # whether credentials were given
    insufficient: bool = False  # the registry knows the token, and its scope is too small
    retry_after: float | None = None
    exhausted: bool = False  # whether a header says that no request is left

    @property
    def words(self) -> Words:
        """What it says."""
        return parse_refusal(self.body)

    @property
    def limited(self) -> bool:
        """Whether the same request would pass later: GitHub says so by 403 too, with or without Retry-After.

        Source: GitHub, "Best practices for using the REST API", "Handle rate limit errors appropriately".
        """
        if self.status == 429:  # noqa: PLR2004
            return True
        code, message = self.words
        told = code == _LIMIT_CODE or self.exhausted or self.retry_after is not None or _LIMIT.search(message)
        return self.status == 403 and bool(told)  # noqa: PLR2004

    @property
    def pause(self) -> float:
        """How many seconds to wait at least before the next attempt."""
        if self.retry_after is not None:
            return self.retry_after
        return _PAUSE if self.status == 403 else 0.0  # noqa: PLR2004


def parse_refusal(body: bytes) -> Words:
    """Read the first code and message of a registry's error (distribution specification, "Error Codes").

    Token servers and what stands before a registry write others: a message without a list, or plain text.
    """
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace").strip() if len(body) <= _MAX_LEGIBLE else ""
        return Words("", "" if text[:1] in {"<", "{", "["} else text)
    if not isinstance(found, dict):
        return Words()
    listed = found.get("errors")
    first = listed[0] if isinstance(listed, list) and listed else found
    if not isinstance(first, dict):
        return Words()
    code = first.get("code")
    return Words(code if isinstance(code, str) and _CODE.fullmatch(code) else "", _message(first))


def _message(error: Mapping[str, Any]) -> str:
    """Join the message and what a registry adds to it: Quay and Artifactory say there what the matter is."""
    detail = error.get("detail", error.get("details"))
    if isinstance(detail, dict):
        detail = next((detail[key] for key in ("message", "description", "reason") if key in detail), None)
    known = (error.get(key) for key in ("message", "error_description", "error"))
    message = next((text for text in known if isinstance(text, str) and text), "")
    if not isinstance(detail, str) or not detail or detail in message:
        return message
    return f"{message} ({detail})" if message else detail


def quote(text: str, redact: Callable[[str], str] = str) -> str:
    """Fit a server's own words into a message: on one line, short, without control characters and secrets."""
    text = redact(" ".join(clean(text).split()))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."
