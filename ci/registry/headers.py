"""Reads what the headers of an answer say, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_MAX_SECONDS_DIGITS = 10
_EPOCH = 1e9  # seconds since 1970, in 2001: nobody asks to wait for so long
_NEXT = re.compile(r"""<([^<>]*)>\s*;[^<>]*\brel\s*=\s*"?next\b""", re.IGNORECASE)
_RANGE = re.compile(r"bytes\s+[0-9]+-[0-9]+/([0-9]{1,18})")


def wait_asked(headers: Mapping[str, str], *, now: float) -> float | None:
    """Read how many seconds an answer asks to wait; nothing if it does not say.

    Args:
        headers: of the answer; names in any case.
        now: seconds since 1970, to compare a time with.

    Sources: RFC 9110, section 10.2.3 (Retry-After); GitHub, "Rate limits for the REST API" (X-RateLimit-Reset).

    """
    asked = parse_retry_after(headers.get("Retry-After", ""), now=now)
    if asked is None and headers.get("X-RateLimit-Remaining", "").strip() == "0":
        return parse_retry_after(headers.get("X-RateLimit-Reset", ""), now=now)
    return asked


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Read how many seconds a Retry-After header asks to wait; nothing if it says nothing legible.

    Args:
        value: seconds, or a date; Docker Hub and GitHub name some times in seconds since 1970.
        now: seconds since 1970, to compare a time with.

    """
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        seconds = float(value[:_MAX_SECONDS_DIGITS])
        return max(0.0, seconds - now) if seconds >= _EPOCH else seconds
    try:
        date = parsedate_to_datetime(value)
        stamp = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, stamp - now)


def parse_media_type(header: str) -> str:
    """Read the media type of a Content-Type header, without its parameters."""
    return header.partition(";")[0].strip().lower()


def next_page(link: str) -> str:
    """Read from a Link header where a list goes on (RFC 8288); nothing where it ends."""
    found = _NEXT.search(link)
    return found[1].strip() if found else ""


def whole_size(headers: Mapping[str, str], status: int) -> int | None:
    """Read how many bytes there are in all, of an answer that holds all or a part; nothing where it does not say."""
    if status == 206:  # noqa: PLR2004
        found = _RANGE.match(headers.get("Content-Range", "").strip())
        return int(found[1]) if found else None
    length = headers.get("Content-Length", "").strip()
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
