"""Builds a variant with BuildKit: its daemon is a service of the engine, and each build a command beside it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import dagger

from ci.build.archive import Archive, read_archive
from ci.build.command import (
    AGENT,
    ARCHIVE,
    CONTEXT,
    CONTEXTS,
    DOCKERFILE,
    DOCUMENTS,
    EXCERPT,
    LAYOUTS,
    POLICY,
    SCRIPT,
    SECRETS,
    STEPS,
    CacheUse,
    Wanted,
    build_words,
    part_of,
    write_policy,
)
from ci.build.definition import Definition
from ci.build.excerpt import EXCERPT as EXCERPT_PROGRAM
from ci.build.progress import Progress, failure_of_build, read_progress
from ci.core.buildkit import BUILDKIT, IMAGE, missing_of
from ci.core.engine import explain, missing_base
from ci.core.errors import BuildError, DrydockError
from ci.core.model import TARGET_CONTEXT, Config
from ci.dockerfile import GIT

_ROOT = "/var/lib/buildkit"
_PORT = 1234
_LOGIN = "/root/.docker/config.json"
_HOST = "buildkitd"
# Go reads the certificates of all these folders, besides its usual file (crypto/x509, root_unix.go).
_USUAL_AUTHORITIES, _AUTHORITIES = "/etc/ssl/certs", "/etc/drydock/authorities"
_ENVIRONMENT = {
    # The genuine image sets it too: without it a control group of the daemon's cannot limit a step.
    "BUILDKIT_SETUP_CGROUPV2_ROOT": "1",
    # By default a step's output ends after 2 MiB, and the line that says why is lost.
    "BUILDKIT_STEP_LOG_MAX_SIZE": "-1",
    "BUILDKIT_STEP_LOG_MAX_SPEED": "-1",
}


_NEEDS = "It needs root capabilities in its container, which the engine has to allow (docs/self-hosted.md)."


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a build has made."""

    archive: dagger.File
    documents: Archive
    progress: Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildKit:
    """A BuildKit daemon, and the container that asks it."""

    client: dagger.Container
    config: Config
    secrets: Mapping[str, dagger.Secret] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()  # values that no report may show
    agent: dagger.Socket | None = None
    created: datetime | None = None  # of the commit

    async def build(
        self,
        definition: Definition,
        platform: str,
        *,
        labels: Mapping[str, str],
        cache: CacheUse,
        built: Mapping[str, Made],
    ) -> Made:
        """Build an image for one platform.

        Args:
            definition: what it is built from.
            platform: such as "linux/arm64".
            labels: of the image, and annotations of its manifest.
            cache: which layer caches are read and written.
            built: what the same run has built for this platform, by the name of the image.

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
        wanted = Wanted(
            image=image,
            platform=platform,
            arguments=definition.arguments(platform),
            labels=labels,
            compression=self.config.compression,
            syntax=definition.dockerfile.syntax,
            epoch=self._epoch(definition, platform),
            cache=cache,
            layouts={name: made.documents.manifest.digest for name, made in layouts.items()},
        )
        container = self._prepared(definition, platform)
        for name, made in layouts.items():
            container = container.with_mounted_file(f"{LAYOUTS}/{part_of(image, name)}.tar", made.archive)
        if wanted.epoch is not None:
            container = container.with_env_variable("SOURCE_DATE_EPOCH", str(wanted.epoch))
        if not definition.is_pinned(platform):
            # The engine would answer from before, where BuildKit asks what is there now.
            container = container.with_env_variable("DRYDOCK_ASKED", uuid.uuid4().hex)
        done = container.with_exec(["sh", "-c", SCRIPT, "sh", *build_words(wanted)])
        try:
            documents = read_archive(await done.file(DOCUMENTS).contents())
            progress = read_progress(await done.file(STEPS).contents(), self.hidden)
        except dagger.ExecError as error:
            failure = failure_of_build(error.stderr, image.dockerfile, self.hidden)
            if missing := missing_of(failure.reason):
                failure = replace(failure, reason=failure.reason + await missing_base(missing))
            raise BuildError(failure) from None
        except dagger.DaggerError as error:
            raise DrydockError(f"the engine could not run BuildKit: {explain(error)}. {_NEEDS}") from None
        _check_sources(definition, platform, documents)
        return Made(archive=done.file(ARCHIVE), documents=documents, progress=progress)

    def _prepared(self, definition: Definition, platform: str) -> dagger.Container:
        """Mount all that a build reads."""
        image = definition.image
        name = image.dockerfile.rpartition("/")[2]
        files = dagger.dag.directory().with_new_file(name, definition.text)
        # What is to be left out is left out already; without this file BuildKit would look for another one.
        files = files.with_new_file(f"{name}.dockerignore", "# applied before\n")
        seen = definition.context
        if definition.history:
            seen = seen.with_directory(GIT, definition.history.folder)
        container = (
            self.client.with_mounted_directory(CONTEXT, seen)
            .with_mounted_directory(DOCKERFILE, files)
            .with_new_file(POLICY, write_policy(definition.policy(platform)))
            .with_new_file(EXCERPT, EXCERPT_PROGRAM)
        )
        for context, folder in definition.folders.items():
            container = container.with_mounted_directory(f"{CONTEXTS}/{part_of(image, context)}", folder)
        for secret in image.secrets:
            container = container.with_mounted_secret(f"{SECRETS}/{secret}", self.secrets[secret])
        if image.ssh and self.agent:
            container = container.with_unix_socket(AGENT, self.agent)
        return container

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
) -> BuildKit:
    """Describe the daemon of a repository and its client; the engine starts it when a build needs it.

    Two repositories do not share a daemon's state, so that neither waits for the other.

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

    """
    base = dagger.dag.container().from_(IMAGE)
    for name, value in _ENVIRONMENT.items():
        base = base.with_env_variable(name, value)
    if authorities:
        # The client too: it asks for tokens.
        base = base.with_file(f"{_AUTHORITIES}/registry.pem", authorities)
        base = base.with_env_variable("SSL_CERT_DIR", f"{_USUAL_AUTHORITIES}:{_AUTHORITIES}")
    reached = base
    for host, service in (services or {}).items():
        reached = reached.with_service_binding(host, service)
    daemon = (
        # Two daemons on one state would spoil it: the second waits.
        reached.with_mounted_cache(_ROOT, open_state(config), sharing=dagger.CacheSharingMode.LOCKED)
        .with_exposed_port(_PORT)
        .as_service(
            args=["buildkitd", "--addr", f"tcp://0.0.0.0:{_PORT}", "--root", _ROOT], insecure_root_capabilities=True
        )
    )
    client = base.with_service_binding(_HOST, daemon).with_env_variable("BUILDKIT_HOST", f"tcp://{_HOST}:{_PORT}")
    if login:
        client = client.with_mounted_secret(_LOGIN, login)
    return BuildKit(client=client, config=config, secrets=secrets, hidden=hidden, agent=agent, created=created)


def open_state(config: Config) -> dagger.CacheVolume:
    """Name the volume that holds the state of a repository's daemon."""
    named = [*config.repositories, config.source, *(image.name for image in config.images)]
    key = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:12]
    return dagger.dag.cache_volume(f"drydock-buildkit-{BUILDKIT}-{key}")


def _check_sources(definition: Definition, platform: str, documents: Archive) -> None:
    """Hold what the build says it took from registries against what it was to take."""
    if not (pinned := set(definition.policy(platform).values())):
        return
    frontend = definition.dockerfile.syntax.partition("@")[0].partition(":")[0]
    for reference, digest in documents.sources:
        if digest not in pinned and not (frontend and frontend in reference):
            raise DrydockError(
                f"the build took {reference} with the digest {digest}, which is none of the base images that were "
                "resolved before it began; run the same command again"
            )
