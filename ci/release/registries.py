"""The registries of a release: a client for each host that its repositories are on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ci.registry import RegistryClient
from ci.release.request import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Registries:
    """A client for each registry."""

    clients: Mapping[str, RegistryClient]  # by the host that begins the names of its repositories

    def of(self, target: Target) -> RegistryClient:
        """Return the client of the registry that a target goes to."""
        return self.clients[target.host]

    @property
    def retries(self) -> int:
        """How many requests were repeated so far."""
        return sum(client.effort.retries for client in self.clients.values())
