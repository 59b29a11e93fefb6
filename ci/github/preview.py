"""Says which names an event would give each image, without a registry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ci.core.fill import Missing, fill_plan
from ci.core.model import Plan
from ci.core.names import own_tag
from ci.core.text import Format, clean, columns, markdown_table
from ci.github.events import Decision, decide, values_of
from ci.tags import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What an event asks for, and under which names each image would be published, in each of its repositories."""

    event: Event
    decision: Decision
    plan: Plan  # told of the event
    names: tuple[tuple[str, str, tuple[str, ...]], ...]  # image, repository, tags: what marks the commit is first

    def add_to(self, plan: str, wanted: Format) -> str:
        """Add it to a plan that was printed in the same format.

        JSON has it under the key event: name, ref, publish, why, version (or null), notes, and names, a list of image,
        repository and tags.
        """
        if wanted is Format.JSON:
            value = {
                "name": self.event.name,
                "ref": self.event.ref,
                "publish": self.decision.publish,
                "why": self.decision.why,
                "version": self.decision.version,
                "notes": self.decision.notes,
                "names": [{"image": image, "repository": where, "tags": tags} for image, where, tags in self.names],
            }
            return json.dumps({**json.loads(plan), "event": value}, indent=2)
        rows = [("IMAGE", "REPOSITORY", "TAGS"), *((name, where, ", ".join(tags)) for name, where, tags in self.names)]
        table = markdown_table(rows) if wanted is Format.MARKDOWN else columns(rows)
        parts = [self.decision.why, *self.decision.notes, *([table] if self.names else [])]
        return "\n\n".join((plan, *map(clean, parts)))


def preview_event(event: Event, plan: Plan, repositories: Mapping[str, Sequence[str]], *, owner: str | None) -> Preview:
    """Say what an event would lead to.

    Args:
        event: what would happen.
        plan: of the images.
        repositories: of each image, by its name.
        owner: of the repository, where that is known.

    Raises:
        DrydockError: the event makes no sense, or gives an illegal name.

    """
    decision = decide(event, plan)
    plan = fill_plan(plan, values_of(event, decision, owner=owner), Missing.STAYS)
    names = [
        (
            image.name,
            where,
            ((own_tag(image, event.revision, plan.mark),) if event.revision else ()) + decision.tags[image.name],
        )
        for image in plan.images
        if decision.publish and image.release
        for where in repositories[image.name]
    ]
    return Preview(event=event, decision=decision, plan=plan, names=tuple(names))
