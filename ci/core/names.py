"""Names as registries accept them: repositories, tags, and the labels every image carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from ci.core.errors import DrydockError
from ci.core.model import Image, Plan

PLACEHOLDERS = ("{name}", "{owner}")
LATEST = "latest"
MAX_REPOSITORY = 255

_LETTER = "[a-z0-9]"
_PLACEHOLDER = r"\{(?:name|owner)\}"
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_REVISION = re.compile(r"[0-9a-f]{7,64}")
_SHORT = 7  # digits of a revision in a tag
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def _part(letter: str) -> str:
    return rf"{letter}+(?:(?:\.|_|__|-+){letter}+)*"


def _repository(letter: str) -> re.Pattern[str]:
    label = f"{letter}(?:(?:{letter}|-)*{letter})?"
    # A first part with neither dot nor port would be taken for a part of the path, on Docker Hub. A name may hold dots.
    host = rf"(?:localhost|(?=[^/]*(?:[.:]|\{{name\}})){label}(?:\.{label})*)(?::[0-9]{{1,5}})?"
    return re.compile(f"{host}(?:/{_part(letter)})+")


COMPONENT = re.compile(_part(_LETTER))
# With placeholders, each of which stands for what a part may begin and end with.
TEMPLATE = _repository(f"(?:{_LETTER}|{_PLACEHOLDER})")
_REPOSITORY = _repository(_LETTER)
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# Any image, as FROM names one: its registry, tag and digest may be left out.
REFERENCE = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?/)?{COMPONENT.pattern}(?:/{COMPONENT.pattern})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
)
_DEFAULT = re.compile(r"(?:(?:index\.)?docker\.io/)?(?:library/(?=[^/]+$))?")


def fill_repository(template: str, *, name: str, owner: str) -> str:
    """Put an image's name and the owner in the places a template leaves for them."""
    return template.replace("{name}", name).replace("{owner}", owner)


def repository_fault(repository: str) -> str:
    """Say what is wrong with a repository's full name; nothing if it is legal."""
    if len(repository) > MAX_REPOSITORY:
        return f"the repository's name has {len(repository)} characters, more than {MAX_REPOSITORY}"
    if not _REPOSITORY.fullmatch(repository):
        return f"{repository!r} is not a registry and a lower-case repository"
    return ""


def short_reference(reference: str) -> str:
    """Write a reference as BuildKit compares it with the name of a context: without what stands for itself.

    Source: BuildKit, frontend/dockerui/config.go, NamedContext.
    """
    found = _DEFAULT.match(reference)
    return (reference[found.end() :] if found else reference).removesuffix(":latest")


def whole_reference(reference: str) -> str:
    """Write a reference with all that stands for itself, as short_reference leaves it out."""
    first, slash, _ = reference.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        reference = f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def repository_of(template: str, image: Image, *, owner: str | None = None) -> str:
    """Name the repository an image is released to.

    Args:
        template: of the configuration, such as "ghcr.io/{owner}/{name}".
        image: fills {name}.
        owner: fills {owner}, in lower case, since registries take no other.

    Raises:
        DrydockError: the template needs an owner that was not given or is not legal.

    """
    if "{owner}" in template:
        if owner is None:
            raise DrydockError(f"The repository {template!r} needs an owner, and none is given; add --owner NAME")
        if not COMPONENT.fullmatch(owner.lower()):
            raise DrydockError(
                f"The owner {owner!r} cannot be part of a repository's name: "
                "letters and digits, single separators (. _ -) between them"
            )
    repository = fill_repository(template, name=image.name, owner=(owner or "").lower())
    if fault := repository_fault(repository):
        raise DrydockError(f"The repository of image {image.name!r} is not legal: {fault}")
    return repository


def check_revision(revision: str) -> str:
    """Return a revision that is a commit id; refuse anything else.

    Raises:
        DrydockError: it is not 7 to 64 lower-case hexadecimal digits.

    """
    if not _REVISION.fullmatch(revision):
        raise DrydockError(
            f"The revision {revision!r} is not a commit id: 7 to 64 lower-case hexadecimal digits, "
            "as `git rev-parse HEAD` prints them"
        )
    return revision


def check_tag(tag: str) -> str:
    """Return a tag that registries accept; refuse any other.

    Raises:
        DrydockError: it is not a tag as the OCI distribution specification defines it.

    """
    if not _TAG.fullmatch(tag):
        raise DrydockError(
            f"The tag {tag!r} is not legal: a letter, digit or underscore, "
            "then up to 127 letters, digits, underscores, dots and dashes"
        )
    return tag


def sha_tag(revision: str, mark: str = "") -> str:
    """Name the tag that marks a revision, and never moves; with the mark of a version that is built for itself."""
    return f"sha-{check_revision(revision)[:_SHORT]}" + (f"-{mark}" if mark else "")


def rebuilt_tag(revision: str) -> str:
    """Name the tag of what a revision came to when it was last built again, on bases that had moved."""
    return f"{sha_tag(revision)}-rebuilt"


def image_tag(image: Image, tag: str) -> str:
    """Spell a tag as it is in the image's repositories: with what the image puts around all of its tags."""
    around = image.affixes
    prefix = around.prefix if tag != LATEST or around.prefix_latest else ""
    suffix = around.suffix if tag != LATEST or around.suffix_latest else ""
    return check_tag(f"{prefix}{tag}{suffix}")


def own_tag(image: Image, revision: str, mark: str = "") -> str:
    """Name the tag that marks a revision of an image."""
    return image_tag(image, sha_tag(revision, mark))


def origin_of(revision: str) -> str:
    """Name the tag of a revision that a registry tells of; a text that is no revision is named as what it is."""
    return sha_tag(revision) if _REVISION.fullmatch(revision) else "no known commit"


def utc_text(time: datetime) -> str:
    """Write a time as RFC 3339 has it, in UTC: such texts sort as the times do."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def labels_of(
    plan: Plan, image: Image, *, version: str | None = None, created: datetime | None = None
) -> dict[str, str]:
    """Describe an image by the keys of the OCI image specification, for labels and annotations alike.

    Args:
        plan: knows the revision and the address of the source.
        image: knows its title and description.
        version: of the packaged software.
        created: when the image was built, in any time zone.

    Raises:
        ValueError: `created` names no time zone.

    """
    if created is not None and created.tzinfo is None:
        raise ValueError("created needs a time zone")
    known = {
        "created": created and utc_text(created),
        "revision": plan.revision,
        "source": plan.config.source,
        "version": version,
        "title": image.title,
        "description": image.description,
    }
    return {f"org.opencontainers.image.{key}": value for key, value in known.items() if value}


def is_digest(text: str) -> bool:
    """Tell whether a text is a whole digest of an algorithm registered by the image specification."""
    return bool(_DIGEST.fullmatch(text))


def check_digest(digest: str) -> str:
    """Return a digest; refuse anything else.

    Raises:
        DrydockError: it is no digest by SHA-256 or SHA-512.

    """
    if not is_digest(digest):
        raise DrydockError(f"{digest[:140]!r} is not a digest: sha256: and 64 lower-case hexadecimal digits")
    return digest


REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


CREATED = "org.opencontainers.image.created"


VERSION = "org.opencontainers.image.version"


BUILT = "dev.drydock.built"  # an annotation: when a variant was built, if that was long after its commit


def of_commit(values: Mapping[str, str]) -> dict[str, str]:
    """Pick, of labels or annotations, those that say which commit an image is of."""
    return {key: value for key, value in values.items() if key in {REVISION, CREATED}}
