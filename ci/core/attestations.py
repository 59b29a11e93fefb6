"""Reads what is attested of a variant: how it was made, and what is in it.

An attestation manifest names statements, each a layer. Its entry in the index names the variant that it is about.
Source of the shapes: BuildKit, docs/attestations; in-toto attestation framework 1.0, spec/v1/statement.md; SLSA 1.0,
provenance.md; SPDX 2.3, annex of the JSON format.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any  # documents of others, whose shape each reader checks
from urllib.parse import parse_qs, unquote, urlsplit

from ci.core.errors import DrydockError
from ci.core.names import short_reference

PROVENANCE = "https://slsa.dev/provenance/"  # what its predicate type begins with; a version follows
SBOM = "https://spdx.dev/Document"
IN_TOTO = "application/vnd.in-toto+json"
PREDICATE = "in-toto.io/predicate-type"  # an annotation of a layer
MAX_STATEMENT = 48 * 1024 * 1024  # bytes; BuildKit takes 40 MiB of what a generator writes

# What a package of a distribution is called in its address (package-url, PURL-TYPES.rst).
_OF_DISTRIBUTIONS = frozenset(("deb", "rpm", "apk", "alpm"))

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986, 2: what a URI is written with
_LONGEST = 500  # characters of an address


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What is said of something: an in-toto statement."""

    predicate_type: str
    subjects: tuple[str, ...]  # digests of what it is about, such as "sha256:..."
    predicate: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """How a variant was made, by the word of what built it."""

    revision: str = ""  # the commit, where the build was told
    source: str = ""  # where that is kept
    dockerfile: str = ""  # relative to the source
    bases: tuple[tuple[str, str], ...] = ()  # images that were taken: each short reference, and its digest
    beside: tuple[str, ...] = ()  # digests of images that the same run had built, and that it was built on
    arguments: Mapping[str, str] = field(default_factory=dict)  # of the build
    secrets: tuple[str, ...] = ()  # names of those that it was given; never a value
    mode: str = "min"  # "max" where it also has the Dockerfile and each step
    platform: str = ""  # of the builder
    builder: str = ""  # address of what ran the build, where the build was told
    started: str = ""  # RFC 3339
    finished: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Package:
    """One package of an SBOM."""

    name: str
    version: str
    kind: str  # of its address, such as "deb" or "pypi"; "" where it has none


@dataclass(frozen=True, kw_only=True, slots=True)
class Sbom:
    """What is in a variant, or in a stage beside it."""

    name: str  # of what was scanned: "sbom" for the variant, "sbom-build" for the stage build
    packages: tuple[Package, ...]
    distribution: str = ""  # such as "debian-13"; "" where none is named

    @property
    def of_distribution(self) -> bool:
        """Whether it lists packages of a distribution."""
        return any(package.kind in _OF_DISTRIBUTIONS for package in self.packages)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attested:
    """All that is attested of one variant."""

    provenance: Provenance | None = None
    sbom: Sbom | None = None  # of the variant itself
    stages: tuple[Sbom, ...] = ()  # of what is not in it


def read_statement(body: bytes, digest: str) -> Statement:
    """Read an in-toto statement.

    Args:
        body: of the layer.
        digest: of that, for an error.

    Raises:
        DrydockError: it is none.

    """
    with _Reading(digest, "an in-toto statement"):
        document = json.loads(body)
        subjects = [
            f"{name}:{value}" for each in document.get("subject") or [] for name, value in each["digest"].items()
        ]
        predicate = document["predicate"]
        if not str(document["_type"]).startswith("https://in-toto.io/Statement/") or not isinstance(predicate, dict):
            raise ValueError
        return Statement(
            predicate_type=str(document["predicateType"]), subjects=tuple(dict.fromkeys(subjects)), predicate=predicate
        )


def read_provenance(predicate: Mapping[str, Any], digest: str) -> Provenance:
    """Read how a variant was made.

    Args:
        predicate: of the statement, SLSA 1.
        digest: of the statement, for an error.

    Raises:
        DrydockError: it is not of that kind.

    """
    with _Reading(digest, "provenance of SLSA 1"):
        definition, run = predicate["buildDefinition"], predicate["runDetails"]
        asked = definition["externalParameters"]
        internal = definition.get("internalParameters") or {}
        metadata = run.get("metadata") or {}
        more = metadata.get("buildkit_metadata") or {}
        vcs = more.get("vcs") or {}
        request = asked.get("request") or {}
        given = (request.get("args") or {}).items()
        taken = definition.get("resolvedDependencies") or []
        folder = str(vcs.get("localdir:dockerfile") or "").strip("./")
        path = str((asked.get("configSource") or {}).get("path") or "")
        return Provenance(
            revision=str(vcs.get("revision") or ""),
            source=str(vcs.get("source") or ""),
            dockerfile="/".join(filter(None, (folder, path))),
            bases=tuple(dict.fromkeys(_images(taken))),
            beside=tuple(f"sha256:{t['digest']['sha256']}" for t in taken if str(t.get("uri")).startswith("pkg:oci/")),
            arguments={k.removeprefix("build-arg:"): str(v) for k, v in given if k.startswith("build-arg:")},
            secrets=tuple(str(secret["id"]) for secret in request.get("secrets") or []),
            # Of a Dockerfile without a step of its own there is no more to say than this.
            mode="max" if (metadata.get("buildkit_completeness") or {}).get("request") is True else "min",
            platform=str(internal.get("builderPlatform") or ""),
            builder=str((run.get("builder") or {}).get("id") or ""),
            started=str(metadata.get("startedOn") or ""),
            finished=str(metadata.get("finishedOn") or ""),
        )


