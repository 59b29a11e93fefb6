"""Reads how long something may take or last."""

from __future__ import annotations

import re

from ci.config.cursor import Cursor

PERIOD = re.compile("([1-9][0-9]{0,3})([hd])|never")
PERIOD_HELP = "hours or days, such as 36h or 14d, or never"
_SECONDS = {"h": 3600, "d": 86400}


def read_period(cursor: Cursor) -> int | None:
    """Read hours or days, as seconds; None for never."""
    found = PERIOD.fullmatch(cursor.matching(PERIOD, PERIOD_HELP))
    return int(found[1]) * _SECONDS[found[2]] if found and found[1] else None
