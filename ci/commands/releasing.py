"""The functions that release, and those that look at a release or name it anew."""

from __future__ import annotations

from typing import Annotated

from dagger import Doc

from ci.commands import options
from ci.commands.common import Common, uncached
from ci.core.engine import readable
from ci.core.fill import Missing, fill_plan
from ci.core.names import LATEST
from ci.core.text import parse_format
from ci.release import (
    Delivery,
    ReleaseRequest,
    deliver,
    parse_created,
    parse_tags,
    promote,
    report_or_fail,
    tags_for,
    verify,
)


class Releasing(Common):
    """Functions that write or read a registry."""

    @uncached
    async def publish(
        self,
        revision: options.Released,
        created: options.Created,
        latest: options.Latest = False,
        tags: Annotated[list[str] | None, Doc("More tags to move, such as v1.2.3")] = None,
        version: options.Version = None,
        ref: options.Ref = None,
        overwrite: options.Overwrite = False,
        allow_older: options.AllowOlder = False,
        smoke_published: options.Resmoke = False,
        rebuild: options.Rebuild = False,
        parallel: options.Parallel = 0,
        secrets: options.Secrets = None,
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Build, smoke-check and release all images: every tag of all of them, or none."""
        with readable():
            wanted = parse_format(format)
            moving = parse_tags(tags or (), latest=latest)
            made = parse_created(created)
            plan = await self._plan(revision=revision)
            plan = fill_plan(plan, self._values(revision, version, ref, made), Missing.IS_REFUSED)
            request = ReleaseRequest(
                revision=revision,
                created=made,
                version=version,
                tags=tags_for(plan, moving),
                overwrite=overwrite,
                allow_older=allow_older,
                rebuild=rebuild,
                resmoke=smoke_published,
            )
            done = await deliver(plan, request, self._builder(secrets, parallel), self._destination)
            return report_or_fail(done, wanted)

    @uncached
    async def verify(
        self,
        revision: options.Released,
        latest: options.WithLatest = True,
        tags: Annotated[list[str] | None, Doc("More tags that have to name this commit")] = None,
        version: options.Version = None,
        ref: options.Ref = None,
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Read back what the registry serves for a commit, without building; fail if it is not what was promised."""
        with readable():
            wanted = parse_format(format)
            named = parse_tags(tags or (), latest=latest)
            plan = fill_plan(await self._plan(revision=revision), self._values(revision, version, ref), Missing.STAYS)
            targets = self._destination.targets(plan, tags=tags_for(plan, named))
            async with self._destination.connect(targets) as registries:
                done = await verify(registries, targets, revision, plan.mark)
            return report_or_fail(Delivery(released=done), wanted)

    @uncached
    async def promote(
        self,
        from_: options.From,
        tag: Annotated[str, Doc("The tag that shall name them, such as stable")],
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Put what one tag names under another, for all images or none, without building."""
        with readable():
            wanted = parse_format(format)
            moving = parse_tags([tag], latest=False)
            plan = await self._plan()
            targets = self._destination.targets(plan, tags=tags_for(plan, moving))
            async with self._destination.connect(targets) as registries:
                done = await promote(registries, targets, from_)
            return report_or_fail(Delivery(released=done), wanted)

    @uncached
    async def rollback(
        self,
        to: Annotated[str, Doc("The tag to go back to, such as sha-1234567, or a digest of its release")],
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Move latest back to an earlier release, for all images or none, without building."""
        return await self.promote(from_=to, tag=LATEST, format=format)
