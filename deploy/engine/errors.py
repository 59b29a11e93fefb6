"""How a step of the bring-up fails."""

from __future__ import annotations


class EngineError(Exception):
    """A step failed; the text says what, why and what to do."""
