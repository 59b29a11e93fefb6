"""Keeps addresses and headers of requests out of every log: some hold signatures, which are as good as passwords."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def _loud(_record: logging.LogRecord) -> bool:
    return not _QUIET.get()


# A filter is only asked about records of its own logger, so each one that writes gets it.
for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_loud)


@contextmanager
def quiet() -> Iterator[None]:
    """Let the loggers of HTTP say nothing of what is sent within."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)
