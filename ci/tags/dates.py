"""Writes times in the formats of moment.js: YYYYMMDD-HHmmss, and what its documentation lists besides, in English.

Source: https://momentjs.com/docs/#/displaying/format/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ci.tags.errors import RuleError

_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()
# A part in brackets stands for itself; so does every letter that is no token.
_TOKEN = re.compile(
    r"\[[^\[]*\]|Mo|M{1,4}|Qo?|Do|DDDo|D{1,4}|do|d{1,4}|wo|ww?|Wo|WW?|Y{4,6}|YY?|y{1,4}|gggg|gg|GGGG|GG"
    r"|hmmss|hmm|Hmmss|Hmm|hh?|HH?|kk?|mm?|ss?|S{1,9}|ZZ?|zz?|[AaeEXx]"
)
_LONG = re.compile(r"\[[^\[]*\]|LTS|LT|L{1,4}|l{1,4}")
_LONG_FORMATS = {
    "LTS": "h:mm:ss A",
    "LT": "h:mm A",
    "L": "MM/DD/YYYY",
    "LL": "MMMM D, YYYY",
    "LLL": "MMMM D, YYYY h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A",
    "l": "M/D/YYYY",
    "ll": "MMM D, YYYY",
    "lll": "MMM D, YYYY h:mm A",
    "llll": "ddd, MMM D, YYYY h:mm A",
}
_NOON = 12


def read_zone(name: str) -> ZoneInfo:
    """Find a time zone by its name in the IANA database.

    Raises:
        RuleError: there is none of that name.

    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RuleError(f"the time zone {name!r} is not known", accepted="a name such as UTC or Asia/Tokyo") from None


def format_date(time: datetime, form: str | None, zone: str) -> str:
    """Write a time, which has a zone of its own, as it is in another; without a format as ISO 8601 has it."""
    local = time.astimezone(read_zone(zone))
    if form is None:
        form = "YYYY-MM-DDTHH:mm:ss[Z]" if zone == "UTC" else "YYYY-MM-DDTHH:mm:ssZ"
    form = _LONG.sub(lambda found: _LONG_FORMATS.get(found[0], found[0]), form)
    return _TOKEN.sub(lambda found: _render(local, found[0]), form).replace("\\", "")


def _render(time: datetime, token: str) -> str:
    if token.startswith("["):
        return token[1:-1]
    if token.endswith("o"):
        return _ordinal(_NUMBERS[token[:-1]](time))
    if token in _NUMBERS:
        return str(_NUMBERS[token](time))
    if token.startswith("S"):
        return f"{time.microsecond:06}000"[: len(token)]
    return _TEXTS[token](time)


def _ordinal(number: int) -> str:
    tens = number % 100 // 10
    return f"{number}{'th' if tens == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _sunday(time: datetime) -> int:
    """Return the day of the week, from Sunday, which is 0."""
    return time.isoweekday() % 7


def _week(time: datetime) -> tuple[int, int]:
    """Return year and week as North America counts them: from Sunday, with 1 January in the first."""
    saturday = time + timedelta(days=6 - _sunday(time))
    return saturday.year, (saturday.timetuple().tm_yday + 6) // 7


def _hour(time: datetime) -> int:
    return time.hour % _NOON or _NOON


def _offset(time: datetime, colon: str) -> str:
    minutes = int((time.utcoffset() or timedelta()).total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"


def _half(time: datetime) -> str:
    return "AM" if time.hour < _NOON else "PM"


_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "M": lambda t: t.month,
    "Q": lambda t: (t.month + 2) // 3,
    "D": lambda t: t.day,
    "DDD": lambda t: t.timetuple().tm_yday,
    "d": _sunday,
    "e": _sunday,
    "E": lambda t: t.isoweekday(),
    "w": lambda t: _week(t)[1],
    "W": lambda t: t.isocalendar().week,
    "Y": lambda t: t.year,
    "y": lambda t: t.year,
    "H": lambda t: t.hour,
    "h": _hour,
    "k": lambda t: t.hour or 24,
    "m": lambda t: t.minute,
    "s": lambda t: t.second,
    "X": lambda t: int(t.timestamp()),
    "x": lambda t: int(t.timestamp()) * 1000 + t.microsecond // 1000,
}
_TEXTS: dict[str, Callable[[datetime], str]] = {
    "MM": lambda t: f"{t.month:02}",
    "MMM": lambda t: _MONTHS[t.month - 1][:3],
    "MMMM": lambda t: _MONTHS[t.month - 1],
    "DD": lambda t: f"{t.day:02}",
    "DDDD": lambda t: f"{t.timetuple().tm_yday:03}",
    "dd": lambda t: _DAYS[_sunday(t)][:2],
    "ddd": lambda t: _DAYS[_sunday(t)][:3],
    "dddd": lambda t: _DAYS[_sunday(t)],
    "ww": lambda t: f"{_week(t)[1]:02}",
    "WW": lambda t: f"{t.isocalendar().week:02}",
    "YY": lambda t: f"{t.year % 100:02}",
    "YYYY": lambda t: f"{t.year:04}",
    "YYYYY": lambda t: f"{t.year:05}",
    "YYYYYY": lambda t: f"+{t.year:06}",
    "yy": lambda t: f"{t.year:02}",
    "yyy": lambda t: f"{t.year:03}",
    "yyyy": lambda t: f"{t.year:04}",
    "gg": lambda t: f"{_week(t)[0] % 100:02}",
    "gggg": lambda t: f"{_week(t)[0]:04}",
    "GG": lambda t: f"{t.isocalendar().year % 100:02}",
    "GGGG": lambda t: f"{t.isocalendar().year:04}",
    "hh": lambda t: f"{_hour(t):02}",
    "HH": lambda t: f"{t.hour:02}",
    "kk": lambda t: f"{t.hour or 24:02}",
    "mm": lambda t: f"{t.minute:02}",
    "ss": lambda t: f"{t.second:02}",
    "hmm": lambda t: f"{_hour(t)}{t.minute:02}",
    "hmmss": lambda t: f"{_hour(t)}{t.minute:02}{t.second:02}",
    "Hmm": lambda t: f"{t.hour}{t.minute:02}",
    "Hmmss": lambda t: f"{t.hour}{t.minute:02}{t.second:02}",
    "A": _half,
    "a": lambda t: _half(t).lower(),
    "Z": lambda t: _offset(t, ":"),
    "ZZ": lambda t: _offset(t, ""),
    "z": lambda t: t.tzname() or "",
    "zz": lambda t: t.tzname() or "",
}
