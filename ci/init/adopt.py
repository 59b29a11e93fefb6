"""Prepares another repository for this pipeline: its source in, the files that it lacks out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import dagger

from ci.config import DEFAULT_CONFIG, parse_config
from ci.core.engine import fan_out
from ci.core.errors import ConfigError, DrydockError
from ci.core.runners import Machine, list_machines
from ci.init.checkout import describing
from ci.init.gather import find_slug, gather, telling
from ci.init.project import DEFAULT, MANIFESTS, project_name
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal, schema_address
from ci.init.proposed import Proposal, without_release
from ci.init.search import SKIPPED, LeftOut, find_dockerfiles, list_dockerfiles
from ci.init.templates import adapt_hook, adapt_workflow, check_module
from ci.init.told import about_images, about_machines, tell

WORKFLOW = ".github/workflows/images.yml"
HOOK, INSTALL = ".githooks/pre-push", ".githooks/install"

_AT_A_TIME = 8
_UNLISTED = ["**/node_modules/*", "**/.git/*"]  # too many to list, and never what a Dockerfile copies


async def adopt(
    source: dagger.Directory, templates: dagger.Directory, *, module: str, overwrite: bool
) -> dagger.Changeset:
    """Add to a source the configuration, the workflow and the hook, each unless it is there.

    Args:
        source: the repository.
        templates: this repository, or what of it a module holds.
        module: the address by which workflow and hook will call this module.
        overwrite: whether what is there is replaced.

    Raises:
        DrydockError: the address cannot be used, or there is no Dockerfile that could be proposed.

    """
    check_module(module)

    async def template(path: str, adapt: Callable[[str, str], str]) -> str:
        return adapt(await templates.file(path).contents(), module)

    async def configuration() -> str:
        return render(proposal, module)

    paths = (DEFAULT_CONFIG, WORKFLOW, HOOK, INSTALL)
    wanted = [path for path in paths if overwrite or not await source.exists(path, do_not_follow_symlinks=True)]
    # What a configuration that is there needs of the checkout, validate says.
    given = _Directory(directory=source)
    proposal = await read_proposal(given) if DEFAULT_CONFIG in wanted else Proposal(images=())
    machines = proposal.machines
    if DEFAULT_CONFIG not in wanted and WORKFLOW in wanted:
        machines = _machines((await given.texts([DEFAULT_CONFIG])).get(DEFAULT_CONFIG, ""))
    write: dict[str, Callable[[], Awaitable[str]]] = {
        DEFAULT_CONFIG: configuration,
        WORKFLOW: partial(
            template,
            WORKFLOW,
            partial(adapt_workflow, inputs=proposal.inputs, triggers=proposal.triggers, machines=machines),
        ),
        HOOK: partial(template, HOOK, adapt_hook),
        INSTALL: partial(template, INSTALL, lambda text, _: text),
    }
    after = source
    for path in wanted:
        permissions = 0o755 if path in (HOOK, INSTALL) else 0o644
        after = after.with_new_file(path, await write[path](), permissions=permissions)
    # The CLI says nothing of a change that it is told to apply; without a terminal it shows what a module prints.
    about = {DEFAULT_CONFIG: about_images(proposal), WORKFLOW: about_machines(machines)}
    written = {path: about.get(path, "") for path in wanted}
    print(tell(written, proposal, module=module, config=DEFAULT_CONFIG, install=INSTALL), flush=True)  # noqa: T201
    return after.changes(source)


def _machines(text: str) -> tuple[Machine, ...]:
    """List the machines of a configuration that is there; none where it cannot be read, of which validate says why."""
    try:
        return list_machines(parse_config(text, file=DEFAULT_CONFIG))
    except ConfigError:
        return ()


def render(proposal: Proposal, module: str) -> str:
    """Write a proposal as the configuration that init adds."""
    schema = schema_address(module)
    try:
        return render_proposal(proposal, schema=schema, file=DEFAULT_CONFIG)
    except ConfigError as error:
        # What releases them today may do what a configuration may not, such as two images under one name.
        return render_proposal(without_release(proposal, str(error)), schema=schema, file=DEFAULT_CONFIG)


class Source(Protocol):
    """What a proposal is read from."""

    async def paths(self) -> list[str]:
        """List all files, and all folders, which end with a slash."""

    async def texts(self, paths: Sequence[str]) -> dict[str, str]:
        """Read files; those that cannot be read, such as links that lead nowhere, are left out."""

    async def links(self, paths: Sequence[str]) -> list[str]:
        """List the links among files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Directory:
    """A directory of the engine."""

    directory: dagger.Directory

    async def paths(self) -> list[str]:
        """List all files and folders."""
        return await self.directory.filter(exclude=_UNLISTED).glob("**")

    async def texts(self, paths: Sequence[str]) -> dict[str, str]:
        """Read files."""

        async def read(path: str) -> str | None:
            try:
                return await self.directory.file(path).contents()
            except dagger.QueryError:
                return None

        texts = await fan_out(paths, read, limit=_AT_A_TIME)
        return {path: text for path, text in zip(paths, texts, strict=True) if text is not None}

    async def links(self, paths: Sequence[str]) -> list[str]:
        """List the links."""

        async def is_link(path: str) -> bool:
            found = await self.directory.stat(path, do_not_follow_symlinks=True).file_type()
            return found == dagger.FileType.SYMLINK

        found = await fan_out(paths, is_link, limit=_AT_A_TIME)
        return [path for path, link in zip(paths, found, strict=True) if link]


