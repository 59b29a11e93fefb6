"""Reads the configuration and looks at the paths it names, inside the engine."""

from __future__ import annotations

import dagger

from ci.config.parse import parse_config, referenced_paths, referenced_texts
from ci.config.paths import PathKind
from ci.core.engine import fan_out
from ci.core.errors import ConfigError
from ci.core.findings import mistake
from ci.core.model import Config

DEFAULT_CONFIG = "deploy/images.yaml"


async def find_config(source: dagger.Directory, file: dagger.File | None) -> tuple[str, str]:
    """Return the name and the text of the configuration: of the given file, or else of the default one.

    Raises:
        ConfigError: the default one is not in the source.

    """
    if file is not None:
        return await file.name(), await file.contents()
    if not await source.exists(DEFAULT_CONFIG, expected_type=dagger.ExistsType.REGULAR_TYPE):
        message = "the file does not exist in the source"
        accepted = "such a file, or another one named by --config"
        raise ConfigError([mistake(DEFAULT_CONFIG, 1, "", message, accepted=accepted)])
    return DEFAULT_CONFIG, await source.file(DEFAULT_CONFIG).contents()


async def read_config(source: dagger.Directory, file: dagger.File | None) -> Config:
    """Read and check the configuration.

    Raises:
        ConfigError: holds all its mistakes.

    """
    name, text = await find_config(source, file)
    paths = sorted(referenced_paths(text))
    found = await fan_out(paths, lambda path: _kind(source, path), limit=8)
    kinds = dict(zip(paths, found, strict=True))
    files = [path for path in sorted(referenced_texts(text)) if kinds[path] == PathKind.FILE]
    texts = await fan_out(files, lambda path: source.file(path).contents(), limit=8)
    return parse_config(text, file=name, kinds=kinds, texts=dict(zip(files, texts, strict=True)))


async def _kind(source: dagger.Directory, path: str) -> PathKind:
    """Tell what a path of the source is; a link is followed, and must stay inside."""
    if path == ".":
        return PathKind.DIRECTORY
    if not await source.exists(path, do_not_follow_symlinks=True):
        return PathKind.MISSING
    try:
        found = await source.stat(path).file_type()
    except dagger.QueryError:
        # The entry exists and what it leads to does not: the link is broken, or points out of the source.
        return PathKind.OUTSIDE
    return PathKind.DIRECTORY if found == dagger.FileType.DIRECTORY else PathKind.FILE
