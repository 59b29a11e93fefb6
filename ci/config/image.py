"""Reads the images of a configuration: how each is built, and what is checked of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ci.config.build import (
    NETWORKS,
    STAGE,
    read_arguments,
    read_hosts,
    read_labels,
    read_names,
    read_size,
    read_ulimits,
)
from ci.config.checks import LINE, NO_SMOKE, PLATFORMS
from ci.config.contexts import check_targets, read_contexts
from ci.config.cursor import Cursor, take
from ci.config.matrix import KEY, list_entries, unite_findings
from ci.config.paths import PATH_HELP, Source, expect_generated, read_file, read_folder, read_generated, read_path
from ci.config.repository import read_repositories
from ci.config.services import read_services
from ci.config.smoke import read_smoke
from ci.config.supply import read_sbom
from ci.config.tags import read_flavor, read_tags
from ci.core.model import TARGET_CONTEXT, Image
from ci.core.names import COMPONENT
from ci.core.text import show

REQUIRED = {
    "name": "lower-case letters and digits, single separators (. _ -) between them, such as backend",
    "dockerfile": PATH_HELP,
    "platforms": "a list of platforms, such as [linux/amd64, linux/arm64]",
    "smoke": "a list of checks, or none together with smoke-reason",
}
OPTIONAL = (
    *("repository", "title", "description", "context", "contexts", "build-args", "target", "secrets", "ssh", "network"),
    *("extra-hosts", "shm-size", "ulimits", "git", "generated", "budget", "services", "smoke-reason"),
    *("labels", "annotations", "release", "tags", "flavor", "sbom", KEY),
)
MAX_NAME = 128
PROSE = re.compile("(?=\\s*\\S)[^\x00-\x08\x0b-\x1f\x7f-\x9f]+")


def read_images(cursor: Cursor, source: Source, *, sbom: str = "") -> tuple[Image, ...]:
    """Read all images, and hold those against each other that need each other.

    Args:
        cursor: the list.
        source: what is known of it.
        sbom: the image that lists the packages of those that do not say it.

    """
    images: list[Image] = []
    needed: dict[str, list[Cursor]] = {}
    entries = list_entries(cursor)
    for item in entries:
        fields = item.record(REQUIRED, OPTIONAL)
        image = _image(fields, source, sbom)
        if image.name and any(image.name == other.name for other in images):
            item.report(
                f"two images are called {show(image.name)}",
                accepted="a name of its own for each",
                key=f"{item.key}.name",
            )
        elif image.name:
            needed[image.name] = [fields[key] for key in ("contexts", "services") if key in fields]
        images.append(image)
    check_targets(images, needed)
    _check_needed(entries, images)
    cursor.findings.extend(unite_findings(entries))
    return tuple(images)


def _check_needed(entries: Sequence[Cursor], images: Sequence[Image]) -> None:
    """Write down which images are neither released nor needed for one that is."""
    known = {image.name: image for image in images}
    needed: set[str] = set()
    left = [image.name for image in images if image.release]
    while left:
        name = left.pop()
        if name in known and name not in needed:
            needed.add(name)
            left += known[name].needs
    for entry, image in zip(entries, images, strict=True):
        if image.name and image.name not in needed:
            entry.report(
                f"{show(image.name)} is not released, and no image that is released needs it",
                accepted=f"{TARGET_CONTEXT}{image.name} in another image, under contexts or services, or release: true",
                key=f"{entry.key}.release",
            )


def _image(fields: Mapping[str, Cursor], source: Source, sbom: str) -> Image:
    platforms = take(fields, "platforms", lambda c: c.unique(lambda p: p.choice(PLATFORMS)), ())
    same, each = take(fields, "build-args", lambda c: read_arguments(c, platforms), ({}, {}))
    services = take(fields, "services", read_services, ())
    smoke = take(fields, "smoke", lambda c: read_smoke(c, platforms or PLATFORMS, services=services, source=source), ())
    generated = take(fields, "generated", read_generated, ())
    kinds = expect_generated(source.kinds, generated)
    name = take(fields, "name", _name, "")
    return Image(
        name=name,
        repositories=take(fields, "repository", lambda c: read_repositories(c, [name]), ()),
        title=take(fields, "title", lambda c: c.matching(LINE, "text on one line"), None),
        description=take(fields, "description", lambda c: c.matching(PROSE, "text"), None),
        dockerfile=take(fields, "dockerfile", lambda c: read_file(c, kinds), ""),
        context=take(fields, "context", lambda c: read_folder(c, kinds), "."),
        contexts=take(fields, "contexts", lambda c: read_contexts(c, kinds), {}),
        platforms=platforms,
        build_args=same,
        platform_args=each,
        target=take(fields, "target", lambda c: c.matching(STAGE, "a stage of the Dockerfile"), None),
        secrets=take(fields, "secrets", read_names, ()),
        ssh=take(fields, "ssh", read_names, ()),
        network=take(fields, "network", lambda c: c.choice(NETWORKS), None),
        extra_hosts=take(fields, "extra-hosts", read_hosts, {}),
        shm_size=take(fields, "shm-size", read_size, None),
        ulimits=take(fields, "ulimits", read_ulimits, ()),
        git=take(fields, "git", lambda c: _git(c, fields), default=False),
        generated=generated,
        budget=take(fields, "budget", read_size, None),
        services=services,
        smoke=smoke,
        smoke_reason=_smoke_reason(fields),
        labels=take(fields, "labels", read_labels, {}),
        annotations=take(fields, "annotations", read_labels, {}),
        release=take(fields, "release", Cursor.boolean, default=True),
        tags=take(fields, "tags", read_tags, None),
        flavor=take(fields, "flavor", read_flavor, ()),
        sbom=take(fields, "sbom", read_sbom, sbom),
    )


def _name(cursor: Cursor) -> str:
    name = cursor.matching(COMPONENT, REQUIRED["name"])
    if len(name) > MAX_NAME:
        cursor.report(f"{show(name)} has {len(name)} characters", accepted=f"at most {MAX_NAME}")
    return name


def _git(cursor: Cursor, fields: Mapping[str, Cursor]) -> bool:
    git = cursor.boolean()
    if git and "context" in fields and read_path(fields["context"].quiet()) not in ("", "."):
        message = f".git is at the root of the source, and the context is {fields['context'].shown}"
        cursor.report(message, accepted="git: true together with context: .")
    return git


def _smoke_reason(fields: Mapping[str, Cursor]) -> str | None:
    none = "smoke" in fields and fields["smoke"].node.value == NO_SMOKE
    if "smoke-reason" not in fields:
        if none:
            fields["smoke"].report("smoke: none gives no reason", accepted="smoke-reason: with a sentence")
        return None
    if not none:
        fields["smoke-reason"].report("the image does not say smoke: none", accepted="no such key")
    return fields["smoke-reason"].matching(LINE, "text on one line")
