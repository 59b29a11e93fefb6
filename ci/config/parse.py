"""Turns the text of a configuration file into its value, or into a list of all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ci.config.acceptance import KEYS, read_acceptances, read_baseline
from ci.config.contexts import context_folders
from ci.config.cursor import Cursor, take
from ci.config.image import read_images
from ci.config.paths import PathKind, read_path
from ci.config.repository import REPOSITORY_HELP, check_shared, read_cache, read_repositories
from ci.config.yaml import read_tree
from ci.core.errors import ConfigError
from ci.core.model import REBUILD_AFTER, Cache, Compression, Config
from ci.core.names import short_reference

TOP_REQUIRED = {"repository": REPOSITORY_HELP, "images": "a list of images"}
TOP_OPTIONAL = ("source", "compression", "cache", "rebuild-after", "validate")
URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]*)?")
PERIOD = re.compile("([1-9][0-9]{0,3})([hd])|never")
PERIOD_HELP = "hours or days, such as 36h or 14d, or never"
_SECONDS = {"h": 3600, "d": 86400}


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
    images = take(fields, "images", lambda c: read_images(c, kinds), ())
    judged = take(fields, "validate", lambda c: c.record({}, KEYS), {})
    shared = [image.name for image in images if not image.repositories]
    config = Config(
        repositories=take(fields, "repository", lambda c: read_repositories(c, shared), ()),
        images=images,
        source=take(fields, "source", lambda c: c.matching(URL, "an http or https URL"), None),
        compression=take(fields, "compression", _compression, Compression.ZSTD),
        cache=take(fields, "cache", lambda c: read_cache(c, [image.name for image in images]), Cache()),
        accepted=read_acceptances(judged),
        baseline=read_baseline(judged),
        rebuild_after=take(fields, "rebuild-after", _period, REBUILD_AFTER),
    )
    if "images" in fields:
        check_shared(config, fields["images"])
    if root.findings:
        raise ConfigError(sorted(root.findings, key=lambda finding: finding.line))
    return config


def referenced_paths(text: str) -> frozenset[str]:
    """List the paths of the source that a configuration names, as far as it can be read."""
    try:
        root = read_tree(text, file="")
    except ConfigError:
        return frozenset()
    fields = root.entries()
    paths = [path for item in _items(fields) for path in _paths(item.entries())]
    if "validate" in fields and "baseline" in (judged := fields["validate"].entries()):
        paths.append(read_path(judged["baseline"]))
    return frozenset(path for path in paths if path)


def named_dockerfiles(text: str) -> frozenset[str]:
    """List the Dockerfiles that a configuration names, as far as it can be read."""
    try:
        fields = read_tree(text, file="").entries()
    except ConfigError:
        return frozenset()
    named = (item.entries().get("dockerfile") for item in _items(fields))
    return frozenset(path for cursor in named if cursor and (path := read_path(cursor)))


def _items(fields: Mapping[str, Cursor]) -> tuple[Cursor, ...]:
    return fields["images"].items() if "images" in fields else ()


def _paths(fields: Mapping[str, Cursor]) -> Iterator[str]:
    for key in ("dockerfile", "context"):
        if key in fields:
            yield read_path(fields[key])
    if "contexts" in fields:
        yield from context_folders(fields["contexts"])


def lines_of_images(text: str) -> list[dict[str, int]]:
    """List, for each image of a configuration without mistakes, the line of each of its keys.

    A context has a key of its own, such as "contexts.base".
    """
    images = read_tree(text, file="").entries()["images"].items()
    return [_lines(image.entries()) for image in images]


def _lines(fields: Mapping[str, Cursor]) -> dict[str, int]:
    contexts = fields["contexts"].entries() if "contexts" in fields else {}
    named = {f"contexts.{short_reference(name)}": value.line for name, value in contexts.items()}
    return {key: value.line for key, value in fields.items()} | named


def _compression(cursor: Cursor) -> Compression:
    return Compression(cursor.choice([known.value for known in Compression]) or Compression.ZSTD)


def _period(cursor: Cursor) -> int | None:
    found = PERIOD.fullmatch(cursor.matching(PERIOD, PERIOD_HELP))
    return int(found[1]) * _SECONDS[found[2]] if found and found[1] else None
