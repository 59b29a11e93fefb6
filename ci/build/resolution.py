"""Asks registries which digests the images that a build takes have now, and fixes the build to them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import dagger

from ci.build.definition import Definition, build_arguments
from ci.core.engine import explain
from ci.core.errors import DrydockError
from ci.core.names import is_digest
from ci.dockerfile.bases import Base, final_base, list_bases, pin_bases
from ci.dockerfile.stages import find_remote


async def resolve_base(base: Base) -> str:
    """Return the digest that a base's reference has now: of its index, where it is one of several platforms.

    Raises:
        DrydockError: the registry cannot be asked, or does not have it.

    """
    return (await name_base(base))[1]


async def name_base(base: Base) -> tuple[str, str]:
    """Return a base's whole reference and the digest that it has now; within a session, the registry is asked once.

    Raises:
        DrydockError: the registry cannot be asked, or does not have it.

    """
    container = dagger.dag.container(platform=dagger.Platform(base.platform))
    try:
        name, _, digest = (await container.from_(base.reference).image_ref()).rpartition("@")
    except dagger.DaggerError as error:
        raise DrydockError(
            f"the digest of {base.reference} for {base.platform} is not known: {explain(error)}"
        ) from None
    if not is_digest(digest):
        raise DrydockError(f"the digest of {base.reference} for {base.platform} is not known: {digest!r} is none")
    return name, digest


async def resolve_bases(
    definition: Definition, *, arguments: Mapping[str, str], platform: str
) -> tuple[str, dict[Base, str]]:
    """Return an image's Dockerfile with the digest of each image that it takes from a registry, and these digests.

    Raises:
        DrydockError: one is not known, or cannot be written into it, so that something else might be built.

    """
    text, target = definition.text, definition.image.target
    bases = list_bases(definition.dockerfile, target=target, arguments=arguments, platform=platform)
    digests = {base: await resolve_base(base) for base in bases}
    return pin_bases(text, digests, target=target, arguments=arguments, platform=platform), digests


async def pin_dockerfile(definition: Definition, *, arguments: Mapping[str, str], platform: str) -> str:
    """Return the Dockerfile to build: with the digest of each image that it takes from a registry.

    The engine answers `dockerBuild` from what it made of the same Dockerfile and context before, in any session, and so
    goes on building from where a tag pointed then (0.21.8, core/schema/directory.go: the field has no scope; a command
    that was run on the image keeps it). With digests, what is built is what is recorded, for all platforms.

    What has no digest, such as an address that ADD takes, makes a build of its own in each run: the engine asks again.
    """
    text = definition.text
    try:
        text, _ = await resolve_bases(definition, arguments=arguments, platform=platform)
    except DrydockError:
        pass  # the build says what is wrong, if anything is; why the image is not reused, the report says
    else:
        if not find_remote(definition.dockerfile):
            return text
    return f"{text}\n# {uuid.uuid4()}\n"


async def label_base(definition: Definition, *, native: str, revision: str | None) -> dict[str, str]:
    """Name what an image is based on, for its labels; nothing where its platforms differ in it or it is not known.

    Source: OCI image specification 1.1, annotations.md, `org.opencontainers.image.base.name` and `.digest`.
    """
    image = definition.image
    arguments = build_arguments(image, native=native, revision=revision)
    bases = {
        final_base(definition.dockerfile, target=image.target, arguments=arguments, platform=platform)
        for platform in image.platforms
    }
    try:
        named = {await name_base(base) for base in bases if base}
    except DrydockError:
        return {}  # the build will say what is wrong, if it is
    if None in bases or len(named) != 1:
        return {}
    ((name, digest),) = named
    return {"org.opencontainers.image.base.name": name, "org.opencontainers.image.base.digest": digest}