def _images(taken: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for each in taken:
        uri, digests = str(each.get("uri", "")), each.get("digest") or {}
        if uri.startswith("pkg:docker/"):
            # The name ends with @ and the tag, where there is one (BuildKit, util/purl/image.go).
            path, _, version = uri.removeprefix("pkg:docker/").partition("?")[0].partition("@")
            reference = f"{unquote(path)}:{unquote(version)}" if version else unquote(path)
            yield short_reference(reference), f"sha256:{digests.get('sha256', '')}"


def read_sbom(predicate: Mapping[str, Any], digest: str) -> Sbom:
    """Read what is in a variant.

    Args:
        predicate: of the statement, SPDX 2.
        digest: of the statement, for an error.

    Raises:
        DrydockError: it is not of that kind.

    """
    with _Reading(digest, "an SBOM of SPDX 2"):
        if not str(predicate["spdxVersion"]).startswith("SPDX-2"):
            raise ValueError
        described = {
            str(each["relatedSpdxElement"])
            for each in predicate.get("relationships") or []
            if each["relationshipType"] == "DESCRIBES"
        }
        packages: set[Package] = set()
        named: Counter[str] = Counter()
        system = ""
        for each in predicate.get("packages") or []:
            name, version = str(each["name"]), str(each.get("versionInfo") or "")
            address = _address(each)
            if each.get("primaryPackagePurpose") == "OPERATING-SYSTEM":
                system = "-".join(filter(None, (name, version)))
            elif each["SPDXID"] not in described:
                packages.add(Package(name=name, version=version, kind=_kind(address)))
                named.update(parse_qs(address.partition("?")[2].partition("#")[0]).get("distro", ()))
        most = next((name for name, _ in named.most_common(1)), "")
        return Sbom(
            name=str(predicate.get("name") or ""), packages=tuple(sorted(packages)), distribution=system or most
        )


def _address(package: Mapping[str, Any]) -> str:
    references = package.get("externalRefs") or []
    return next((str(r["referenceLocator"]) for r in references if r.get("referenceType") == "purl"), "")


def _kind(address: str) -> str:
    return address.removeprefix("pkg:").partition("/")[0] if address.startswith("pkg:") else ""


def find_text(statement: object, sought: str) -> str:
    """Find a text anywhere in a statement, in what it holds in base64 too; return where, or "" if it is not there.

    Args:
        statement: a predicate, or a part of one.
        sought: such as the value of a secret.

    """
    return next(_places(statement, sought, ()), "")


def _places(value: object, sought: str, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            if sought in name:
                yield ".".join((*path, "a name"))
            yield from _places(part, sought, (*path, name))
    elif isinstance(value, list):
        for part in value:
            yield from _places(part, sought, path)
    elif isinstance(value, str) and (sought in value or sought in _decoded(value)):
        yield ".".join(path)


def _decoded(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def check_builder_id(address: str) -> str:
    """Return the address of what runs a build, or "" where none is given; refuse any other text.

    Raises:
        DrydockError: it is no whole address, is too long, or holds a user name or a password.

    Source: SLSA 1.0, provenance.md, `builder.id`: a URI that says who has built.

    """
    fault = _fault_of(address) if address else ""
    if fault:
        raise DrydockError(
            f"--builder-id {fault}; give the address of what runs this build, such as "
            "https://github.com/acme/app/actions/runs/1/attempts/1, or leave it out"
        )
    return address


def _fault_of(address: str) -> str:
    if len(address) > _LONGEST:
        return f"has {len(address)} characters, more than {_LONGEST}"
    try:
        parts = urlsplit(address) if _ADDRESS.fullmatch(address) else None
        known = parts is not None and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known, parts = False, None
    if parts and parts.username is not None:
        return "holds a user name or a password, and provenance is public"
    return "" if known else "is no whole address of http or https"


class _Reading:
    """Turns whatever a hostile document breaks into one error that names it."""

    def __init__(self, digest: str, what: str) -> None:
        self._text = f"{digest} is not {what}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | IndexError | RecursionError):
            raise DrydockError(self._text) from None
