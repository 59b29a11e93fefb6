"""What the environment says about how to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(ValueError):
    """Say which variable of the environment cannot be used, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the service runs."""

    port: int
    version: str
    revision: str
    worker_url: str
    worker_timeout: float  # seconds for a whole answer of the worker
    body_limit: int  # bytes of a request that are read


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings, with a default for each."""
    worker_url = env.get("WORKER_URL", "http://worker-cpu:5003").rstrip("/")
    if not worker_url.startswith(("http://", "https://")):
        raise SettingsError(f"WORKER_URL is {worker_url!r}: not an http or https URL")
    return Settings(
        port=_number(env, "PORT", 8000, 65535),
        version=env.get("DRYDOCK_VERSION", "unknown"),
        revision=env.get("DRYDOCK_REVISION", "unknown"),
        worker_url=worker_url,
        worker_timeout=_number(env, "WORKER_TIMEOUT", 30, 3600),
        body_limit=_number(env, "BODY_LIMIT", 1_000_000, 100_000_000),
    )


def _number(env: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = env.get(name, str(default))
    # isascii: int() takes digits of every script, a port in an URL does not.
    if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) <= most):
        raise SettingsError(f"{name} is {text!r}: not a whole number from 1 to {most}")
    return int(text)
