"""Reads what the images of a plan are built from, once in a call: Dockerfile, build context, base images by digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import dagger

from ci.build.needs import History, check_needs, read_history
from ci.build.pins import Pins
from ci.core.buildkit import is_own_frontend
from ci.core.engine import as_served, explain, fan_out, gather, missing_base
from ci.core.errors import DrydockError
from ci.core.model import IMAGE_CONTEXT, TARGET_CONTEXT, Image, Plan
from ci.core.names import BASE_DIGEST, BASE_NAME, is_digest, whole_reference
from ci.core.order import needed_variants
from ci.core.supply import GENERATOR
from ci.dockerfile import (
    NO_TEXT,
    Base,
    Bases,
    Dockerfile,
    IgnoreFile,
    assignments,
    final_base,
    find_remote,
    fixed_platform,
    ignore_files,
    list_bases,
    parse_dockerfile,
    parse_ignore,
)

_AT_A_TIME = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A base image as its registry has it now."""

    name: str  # its whole reference, such as "docker.io/library/python:3.13-slim"
    digest: str  # of its index, where it is one of several platforms


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """What an image is built from."""

    image: Image
    context: dagger.Directory  # what COPY sees, but for .git
    text: str  # of the Dockerfile
    dockerfile: Dockerfile
    given: Mapping[str, str]  # arguments that every build is given, besides those of the configuration
    native: str  # the builder's own platform, for which `FROM --platform=$BUILDPLATFORM` stands
    platforms: tuple[str, ...]  # of the plan
    folders: Mapping[str, dagger.Directory] = field(default_factory=dict)  # of the source, by the context's name
    history: History | None = None  # what COPY sees of .git
    fault: str = ""  # why it cannot be built, whatever the engine would make of it
    resolved: Mapping[Base, Resolved] = field(default_factory=dict)
    unresolved: Mapping[Base, DrydockError] = field(default_factory=dict)

    def bases(self, platform: str) -> dict[Base, str]:
        """Return the digest of each image that a build for a platform takes from a registry.

        Raises:
            DrydockError: one is not known, or the Dockerfile does not say which it takes.

        """
        bases = self._listed(platform).whole()
        for base in bases:
            if base in self.unresolved:
                raise self.unresolved[base]
        return {base: self.resolved[base].digest for base in bases}

    def pins(self, platform: str) -> Pins:
        """Say what a build for a platform has to take, as far as it is known before.

        What is not known, the build takes as it finds it, or says what is wrong; why the image is not reused, the
        report says.
        """
        listed = self._listed(platform)
        bases = [*listed.known, *self._named_contexts(platform)]
        known = not listed.refusal and all(base in self.resolved for base in listed.known)
        syntax = self.syntax(platform)
        whole = known and (not syntax or is_own_frontend(syntax))
        return Pins(
            digests={self.resolved[base].name: self.resolved[base].digest for base in bases if base in self.resolved},
            whole=whole,
            still=whole and find_remote(self.dockerfile) is None,
        )

    def _listed(self, platform: str) -> Bases:
        return list_bases(
            self.dockerfile,
            target=self.image.target,
            arguments=self._known(platform),
            platform=platform,
            contexts=self.image.contexts,
        )

    def _named_contexts(self, platform: str) -> Iterator[Base]:
        """List the images that are named contexts: what only an ONBUILD of a base takes is pinned that way."""
        for value in self.image.contexts.values():
            if value.startswith(IMAGE_CONTEXT):
                yield Base(reference=value.removeprefix(IMAGE_CONTEXT), platform=platform)

    def syntax(self, platform: str) -> str:
        """Return the frontend that reads the Dockerfile; "" for BuildKit's own."""
        return self.arguments(platform).get("BUILDKIT_SYNTAX", self.dockerfile.syntax).partition(" ")[0]

    def arguments(self, platform: str) -> dict[str, str]:
        """Return the arguments of its build for a platform."""
        return {**self.given, **self.image.arguments(platform)}

    def _known(self, platform: str) -> dict[str, str]:
        return {"BUILDPLATFORM": self.native, **self.arguments(platform)}

    def base_labels(self) -> dict[str, str]:
        """Name what the image is based on, for its labels; nothing where its platforms differ in it or it is not known.

        Source: OCI image specification 1.1, annotations.md, `org.opencontainers.image.base.name` and `.digest`.
        """
        finals = [self.final(platform) for platform in self.platforms]
        named = {self.resolved[base] for base in finals if base and base in self.resolved}
        if len(named) != 1 or not all(base in self.resolved for base in finals):
            return {}
        (base,) = named
        return {BASE_NAME: base.name, BASE_DIGEST: base.digest}

    def final(self, platform: str) -> Base | None:
        """Find the image that the image to be built descends from; None where that is `scratch` or not known."""
        return final_base(
            self.dockerfile,
            target=self.image.target,
            arguments=self._known(platform),
            platform=platform,
            contexts=self.image.contexts,
        )

    def fault_of(self, platform: str) -> str:
        """Say why it cannot be built for a platform, though BuildKit would: all that is in it would be of another."""
        found = fixed_platform(
            self.dockerfile,
            target=self.image.target,
            arguments=self._known(platform),
            platform=platform,
            contexts=self.image.contexts,
        )
        if found is None:
            return ""
        stage, fixed = found
        which = stage.platform if fixed == stage.platform else f"{stage.platform}, which is {fixed}"
        return (
            f"{self.image.dockerfile}:{stage.line} says --platform={which}, so that the image for {platform} would "
            f"hold programs of {fixed}; leave it out there, and copy from another stage what only that one can make"
        )

    def named(self) -> Iterator[Base]:
        """List the images that the builds take from registries, as far as the Dockerfile says which."""
        for platform in self.platforms:
            if final := self.final(platform):
                yield final
            yield from self._listed(platform).known
            yield from self._named_contexts(platform)


