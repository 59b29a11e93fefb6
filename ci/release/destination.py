"""Where a release goes: the registry, who logs in there, and the names that fill the configuration's repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import dagger

from ci.core.errors import DrydockError
from ci.core.model import Image, Plan, Variant
from ci.core.names import fill_repository, labels_of, own_tag, repository_of
from ci.registry import Credentials, RegistryAddress, RegistryClient, parse_repository, trust_also
from ci.release.logins import Logins, parse_docker_config, parse_login
from ci.release.registries import Registries
from ci.release.request import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """Where a release goes, as the command line says it.

    Args:
        owner: fills {owner} in the repositories.
        repositories: templates in place of the configuration's.
        username: at the one registry; with a password, or not at all.
        password: at the one registry.
        more: a login of a registry each, as HOST=USER:TOKEN.
        docker_config: the logins as `docker login` has written them.
        services: the registries as services, where the functions' network does not reach them by their names.
        authorities: certificates in PEM that are trusted besides the usual ones.

    """

    owner: str | None = None
    repositories: tuple[str, ...] = ()
    username: str | None = None
    password: dagger.Secret | None = None
    more: tuple[dagger.Secret, ...] = ()
    docker_config: dagger.Secret | None = None
    services: tuple[dagger.Service, ...] = ()
    authorities: dagger.File | None = None

    async def logins(self, hosts: Sequence[str]) -> Logins:
        """Read who logs in where; what names its host counts before the config.json.

        Args:
            hosts: of the registries of the release, each once.

        Raises:
            DrydockError: half of a login is given, or one that nobody can tell the registry of.

        """
        logins = Logins()
        if self.docker_config:
            logins = parse_docker_config(await self.docker_config.plaintext())
        named: dict[str, Credentials] = {}
        for secret in self.more:
            host, credentials = parse_login(await secret.plaintext(), given=_given(await secret.uri()))
            if host in named:
                raise DrydockError(f"--login is given twice for {host}; give each registry one")
            named[host] = credentials
        if bool(self.username) != bool(self.password):
            raise DrydockError("A login needs both: --username NAME --password env:TOKEN")
        if self.username and self.password:
            if len(hosts) > 1:
                raise DrydockError(
                    f"--username and --password are of one registry, and the repositories are on {', '.join(hosts)}; "
                    "give --login env:NAME for each, with NAME set to HOST=USER:TOKEN, or --docker-config"
                )
            credentials = Credentials(username=self.username, password=await self.password.plaintext())
            named |= dict.fromkeys(hosts, credentials)
        return logins.joined(Logins(known=named))

    async def log_in(self, plan: Plan) -> dagger.Secret | None:
        """Let the engine log in for base images, and return all logins as Docker keeps them; None without one.

        The engine remembers them for the session. BuildKit reads the file, for base images and caches.
        """
        logins = await self.logins(self._hosts(plan))
        if not logins.known:
            return None
        container = dagger.dag.container()
        for host, known in logins.known.items():
            password = dagger.dag.set_secret(f"password-{host}", known.password)
            container = container.with_registry_auth(host, known.username, password)
        await container.sync()
        return dagger.dag.set_secret("docker-config", logins.render())

    def _hosts(self, plan: Plan) -> tuple[str, ...]:
        """List the registries of a plan, each once."""
        named = [
            fill_repository(template, name=image.name, owner="owner")
            for image in plan.images
            for template in self.templates(plan, image)
        ]
        return tuple(dict.fromkeys(repository.partition("/")[0] for repository in named))

    def templates(self, plan: Plan, image: Image) -> tuple[str, ...]:
        """Return the templates of an image's repositories: the given ones, else the configuration's."""
        return self.repositories or plan.config.templates(image)

    def targets(
        self,
        plan: Plan,
        *,
        tags: Mapping[str, tuple[str, ...]] | None = None,
        version: str | None = None,
        created: datetime | None = None,
    ) -> tuple[Target, ...]:
        """List the targets of a plan: each image with each of its repositories.

        Args:
            plan: what is built; a release takes all variants of an image.
            tags: that move, by image.
            version: of the software; where some images get tags, of these alone.
            created: when the commit was made.

        Raises:
            DrydockError: a repository is not legal, or a tag would name two images.

        """
        named = {name for name, given in (tags or {}).items() if given}
        versioned = named or {image.name for image in plan.images}
        targets = [
            Target(
                image=image,
                repository=repository,
                name=repository.partition("/")[2],
                variants=tuple(Variant(image=image, platform=platform) for platform in image.platforms),
                labels=labels_of(plan, image, version=version if image.name in versioned else None, created=created),
                own=own_tag(image, plan.revision, plan.mark) if plan.revision else "",
                tags=(tags or {}).get(image.name, ()),
                promised=plan.config.promised(image),
            )
            for image in plan.images
            if image.release
            for repository in (repository_of(t, image, owner=self.owner) for t in self.templates(plan, image))
        ]
        _check_names(targets)
        return tuple(targets)

    @asynccontextmanager
    async def connect(self, targets: Sequence[Target]) -> AsyncIterator[Registries]:
        """Open a client of each registry that the targets are in.

        Raises:
            DrydockError: a login cannot be used, or it is not clear which service is which registry.

        """
        addresses = [parse_repository(target.repository)[0] for target in targets]
        hosts = {address.host: address for address in addresses}
        logins = await self.logins(tuple(hosts))
        verify = trust_also(await self.authorities.contents()) if self.authorities else None
        async with AsyncExitStack() as stack:
            clients = {}
            for host, address in hosts.items():
                place = await self._reach(address, tuple(hosts))
                client = RegistryClient(place, credentials=logins.of(host), verify=verify)
                clients[host] = await stack.enter_async_context(client)
            yield Registries(clients=clients)

    async def _reach(self, address: RegistryAddress, hosts: Sequence[str]) -> RegistryAddress:
        """Return where a registry is reached: its service, if there is one."""
        if not (service := await self.service_of(address.host, hosts)):
            return address
        # The service is a tunnel of the engine's own: TLS, if any, would not know its name.
        return RegistryAddress(host=await service.endpoint(), plain_http=True)

    async def service_of(self, host: str, hosts: Sequence[str]) -> dagger.Service | None:
        """Find and start the service that stands for a registry: the only one, or the one with the registry's port.

        Args:
            host: of the registry.
            hosts: of all registries of the release.

        Raises:
            DrydockError: there are services, and none is the registry's.

        """
        if not self.services:
            return None
        for service in self.services:
            await service.start()
            port = (await service.endpoint()).rpartition(":")[2]
            if len(hosts) == len(self.services) == 1 or host.endswith(f":{port}"):
                return service
        raise DrydockError(
            f"--registry is given {len(self.services)} times, and the repositories are on {', '.join(hosts)}; "
            "give one for each, with the same port: --registry tcp://127.0.0.1:5000 for 127.0.0.1:5000/{name}"
        )


def _given(uri: str) -> str:
    """Name a secret by its address, but not by a command, which may hold what it prints."""
    kind, _, rest = uri.partition("://")
    return f"{kind}:{rest}" if kind in {"env", "file"} else "..."


def _check_names(targets: Sequence[Target]) -> None:
    """Refuse names that two images would have: each would replace the other's."""
    taken: dict[str, str] = {}
    for target in targets:
        name = target.image.name
        for tag in (target.own, *target.tags):
            if (other := taken.setdefault(f"{target.repository}:{tag}", name)) != name:
                raise DrydockError(
                    f"{target.repository}:{tag or 'sha-…'} would name two images, {other} and {name}; "
                    "give each a repository of its own, such as one with {name}"
                )
