"""What a Dockerfile and its ignore file say, as BuildKit reads them.

Open `stages.py` first: it walks over a Dockerfile once, and all that judge one stand on that walk.
"""

from ci.dockerfile.bases import Base, Bases, final_base, list_bases
from ci.dockerfile.blame import TOO_LONG, find_line
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

__all__ = [
    "AUTOMATIC",
    "NO_TEXT",
    "SCRATCH",
    "TOO_LONG",
    "Base",
    "Bases",
    "Dockerfile",
    "IgnoreFile",
    "Instruction",
    "Scope",
    "Step",
    "assignments",
    "expand",
    "final_base",
    "find_line",
    "find_remote",
    "find_target",
    "glob_expression",
    "ignore_files",
    "lineage",
    "list_bases",
    "list_mounts",
    "needed_stages",
    "parse_dockerfile",
    "parse_ignore",
    "read_stages",
]
