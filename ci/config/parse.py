"""Turns the text of a configuration file into its value, or into a list of all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from ci.config.checks import LINE, NO_SMOKE, PLATFORMS, read_smoke, string_map
from ci.config.cursor import Cursor, take
from ci.config.yaml import read_tree
from ci.core.errors import ConfigError
from ci.core.model import REBUILD_AFTER, Compression, Config, Image
from ci.core.names import COMPONENT, PLACEHOLDERS, fill_repository, repository_fault
from ci.core.text import nearest, show


class PathKind(StrEnum):
    """What a path of the source turns out to be."""

    FILE = "file"
    DIRECTORY = "directory"
    MISSING = "missing"
    OUTSIDE = "outside"  # a link that leads out of the source


_REPOSITORY_HELP = "a registry and a repository in lower case, such as ghcr.io/acme/{name}"
_PATH_HELP = "a path relative to the source, with / between its parts"
REQUIRED = {
    "name": "lower-case letters and digits, single separators (. _ -) between them, such as backend",
    "dockerfile": _PATH_HELP,
    "platforms": "a list of platforms, such as [linux/amd64, linux/arm64]",
    "smoke": "a list of checks, or none together with smoke-reason",
}
OPTIONAL = ("title", "description", "context", "build-args", "target", "secrets", "budget", "smoke-reason")
TOP_REQUIRED = {"repository": _REPOSITORY_HELP, "images": "a list of images"}
TOP_OPTIONAL = ("source", "compression", "rebuild-after")
MAX_NAME = 128
URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]*)?")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")
PROSE = re.compile("(?=\\s*\\S)[^\x00-\x08\x0b-\x1f\x7f-\x9f]+")
VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
TARGET = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]*")
SECRET = re.compile("[A-Za-z0-9_.-]+")
PERIOD = re.compile("([1-9][0-9]{0,3})([hd])|never")
PERIOD_HELP = "hours or days, such as 36h or 14d, or never"
_SECONDS = {"h": 3600, "d": 86400}
BUDGET = re.compile(r"((?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?) ?([A-Za-z]+)|([1-9][0-9]{0,17})")
UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_config(text: str, *, file: str, kinds: Mapping[str, PathKind] | None = None) -> Config:
    """Read a configuration strictly.

    Args:
        text: the whole file.
        file: its name, for the messages.
        kinds: what each path of `referenced_paths` is in the source; None: nobody looked.

    Raises:
        ConfigError: holds every mistake, in the order of the lines.

    """
    root = read_tree(text, file=file)
    fields = root.record(TOP_REQUIRED, TOP_OPTIONAL)
    images = take(fields, "images", lambda c: _images(c, kinds), ())
    config = Config(
        repository=take(fields, "repository", lambda c: _repository(c, images), ""),
        images=images,
        source=take(fields, "source", lambda c: c.matching(URL, "an http or https URL"), None),
        compression=take(fields, "compression", _compression, Compression.ZSTD),
        rebuild_after=take(fields, "rebuild-after", _period, REBUILD_AFTER),
    )
    if root.findings:
        raise ConfigError(sorted(root.findings, key=lambda finding: finding.line))
    return config


def referenced_paths(text: str) -> frozenset[str]:
    """List the paths of the source that a configuration names, as far as it can be read."""
    try:
        root = read_tree(text, file="")
    except ConfigError:
        return frozenset()
    images = root.entries().get("images")
    entries = [item.entries() for item in images.items()] if images else []
    paths = (_path(fields[key]) for fields in entries for key in ("dockerfile", "context") if key in fields)
    return frozenset(path for path in paths if path)


def lines_of_images(text: str) -> list[dict[str, int]]:
    """List, for each image of a configuration without mistakes, the line of each of its keys."""
    images = read_tree(text, file="").entries()["images"].items()
    return [{key: value.line for key, value in image.entries().items()} for image in images]


def _images(cursor: Cursor, kinds: Mapping[str, PathKind] | None) -> tuple[Image, ...]:
    images: list[Image] = []
    for item in cursor.items():
        image = _image(item, kinds)
        if image.name and any(image.name == other.name for other in images):
            item.report(
                f"two images are called {show(image.name)}",
                accepted="a name of its own for each",
                key=f"{item.key}.name",
            )
        images.append(image)
    return tuple(images)


def _image(cursor: Cursor, kinds: Mapping[str, PathKind] | None) -> Image:
    fields = cursor.record(REQUIRED, OPTIONAL)
    platforms = take(fields, "platforms", lambda c: c.unique(lambda p: p.choice(PLATFORMS)), ())
    smoke = take(fields, "smoke", lambda c: read_smoke(c, platforms or PLATFORMS), ())
    return Image(
        name=take(fields, "name", _name, ""),
        title=take(fields, "title", lambda c: c.matching(LINE, "text on one line"), None),
        description=take(fields, "description", lambda c: c.matching(PROSE, "text"), None),
        dockerfile=take(fields, "dockerfile", lambda c: _dockerfile(c, kinds), ""),
        context=take(fields, "context", lambda c: _context(c, kinds), "."),
        platforms=platforms,
        build_args=take(fields, "build-args", lambda c: string_map(c, VARIABLE, "letters, digits and underscores"), {}),
        target=take(fields, "target", lambda c: c.matching(TARGET, "a stage of the Dockerfile"), None),
        secrets=take(fields, "secrets", lambda c: c.unique(_secret), ()),
        budget=take(fields, "budget", _budget, None),
        smoke=smoke,
        smoke_reason=_smoke_reason(fields),
    )


def _name(cursor: Cursor) -> str:
    name = cursor.matching(COMPONENT, REQUIRED["name"])
    if len(name) > MAX_NAME:
        cursor.report(f"{show(name)} has {len(name)} characters", accepted=f"at most {MAX_NAME}")
    return name


def _smoke_reason(fields: Mapping[str, Cursor]) -> str | None:
    none = "smoke" in fields and fields["smoke"].node.value == NO_SMOKE
    if "smoke-reason" not in fields:
        if none:
            fields["smoke"].report("smoke: none gives no reason", accepted="smoke-reason: with a sentence")
        return None
    if not none:
        fields["smoke-reason"].report("the image does not say smoke: none", accepted="no such key")
    return fields["smoke-reason"].matching(LINE, "text on one line")


def _repository(cursor: Cursor, images: tuple[Image, ...]) -> str:
    template = cursor.matching(LINE, _REPOSITORY_HELP)
    if not template:
        return ""
    unknown = [p for p in _PLACEHOLDER.findall(template) if p not in PLACEHOLDERS]
    for placeholder in unknown:
        cursor.report(
            f"the placeholder {show(placeholder)} is not known",
            accepted=", ".join(PLACEHOLDERS),
            nearest=nearest(placeholder, PLACEHOLDERS),
        )
    if "{name}" not in template and len(images) > 1:
        cursor.report(f"{show(template)} is the same for all images", accepted="a template that holds {name}")
    names = [image.name for image in images if image.name] or ["name"]
    faults = (repository_fault(fill_repository(template, name=name, owner="owner")) for name in names)
    if not unknown and (fault := next(filter(None, faults), "")):
        cursor.report(fault, accepted=_REPOSITORY_HELP)
    return template


def _compression(cursor: Cursor) -> Compression:
    return Compression(cursor.choice([known.value for known in Compression]) or Compression.ZSTD)


def _period(cursor: Cursor) -> int | None:
    found = PERIOD.fullmatch(cursor.matching(PERIOD, PERIOD_HELP))
    return int(found[1]) * _SECONDS[found[2]] if found and found[1] else None


def _secret(cursor: Cursor) -> str:
    return cursor.matching(SECRET, "letters, digits and . _ -")


def _budget(cursor: Cursor) -> int:
    raw = cursor.raw()
    found = BUDGET.fullmatch(raw)
    if found and found[3]:
        return int(found[3])
    size = round(float(found[1]) * UNITS.get(found[2], 0)) if found else 0
    if not size and cursor.single:
        unit = nearest(found[2], UNITS) if found else ""
        cursor.report(
            f"{cursor.shown} is not a size",
            accepted=f"bytes, or a number and one of {', '.join(UNITS)}",
            nearest=f"{found[1]}{unit}" if found and unit and found[2] != unit else "",
        )
    return size


def _path(cursor: Cursor) -> str:
    """Read a path that stays inside the source, without its needless parts."""
    path = cursor.matching(LINE, _PATH_HELP)
    parts = path.split("/")
    fault = ""
    if path.startswith("/"):
        fault = "is absolute"
    elif ".." in parts:
        fault = "leads upwards"
    elif "\\" in path:
        fault = "holds a backslash"
    if fault:
        cursor.report(f"{show(path)} {fault}", accepted=_PATH_HELP)
    if fault or not path:
        return ""
    return "/".join(part for part in parts if part not in ("", ".")) or "."


def _dockerfile(cursor: Cursor, kinds: Mapping[str, PathKind] | None) -> str:
    path = _path(cursor)
    fault = _fault(path, PathKind.FILE, kinds)
    if fault:
        files = [other for other, kind in (kinds or {}).items() if kind == PathKind.FILE]
        cursor.report(f"{show(path)} {fault}", accepted="a Dockerfile of the source", nearest=nearest(path, files))
    return path


def _context(cursor: Cursor, kinds: Mapping[str, PathKind] | None) -> str:
    path = _path(cursor)
    if fault := _fault(path, PathKind.DIRECTORY, kinds):
        cursor.report(f"{show(path)} {fault}", accepted="a directory of the source")
    return path


def _fault(path: str, wanted: PathKind, kinds: Mapping[str, PathKind] | None) -> str:
    """Say why a path of the source is not what it has to be; nothing if it is, or nobody looked."""
    kind = PathKind.DIRECTORY if path == "." else (kinds or {}).get(path, PathKind.MISSING)
    if not path or kind == wanted or (kinds is None and path != "."):
        return ""
    return {
        PathKind.FILE: "is a file",
        PathKind.DIRECTORY: "is a directory",
        PathKind.MISSING: "does not exist",
        PathKind.OUTSIDE: "is a link that leads out of the source",
    }[kind]
