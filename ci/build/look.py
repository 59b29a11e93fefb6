"""Looks at paths of an image: a program of its own, run beside the image's file system, of whatever platform.

It imports the standard library alone, so that any Python can run it: `python look.py ROOT PATHS RESULT`, where ROOT is
the folder that holds the file system, PATHS is a JSON list of [path, whether a link is followed, whether its text is
wanted], and RESULT is the file that the facts are written to, a JSON list of Facts' fields. The engine's own answer
about a file leaves out setuid, setgid and sticky bits, and its owner (0.21.8, core/directory.go, Stat).
"""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_LIMIT = 16 << 20  # bytes of a file that are read; a check looks at text


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is at a path; `fault` says why nobody can tell."""

    exists: bool = False
    mode: int = 0  # as st_mode has it, with the kind of file
    uid: int = 0
    gid: int = 0
    text: str = ""
    fault: str = ""


def look(path: str, *, follow: bool, read: bool) -> Facts:
    """Look at one path."""
    try:
        found = Path(path).stat(follow_symlinks=follow)
        text = _text(path) if read else ""
    except (FileNotFoundError, NotADirectoryError):
        return Facts()
    except OSError as error:
        return Facts(exists=True, fault=error.strerror or type(error).__name__)
    return Facts(exists=True, mode=found.st_mode, uid=found.st_uid, gid=found.st_gid, text=text)


def _text(path: str) -> str:
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(0, "it is no file that can be read")
    with Path(path).open("rb") as stream:
        content = stream.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise OSError(0, f"it holds more than {_LIMIT} bytes")
    return content.decode(errors="replace")


def main() -> None:
    """Look at all paths, and write down what is there."""
    root, paths, result = sys.argv[1:]
    with Path(result).open("w") as stream:
        os.chroot(root)  # a link of the image leads to where it leads in the image
        os.chdir("/")
        facts = [look(path, follow=follow, read=read) for path, follow, read in json.loads(paths)]
        json.dump([asdict(each) for each in facts], stream)


if __name__ == "__main__":
    main()
