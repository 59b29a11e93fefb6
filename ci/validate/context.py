"""Checks a build context and its .dockerignore, and checks both against what the Dockerfile copies."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ci.core.findings import Finding, error, note, warning
from ci.core.model import Image
from ci.core.text import nearest, show, size_text
from ci.dockerfile import (
    IgnoreFile,
    Scope,
    clean_source,
    glob_expression,
    ignore_files,
    list_mounts,
    meets,
    parse_ignore,
    relative_to,
)
from ci.validate.taken import asks_for_git, fetch_submodule, generated_in
from ci.validate.tree import Tree

LARGE = 100_000_000  # bytes of a context that deserve a second look
_CREDENTIALS = re.compile(
    r"\.env(?!.*\.(?:example|sample|template|dist)$)(?:\..*)?|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pypirc|\.git-credentials"
    r"|.*\.(?:pfx|p12|keystore|jks)"
)
_WILDCARD = re.compile(r"[*?\[]")
_ALIKE = 1000  # paths that are compared with a missing one
_DESCRIBING = (".dockerignore", "Dockerfile")  # what the engine needs of a context, whoever copies it
_GENERATED = "If a step makes it before the build, name it under generated:"
_SHOWN = 5  # credentials that are listed one by one


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The files of a build context, and what of them reaches the build."""

    path: str  # in the source
    ignore_file: str  # in the source; "" where there is none
    ignore: IgnoreFile
    files: Mapping[str, int]  # path in the context: bytes
    sent: frozenset[str]  # the files that reach the build, and the folders they are in
    entries: frozenset[str]  # all files and folders
    hollow: tuple[str, ...] = ()  # submodules that hold nothing

    @property
    def name(self) -> str:
        """What a message calls it."""
        return "the root of the source" if self.path == "." else f"the context {self.path}"

    def in_source(self, path: str) -> str:
        """Name a path of the context as a path of the source."""
        return path if self.path == "." else f"{self.path}/{path}"

    @property
    def size(self) -> int:
        """The bytes of the files that reach the build."""
        return sum(size for path, size in self.files.items() if path in self.sent)


def ignore_file_of(tree: Tree, image: Image) -> str:
    """Find the ignore file that counts for an image; "" where there is none."""
    return next((path for path in ignore_files(image.dockerfile, image.context) if path in tree.files), "")


def read_context(tree: Tree, path: str, ignore_file: str) -> Context:
    """Work out which files of a context reach the builds that use this .dockerignore."""
    prefix = "" if path == "." else f"{path}/"
    ignore = parse_ignore(tree.text(ignore_file) or "", file=ignore_file) if ignore_file else IgnoreFile()
    files = {other.removeprefix(prefix): size for other, size in tree.files.items() if other.startswith(prefix)}
    folders = [other.removeprefix(prefix) for other in tree.directories if other.startswith(prefix)]
    everything = [*files, *folders]
    return Context(
        path=path,
        ignore_file=ignore_file,
        ignore=ignore,
        files=files,
        sent=_with_parents(other for other in everything if not ignore.excluded_by(other)),
        entries=_with_parents(everything),
        hollow=tuple(inside for each in tree.submodules if tree.is_empty(each) and (inside := relative_to(path, each))),
    )


def check_context(context: Context, image: Image, scopes: Sequence[Scope], *, config: str, line: int) -> list[Finding]:
    """Find what is wrong with a context: what it lacks, what it should not hold, and how large it is.

    Args:
        context: the build context of the image.
        image: what the configuration says.
        scopes: the stages of the image's Dockerfile.
        config: the path of the configuration.
        line: the line of the configuration that names the context, or else the image.

    """
    findings = [*_ignore_file(context, config, line), *_credentials(context)]
    steps = [step for scope in scopes for step in scope.steps]
    copies = [(step.made.line, path) for step in steps for path in step.copied()]
    findings += [f for at, path in copies if path is not None for f in _copied(context, image, at, path)]
    mounts = [mount for step in steps for mount in list_mounts(step.made)]
    if not any(mount.kind == "bind" and not mount.origin for mount in mounts):
        findings += _unread(context, image, [path for _, path in copies])
    sent = sum(path in context.sent for path in context.files)
    where = "the source" if context.path == "." else context.path
    text = f"the build context of {image.name} is {size_text(context.size)} in {sent} files of {where}"
    if context.size > LARGE:
        largest = max((path for path in context.files if path in context.sent), key=lambda path: context.files[path])
        remedy = f"Name in .dockerignore what no build needs; the largest file is {context.in_source(largest)}."
        findings.append(warning(config, line, "context-large", text, remedy))
    else:
        findings.append(note(config, line, "context-size", text))
    return findings


def _ignore_file(context: Context, config: str, line: int) -> Iterator[Finding]:
    if not context.ignore_file:
        where = context.in_source(".dockerignore")
        message = f"there is no {where}, so that every file reaches the build and makes it run again"
        yield warning(config, line, "dockerignore-missing", message, "Write one: * first, then !what the build needs.")
        return
    yield from (*context.ignore.faults, *context.ignore.remarks)


