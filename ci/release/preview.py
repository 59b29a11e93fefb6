"""Looks at what tags name now, and says what a release would do to each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ci.core.errors import DrydockError
from ci.core.names import CREATED, REVISION, VERSION
from ci.core.text import Format, clean, columns, markdown_table
from ci.registry import RegistryClient
from ci.release.registries import Registries
from ci.release.request import Target, rank_tags
from ci.release.tags import read_live, why_newer

_SHORT = 19  # characters of a digest: "sha256:" and twelve digits


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveTag:
    """One tag as it is, and what a release would make of it."""

    repository: str
    tag: str
    digest: str | None
    revision: str | None  # the commit that the live image says it is of
    created: str | None
    action: str


async def read_tags(registries: Registries, targets: Sequence[Target], created: str) -> tuple[LiveTag, ...]:
    """Read each tag of each target: those that mark the commit first.

    Args:
        registries: that the targets are in.
        targets: of the release.
        created: when the revision was committed (RFC 3339, UTC); empty where that is not known.

    """
    owns = [(target, target.own) for target in targets if target.own]
    tags = [(target, tag) for _, target, tag in rank_tags(targets)]
    return tuple([await _read(registries.of(target), target, tag, created) for target, tag in (*owns, *tags)])


async def _read(client: RegistryClient, target: Target, tag: str, created: str) -> LiveTag:
    known = LiveTag(repository=target.repository, tag=tag, digest=None, revision=None, created=None, action="create")
    try:
        live = await read_live(client, target.name, tag)
        if live is None:
            return known
        notes = live.annotations
    except DrydockError as error:
        return LiveTag(**{**asdict(known), "action": f"unknown: {error}"})
    made = notes.get(CREATED)
    if tag == target.own:
        action = "keep: a build that gives another digest stops the release"
    elif newer := why_newer(notes, target.labels.get(VERSION, ""), created):
        action = f"leave: what is live is newer, of {newer}"
    else:
        action = "move"
    return LiveTag(
        repository=target.repository,
        tag=tag,
        digest=live.digest,
        revision=notes.get(REVISION),
        created=made,
        action=action,
    )


def render_live(tags: Sequence[LiveTag], plan: str, wanted: Format) -> str:
    """Add the tags to a plan that was printed in the same format."""
    if wanted is Format.JSON:
        return json.dumps({**json.loads(plan), "tags": [asdict(tag) for tag in tags]}, indent=2)
    rows = [
        ("TAG", "NOW", "REVISION", "A RELEASE WOULD"),
        *(
            (
                f"{tag.repository}:{tag.tag}",
                tag.digest[:_SHORT] if tag.digest else "-",
                (tag.revision or "-")[:12],
                tag.action,
            )
            for tag in tags
        ),
    ]
    table = markdown_table(rows) if wanted is Format.MARKDOWN else clean(columns(rows))
    return f"{plan}\n\n{table}"
