"""Chooses the layer caches of a plan's builds: which each variant reads, and which one a release writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import dagger

from ci.build import CacheUse
from ci.core.model import CacheMode, Image, Plan, Variant
from ci.core.names import check_tag, repository_of
from ci.core.order import needed_variants
from ci.release.destination import Destination

_HOST = "registry"  # of a registry that is handed in as a service, for BuildKit alone


@dataclass(frozen=True, kw_only=True, slots=True)
class Caches:
    """The layer caches of a plan's builds, and what BuildKit needs to reach them."""

    uses: Mapping[str, CacheUse] = field(default_factory=dict)  # by variant
    services: Mapping[str, dagger.Service] = field(default_factory=dict)  # by host


async def choose_caches(plan: Plan, destination: Destination, *, most: CacheMode) -> Caches:
    """Choose the caches of a plan.

    Args:
        plan: its configuration says what is wanted, and in which repository.
        destination: fills the repository's template.
        most: what may be done at most: a pull request reads, and never writes, since a release would build on it.

    """
    cache = plan.config.cache
    if CacheMode.OFF in {cache.mode, most}:
        return Caches()
    write = CacheMode.READ not in {cache.mode, most}
    hosts = tuple(dict.fromkeys(target.host for target in destination.targets(plan)))
    services: dict[str, dagger.Service] = {}
    uses = {}
    for variant in needed_variants(plan):
        keeper = _keeper(plan, variant.image)
        template = cache.repository or destination.templates(plan, keeper)[0]
        repository = repository_of(template, keeper, owner=destination.owner)
        host, _, name = repository.partition("/")
        service = await destination.service_of(host, hosts if host in hosts else (host,))
        if service:
            port = (await service.endpoint()).rpartition(":")[2]
            services[f"{_HOST}-{port}"] = service
            repository = f"{_HOST}-{port}:{port}/{name}"
        reference = f"{repository}:{cache_tag(variant)}"
        uses[str(variant)] = CacheUse(read=(reference,), write=reference if write else "", insecure=service is not None)
    return Caches(uses=uses, services=services)


def _keeper(plan: Plan, image: Image) -> Image:
    """Choose the image whose repository an image's cache is kept in: of one that is not released, what needs it."""
    while not image.release:
        image = next(other for other in plan.config.images if image.name in other.needs)
    return image


def cache_tag(variant: Variant) -> str:
    """Name the tag of a variant's layer cache: of two that write one tag, only the last would be kept."""
    return check_tag(f"cache-{variant.image.name}-{variant.platform.replace('/', '-')}")
