"""The functions users call; each reads as its stage of the pipeline."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

import dagger
from dagger import Doc, check, dag, generate, object_type

from ci.build import build_all, find_missing
from ci.build import report_or_fail as build_report
from ci.commands import Looking, Releasing, Running, options, uncached
from ci.config import list_repositories, render_plan, render_plan_json
from ci.core.engine import readable
from ci.core.fill import Missing, fill_plan
from ci.core.names import LATEST, utc_text
from ci.core.text import Format as TextFormat
from ci.core.text import parse_format
from ci.github import Run, preview_event
from ci.init import adopt
from ci.release import (
    build_unreleased,
    parse_created,
    read_tags,
    render_live,
    tags_for,
)
from ci.validate import validate


@object_type
class Ci(Releasing, Looking, Running):
    """Builds, smoke-checks and releases the images that one configuration file describes."""

    @uncached
    async def plan(
        self,
        only: options.Only = None,
        platforms: options.Platforms = None,
        revision: options.Revision = None,
        live: Annotated[bool, Doc("Read from the registry what each tag names, and what a release would do")] = False,
        created: Annotated[str | None, Doc("When the commit was made: tells whether a live one is newer")] = None,
        event: Annotated[str, Doc("Say which names an event would give: push, release, schedule, ...")] = "",
        ref: Annotated[str, Doc("Its branch or tag, such as refs/tags/v1.2.3 (default: the default branch)")] = "",
        default_branch: options.DefaultBranch = "main",
        format: options.Format = "table",  # noqa: A002  # the word a user types
    ) -> str:
        """List each image, platform and smoke check that a build would run, without building."""
        with readable():
            wanted = parse_format(format)
            plan = await self._plan(only, platforms, revision)
            destination = self._destination
            render = render_plan_json if wanted is TextFormat.JSON else render_plan
            missing = await find_missing(plan, self.source, self.git)
            made = parse_created(created) if created else None
            moving, version = tags_for(plan, (LATEST,)), None
            seen = None
            if event or ref:
                ref = ref or f"refs/heads/{default_branch}"
                run = Run(name=event or "push", ref=ref, default_branch=default_branch, revision=revision or "")
                where = list_repositories(plan, destination.repositories, self.owner)
                seen = preview_event(run.event(made), plan, where, owner=self.owner)
                plan, moving, version = seen.plan, seen.decision.tags, seen.decision.version
            else:
                plan = fill_plan(plan, self._values(revision, created=made), Missing.STAYS)
            text = render(plan, repositories=destination.repositories, owner=self.owner, missing=missing)
            text = seen.add_to(text, wanted) if seen else text
            if not live:
                return text
            targets = destination.targets(plan, tags=moving, version=version, created=made)
            async with destination.connect(targets) as registries:
                tags = await read_tags(registries, targets, utc_text(made) if made else "")
            return render_live(tags, text, wanted)

    @uncached
    @check
    async def validate(
        self,
        offline: Annotated[bool, Doc("Ask no registry; go on without linters or BuildKit if never fetched")] = False,
        fail: Annotated[bool, Doc("Whether errors fail the call; --fail=false still prints them")] = True,
        workflows: Annotated[str, Doc("Which workflows to lint: own, those that call this module, or all")] = "own",
        format: Annotated[str, Doc("How to print the findings: table, json, sarif or baseline")] = "table",  # noqa: A002
    ) -> str:
        """Check configuration, Dockerfiles, build contexts and workflows, without building; fail on errors."""
        with readable():
            module = await dag.current_module().name()
            ask = partial(validate, self.source, self.config, log_in=self._destination.log_in)
            return await ask(module=module, offline=offline, workflows=workflows, style=format, fail=fail)

    @uncached
    async def build_all(
        self,
        only: options.Only = None,
        platforms: options.Platforms = None,
        parallel: options.Parallel = 0,
        secrets: options.Secrets = None,
        revision: options.Revision = None,
        version: options.Version = None,
        ref: options.Ref = None,
        reuse: options.Reuse = False,
        format: options.Format = "table",  # noqa: A002
    ) -> str:
        """Build and smoke-check every image on every platform and print the report; fail if any failed."""
        with readable():
            wanted = parse_format(format)
            plan = await self._plan(only, platforms, revision)
            plan = fill_plan(plan, self._values(revision, version, ref), Missing.STANDS_IN)
            builder = self._builder(secrets, parallel)
            if reuse or self.cache:
                built = await build_unreleased(plan, builder, self._destination, reuse=reuse)
            else:
                built = await build_all(plan, replace(builder, login=await self._destination.log_in(plan)))
            return build_report(built.report, wanted)

    @uncached
    @generate
    async def init(
        self,
        module: options.Module = "github.com/drydock/drydock@main",
        overwrite: Annotated[bool, Doc("Replace files that exist")] = False,
    ) -> dagger.Changeset:
        """Propose a configuration for the Dockerfiles of a repository, and add the workflow and the git hook."""
        with readable():
            templates = dag.current_module().source()
            return await adopt(self.source, templates, module=module, overwrite=overwrite)
