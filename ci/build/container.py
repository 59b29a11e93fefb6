"""Turns a variant of the plan into a container, and measures what it weighs."""

from __future__ import annotations

from collections.abc import Mapping

import dagger

from ci.build.definition import Definition
from ci.core.errors import DrydockError
from ci.core.model import Compression

# What the Dockerfile is called inside its context; a name nobody uses.
_DOCKERFILE = ".drydock.Dockerfile"
_IGNORE = f"{_DOCKERFILE}.dockerignore"


async def build_variant(
    definition: Definition, platform: str, *, labels: Mapping[str, str], secrets: Mapping[str, dagger.Secret]
) -> dagger.Container:
    """Build an image for one platform.

    Args:
        definition: what it is built from.
        platform: such as "linux/arm64".
        labels: put on after the build, since dockerBuild takes none.
        secrets: by the names that the configuration gives them; the image's own are mounted.

    Raises:
        DrydockError: the Dockerfile or its ignore file cannot be read.
        dagger.DaggerError: a command of the Dockerfile failed, or the engine refuses it.

    """
    image = definition.image
    if definition.fault:
        raise DrydockError(definition.fault)
    # COPY sees neither: the engine takes the ignore file that is named after the Dockerfile.
    context = definition.context.with_new_file(_DOCKERFILE, definition.to_build(platform))
    container = context.with_new_file(_IGNORE, f"{_DOCKERFILE}\n{_IGNORE}\n").docker_build(
        dockerfile=_DOCKERFILE,
        platform=dagger.Platform(platform),
        build_args=[dagger.BuildArg(name, value) for name, value in definition.arguments.items()],
        target=image.target or "",
        secrets=[secrets[name] for name in image.secrets],
    )
    for name, value in labels.items():
        container = container.with_label(name, value)
    return await _settle_platform(await container.sync(), platform)


async def _settle_platform(container: dagger.Container, platform: str) -> dagger.Container:
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
