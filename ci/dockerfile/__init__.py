"""What a Dockerfile and its ignore file say, as BuildKit reads them, and what git keeps elsewhere than in the source.

Open `stages.py` first: it walks over a Dockerfile once, and all that judge one stand on that walk.
"""

from ci.dockerfile.bases import Base, Bases, final_base, fixed_platform, list_bases
from ci.dockerfile.blame import TOO_LONG, find_line
from ci.dockerfile.git import ATTRIBUTES, GIT, MODULES, is_tracked, list_submodules, read_attributes
from ci.dockerfile.ignore import IgnoreFile, glob_expression, ignore_files, parse_ignore
from ci.dockerfile.parser import (
    AUTOMATIC,
    NO_TEXT,
    Dockerfile,
    Instruction,
    assignments,
    expand,
    find_target,
    parse_dockerfile,
)
from ci.dockerfile.sought import Sought, list_sought
from ci.dockerfile.stages import (
    SCRATCH,
    Scope,
    Step,
    find_remote,
    lineage,
    list_mounts,
    needed_stages,
    read_stages,
)
from ci.dockerfile.taken import clean_source, list_taken, meets, relative_to

__all__ = [
    "ATTRIBUTES",
    "AUTOMATIC",
    "GIT",
    "MODULES",
    "NO_TEXT",
    "SCRATCH",
    "TOO_LONG",
    "Base",
    "Bases",
    "Dockerfile",
    "IgnoreFile",
    "Instruction",
    "Scope",
    "Sought",
    "Step",
    "assignments",
    "clean_source",
    "expand",
    "final_base",
    "find_line",
    "find_remote",
    "find_target",
    "fixed_platform",
    "glob_expression",
    "ignore_files",
    "is_tracked",
    "lineage",
    "list_bases",
    "list_mounts",
    "list_sought",
    "list_submodules",
    "list_taken",
    "meets",
    "needed_stages",
    "parse_dockerfile",
    "parse_ignore",
    "read_attributes",
    "read_stages",
    "relative_to",
]