async def read_definitions(
    plan: Plan, source: dagger.Directory, *, git: dagger.Directory | None = None
) -> dict[str, Definition]:
    """Read what each image of a plan is built from, by its name; each base image is asked for once.

    Args:
        plan: to be built.
        source: the repository, without .git.
        git: that, for the images that ask for it.

    Raises:
        DrydockError: something that a build needs is not there.
        dagger.DaggerError: a Dockerfile is not there.

    """
    await check_needs(plan, source, git)
    native = str(await dagger.dag.default_platform())
    needed = needed_variants(plan)
    images = list({variant.image.name: variant.image for variant in needed}.values())
    read = await fan_out(images, partial(_read, plan, source, native, git=git), limit=_AT_A_TIME)
    bases = {base: base for one in read for base in one.named()}
    resolved, unresolved = await gather(bases, resolve_base, limit=_AT_A_TIME)
    return {one.image.name: replace(one, resolved=resolved, unresolved=unresolved) for one in read}


async def _read(
    plan: Plan, source: dagger.Directory, native: str, image: Image, *, git: dagger.Directory | None = None
) -> Definition:
    """Read an image's Dockerfile and reduce its context to what .dockerignore leaves.

    BuildKit would apply .dockerignore by itself. Applied before, it keeps a change of a file that no build sees from
    making and checking every image anew: only what the source itself is reduced to, by `directory` or `filter`, is
    told apart by its content (0.21.8, core/schema/directory.go, maintainContentHashing).
    """
    context = source.directory(image.context)
    ignored = await _ignored(source, image)
    if ignored.excludes:
        context = context.filter(exclude=ignored.excludes)
    text = await source.file(image.dockerfile).contents()
    dockerfile = parse_dockerfile(text, file=image.dockerfile)
    # Without a pattern that nobody can read, the build would see what it was to keep out.
    faults = [str(fault) for fault in ignored.faults]
    if NO_TEXT in text:
        faults.append(f"{image.dockerfile} is not UTF-8; save it as UTF-8")
    history = None
    try:
        history = await read_history(image, git, ignored)
    except DrydockError as reason:
        faults.append(str(reason))
    return Definition(
        image=image,
        context=context,
        text=text,
        dockerfile=dockerfile,
        given=_given(dockerfile, plan.revision),
        native=native,
        folders={
            name: source.directory(value)
            for name, value in image.contexts.items()
            if not value.startswith((IMAGE_CONTEXT, TARGET_CONTEXT))
        },
        platforms=tuple(v.platform for v in needed_variants(plan) if v.image.name == image.name),
        history=history,
        fault="; ".join(faults),
    )


async def _ignored(source: dagger.Directory, image: Image) -> IgnoreFile:
    """Read the ignore file that counts for an image; an empty one where there is none."""
    for name in ignore_files(image.dockerfile, image.context):
        if await source.exists(name):
            return parse_ignore(await source.file(name).contents(), file=name)
    return IgnoreFile()


def _given(dockerfile: Dockerfile, revision: str | None) -> dict[str, str]:
    """List what every build is given: the revision where the Dockerfile asks for it.

    What it does not ask for is left out, so that another commit is not another build.
    """
    asked = {name for made in dockerfile.instructions if made.keyword == "ARG" for name in assignments(made)}
    return {"REVISION": revision} if revision and "REVISION" in asked else {}


async def find_generator(reference: str) -> str:
    """Write the reference of what lists packages with the digest that it has here and now.

    Raises:
        DrydockError: it is not there.

    """
    served = await as_served(reference) if reference == GENERATOR else reference
    if "@" in served:
        return served
    found = await resolve_base(Base(reference=served, platform=str(await dagger.dag.default_platform())))
    return f"{served}@{found.digest}"


async def resolve_base(base: Base) -> Resolved:
    """Ask a registry what a base's reference names now.

    Raises:
        DrydockError: that cannot be told.

    """
    container = dagger.dag.container(platform=dagger.Platform(base.platform))
    unknown = f"the digest of {base.reference} for {base.platform} is not known"
    try:
        digest = (await container.from_(base.reference).image_ref()).rpartition("@")[2]
    except dagger.DaggerError as error:
        raise DrydockError(f"{unknown}: {explain(error)}{await missing_base(base.reference)}") from None
    if not is_digest(digest):
        raise DrydockError(f"{unknown}: {digest!r} is none")
    # The engine names what it has already by the reference that it was first asked for (0.21.8).
    return Resolved(name=whole_reference(base.reference).partition("@")[0], digest=digest)
