"""What is said once before the function of the command line, and what every function makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, TypeVar

import dagger
from dagger import Doc, function

from ci.build import Builder, Remotes, parse_builders
from ci.commands import options
from ci.config import PLATFORMS, parse_cache, plan_build, read_config
from ci.core.attestations import check_builder_id
from ci.core.model import CacheMode, Config, Plan
from ci.core.names import utc_text
from ci.core.text import split_values
from ci.core.values import Values
from ci.release import Destination

F = TypeVar("F", bound=Callable[..., object])


def uncached(method: F) -> F:
    """Expose a function of the module that runs at every call: Dagger would keep its result for seven days."""
    return function(method, cache="never")  # type: ignore[call-overload, no-any-return]  # the stub lacks `cache`


@dataclass(kw_only=True)
class Common:
    """The fields of the module, which are options before the function."""

    source: options.Source
    git: Annotated[dagger.Directory | None, Doc("Its .git, for images that say git: true: .git")] = None
    config: Annotated[dagger.File | None, Doc("The configuration (default: deploy/images.yaml in the source)")] = None
    owner: Annotated[str | None, Doc("Fills {owner} in the configuration's repository")] = None
    repository: options.Repositories = None
    username: Annotated[str | None, Doc("The user name at the registry, where there is one")] = None
    password: Annotated[dagger.Secret | None, Doc("The token or password at the registry: env:TOKEN")] = None
    login: options.Logins = None
    docker_config: options.DockerConfig = None
    registry: options.Registries = None
    registry_ca: options.RegistryCa = None
    cache: options.Cache = None
    builder: options.Builders = None
    builder_tunnel: options.BuilderTunnels = None
    builder_ca: options.BuilderCa = None
    builder_cert: options.BuilderCert = None
    builder_key: options.BuilderKey = None
    ssh: Annotated[dagger.Socket | None, Doc("The SSH agent that builds may ask: $SSH_AUTH_SOCK")] = None

    @property
    def _destination(self) -> Destination:
        return Destination(
            owner=self.owner,
            repositories=split_values(self.repository or ()),
            username=self.username,
            password=self.password,
            more=tuple(self.login or ()),
            docker_config=self.docker_config,
            services=tuple(self.registry or ()),
            authorities=self.registry_ca,
        )

    def _builder(self, secrets: Sequence[dagger.Secret] | None, parallel: int, builder_id: str = "") -> Builder:
        return Builder(
            source=self.source,
            git=self.git,
            secrets=secrets or (),
            agent=self.ssh,
            parallel=parallel,
            authorities=self.registry_ca,
            remotes=Remotes(
                addresses=parse_builders(self.builder or (), PLATFORMS),
                tunnels=tuple(self.builder_tunnel or ()),
                ca=self.builder_ca,
                certificate=self.builder_cert,
                key=self.builder_key,
            ),
            builder_id=check_builder_id(builder_id),
        )

    def _values(
        self, revision: str | None, version: str | None = None, ref: str | None = None, created: datetime | None = None
    ) -> Values:
        time, owner = utc_text(created) if created else "", self.owner or ""
        return Values(revision=revision, created=time, ref=ref or "", version=version or "", owner=owner)

    async def _plan_of(self, revision: str, platforms: Sequence[str] = ()) -> Plan:
        return await self._plan(platforms=list(platforms), revision=revision)

    async def _plan(
        self, only: options.Only = None, platforms: options.Platforms = None, revision: str | None = None
    ) -> Plan:
        config = await self._config()
        return plan_build(config, only=only or (), platforms=platforms or (), revision=revision)

    async def _config(self) -> Config:
        """Read the configuration; what the command line says of the layer cache counts."""
        config = await read_config(self.source, self.config)
        cache = parse_cache(self.cache, config.cache) if self.cache else config.cache
        if self.registry and not self.cache:
            cache = replace(cache, mode=CacheMode.OFF)  # a rehearsal leaves none, unless it is asked to
        return replace(config, cache=cache)
