"""Reads what is attested of the images."""

from __future__ import annotations

from ci.config.cursor import Cursor
from ci.core.names import REFERENCE
from ci.core.supply import GENERATOR, ProvenanceMode
from ci.core.text import nearest

MODES = tuple(mode.value for mode in ProvenanceMode)
ON, OFF = "on", "off"
_SBOM_HELP = f"{ON}, {OFF}, or an image that follows BuildKit's protocol, such as docker/buildkit-syft-scanner:1.12.0"


def read_provenance(cursor: Cursor) -> ProvenanceMode:
    """Read how much is said of how the images were made."""
    written = _written(cursor)
    if written in MODES:
        return ProvenanceMode(written)
    cursor.report(f"{cursor.shown} is not known", accepted=", ".join(MODES), nearest=nearest(written, MODES))
    return ProvenanceMode.MAX


def read_sbom(cursor: Cursor) -> str:
    """Read which image lists the packages; "" where none does."""
    written = _written(cursor)
    if written in (ON, OFF):
        return GENERATOR if written == ON else ""
    # A word alone would be an image of that name, and is a slip.
    if not REFERENCE.fullmatch(written) or not any(sign in written for sign in "/:@"):
        cursor.report(f"{cursor.shown} is not known", accepted=_SBOM_HELP, nearest=nearest(written, (ON, OFF)))
        return ""
    return written


def _written(cursor: Cursor) -> str:
    # As it is written: YAML takes an unquoted off for false.
    return cursor.quiet().raw() if cursor.single else ""
