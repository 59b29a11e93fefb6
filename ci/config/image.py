"""Reads the images of a configuration: how each is built, and what is checked of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ci.config.build import NETWORKS, read_arguments, read_hosts, read_names, read_size, read_ulimits
from ci.config.checks import LINE, NO_SMOKE, PLATFORMS, read_smoke
from ci.config.contexts import check_targets, read_contexts
from ci.config.cursor import Cursor, take
from ci.config.paths import PATH_HELP, Kinds, expect_generated, read_file, read_folder, read_generated, read_path
from ci.config.repository import read_repositories
from ci.core.model import Image
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
    *("extra-hosts", "shm-size", "ulimits", "git", "generated", "budget", "smoke-reason"),
)
MAX_NAME = 128
PROSE = re.compile("(?=\\s*\\S)[^\x00-\x08\x0b-\x1f\x7f-\x9f]+")
TARGET = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]*")


def read_images(cursor: Cursor, kinds: Kinds) -> tuple[Image, ...]:
    """Read all images, and hold those against each other that are built on each other."""
    images: list[Image] = []
    contexts: dict[str, Cursor] = {}
    for item in cursor.items():
        fields = item.record(REQUIRED, OPTIONAL)
        image = _image(fields, kinds)
        if image.name and any(image.name == other.name for other in images):
            item.report(
                f"two images are called {show(image.name)}",
                accepted="a name of its own for each",
                key=f"{item.key}.name",
            )
        elif image.name and "contexts" in fields:
            contexts[image.name] = fields["contexts"]
        images.append(image)
    check_targets(images, contexts)
    return tuple(images)


def _image(fields: Mapping[str, Cursor], kinds: Kinds) -> Image:
    platforms = take(fields, "platforms", lambda c: c.unique(lambda p: p.choice(PLATFORMS)), ())
    smoke = take(fields, "smoke", lambda c: read_smoke(c, platforms or PLATFORMS), ())
    generated = take(fields, "generated", read_generated, ())
    kinds = expect_generated(kinds, generated)
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
        build_args=take(fields, "build-args", read_arguments, {}),
        target=take(fields, "target", lambda c: c.matching(TARGET, "a stage of the Dockerfile"), None),
        secrets=take(fields, "secrets", read_names, ()),
        ssh=take(fields, "ssh", read_names, ()),
        network=take(fields, "network", lambda c: c.choice(NETWORKS), None),
        extra_hosts=take(fields, "extra-hosts", read_hosts, {}),
        shm_size=take(fields, "shm-size", read_size, None),
        ulimits=take(fields, "ulimits", read_ulimits, ()),
        git=take(fields, "git", lambda c: _git(c, fields), default=False),
        generated=generated,
        budget=take(fields, "budget", read_size, None),
        smoke=smoke,
        smoke_reason=_smoke_reason(fields),
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
