"""Where a release goes: the registry, who logs in there, and the names that fill the configuration's repository."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import dagger

from ci.core.errors import DrydockError
from ci.core.model import Image, Plan, Variant
from ci.core.names import labels_of, own_tag, repository_of
from ci.registry import Credentials, RegistryAddress, RegistryClient, parse_repository, trust_also
from ci.release.request import Target

_DOCKER_NAMES = {"docker.io": "https://index.docker.io/v1/"}  # what Docker's config.json calls it


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Who logs in to a registry."""

    username: str
    password: dagger.Secret

    def on(self, container: dagger.Container, repository: str) -> dagger.Container:
        """Let a container's pulls and pushes log in."""
        return container.with_registry_auth(repository.partition("/")[0], self.username, self.password)


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """Where a release goes, as the command line says it.

    Args:
        owner: fills {owner} in the repository.
        repositories: templates in place of the configuration's.
        username: at the registry; with a password, or not at all.
        password: at the registry.
        service: the registry as a service, where the functions' network does not reach it by its name.
        authorities: certificates in PEM that are trusted besides the usual ones.

    """

    owner: str | None = None
    repositories: tuple[str, ...] = ()
    username: str | None = None
    password: dagger.Secret | None = None
    service: dagger.Service | None = None
    authorities: dagger.File | None = None

    @property
    def login(self) -> Login | None:
        """The login; None to stay anonymous.

        Raises:
            DrydockError: a user name without a password, or a password without a user name.

        """
        if bool(self.username) != bool(self.password):
            raise DrydockError("A login needs both: --username NAME --password env:TOKEN")
        return Login(username=self.username, password=self.password) if self.username and self.password else None

    async def docker_config(self, plan: Plan) -> dagger.Secret | None:
        """Write the login as Docker keeps it, for base images and caches of that registry; None without one."""
        if not (login := self.login):
            return None
        host = self.templates(plan, plan.images[0])[0].partition("/")[0]
        pair = f"{login.username}:{await login.password.plaintext()}"
        entry = {"auth": base64.b64encode(pair.encode()).decode()}
        text = json.dumps({"auths": {_DOCKER_NAMES.get(host, host): entry}})
        return dagger.dag.set_secret(f"docker-config-{host}", text)

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
            )
            for image in plan.images
            if image.release
            for repository in (repository_of(t, image, owner=self.owner) for t in self.templates(plan, image))
        ]
        _check_names(targets)
        return tuple(targets)

    @asynccontextmanager
    async def connect(self, targets: Sequence[Target]) -> AsyncIterator[RegistryClient]:
        """Open a client of the registry that all targets share.

        Raises:
            DrydockError: the targets are of several registries, or half of a login is given.

        """
        addresses = {parse_repository(target.repository)[0] for target in targets}
        if len(addresses) != 1:
            names = ", ".join(sorted(address.host for address in addresses))
            raise DrydockError(f"One release goes to one registry, and the repositories are on: {names}")
        address = addresses.pop()
        if self.service:
            await self.service.start()
            # The service is a tunnel of the engine's own: TLS, if any, would not know its name.
            address = RegistryAddress(host=await self.service.endpoint(), plain_http=True)
        credentials = None
        if login := self.login:
            credentials = Credentials(username=login.username, password=await login.password.plaintext())
        verify = trust_also(await self.authorities.contents()) if self.authorities else None
        async with RegistryClient(address, credentials=credentials, verify=verify) as client:
            yield client


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
