"""Reads what is attested of the images, and what a release insists on."""

from __future__ import annotations

from collections.abc import Mapping

from ci.config.checks import LINE
from ci.config.cursor import Cursor, take
from ci.config.periods import read_period
from ci.core.model import Config
from ci.core.names import REFERENCE
from ci.core.supply import GENERATOR, ProvenanceMode, Require, Scan
from ci.core.text import nearest

MODES = tuple(mode.value for mode in ProvenanceMode)
ON, OFF = "on", "off"
REQUIRE_KEYS = ("provenance", "sbom", "base-age", "reproducible", "without")
SCAN_KEYS = {
    "image": "the image of a scanner, such as anchore/grype:v0.121.3",
    "run": "a list of words, such as [/grype, 'sbom:/sbom.spdx.json', --fail-on, high]",
}
_PACKAGE_HELP = "a package's name, or a pattern, such as curl, deb/curl or *-dev"
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


def read_require(cursor: Cursor) -> Require:
    """Read what a release insists on."""
    fields = cursor.record({}, REQUIRE_KEYS)
    return Require(
        provenance=take(fields, "provenance", Cursor.boolean, default=False),
        sbom=take(fields, "sbom", Cursor.boolean, default=False),
        base_age=take(fields, "base-age", read_period, None),
        reproducible=take(fields, "reproducible", Cursor.boolean, default=False),
        without=take(fields, "without", lambda c: c.unique(lambda i: i.matching(LINE, _PACKAGE_HELP)), ()),
    )


def read_scans(cursor: Cursor) -> tuple[Scan, ...]:
    """Read one scanner, or a list of them."""
    return tuple(_scan(item) for item in cursor.items()) if cursor.kind == "seq" else (_scan(cursor),)


def _scan(cursor: Cursor) -> Scan:
    fields = cursor.record(SCAN_KEYS, ())
    return Scan(
        image=take(fields, "image", lambda c: c.matching(REFERENCE, SCAN_KEYS["image"]), ""),
        run=take(fields, "run", lambda c: tuple(item.raw() for item in c.items()), ()),
    )


def check_required(config: Config, fields: Mapping[str, Cursor]) -> None:
    """Write down where a release would insist on what it does not make."""
    require = config.require
    if require.provenance and config.provenance is ProvenanceMode.OFF:
        fields["require"].report("provenance is required, and provenance: off says that there is none")
    needing = {"require: sbom": require.sbom, "require: without": require.without, "scan": config.scans}
    if without := ", ".join(image.name for image in config.images if image.release and not image.sbom):
        for what in (what for what, needs in needing.items() if needs):
            message = f"{what} needs the SBOM of each image, and sbom: off says that there is none of {without}"
            fields[what.partition(":")[0]].report(message)


def _written(cursor: Cursor) -> str:
    # As it is written: YAML takes an unquoted off for false.
    return cursor.quiet().raw() if cursor.single else ""
