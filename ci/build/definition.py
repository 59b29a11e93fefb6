"""Reads what an image is built from: its build context without what .dockerignore leaves out, and its Dockerfile."""

from __future__ import annotations

from dataclasses import dataclass

import dagger

from ci.core.model import Image
from ci.dockerfile.ignore import IgnoreFile, ignore_files, parse_ignore
from ci.dockerfile.parser import NO_TEXT, Dockerfile, parse_dockerfile


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """What an image is built from."""

    image: Image
    context: dagger.Directory  # what COPY sees
    text: str  # of the Dockerfile
    dockerfile: Dockerfile
    fault: str = ""  # why it cannot be built, whatever the engine would make of it


async def read_definition(source: dagger.Directory, image: Image) -> Definition:
    """Read an image's Dockerfile and reduce its context to what .dockerignore leaves.

    The engine would apply .dockerignore by itself. Applied before, it keeps a change of a file that no build sees from
    checking and compressing every image anew: only what the source itself is reduced to, by `directory` or `filter`, is
    told apart by its content (0.21.8, core/schema/directory.go, maintainContentHashing).

    Raises:
        dagger.DaggerError: the Dockerfile is not there.

    """
    context = source.directory(image.context)
    ignored = await _ignored(source, image)
    if ignored.excludes:
        context = context.filter(exclude=ignored.excludes)
    text = await source.file(image.dockerfile).contents()
    # Without a pattern that nobody can read, the build would see what it was to keep out.
    faults = [str(fault) for fault in ignored.faults]
    if NO_TEXT in text:
        faults.append(f"{image.dockerfile} is not UTF-8; save it as UTF-8")
    dockerfile = parse_dockerfile(text, file=image.dockerfile)
    return Definition(image=image, context=context, text=text, dockerfile=dockerfile, fault="; ".join(faults))


async def _ignored(source: dagger.Directory, image: Image) -> IgnoreFile:
    """Read the ignore file that counts for an image; an empty one where there is none."""
    for name in ignore_files(image.dockerfile, image.context):
        if await source.exists(name):
            return parse_ignore(await source.file(name).contents(), file=name)
    return IgnoreFile()


def build_arguments(image: Image, *, native: str, revision: str | None) -> dict[str, str]:
    """List the arguments of an image's build: the configuration's, and those that every build is given."""
    # Dagger takes the target platform for the build platform too, so that a cross-building stage would be emulated.
    return {"BUILDPLATFORM": native, **({"REVISION": revision} if revision else {}), **image.build_args}
