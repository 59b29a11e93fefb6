"""Reduces all that decides what a variant becomes to a digest: the same digest, the same image, without a build."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256

from ci.core.checks import SmokeCheck
from ci.core.model import Compression, Image, Variant
from ci.dockerfile import Dockerfile, find_remote, parse_dockerfile

# Raised whenever ci/ changes what an image becomes, or what has to pass before a release: all images are built again.
RULES = 4

# Annotations of a variant's entry in the index of a release. They are written by releases whose every check passed.
INPUTS = "dev.drydock.inputs"
PARTS = "dev.drydock.inputs.parts"  # each part by itself, shortened, so that a report can say which one changed

_SHORT = 12  # digits of a part's digest
_WORD = re.compile(r"\w+", re.ASCII)
# Labels that decide nothing: those of the commit, and those that follow from the Dockerfile and the bases.
_FOLLOWING = frozenset(f"org.opencontainers.image.{key}" for key in ("revision", "created", "base.name", "base.digest"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What decides what a variant becomes: the SHA-256 of each part, in hexadecimal, by its name."""

    parts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The digest of all parts."""
        return f"sha256:{_digest(dict(self.parts))}"

    @property
    def annotations(self) -> dict[str, str]:
        """What a release records of them."""
        short = " ".join(f"{name}={value[:_SHORT]}" for name, value in sorted(self.parts.items()))
        return {INPUTS: self.digest, PARTS: short}

    def changed(self, recorded: Mapping[str, str]) -> str:
        """Name the parts that differ from those a release recorded; nothing where all are the same."""
        if recorded.get(INPUTS) == self.digest:
            return ""
        pairs = (part.partition("=") for part in recorded.get(PARTS, "").split())
        earlier = {name: value for name, _, value in pairs}
        names = sorted({*self.parts, *earlier})
        return ", ".join(n for n in names if self.parts.get(n, "")[:_SHORT] != earlier.get(n, "")) or "something"


def digest_inputs(
    variant: Variant,
    *,
    dockerfile: str,
    context: str,
    bases: Mapping[str, str],
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    compression: Compression,
    builder: str,
    history: str | None = None,
) -> Inputs:
    """Reduce what decides what a variant becomes.

    Args:
        variant: of the configuration.
        dockerfile: its text.
        context: the digests of the build context, without what .dockerignore leaves out, and of named folders.
        bases: the digest of each image it is built from.
        arguments: of the build, with those that every build is given.
        labels: that are put on; those that name the commit or the base decide nothing by themselves.
        compression: of the layers.
        builder: what builds: the versions of BuildKit and of the engine.
        history: the commit whose .git the build is given, and the version that its tag says; None: it is given none. Of
            one commit, .git differs with each checkout and each fetch, so that its files cannot be compared.

    """
    image = variant.image
    # What every build is given decides something only where the Dockerfile names it.
    joined = " ".join(made.arguments for made in parse_dockerfile(dockerfile).instructions)  # without continuations
    named = frozenset(_WORD.findall(f"{dockerfile} {joined}"))
    own = image.arguments(variant.platform)
    given = {name: value for name, value in arguments.items() if name in named - {*own}}
    values: dict[str, object] = {
        "rules": RULES,
        "builder": builder,
        "platform": variant.platform,
        "dockerfile": [image.dockerfile, dockerfile],
        "context": [image.context, context],
        "bases": dict(bases),
        "build-args": own,
        "target": image.target,
        "options": [dict(image.contexts), image.network, dict(image.extra_hosts), image.shm_size, image.ulimits],
        "smoke": [[_check(check) for check in variant.checks], [asdict(service) for service in image.services]],
        "budget": image.budget,
        "compression": compression.value,
        "labels": {**{name: value for name, value in labels.items() if name not in _FOLLOWING}, **image.labels},
        **({"annotations": dict(image.annotations)} if image.annotations else {}),
        **({"git": history} if history else {}),
        **given,
    }
    return Inputs(parts={name: _digest(value) for name, value in values.items()})


def why_not_reusable(image: Image, dockerfile: Dockerfile) -> str:
    """Say why nobody can tell beforehand whether a build would give the same image; nothing where it can be told.

    What RUN fetches from the network is not seen: that is what the age of an image is limited for. Nor are triggers
    that a base image sets by ONBUILD.
    """
    return next(_doubts(image, dockerfile), "")


def _doubts(image: Image, dockerfile: Dockerfile) -> Iterator[str]:
    if image.secrets:
        yield f"its build is given secrets, whose values nobody compares: {', '.join(image.secrets)}"
    if image.ssh:
        yield f"its build asks SSH agents, whose answers nobody compares: {', '.join(image.ssh)}"
    if image.needs:
        yield f"it is built on, or checked beside, another image of the same run: {', '.join(image.needs)}"
    for fault in dockerfile.faults:
        yield f"its Dockerfile cannot be read: line {fault.line}: {fault.message}"
    for instruction in dockerfile.instructions:
        if instruction.keyword == "ONBUILD":
            yield f"line {instruction.line} of its Dockerfile is ONBUILD"
    if remote := find_remote(dockerfile):
        yield f"line {remote.line} of its Dockerfile adds what is not in the context"


def _check(check: SmokeCheck) -> object:
    return {"kind": type(check.check).__name__, **asdict(check)}


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode()).hexdigest()
