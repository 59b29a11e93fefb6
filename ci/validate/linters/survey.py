"""Lists the files of a folder, with their sizes and the texts of those that are looked into; standard library only.

Run as `survey.py RESULT FOLDER PATH...`: writes JSON to the file RESULT. Keys: files (path: bytes, links as 0),
directories (those that hold nothing), kinds (what each PATH is: file, directory, missing, outside), texts (path:
text, or null for what is no text of at most 1 MiB), links (path: the file in the folder that it leads to, of the PATHs
and of what is called like a Dockerfile) and pointers (the files that Git LFS has not fetched). Texts are those of the
PATHs that are files and of what they lead to, of every .dockerignore and .gitattributes, of the workflows, of
.gitmodules, of dagger.json and of hadolint's configuration.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci.validate.tree import Survey

MAX_TEXT = 1 << 20
# Source: git-lfs, docs/spec.md: a pointer begins with its version, and has less than 1024 bytes.
_POINTER, _MAX_POINTER = b"version https://git-lfs.github.com/spec/v1\n", 1024


def survey(root: Path, paths: Sequence[str]) -> Survey:
    """Look at a folder; links are followed only for `paths`, and never out of it."""
    root = root.resolve()
    files: dict[str, int] = {}
    empty: list[str] = []
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in [*names, *links]:
            path = here / name
            files[path.relative_to(root).as_posix()] = 0 if path.is_symlink() else path.lstat().st_size
        folders[:] = sorted(set(folders) - set(links))
        if not folders and not names and not links and here != root:
            empty.append(here.relative_to(root).as_posix())
    kinds = {path: _kind(root, path) for path in paths}
    read = {path for path, kind in kinds.items() if kind == "file"} | {path for path in files if _wanted(path)}
    leads = dict(_links(root, [*paths, *filter(_named, files)]))
    read |= {leads[path] for path in paths if path in leads}
    texts = {path: _text(root, path) for path in sorted(read)}
    lfs = any(path.endswith(".gitattributes") and "filter=lfs" in (text or "") for path, text in texts.items())
    return {
        "files": files,
        "directories": empty,
        "kinds": kinds,
        "texts": texts,
        "links": leads,
        "pointers": [path for path, size in files.items() if lfs and _is_pointer(root / path, size)],
    }


def _named(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return "dockerfile" in name or "containerfile" in name


def _links(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        if (root / path).is_symlink() and _kind(root, path) == "file":
            yield path, (root / path).resolve().relative_to(root).as_posix()


def _is_pointer(path: Path, size: int) -> bool:
    if not len(_POINTER) < size < _MAX_POINTER:
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def _wanted(path: str) -> bool:
    if path.startswith(".github/"):
        return path.endswith((".yml", ".yaml"))
    known = ("dagger.json", ".gitmodules", ".hadolint.yaml", ".hadolint.yml")
    return path in known or path.endswith((".dockerignore", ".gitattributes"))


def _kind(root: Path, path: str) -> str:
    found = root / path
    if not os.path.lexists(found):
        return "missing"
    real = found.resolve()
    if not real.is_relative_to(root) or not real.exists():
        return "outside"  # a link that leads out of the folder, or nowhere
    return "directory" if real.is_dir() else "file"


def _text(root: Path, path: str) -> str | None:
    if _kind(root, path) != "file":
        return None
    file = (root / path).resolve()
    if not file.is_file() or file.stat().st_size > MAX_TEXT:
        return None
    try:
        return file.read_bytes().decode()
    except (UnicodeDecodeError, OSError):
        return None


if __name__ == "__main__":
    # A file, since what is printed is shown to the user; ASCII only, whatever a file is called.
    Path(sys.argv[1]).write_text(json.dumps(survey(Path(sys.argv[2]), sys.argv[3:])))