async def read_proposal(source: Source) -> Proposal:
    """Propose images for the Dockerfiles of a source, as its workflows and build files release them.

    Raises:
        DrydockError: there is no Dockerfile that could be proposed.

    """
    listed = await source.paths()
    files = [path for path in listed if not path.endswith("/")]
    chosen, aside = find_dockerfiles(files)
    every = list_dockerfiles(files)
    told = await source.texts([*telling(files), *(file for file in MANIFESTS if file in files)])
    links = await source.links(every)
    texts = await source.texts(every)
    owner, repository = find_slug([*told.values(), *texts.values()])
    project = project_name(told)
    released = gather(told, set(texts), repository or project)
    wanted = {image.dockerfile for image in released.images} | set(chosen)
    same = {path: other for path in links if path in wanted and (other := _target(texts, links, path))}
    linked = tuple(LeftOut(path=path, reason=f"a link to {other}, which is one image") for path, other in same.items())
    unread = tuple(LeftOut(path=path, reason="the engine cannot read it") for path in chosen if path not in texts)
    proposal = propose(
        {path: text for path, text in texts.items() if path in wanted and path not in same},
        {path.rstrip("/") for path in listed},
        project=repository.lower() if repository and project == DEFAULT else project,
        beside=await source.texts(describing(texts, set(files))),
        released=released,
        owner=owner,
    )
    aside = tuple(other for other in aside if other.path not in wanted)
    proposal = replace(proposal, left_out=(*aside, *linked, *unread, *proposal.left_out))
    if not proposal.images:
        raise DrydockError(_nothing(proposal.left_out))
    return proposal


def _target(texts: Mapping[str, str], links: Sequence[str], path: str) -> str:
    """Find the file that a link leads to, which has the same text; "" where it is none of the Dockerfiles."""
    return next((other for other, text in texts.items() if other not in links and text == texts.get(path)), "")


def _nothing(left_out: tuple[LeftOut, ...]) -> str:
    text = (
        "No Dockerfile was found to propose an image for: looked for Dockerfile, Dockerfile.*, *.Dockerfile and "
        f"Containerfile outside of {', '.join(SKIPPED)}"
    )
    lines = [f"  {other.path}: {other.reason}" for other in left_out]
    return "\n".join([f"{text}; left out:" if lines else f"{text}.", *lines])
