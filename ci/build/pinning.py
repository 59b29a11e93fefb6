"""Has a build take the images that an earlier one took, whatever their tags name now; and says what that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ci.build.definition import Definition, Resolved, resolve_base
from ci.core.errors import DrydockError
from ci.core.names import short_reference, whole_reference
from ci.dockerfile import Base


def pin_bases(definition: Definition, digests: Mapping[str, str]) -> tuple[Definition, tuple[str, ...]]:
    """Fix the bases of an image to what they once were.

    Args:
        definition: of the image, with what its bases are now.
        digests: of the bases as they were, by their short reference.

    Returns:
        The definition, and a sentence for each base that is another one now.

    """
    resolved, unresolved = dict(definition.resolved), dict(definition.unresolved)
    notes: dict[str, None] = {}
    for base, now in definition.resolved.items():
        digest = digests.get(short_reference(now.name), now.digest)
        if digest != now.digest:
            notes[f"{base.reference} names {now.digest} now; what was built on is taken, {digest}"] = None
        resolved[base] = replace(now, digest=digest)
    for base in definition.unresolved:
        name = whole_reference(base.reference)
        if before := digests.get(short_reference(name)):
            resolved[base] = Resolved(name=name, digest=before)
            del unresolved[base]
            notes[f"{base.reference} cannot be read now; what was built on is taken, {before}"] = None
    return replace(definition, resolved=resolved, unresolved=unresolved), tuple(notes)


async def find_base(reference: str, platform: str) -> str | None:
    """Ask the engine what a reference names now, as a build would; None where that cannot be told."""
    try:
        return (await resolve_base(Base(reference=reference, platform=platform))).digest
    except DrydockError:
        return None
