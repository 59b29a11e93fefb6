"""What init would write: images, what holds for all of them, and what its owner should know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from ci.core.model import Attest, Config, Image, Runners
from ci.core.names import COMPONENT
from ci.core.runners import Machine, list_machines
from ci.init.checkout import Input
from ci.init.released import Triggers
from ci.init.search import LeftOut
from ci.init.supply import Supply

REPOSITORY = "ghcr.io/{owner}/{name}"
_MAX_NAME = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """One proposed image, and what its owner should know."""

    image: Image
    notes: tuple[str, ...] = ()
    inputs: frozenset[Input] = frozenset()  # of the checkout
    missing: tuple[str, ...] = ()  # what its Dockerfile copies and the source does not hold
    guessed_name: bool = False
    supply: Supply = field(default_factory=Supply)  # what is said of it today
    sbom: str = ""  # on, off, or an image, in place of what the file says
    lost: tuple[str, ...] = ()  # what was not taken over


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What init would write into the configuration."""

    images: tuple[Proposed, ...]
    left_out: tuple[LeftOut, ...] = ()
    repositories: tuple[str, ...] = (REPOSITORY,)
    guessed_repository: bool = True
    tags: tuple[str, ...] | None = None
    flavor: tuple[str, ...] = ()
    source: str = ""
    lost: tuple[str, ...] = ()  # what was not taken over of what releases the images today
    triggers: Triggers = field(default_factory=Triggers)
    released: bool = False  # whether it was read what releases them
    runners: Runners = field(default_factory=Runners)  # that they are built on, but the usual ones
    attest: Attest | None = None
    provenance: str = ""  # "": the usual one
    sbom: str = ""  # of all images; "": the usual one, or each has its own

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the checkout has to be given so that all images can be built."""
        return tuple(known for known in Input if any(known in proposed.inputs for proposed in self.images))

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machines that build the images."""
        images = tuple(proposed.image for proposed in self.images)
        return list_machines(Config(repositories=self.repositories, images=images, runners=self.runners))


def without_release(proposal: Proposal, why: str) -> Proposal:
    """Leave out names, rules and arguments that were taken over, since together they make no configuration.

    Args:
        proposal: with them.
        why: what is wrong with it.

    """
    images = tuple(
        replace(
            proposed,
            image=replace(
                proposed.image,
                repositories=(),
                tags=None,
                flavor=(),
                build_args={},
                contexts={},
                generated=(),
                release=True,
            ),
        )
        for proposed in proposal.images
    )
    lost = (*proposal.lost, *(f"names, tags, arguments: {line.strip()}" for line in why.splitlines()))
    return replace(
        proposal, images=images, repositories=(REPOSITORY,), guessed_repository=True, tags=None, flavor=(), lost=lost
    )


def component(text: str) -> str:
    """Make a name of an image of a text; "app" where nothing in it can be one."""
    kept = text.lower()
    if COMPONENT.fullmatch(kept) and len(kept) <= _MAX_NAME:
        return kept
    name = re.sub("[^a-z0-9]+", "-", kept).strip("-")[:_MAX_NAME].strip("-")
    return name if COMPONENT.fullmatch(name) else "app"
