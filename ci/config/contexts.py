"""Reads the named contexts of an image, which are written as bake writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ci.config.cursor import Cursor
from ci.config.paths import Kinds, read_folder, read_path
from ci.core.model import IMAGE_CONTEXT, TARGET_CONTEXT, Image
from ci.core.names import COMPONENT, REFERENCE, short_reference
from ci.core.text import nearest, show

NAME_HELP = "what a FROM or a --from in the Dockerfile names, such as base or alpine:3.22"
VALUE_HELP = f"{IMAGE_CONTEXT}REFERENCE, {TARGET_CONTEXT}IMAGE, or a folder of the source"
# BuildKit puts nothing in the place of these (dockerfile2llb/convert.go, namedContextFunc).
FIXED = ("scratch", "context")
# What a colon in the first part of a path tells of, as in https://, oci-layout:// and git@host:, lies elsewhere.
ELSEWHERE = re.compile(r"[^/]*:|github\.com/")
_FETCHED = re.compile(r"(?:https?|git|ssh):|[^/]*@|github\.com/")
_LAYOUT = "oci-layout:"


def read_contexts(cursor: Cursor, kinds: Kinds) -> dict[str, str]:
    """Read the contexts of an image by the names that BuildKit compares; the images among them are looked at later."""
    contexts: dict[str, str] = {}
    for written, value in cursor.entries().items():
        name = short_reference(written)
        if not REFERENCE.fullmatch(written):
            value.report(f"the name {show(written)} is not accepted", accepted=NAME_HELP)
        elif name in FIXED:
            value.report(f"{show(written)} always means the same to BuildKit", accepted=NAME_HELP)
        elif name in contexts:
            value.report(f"{show(written)} is the name {show(name)} once more", accepted="each name once")
        contexts[name] = _context(value, kinds)
    return contexts


def _context(cursor: Cursor, kinds: Kinds) -> str:
    written = cursor.quiet().text()
    if written.startswith(IMAGE_CONTEXT):
        if not REFERENCE.fullmatch(written.removeprefix(IMAGE_CONTEXT)):
            accepted = f"a reference in lower case, such as {IMAGE_CONTEXT}alpine:3.22"
            cursor.report(f"{show(written)} names no image", accepted=accepted)
    elif written.startswith(TARGET_CONTEXT):
        if not COMPONENT.fullmatch(written.removeprefix(TARGET_CONTEXT)):
            accepted = f"an image of this configuration, such as {TARGET_CONTEXT}base"
            cursor.report(f"{show(written)} names no image", accepted=accepted)
    elif ELSEWHERE.match(written):
        cursor.report(f"{show(written)} {_reason(written)}", accepted=VALUE_HELP, nearest=_nearest(written))
    else:
        return read_folder(cursor, kinds)
    return written


def _reason(written: str) -> str:
    if written.startswith(_LAYOUT):
        return "is a layout, and a build takes images from registries, or from this configuration"
    if _FETCHED.match(written):
        return "is an address, and what it holds may be another thing at each build"
    return "is none of the contexts that there are"


def _nearest(written: str) -> str:
    scheme, colon, rest = written.partition(":")
    close = nearest(scheme + colon, ("docker-image:", TARGET_CONTEXT))
    begin = IMAGE_CONTEXT if close == "docker-image:" else close
    return begin + rest.lstrip("/") if begin else ""


def context_folders(cursor: Cursor) -> Iterator[str]:
    """List the folders among the contexts of an image, as far as they can be read."""
    for value in cursor.entries().values():
        if not ELSEWHERE.match(value.text()):
            yield read_path(value)


def check_targets(images: Sequence[Image], needed: Mapping[str, Sequence[Cursor]]) -> None:
    """Write down which images that are needed do not exist, lack a platform, or need what needs them.

    Args:
        images: all there are.
        needed: what each image says of its contexts and its services, by its name.

    """
    known = {image.name: image for image in images if image.name}
    circles: set[str] = set()  # the images of those that have been told of
    for name, cursors in needed.items():
        for value, other in _targets(cursors):
            if other not in known:
                close = nearest(other, known)
                accepted = f"{TARGET_CONTEXT} and one of {', '.join(known)}"
                value.report(f"there is no image {show(other)}", accepted=accepted, nearest=close and f"target:{close}")
                continue
            built = known[other].platforms
            missing = [platform for platform in known[name].platforms if built and platform not in built]
            if missing:
                message = f"the image {show(other)} is not built for {', '.join(missing)}"
                value.report(message, accepted=f"an image for all platforms of {name}")
            way = _way(known, other, name)
            if way and not circles.intersection(way):
                circles.update(way)
                message = f"images need each other in a circle: {' needs '.join([name, *way])}"
                value.report(message, accepted="images without a circle")


def _targets(cursors: Sequence[Cursor]) -> Iterator[tuple[Cursor, str]]:
    """List the contexts and services that are images, by what is left of them."""
    for cursor in cursors:
        for entry in cursor.quiet().entries().values():
            value = entry.entries().get("image", entry) if entry.kind == "map" else entry
            written = value.text()
            name = written.removeprefix(TARGET_CONTEXT)
            if written.startswith(TARGET_CONTEXT) and COMPONENT.fullmatch(name):
                yield replace(value, findings=cursor.findings), name


def _way(images: Mapping[str, Image], start: str, end: str) -> list[str]:
    """Find how one image needs another, both included; nothing where it does not."""
    ways = {start: [start]}
    left = [start]
    while left and end not in ways:
        name = left.pop()
        for other in images[name].needs if name in images else ():
            if other not in ways:
                ways[other] = [*ways[name], other]
                left.append(other)
    return ways.get(end, [])
