"""Names the steps of the work in the CLI's progress, each with its time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

_tracer = trace.get_tracer("drydock")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show a step, such as "backend@linux/arm64 smoke", for as long as it lasts."""
    with _tracer.start_as_current_span(name):
        yield
