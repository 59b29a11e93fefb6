"""The functions that look at what was released, and clean up after it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from dagger import Doc

from ci.commands import options
from ci.commands.common import Common, uncached
from ci.core.engine import readable
from ci.core.names import check_revision, check_tag
from ci.core.text import parse_format
from ci.release import (
    Looked,
    Trust,
    Wish,
    clean_up,
    inspect,
    parse_keep,
    report_inspected,
    report_pruned,
    report_reproduced,
    reproduce,
)


class Looking(Common):
    """Functions that take a release as it is."""

    @uncached
    async def inspect(
        self,
        tag: Annotated[str, Doc("The tag to look at, such as latest or sha-1234567")],
        only: options.Only = None,
        platforms: options.Platforms = None,
        packages: Annotated[bool, Doc("List all packages of each variant")] = False,
        diff: Annotated[str, Doc("Say which packages came, went or changed since this tag, such as sha-1234567")] = "",
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Say what is in the images that a tag names, from which commit and bases they were made, and who signed them.

        It is read from the registry, without a build: sizes, layers, provenance, SBOM, signatures. Whether a signature
        is right is said of each, by the authorities that this module knows; no other place is asked.
        """
        with readable():
            wanted = parse_format(format)
            for name in filter(None, (tag, diff)):
                check_tag(name)
            plan = await self._plan(only, platforms)
            targets = self._destination.targets(plan)
            chosen = tuple(dict.fromkeys(variant.platform for variant in plan.variants)) if platforms else ()
            async with self._destination.connect(targets) as registries:
                look = Looked(
                    tag=tag,
                    before=diff,
                    platforms=chosen,
                    trust=Trust(root=plan.config.trusted_root, refresh=False),
                    key=plan.config.require.signed.key if plan.config.require.signed else "",
                )
                done = await inspect(registries, targets, look)
            return report_inspected(done, wanted, datetime.now(UTC), packages=packages)

    @uncached
    async def reproduce(
        self,
        revision: options.Released,
        only: options.Only = None,
        platforms: options.Platforms = None,
        version: options.Version = None,
        ref: options.Ref = None,
        parallel: options.Parallel = 0,
        secrets: options.Secrets = None,
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Build a released commit again from nothing, and compare what comes out with what is live; fail if it differs.

        The source has to be that commit's: --source is a checkout of it, or an address such as
        https://github.com/acme/shop#1234567. Its bases are those of the release, by its provenance. Where a variant
        differs, the report says which layer, which files in it, and whether by content, time, mode, owner or order.
        """
        with readable():
            wanted = parse_format(format)
            plan = await self._plan(only, platforms, check_revision(revision))
            wish = Wish(revision=revision, version=version or "", ref=ref or "")
            done = await reproduce(plan, self._builder(secrets, parallel), self._destination, wish)
            return report_reproduced(done, wanted)

    @uncached
    async def prune(
        self,
        keep: Annotated[
            list[str], Doc("What stays: the newest N releases (10), an age (30d), tags (sha-12*); several")
        ],
        yes: Annotated[bool, Doc("Delete what goes; without it nothing is deleted")] = False,
        github_api: Annotated[
            str, Doc("Where packages are deleted, for a GitHub of your own: https://HOST/api/v3")
        ] = "",
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """List the old releases that nothing which stays refers to, and delete them with --yes.

        Only tags that mark a commit (sha-…) go, and what nothing but these leads to. If anything cannot be read,
        nothing is deleted.
        """
        with readable():
            wanted = parse_format(format)
            kept = parse_keep(keep)
            done = await clean_up(await self._plan(), self._destination, kept, github_api=github_api, delete=yes)
            return report_pruned(done, wanted)
