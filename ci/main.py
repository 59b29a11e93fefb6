"""The functions users call; each reads as its stage of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import dagger
from dagger import DefaultPath, Doc, Ignore, function, object_type

from ci import pipeline, report
from ci.boundary import readable
from ci.planning import plan_build
from ci.smoke import direct
from ci.source import read_config

# Never part of an image, often huge, and not worth an upload. What .dockerignore excludes on top of this
# reaches the engine and is left out there.
NOT_UPLOADED = [
    "**/.git",
    "**/.venv",
    "**/__pycache__",
    "**/.mypy_cache",
    "**/.pytest_cache",
    "**/.ruff_cache",
]

Only = Annotated[list[str] | None, Doc("Only these images, such as backend,worker-cpu")]
Platforms = Annotated[list[str] | None, Doc("Only these platforms, such as linux/amd64")]
Format = Annotated[str, Doc("How to print the report: table, markdown or json")]
Revision = Annotated[str | None, Doc("The commit the source is at: 7 to 64 hexadecimal digits")]


F = TypeVar("F", bound=Callable[..., object])


def uncached(method: F) -> F:
    """Expose a function of the module that runs at every call: Dagger would keep its result for seven days."""
    return function(method, cache="never")  # type: ignore[call-overload, no-any-return]  # the stub lacks `cache`


@object_type
class Ci:
    """Builds, smoke-checks and releases the images that one configuration file describes."""

    source: Annotated[dagger.Directory, DefaultPath("/"), Ignore(NOT_UPLOADED), Doc("The repository to build from")]
    config: Annotated[dagger.File | None, Doc("The configuration (default: deploy/images.yaml in the source)")] = None

    @uncached
    async def plan(
        self,
        only: Only = None,
        platforms: Platforms = None,
        revision: Revision = None,
        format: Format = "table",  # noqa: A002  # the word a user types
    ) -> str:
        """List each image, platform and smoke check that a build would run, without building."""
        with readable():
            wanted = report.parse_format(format)
            config = await read_config(self.source, self.config)
            plan = plan_build(config, only=only or (), platforms=platforms or (), revision=revision)
            return report.render_plan_json(plan) if wanted is report.Format.JSON else report.render_plan(plan)

    @uncached
    async def build_all(
        self,
        only: Only = None,
        platforms: Platforms = None,
        parallel: Annotated[int, Doc("How many variants at a time (0: one for each processor)")] = 0,
        secrets: Annotated[
            list[dagger.Secret] | None,
            Doc("Build secrets, each named in the configuration as its variable or file is: env:PIP_TOKEN"),
        ] = None,
        revision: Revision = None,
        format: Format = "table",  # noqa: A002  # the word a user types
    ) -> str:
        """Build and smoke-check every image on every platform and print the report; fail if any failed."""
        with readable():
            wanted = report.parse_format(format)
            config = await read_config(self.source, self.config)
            plan = plan_build(config, only=only or (), platforms=platforms or (), revision=revision)
            done = await pipeline.build_all(
                plan, self.source, secrets=secrets or [], parallel=parallel, endpoint=direct
            )
            return report.finish(done, wanted)
