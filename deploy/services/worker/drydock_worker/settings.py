"""What the environment says about how to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_DEFAULT_PORT = "5003"
_MAX_PORT = 65535


class SettingsError(ValueError):
    """Say which variable of the environment cannot be used, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the service runs."""

    port: int
    version: str
    revision: str


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings, with a default for each."""
    port = env.get("PORT", _DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:10]) <= _MAX_PORT):
        raise SettingsError(f"PORT is {port!r}: not a whole number from 1 to {_MAX_PORT}")
    return Settings(
        port=int(port),
        version=env.get("DRYDOCK_VERSION", "unknown"),
        revision=env.get("DRYDOCK_REVISION", "unknown"),
    )
