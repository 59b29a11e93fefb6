"""Reads what is attested of the images, and what a release insists on."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ci.config.checks import LINE
from ci.config.cursor import Cursor, take
from ci.config.paths import Source, read_file, read_path
from ci.config.periods import read_period
from ci.core.model import Config
from ci.core.names import REFERENCE
from ci.core.supply import GENERATOR, ProvenanceMode, Require, Scan, Signed, issuer_of
from ci.core.text import nearest

MODES = tuple(mode.value for mode in ProvenanceMode)
ON, OFF = "on", "off"
REQUIRE_KEYS = ("provenance", "sbom", "signed", "base-age", "reproducible", "without")
SIGNED_KEYS = ("by", "issuer", "key")
GITHUB = issuer_of("https://github.com")  # who vouches for the workflows of github.com
URL = re.compile(r"https?://[!-~]+")
_IDENTITY_HELP = "an identity or a pattern, such as https://github.com/acme/app/.github/workflows/*"
_SIGNED_HELP = (
    "true, {key: cosign.pub}, or {by: [https://github.com/acme/app/.github/workflows/*]}; with an issuer, where it is "
    "not GitHub"
)
_KEY_HELP = "a public key in PEM, as cosign generate-key-pair writes it to cosign.pub"
_ROOT_HELP = "a trusted_root.json, as cosign trusted-root create writes it"
# The repository whose workflows sign, where nobody else is named.
_REPOSITORY = re.compile(r"https://[A-Za-z0-9.-]+/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
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


def read_require(cursor: Cursor, source: Source) -> Require:
    """Read what a release insists on.

    Args:
        cursor: where it stands.
        source: what is known of the source.

    """
    fields = cursor.record({}, REQUIRE_KEYS)
    return Require(
        provenance=take(fields, "provenance", Cursor.boolean, default=False),
        sbom=take(fields, "sbom", Cursor.boolean, default=False),
        signed=take(fields, "signed", lambda c: _signed(c, source), None),
        base_age=take(fields, "base-age", read_period, None),
        reproducible=take(fields, "reproducible", Cursor.boolean, default=False),
        without=take(fields, "without", lambda c: c.unique(lambda i: i.matching(LINE, _PACKAGE_HELP)), ()),
    )


def _signed(cursor: Cursor, source: Source) -> Signed | None:
    """Read who has to have signed."""
    if cursor.kind == "bool":
        return Signed() if cursor.boolean() else None
    if cursor.kind != "map":
        cursor.report(f"{cursor.shown} is given", accepted=_SIGNED_HELP)
        return None
    fields = cursor.record({}, SIGNED_KEYS)
    if fields and ("key" in fields) == ("by" in fields):
        cursor.report("either a key or identities sign", accepted=_SIGNED_HELP)
    elif "key" in fields and "issuer" in fields:
        fields["issuer"].report("a key has no issuer", accepted="issuer beside by")
    return Signed(
        by=take(fields, "by", lambda c: c.unique(lambda i: i.matching(LINE, _IDENTITY_HELP)), ()),
        issuer=take(fields, "issuer", lambda c: c.matching(URL, "an http or https URL"), GITHUB)
        if "by" in fields
        else "",
        key=take(fields, "key", lambda c: _file(c, source, "-----BEGIN PUBLIC KEY-----", _KEY_HELP), ""),
    )


def read_trusted_root(cursor: Cursor, source: Source) -> str:
    """Read the file that says which authorities are trusted."""
    return _file(cursor, source, '"certificateAuthorities"', _ROOT_HELP)


def _file(cursor: Cursor, source: Source, holds: str, accepted: str) -> str:
    """Read the text of a file of the source; its path where nobody looked."""
    path = read_file(cursor, source.kinds, accepted.partition(",")[0])
    if source.texts is None:
        return path
    text = source.texts.get(path, path)
    if path in source.texts and holds not in text:
        cursor.report(f"{path} is something else", accepted=accepted)
    return text


def list_files(fields: Mapping[str, Cursor]) -> tuple[str, ...]:
    """List the files of the source that say who signs, as far as they can be read: a key, and who is trusted."""
    required = fields["require"].quiet().entries() if "require" in fields else {}
    signed = required["signed"].quiet() if "signed" in required else None
    keys = signed.entries() if signed and signed.kind == "map" else {}
    named = [*([keys["key"]] if "key" in keys else []), *([fields["trusted-root"]] if "trusted-root" in fields else [])]
    return tuple(path for each in named if (path := read_path(each.quiet())))


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
    signed = fields["require"].quiet().entries().get("signed") if require.signed else None
    if signed and signed.kind == "bool" and not _REPOSITORY.fullmatch(config.source or ""):
        fields["require"].report(
            "signed: true asks for a workflow of the repository, and source does not say which repository that is",
            accepted="source: https://github.com/OWNER/NAME; or signed: with key or by",
        )
    needing = {"require: sbom": require.sbom, "require: without": require.without, "scan": config.scans}
    if without := ", ".join(image.name for image in config.images if image.release and not image.sbom):
        for what in (what for what, needs in needing.items() if needs):
            message = f"{what} needs the SBOM of each image, and sbom: off says that there is none of {without}"
            fields[what.partition(":")[0]].report(message)


def _written(cursor: Cursor) -> str:
    # As it is written: YAML takes an unquoted off for false.
    return cursor.quiet().raw() if cursor.single else ""