def _credentials(context: Context) -> Iterator[Finding]:
    found = sorted(
        path for path in context.files if path in context.sent and _CREDENTIALS.fullmatch(posixpath.basename(path))
    )
    for path in found[:_SHOWN]:
        message = f"the build gets {show(path)}, which looks like a credential"
        remedy = f"Add {path} to {context.in_source('.dockerignore')}."
        yield warning(context.in_source(path), 1, "context-credential", message, remedy)


def _copied(context: Context, image: Image, line: int, path: str) -> Iterator[Finding]:
    """Look for one source of a COPY among what reaches the build."""
    file = image.dockerfile
    clean = clean_source(path)
    if clean == ".." or clean.startswith("../"):
        message = f"{show(path)} leads out of the context {context.path}, where no build can reach"
        yield error(file, line, "copy-outside", message, "Name a path in the context, or widen context: to hold it.")
        return
    if clean == "." or _any(clean, context.sent) or asks_for_git(clean, context.path, image):
        return
    if hidden := _any(clean, context.entries):
        by = context.ignore.excluded_by(hidden) or next(
            (
                p
                for other in context.files
                if other.startswith(f"{hidden}/") and (p := context.ignore.excluded_by(other))
            ),
            None,
        )
        why = f"{context.ignore_file}:{by.line} {by.text!r}" if by else context.ignore_file
        message = f"{show(path)} is copied, and {why} keeps it from the build"
        yield error(file, line, "copy-ignored", message, f"Add !{clean} below that line.")
        return
    if made := next((other for other in generated_in(image, context.path) if meets(clean, other)), ""):
        yield from _made(context, image, line, clean, made)
        return
    if _WILDCARD.search(clean):
        message = f"no file of the context {context.path} matches {show(path)}, which copies nothing then"
        yield note(file, line, "copy-empty", message, "That is no mistake where the file need not be there.")
        return
    close = nearest(clean, _alike(clean, context.sent))
    remedy = f"Did you mean {close!r}?" if close else f"Paths are looked up in {context.name}. {_GENERATED}"
    if hollow := next((each for each in context.hollow if meets(clean, each)), ""):
        remedy = f"{hollow} is a submodule that holds nothing here. {fetch_submodule(context.in_source(hollow))}"
    yield error(file, line, "copy-missing", f"{show(path)} is copied, and is not in the context", remedy)


def _made(context: Context, image: Image, line: int, path: str, made: str) -> Iterator[Finding]:
    """Look whether what a step makes would reach the build."""
    there = made if _WILDCARD.search(path) else path
    back = any(p.keep and p.path.startswith(f"{there}/") for p in context.ignore.patterns)
    if not _WILDCARD.search(there) and not back and (by := context.ignore.excluded_by(there)):
        message = f"{show(path)} is copied, and {context.ignore_file}:{by.line} {by.text!r} keeps it from the build"
        yield error(image.dockerfile, line, "copy-ignored", message, f"Add !{there} below that line.")


def _unread(context: Context, image: Image, copies: Sequence[str | None]) -> Iterator[Finding]:
    """Name what reaches the build though nothing takes it; say nothing where that is not sure."""
    taken = {re.split(r"[*?\[\\]", path.lstrip("/"))[0] if path else "" for path in copies}
    folders = {posixpath.normpath(path) for path in taken}
    if "." in folders or not folders:
        return
    own = (*_DESCRIBING, posixpath.basename(image.dockerfile), f"{posixpath.basename(image.dockerfile)}.dockerignore")
    unread = sorted(
        path
        for path in context.files
        if path in context.sent
        and posixpath.basename(path) not in own
        and not any(path.startswith(folder) for folder in folders)
    )
    if unread:
        message = (
            f"{len(unread)} of the files that reach the build of {image.name} are not copied, "
            f"such as {show(unread[0])}: a change of one makes the build and its checks run again"
        )
        remedy = f"Write {image.dockerfile}.dockerignore: * first, then ! and each path that it copies."
        yield note(image.dockerfile, 1, "context-unread", message, remedy)


def _alike(path: str, paths: frozenset[str]) -> list[str]:
    """Keep the paths that are worth comparing: in the same folder, or with the same last part."""
    folder, name = posixpath.split(path)
    return [other for other in paths if posixpath.dirname(other) == folder or posixpath.basename(other) == name][
        :_ALIKE
    ]


def _any(pattern: str, paths: frozenset[str]) -> str:
    """Find a path that a source of a COPY stands for."""
    if not _WILDCARD.search(pattern):
        return pattern if pattern in paths else ""
    try:
        expression = glob_expression(pattern)
    except ValueError:
        return ""
    return next((path for path in sorted(paths) if expression.fullmatch(path)), "")


def _with_parents(paths: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for each in paths:
        path = each
        while path and path not in found:
            found.add(path)
            path = posixpath.dirname(path)
    return frozenset(found)
