"""The functions that look at what was released, and clean up after it."""

from __future__ import annotations

from typing import Annotated

from dagger import Doc

from ci.commands import options
from ci.commands.common import Common, uncached
from ci.core.engine import readable
from ci.core.text import parse_format
from ci.release import clean_up, parse_keep, report_pruned


class Looking(Common):
    """Functions that take a release as it is."""

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
