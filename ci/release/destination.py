"""Connects to the registry that the images of a release go to, as the module's functions are given it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import dagger

from ci.core.errors import DrydockError
from ci.registry.address import RegistryAddress, parse_repository
from ci.registry.auth import Credentials
from ci.registry.client import RegistryClient
from ci.release.push import Login
from ci.release.request import Target


def login_of(username: str | None, password: dagger.Secret | None) -> Login | None:
    """Pair a user name with its password; both or neither."""
    if bool(username) != bool(password):
        raise DrydockError("A login needs both: --username NAME --password env:TOKEN")
    return Login(username=username, password=password) if username and password else None


@asynccontextmanager
async def connect(
    targets: Sequence[Target], login: Login | None, service: dagger.Service | None
) -> AsyncIterator[RegistryClient]:
    """Open a client of the registry that all targets share.

    Args:
        targets: of one release.
        login: None to stay anonymous.
        service: the registry as a service, where the functions' network does not reach it by its name.

    Raises:
        DrydockError: the targets are of several registries.

    """
    addresses = {parse_repository(target.repository)[0] for target in targets}
    if len(addresses) != 1:
        names = ", ".join(sorted(address.host for address in addresses))
        raise DrydockError(f"One release goes to one registry, and the repositories are on: {names}")
    address = addresses.pop()
    if service:
        await service.start()
        # The service is a tunnel of the engine's own: TLS, if any, would not know its name.
        address = RegistryAddress(host=await service.endpoint(), plain_http=True)
    credentials = None
    if login:
        credentials = Credentials(username=login.username, password=await login.password.plaintext())
    async with RegistryClient(address, credentials=credentials) as client:
        yield client
