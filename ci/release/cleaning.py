"""Takes a plan to a clean-up of its repositories, at their registries or by GitHub's packages API."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime

from ci.core.model import Plan
from ci.registry import GITHUB, Packages, trust_also
from ci.release.destination import Destination
from ci.release.keeping import Keep
from ci.release.prune import prune
from ci.release.pruned import Cleaning

_GHCR = "ghcr.io"


async def clean_up(plan: Plan, destination: Destination, keep: Keep, *, github_api: str, delete: bool) -> Cleaning:
    """Say what can go from the repositories of a plan's images, and delete it where that is asked for.

    Args:
        plan: its images.
        destination: where they are, and who logs in there.
        keep: which releases stay.
        github_api: where versions are deleted of all these repositories; by default GitHub's for those on ghcr.io,
            unless a service stands for that.
        delete: whether to delete.

    """
    targets = destination.targets(plan)
    hosts = tuple(dict.fromkeys(target.host for target in targets))
    logins = await destination.logins(hosts)
    verify = trust_also(await destination.authorities.contents()) if destination.authorities else None
    apis = dict.fromkeys(hosts, github_api) if github_api else {_GHCR: GITHUB} if not destination.services else {}
    async with AsyncExitStack() as stack:
        registries = await stack.enter_async_context(destination.connect(targets))
        packages = {
            host: await stack.enter_async_context(Packages(url, logins.of(host), verify=verify))
            for host, url in apis.items()
            if host in hosts
        }
        return await prune(registries, targets, keep, packages=packages, delete=delete, now=datetime.now(UTC))
