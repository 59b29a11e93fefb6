"""The functions that release, and those that look at a release or name it anew."""

from __future__ import annotations

from typing import Annotated

import dagger
from dagger import Doc

from ci.commands import options
from ci.commands.common import Common, uncached
from ci.core.engine import readable
from ci.core.fill import Missing, fill_plan
from ci.core.model import Plan
from ci.core.names import LATEST
from ci.core.text import parse_format
from ci.release import (
    Delivery,
    ReleaseRequest,
    Staging,
    deliver,
    finish_staged,
    parse_created,
    parse_tags,
    promote,
    read_folders,
    report_or_fail,
    stage_files,
    stage_part,
    tags_for,
    verify,
    write_folder,
)


class Releasing(Common):
    """Functions that write or read a registry."""

    async def _filled(
        self,
        revision: str,
        version: str | None,
        ref: str | None,
        created: str,
        *,
        only: options.Only = None,
        platforms: options.Platforms = None,
    ) -> Plan:
        """Read a plan, with the texts of its images as a release of this commit has them."""
        plan = await self._plan(only, platforms, revision)
        values = self._values(revision, version, ref, parse_created(created))
        return fill_plan(plan, values, Missing.IS_REFUSED)

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
        builder_id: options.BuilderId = "",
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Build, smoke-check and release all images: every tag of all of them, or none."""
        with readable():
            wanted = parse_format(format)
            plan = await self._filled(revision, version, ref, created)
            request = ReleaseRequest(
                revision=revision,
                created=parse_created(created),
                version=version,
                tags=tags_for(plan, parse_tags(tags or (), latest=latest)),
                overwrite=overwrite,
                allow_older=allow_older,
                rebuild=rebuild,
                resmoke=smoke_published,
            )
            builder = self._builder(secrets, parallel, builder_id)
            done = await deliver(plan, request, builder, self._destination)
            return report_or_fail(done, wanted)

    @uncached
    async def stage(
        self,
        revision: options.Released,
        created: options.Created,
        only: options.Only = None,
        platforms: options.Platforms = None,
        version: options.Version = None,
        ref: options.Ref = None,
        rebuild: options.Rebuild = False,
        parallel: options.Parallel = 0,
        secrets: options.Secrets = None,
        builder_id: options.BuilderId = "",
    ) -> dagger.Directory:
        """Build, smoke-check and push a part of a release by digest, under no tag; return what finish needs, as files.

        The call succeeds where the pipeline fails, so that its files can be exported: exit-code says which it was.
        """

        async def work() -> Staging:
            plan = await self._filled(revision, version, ref, created)
            part = await self._filled(revision, version, ref, created, only=only, platforms=platforms)
            request = ReleaseRequest(
                revision=revision, created=parse_created(created), version=version, rebuild=rebuild
            )
            builder = self._builder(secrets, parallel, builder_id)
            return await stage_part(plan, part, request, builder, self._destination)

        with readable():
            return write_folder(await stage_files(work()))

    @uncached
    async def finish(
        self,
        staged: options.Staged,
        revision: options.Released,
        created: options.Created,
        latest: options.Latest = False,
        tags: Annotated[list[str] | None, Doc("More tags to move, such as v1.2.3")] = None,
        version: options.Version = None,
        ref: options.Ref = None,
        overwrite: options.Overwrite = False,
        allow_older: options.AllowOlder = False,
        smoke_published: options.Resmoke = False,
        prepare: options.Prepare = False,
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Release what was staged, on however many machines: every tag of all images, or none."""
        with readable():
            wanted = parse_format(format)
            plan = await self._filled(revision, version, ref, created)
            request = ReleaseRequest(
                revision=revision,
                created=parse_created(created),
                version=version,
                tags=tags_for(plan, parse_tags(tags or (), latest=latest)),
                overwrite=overwrite,
                allow_older=allow_older,
                resmoke=smoke_published,
            )
            folders = await read_folders(staged)
            done = await finish_staged(plan, request, folders, self._destination, only_prepare=prepare)
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
