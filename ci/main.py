"""The functions users call; each reads as its stage of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, TypeVar

import dagger
from dagger import Doc, check, dag, function, generate, object_type

from ci import options
from ci.build import Builder, build_all, find_missing
from ci.build import report_or_fail as build_report
from ci.config import list_repositories, parse_cache, plan_build, read_config, render_plan, render_plan_json
from ci.core.engine import readable
from ci.core.fill import Missing, fill_plan
from ci.core.model import CacheMode, Config, Plan
from ci.core.names import LATEST, utc_text
from ci.core.text import Format as TextFormat
from ci.core.text import parse_format, split_values
from ci.core.values import Values
from ci.github import Run, preview_event, run_event
from ci.init import adopt
from ci.release import (
    Delivery,
    Destination,
    ReleaseRequest,
    build_unreleased,
    deliver,
    parse_created,
    parse_tags,
    promote,
    read_tags,
    render_live,
    report_or_fail,
    tags_for,
    verify,
)
from ci.validate import validate

F = TypeVar("F", bound=Callable[..., object])


def uncached(method: F) -> F:
    """Expose a function of the module that runs at every call: Dagger would keep its result for seven days."""
    return function(method, cache="never")  # type: ignore[call-overload, no-any-return]  # the stub lacks `cache`


@object_type
class Ci:
    """Builds, smoke-checks and releases the images that one configuration file describes."""

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
    ssh: Annotated[dagger.Socket | None, Doc("The SSH agent that builds may ask: $SSH_AUTH_SOCK")] = None

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

    @uncached
    async def github(
        self,
        event: Annotated[str, Doc("The event's name: $GITHUB_EVENT_NAME")],
        ref: Annotated[str, Doc("The branch or tag: $GITHUB_REF")],
        default_branch: options.DefaultBranch,
        revision: options.Released,
        created: options.Created,
        base_ref: Annotated[str, Doc("What a pull request, or a pushed tag, is based on, such as main")] = "",
        prerelease: Annotated[str, Doc("true, where the event is a release that is marked as a pre-release")] = "",
        rebuild: options.Rebuild = False,
        parallel: options.Parallel = 0,
        secrets: options.Secrets = None,
    ) -> dagger.Directory:
        """Check or release, as an event on GitHub asks for; return summary, report, checksums and exit code as files.

        The call succeeds where the pipeline fails, so that its files can be exported: exit-code says which it was.
        """
        with readable():
            run = Run(
                name=event,
                ref=ref,
                default_branch=default_branch,
                base_ref=base_ref,
                prerelease=prerelease,
                revision=revision,
                created=created,
                rebuild=rebuild,
            )
            return await run_event(run, self._builder(secrets, parallel), self._destination, self._plan_of)

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

    def _builder(self, secrets: Sequence[dagger.Secret] | None, parallel: int) -> Builder:
        return Builder(
            source=self.source,
            git=self.git,
            secrets=secrets or (),
            agent=self.ssh,
            parallel=parallel,
            authorities=self.registry_ca,
        )

    def _values(
        self, revision: str | None, version: str | None = None, ref: str | None = None, created: datetime | None = None
    ) -> Values:
        time, owner = utc_text(created) if created else "", self.owner or ""
        return Values(revision=revision, created=time, ref=ref or "", version=version or "", owner=owner)

    async def _plan_of(self, revision: str) -> Plan:
        return await self._plan(revision=revision)

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
