"""The configuration: from its text to a value, to a plan, and to its schema and reference.

Open `parse.py` first: it reads the whole file, key by key, and finds every mistake in one pass.
"""

from ci.config.checks import LINE, PLATFORMS
from ci.config.parse import lines_of_images, named_dockerfiles, parse_config, referenced_paths, referenced_texts
from ci.config.paths import PathKind
from ci.config.plan import list_repositories, plan_build, render_plan, render_plan_json
from ci.config.read import DEFAULT_CONFIG, find_config, read_config
from ci.config.repository import parse_cache
from ci.config.yaml import read_tree

__all__ = [
    "DEFAULT_CONFIG",
    "LINE",
    "PLATFORMS",
    "PathKind",
    "find_config",
    "lines_of_images",
    "list_repositories",
    "named_dockerfiles",
    "parse_cache",
    "parse_config",
    "plan_build",
    "read_config",
    "read_tree",
    "referenced_paths",
    "referenced_texts",
    "render_plan",
    "render_plan_json",
]
