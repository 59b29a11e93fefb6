"""Turns a variant of the plan into a lazy container, and measures what it weighs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

import dagger

from ci.dockerignore import parse_ignore
from ci.model import Compression, Image, Variant

# Where a Dockerfile from outside its context is put inside it; a name nobody uses.
OUTSIDE = ".drydock.Dockerfile"


def build_variant(
    context: dagger.Directory,
    dockerfile: str,
    variant: Variant,
    *,
    native: str,
    revision: str | None,
    labels: Mapping[str, str],
    secrets: Mapping[str, dagger.Secret],
) -> dagger.Container:
    """Describe the build of one variant; nothing runs until a leaf of it is awaited.

    `context` and `dockerfile` are those of build_context. `native` is the engine's own platform, for which
    `FROM --platform=$BUILDPLATFORM` stands. A Dockerfile that says `ARG REVISION` is given the revision. `labels` are
    put on after the build, since dockerBuild takes none; `secrets` are those the image names.
    """
    image = variant.image
    arguments = build_arguments(image, native=native, revision=revision)
    container = context.docker_build(
        dockerfile=dockerfile,
        platform=dagger.Platform(variant.platform),
        build_args=[dagger.BuildArg(name, value) for name, value in arguments.items()],
        target=image.target or "",
        secrets=[secrets[name] for name in image.secrets],
    )
    for name, value in labels.items():
        container = container.with_label(name, value)
    return container


async def build_context(source: dagger.Directory, image: Image) -> tuple[dagger.Directory, str]:
    """Return what an image is built from, and its Dockerfile's path in there.

    The engine would apply .dockerignore by itself, and does so again. Applied before, it keeps a change of a file that
    no build sees from checking and compressing every image anew: only what the source itself is reduced to, by
    `directory` or `filter`, is told apart by its content (0.21.8, core/schema/directory.go, maintainContentHashing).
    """
    context = source.directory(image.context)
    base = PurePosixPath(image.context)
    path = PurePosixPath(image.dockerfile)
    inside = path.is_relative_to(base)
    dockerfile = str(path.relative_to(base)) if inside else OUTSIDE
    name, patterns = await ignore_patterns(context, dockerfile)
    if patterns:
        # Both are sent in any case: they decide about the build, and are not part of it.
        context = context.filter(exclude=[*patterns, f"!{name}", *([f"!{dockerfile}"] if inside else [])])
    return context if inside else context.with_file(OUTSIDE, source.file(image.dockerfile)), dockerfile


async def ignore_patterns(context: dagger.Directory, dockerfile: str) -> tuple[str, tuple[str, ...]]:
    """Read what the engine leaves out of a build (0.21.8, core/schema/directory.go, applyDockerIgnore), and where."""
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        if await context.exists(name) and (text := await context.file(name).contents()):
            return name, tuple(parse_ignore(text).excludes)
    return "", ()


def build_arguments(image: Image, *, native: str, revision: str | None) -> dict[str, str]:
    """List the arguments of an image's build: the configuration's, and those that every build is given."""
    # Dagger takes the target platform for the build platform too, so that a cross-building stage would be emulated.
    return {"BUILDPLATFORM": native, **({"REVISION": revision} if revision else {}), **image.build_args}


async def settle_platform(container: dagger.Container, platform: str) -> dagger.Container:
    """Return a built container as one of its platform.

    The engine gives what is built `FROM scratch` its own platform, whatever was asked for (0.21.8,
    util/llbtodagger/convert.go, scratchContainerID). Such an image would be released for the wrong platform, so its
    files and its configuration are put into a container of the right one. VOLUME, STOPSIGNAL, SHELL and ONBUILD
    cannot be read back and are not carried over.
    """
    if str(await container.platform()) == platform:
        return container
    settled = dagger.dag.container(platform=dagger.Platform(platform)).with_rootfs(container.rootfs())
    for variable in await container.env_variables():
        settled = settled.with_env_variable(await variable.name(), await variable.value())
    for label in await container.labels():
        settled = settled.with_label(await label.name(), await label.value())
    for port in await container.exposed_ports():
        protocol = await port.protocol()
        settled = settled.with_exposed_port(await port.port(), protocol=protocol, experimental_skip_healthcheck=True)
    if entrypoint := await container.entrypoint():
        settled = settled.with_entrypoint(entrypoint)
    if arguments := await container.default_args():
        settled = settled.with_default_args(arguments)
    if user := await container.user():
        settled = settled.with_user(user)
    if folder := await container.workdir():
        settled = settled.with_workdir(folder)
    check = container.docker_healthcheck()
    try:
        command = await check.args()
    except dagger.InvalidQueryError:  # how the SDK says that there is none
        return await settled.sync()
    return await settled.with_docker_healthcheck(
        command,
        shell=await check.shell(),
        interval=await check.interval() or None,
        timeout=await check.timeout() or None,
        start_period=await check.start_period() or None,
        start_interval=await check.start_interval() or None,
        retries=await check.retries() or None,
    ).sync()


async def compressed_size(container: dagger.Container, compression: Compression) -> int:
    """Measure the variant as a registry would store it: bytes of its OCI archive, layers compressed."""
    archive = container.as_tarball(
        forced_compression=compression_of(compression),
        media_types=dagger.ImageMediaTypes.OCI,
    )
    return await archive.size()


def compression_of(compression: Compression) -> dagger.ImageLayerCompression:
    """Name a compression as the engine does."""
    return dagger.ImageLayerCompression(compression.value.capitalize())
