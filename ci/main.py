"""The functions users call; each reads as its stage of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, TypeVar

import dagger
from dagger import DefaultPath, Doc, Ignore, check, dag, function, generate, object_type

from ci.build import Builder, build_all, find_missing
from ci.build import report_or_fail as build_report
from ci.config import parse_cache, plan_build, read_config, render_plan, render_plan_json
from ci.core.engine import readable
from ci.core.model import CacheMode, Config, Plan
from ci.core.names import LATEST, utc_text
from ci.core.sdk import share_converters
from ci.core.text import Format as TextFormat
from ci.core.text import parse_format, split_values
from ci.github import Event, Run, run_event
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

# Never part of an image, often huge, and not worth an upload. What .dockerignore excludes on top of this
# reaches the engine and is left out there.
NOT_UPLOADED = ["**/.git", "**/.venv", "**/__pycache__", "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache"]

Only = Annotated[list[str] | None, Doc("Only these images, such as api,worker")]
Platforms = Annotated[list[str] | None, Doc("Only these platforms, such as linux/amd64")]
Parallel = Annotated[int, Doc("How many variants at a time (0: one for each processor, if there is memory)")]
Secrets = Annotated[
    list[dagger.Secret] | None,
    Doc("Build secrets, each named in the configuration as its variable or file is: env:PIP_TOKEN"),
]
Format = Annotated[str, Doc("How to print the report: table, markdown or json")]
Revision = Annotated[str | None, Doc("The commit the source is at: 7 to 64 hexadecimal digits")]
Released = Annotated[str, Doc("The commit to release or to look for: 7 to 64 hexadecimal digits")]
Created = Annotated[str, Doc("When the commit was made, as git log -1 --format=%cI prints it")]
Latest = Annotated[bool, Doc("Move latest too: only for a commit of the default branch")]
Overwrite = Annotated[bool, Doc("Replace a sha- tag that exists with another digest")]
AllowOlder = Annotated[bool, Doc("Move tags even to a commit older than the live one")]
Resmoke = Annotated[bool, Doc("Run the smoke checks again on what the registry serves")]
Reuse = Annotated[bool, Doc("Do not build what an earlier release in the registry was made of the same inputs")]
Rebuild = Annotated[bool, Doc("Build everything, also what an earlier release was made of the same inputs")]
WithLatest = Annotated[bool, Doc("latest has to name this commit too")]

share_converters()

F = TypeVar("F", bound=Callable[..., object])


def uncached(method: F) -> F:
    """Expose a function of the module that runs at every call: Dagger would keep its result for seven days."""
    return function(method, cache="never")  # type: ignore[call-overload, no-any-return]  # the stub lacks `cache`


@object_type
class Ci:
    """Builds, smoke-checks and releases the images that one configuration file describes."""

    source: Annotated[dagger.Directory, DefaultPath("/"), Ignore(NOT_UPLOADED), Doc("The repository to build from")]
    git: Annotated[dagger.Directory | None, Doc("Its .git, for images that say git: true: .git")] = None
    config: Annotated[dagger.File | None, Doc("The configuration (default: deploy/images.yaml in the source)")] = None
    owner: Annotated[str | None, Doc("Fills {owner} in the configuration's repository")] = None
    repository: Annotated[
        list[str] | None, Doc("Templates in place of the configuration's, such as ghcr.io/acme/{name}")
    ] = None
    username: Annotated[str | None, Doc("The user name at the registry")] = None
    password: Annotated[dagger.Secret | None, Doc("The token or password at the registry: env:TOKEN")] = None
    registry: Annotated[
        dagger.Service | None,
        Doc("The registry as a service, for a rehearsal on this host: tcp://127.0.0.1:5000"),
    ] = None
    cache: Annotated[
        str | None, Doc("The layer cache: off, read, write, or a repository such as ghcr.io/acme/{name}-cache")
    ] = None
    ssh: Annotated[dagger.Socket | None, Doc("The SSH agent that builds may ask: $SSH_AUTH_SOCK")] = None

    @uncached
    async def plan(
        self,
        only: Only = None,
        platforms: Platforms = None,
        revision: Revision = None,
        live: Annotated[bool, Doc("Read from the registry what each tag names, and what a release would do")] = False,
        created: Annotated[str | None, Doc("When the commit was made: tells whether a live one is newer")] = None,
        format: Format = "table",  # noqa: A002  # the word a user types
    ) -> str:
        """List each image, platform and smoke check that a build would run, without building."""
        with readable():
            wanted = parse_format(format)
            plan = await self._plan(only, platforms, revision)
            destination = self._destination
            render = render_plan_json if wanted is TextFormat.JSON else render_plan
            missing = await find_missing(plan, self.source, self.git)
            text = render(plan, repositories=destination.repositories, owner=self.owner, missing=missing)
            if not live:
                return text
            made = parse_created(created) if created else None
            targets = destination.targets(plan, tags=tags_for(plan, (LATEST,)), created=made)
            async with destination.connect(targets) as client:
                tags = await read_tags(client, targets, utc_text(made) if made else "")
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
            return await validate(
                self.source,
                self.config,
                module=module,
                offline=offline,
                log_in=self._destination.log_in,
                workflows=workflows,
                style=format,
                fail=fail,
            )

    @uncached
    async def build_all(
        self,
        only: Only = None,
        platforms: Platforms = None,
        parallel: Parallel = 0,
        secrets: Secrets = None,
        revision: Revision = None,
        reuse: Reuse = False,
        format: Format = "table",  # noqa: A002
    ) -> str:
        """Build and smoke-check every image on every platform and print the report; fail if any failed."""
        with readable():
            wanted = parse_format(format)
            plan = await self._plan(only, platforms, revision)
            builder = self._builder(secrets, parallel)
            if reuse or self.cache:
                built = await build_unreleased(plan, builder, self._destination, reuse=reuse)
            else:
                built = await build_all(plan, replace(builder, login=await self._destination.log_in(plan)))
            return build_report(built.report, wanted)

    @uncached
    async def publish(
        self,
        revision: Released,
        created: Created,
        latest: Latest = False,
        tags: Annotated[list[str] | None, Doc("More tags to move, such as v1.2.3")] = None,
        version: Annotated[str | None, Doc("The version of the software, for the labels")] = None,
        overwrite: Overwrite = False,
        allow_older: AllowOlder = False,
        smoke_published: Resmoke = False,
        rebuild: Rebuild = False,
        parallel: Parallel = 0,
        secrets: Secrets = None,
        format: Format = "table",  # noqa: A002
    ) -> str:
        """Build, smoke-check and release all images: every tag of all of them, or none."""
        with readable():
            wanted = parse_format(format)
            moving = parse_tags(tags or (), latest=latest)
            made = parse_created(created)
            plan = await self._plan(revision=revision)
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
        revision: Released,
        latest: WithLatest = True,
        tags: Annotated[list[str] | None, Doc("More tags that have to name this commit")] = None,
        format: Format = "table",  # noqa: A002
    ) -> str:
        """Read back what the registry serves for a commit, without building; fail if it is not what was promised."""
        with readable():
            wanted = parse_format(format)
            named = parse_tags(tags or (), latest=latest)
            plan = await self._plan(revision=revision)
            targets = self._destination.targets(plan, tags=tags_for(plan, named))
            async with self._destination.connect(targets) as client:
                done = await verify(client, targets, revision)
            return report_or_fail(Delivery(released=done), wanted)

    @uncached
    async def promote(
        self,
        from_: Annotated[
            str,
            dagger.Name("from"),
            Doc("The tag whose images are promoted, such as sha-1234567, or a digest of its release"),
        ],
        tag: Annotated[str, Doc("The tag that shall name them, such as stable")],
        format: Format = "table",  # noqa: A002
    ) -> str:
        """Put what one tag names under another, for all images or none, without building."""
        with readable():
            wanted = parse_format(format)
            moving = parse_tags([tag], latest=False)
            plan = await self._plan()
            targets = self._destination.targets(plan, tags=tags_for(plan, moving))
            async with self._destination.connect(targets) as client:
                done = await promote(client, targets, from_)
            return report_or_fail(Delivery(released=done), wanted)

    @uncached
    async def rollback(
        self,
        to: Annotated[str, Doc("The tag to go back to, such as sha-1234567, or a digest of its release")],
        format: Format = "table",  # noqa: A002
    ) -> str:
        """Move latest back to an earlier release, for all images or none, without building."""
        return await self.promote(from_=to, tag=LATEST, format=format)

    @uncached
    async def github(
        self,
        event: Annotated[str, Doc("The event's name: $GITHUB_EVENT_NAME")],
        ref: Annotated[str, Doc("The branch or tag: $GITHUB_REF")],
        default_branch: Annotated[str, Doc("The only branch that is released, such as main")],
        revision: Released,
        created: Created,
        rebuild: Rebuild = False,
        parallel: Parallel = 0,
        secrets: Secrets = None,
    ) -> dagger.Directory:
        """Check or release, as an event on GitHub asks for; return summary, report, checksums and exit code as files.

        The call succeeds where the pipeline fails, so that its files can be exported: exit-code says which it was.
        """
        with readable():
            run = Run(
                event=Event(name=event, ref=ref, default_branch=default_branch),
                revision=revision,
                created=created,
                rebuild=rebuild,
            )
            return await run_event(run, self._builder(secrets, parallel), self._destination, self._plan_of)

    @uncached
    @generate
    async def init(
        self,
        module: Annotated[
            str,
            Doc("The address of this module, which the workflow and the hook will call: one with a version is safest"),
        ] = "github.com/drydock/drydock@main",
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
            service=self.registry,
        )

    def _builder(self, secrets: Sequence[dagger.Secret] | None, parallel: int) -> Builder:
        return Builder(source=self.source, git=self.git, secrets=secrets or (), agent=self.ssh, parallel=parallel)

    async def _plan_of(self, revision: str) -> Plan:
        return await self._plan(revision=revision)

    async def _plan(self, only: Only = None, platforms: Platforms = None, revision: str | None = None) -> Plan:
        config = await self._config()
        return plan_build(config, only=only or (), platforms=platforms or (), revision=revision)

    async def _config(self) -> Config:
        """Read the configuration; what the command line says of the layer cache counts."""
        config = await read_config(self.source, self.config)
        cache = parse_cache(self.cache, config.cache) if self.cache else config.cache
        if self.registry and not self.cache:
            cache = replace(cache, mode=CacheMode.OFF)  # a rehearsal leaves none, unless it is asked to
        return replace(config, cache=cache)
