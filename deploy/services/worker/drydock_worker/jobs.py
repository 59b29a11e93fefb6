"""What a job has to look like for the model to answer it."""

from __future__ import annotations

import json

WIDTH = 2  # numbers in a row, as the model takes them
MAX_BODY = 4_000_000  # bytes
MAX_ROWS = 10_000
MAX_MAGNITUDE = 1_000_000  # far inside what the model's 32-bit arithmetic answers with finite numbers

Rows = list[list[float]]


class InvalidJobError(ValueError):
    """Say what is wrong with a job, in words for the one who sent it."""


def parse_inputs(body: bytes) -> Rows:
    """Read the rows of a job from the body of a request."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJobError("the body is not JSON") from error
    rows = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_ROWS:
        raise InvalidJobError(f"inputs must be a list of 1 to {MAX_ROWS} rows")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != WIDTH or not all(map(_is_number, row)):
            raise InvalidJobError(f"inputs[{number}] must be {WIDTH} numbers from -{MAX_MAGNITUDE} to {MAX_MAGNITUDE}")
    return [[float(value) for value in row] for row in rows]


def _is_number(value: object) -> bool:
    # JSON's true is an int to Python; NaN, which Python's JSON lets through, compares as false.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_MAGNITUDE
