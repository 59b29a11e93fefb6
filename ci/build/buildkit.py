"""Builds a variant with BuildKit: each build is a command beside the daemon, or beside the way to one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import dagger

from ci.build.archive import Archive, read_archive
from ci.build.command import (
    AGENT,
    ARCHIVE,
    CONTEXT,
    CONTEXTS,
    DOCKERFILE,
    EXCERPT,
    LAYOUTS,
    POLICY,
    SAID,
    SCRIPT,
    SECRETS,
    STEPS,
    CacheUse,
    Wanted,
    build_options,
    build_words,
    part_of,
    write_policy,
)
from ci.build.daemon import Daemon, EngineDaemon, open_daemon
from ci.build.definition import Definition, find_generator
from ci.build.excerpt import EXCERPT as EXCERPT_PROGRAM
from ci.build.leaks import refuse_leaks
from ci.build.pins import Pins
from ci.build.progress import Progress, failure_of_build, read_progress
from ci.build.remote import Fleet
from ci.core.buildkit import LOGIN, missing_of
from ci.core.engine import explain, missing_base
from ci.core.errors import BuildError, DrydockError
from ci.core.model import TARGET_CONTEXT, Config, Failure
from ci.dockerfile import GIT, find_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a build has made."""

    archive: dagger.File
    documents: Archive
    progress: Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildKit:
    """The daemons of a repository's builds, and how they are asked."""

    own: EngineDaemon
    config: Config
    fleet: Fleet = field(default_factory=Fleet)
    login: dagger.Secret | None = None  # Docker's config.json, for base images and caches
    secrets: Mapping[str, dagger.Secret] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()  # values that no report may show
    agent: dagger.Socket | None = None
    created: datetime | None = None  # of the commit
    builder_id: str = ""  # address of what runs the builds

    def daemon_of(self, image: str, platform: str) -> Daemon:
        """Return what builds an image for a platform."""
        return self.fleet.choose(self.config, image, platform) or self.own

    async def build(
        self,
        definition: Definition,
        platform: str,
        *,
        labels: Mapping[str, str],
        cache: CacheUse,
        built: Mapping[str, Made],
        names: tuple[str, ...] = (),
        generator: str = "",
    ) -> Made:
        """Build an image for one platform.

        Args:
            definition: what it is built from.
            platform: such as "linux/arm64".
            labels: of the image, and annotations of its manifest.
            cache: which layer caches are read and written.
            built: what the same run has built for this platform, by the name of the image.
            names: references that it will have.
            generator: reference of the image that lists its packages; "": none does.

        Raises:
            BuildError: the build failed; it holds the failure.
            DrydockError: the Dockerfile or its ignore file cannot be read, the engine could not run BuildKit, or a base
                image was not the pinned one.

        """
        image = definition.image
        if fault := definition.fault or definition.fault_of(platform):
            raise DrydockError(fault)
        layouts = {
            name: built[value.removeprefix(TARGET_CONTEXT)]
            for name, value in image.contexts.items()
            if value.startswith(TARGET_CONTEXT)
        }
        asked = uuid.uuid4().hex
        wanted = Wanted(
            image=image,
            platform=platform,
            arguments=definition.arguments(platform),
            labels=labels,
            compression=self.config.compression,
            syntax=definition.syntax(platform),
            epoch=self._epoch(definition, platform),
            cache=cache,
            layouts={name: made.documents.manifest.digest for name, made in layouts.items()},
            provenance=self.config.provenance,
            generator=generator and await find_generator(generator),
            names=names,
            builder_id=self.builder_id,
            empty=asked if cache.none else "",
        )
        options = dict(build_options(wanted))
        refuse_leaks(self.hidden, options, definition.text)
        pins = definition.pins(platform)
        daemon = self.daemon_of(image.name, platform)
        container = self._prepared(daemon.client(), definition, pins)
        for name, made in layouts.items():
            container = container.with_mounted_file(f"{LAYOUTS}/{part_of(image, name)}.tar", made.archive)
        if wanted.epoch is not None:
            container = container.with_env_variable("SOURCE_DATE_EPOCH", str(wanted.epoch))
        if not pins.still or cache.none:
            # The engine would answer from before, where BuildKit asks what is there now.
            container = container.with_env_variable("DRYDOCK_ASKED", asked)
        done = container.with_exec(["sh", "-c", SCRIPT, "sh", *daemon.words, *build_words(wanted)])
        try:
            async with daemon.watched():
                said = await done.file(SAID).contents()
        except dagger.ExecError as error:
            failure = await daemon.blame(self._failure(error, definition, platform))
            if missing := missing_of(failure.reason):
                failure = replace(failure, reason=failure.reason + await missing_base(missing))
            raise BuildError(failure) from None
        except dagger.DaggerError as error:
            raise DrydockError(f"the engine could not run BuildKit: {explain(error)}") from None
        listed, _, steps = said.partition(f"{STEPS}\n")
        documents, progress = read_archive(listed), read_progress(steps, self.hidden)
        refuse_leaks(self.hidden, options, definition.text, documents.provenance)
        pins.check(documents.sources, beside=wanted.generator)
        return Made(archive=done.file(ARCHIVE), documents=documents, progress=progress)

    def _prepared(self, client: dagger.Container, definition: Definition, pins: Pins) -> dagger.Container:
        """Mount all that a build reads."""
        if self.login:
            client = client.with_mounted_secret(LOGIN, self.login)
        image = definition.image
        name = image.dockerfile.rpartition("/")[2]
        files = dagger.dag.directory().with_new_file(name, definition.text)
        # What is to be left out is left out already; without this file BuildKit would look for another one.
        files = files.with_new_file(f"{name}.dockerignore", "# applied before\n")
        seen = definition.context
        if definition.history:
            seen = seen.with_directory(GIT, definition.history.folder)
        container = (
            client.with_mounted_directory(CONTEXT, seen)
            .with_mounted_directory(DOCKERFILE, files)
            .with_new_file(POLICY, write_policy(pins.digests))
            .with_new_file(EXCERPT, EXCERPT_PROGRAM)
        )
        for context, folder in definition.folders.items():
            container = container.with_mounted_directory(f"{CONTEXTS}/{part_of(image, context)}", folder)
        for secret in image.secrets:
            container = container.with_mounted_secret(f"{SECRETS}/{secret}", self.secrets[secret])
        if image.ssh and self.agent:
            container = container.with_unix_socket(AGENT, self.agent)
        return container

    def _failure(self, error: dagger.ExecError, definition: Definition, platform: str) -> Failure:
        """Say why a build failed, and where."""
        locate = partial(
            find_line,
            text=definition.text,
            dockerfile=definition.dockerfile,
            arguments=definition.arguments(platform),
            platform=platform,
        )
        return failure_of_build(error.stderr, definition.image.dockerfile, self.hidden, locate=locate)

    def _epoch(self, definition: Definition, platform: str) -> int | None:
        """Choose the time of an image: what the configuration says, else that of the commit."""
        given = definition.arguments(platform).get("SOURCE_DATE_EPOCH", "")
        if given.isdecimal():
            return int(given)
        return int(self.created.timestamp()) if self.created else None


