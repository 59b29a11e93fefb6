"""What a prediction job has to look like before a worker sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import inf

MAX_ROWS = 1000

Rows = list[list[float]]


class InvalidJobError(ValueError):
    """Say what is wrong with a job, in words for the one who sent it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Rows of numbers to predict from; how wide a row has to be is the worker's to say."""

    inputs: Rows


def parse_job(body: bytes) -> Job:
    """Read a job from the body of a request."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJobError("the body is not JSON") from error
    if not isinstance(document, dict) or set(document) != {"inputs"}:
        raise InvalidJobError('the body must be an object with the one key "inputs"')
    rows = document["inputs"]
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_ROWS:
        raise InvalidJobError(f"inputs must be a list of 1 to {MAX_ROWS} rows")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or not row or not all(map(_is_number, row)):
            raise InvalidJobError(f"inputs[{number}] must be a list of finite numbers")
    return Job(inputs=rows)


def _is_number(value: object) -> bool:
    # JSON's true is an int to Python; comparing, unlike math.isfinite, also takes integers beyond a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and -inf < value < inf