def open_buildkit(
    config: Config,
    *,
    secrets: Mapping[str, dagger.Secret],
    hidden: tuple[str, ...],
    agent: dagger.Socket | None = None,
    created: datetime | None = None,
    login: dagger.Secret | None = None,
    services: Mapping[str, dagger.Service] | None = None,
    authorities: dagger.File | None = None,
    fleet: Fleet | None = None,
    builder_id: str = "",
) -> BuildKit:
    """Describe the daemons of a repository; the engine starts its own when a build needs it.

    Args:
        config: of the repository.
        secrets: build secrets by their names.
        hidden: their values, which no report may show.
        agent: the SSH agent that builds may ask.
        created: when the commit was made; it becomes the time of what is built.
        login: Docker's config.json with the logins for base images and caches.
        services: what the daemon reaches by a name, besides the network. They are others in each session, so that the
            engine keeps no result of a build that has one.
        authorities: certificates in PEM that are trusted besides the usual ones.
        fleet: builders on other machines.
        builder_id: address of what runs the builds.

    """
    return BuildKit(
        own=open_daemon(config, services or {}, authorities),
        config=config,
        fleet=fleet or Fleet(),
        login=login,
        secrets=secrets,
        hidden=hidden,
        agent=agent,
        created=created,
        builder_id=builder_id,
    )
