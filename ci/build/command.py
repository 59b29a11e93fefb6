"""Says how BuildKit is asked for one variant: the words of `buildctl build`, and what goes with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ci.core.attestations import SBOM
from ci.core.buildkit import FRONTEND, is_own_frontend
from ci.core.model import IMAGE_CONTEXT, Compression, Image
from ci.core.names import REVISION, SOURCE
from ci.core.supply import ProvenanceMode

# Where the parts of a build stand in the container that runs buildctl.
CONTEXT, DOCKERFILE, SECRETS, AGENT, POLICY = (
    "/context",
    "/dockerfile",
    "/run/secrets",
    "/run/agent.sock",
    "/policy.json",
)
CONTEXTS, LAYOUTS, EXCERPT = "/contexts", "/layouts", "/excerpt.awk"
OUT = "/out"
ARCHIVE, SAID = f"{OUT}/image.tar", f"{OUT}/said"  # what BuildKit has made, and what is read of it
STEPS = "steps:"  # the line of SAID behind the documents

# Of the cache: all stages, and nothing of it can fail a build.
_CACHE_OPTIONS = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
_SPECIAL = re.compile(r'[",\r\n]|^\s')
_MAX_DOCUMENT = 4 * 1024 * 1024  # bytes of a manifest or a configuration

# Keeps of the archive what is read of it, and of a failure what a report can show.
SCRIPT = rf"""
set -u
mkdir -p {OUT} /documents {LAYOUTS}
for layout in {LAYOUTS}/*.tar; do
    [ -e "$layout" ] && mkdir "${{layout%.tar}}" && tar -xf "$layout" -C "${{layout%.tar}}"
done
buildctl "$@" 2> /progress || {{
    code=$?
    awk -f {EXCERPT} /progress /progress >&2
    exit $code
}}
cd /documents
small=$(tar -tvf {ARCHIVE} | awk '$1 ~ /^-/ && $3 < {_MAX_DOCUMENT} && $6 != "oci-layout" {{ print $6 }}')
tar -xf {ARCHIVE} $small
for document in $small; do
    # An SBOM is long, and is read from the registry.
    if [ "$(head -c 1 "$document")" = "{{" ] && ! head -c 300 "$document" | grep -q {SBOM}; then
        printf '%s ' "$document"
        base64 "$document" | tr -d '\n'
        echo
    fi
done > {SAID}
echo {STEPS} >> {SAID}
grep '"vertexes"' /progress | tail -c 1000000 >> {SAID}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheUse:
    """Which layer caches a build reads, and which one it writes."""

    read: tuple[str, ...] = ()  # references, such as "ghcr.io/acme/app:cache-linux-amd64"
    write: str = ""
    insecure: bool = False  # whether the registry speaks HTTP without TLS
    none: bool = False  # whether nothing counts that was built before, by whomever


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked of BuildKit for one variant."""

    image: Image
    platform: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    compression: Compression
    syntax: str = ""  # what the Dockerfile's `# syntax=` names
    epoch: int | None = None  # seconds since 1970: the time of the image, and the latest of its files
    cache: CacheUse = field(default_factory=CacheUse)
    layouts: Mapping[str, str] = field(default_factory=dict)  # digest of each image of this run, by its context's name
    provenance: ProvenanceMode = ProvenanceMode.MAX
    generator: str = ""  # reference of the image that lists the packages; "": none does
    names: tuple[str, ...] = ()  # references that it will have; what is attested of it says them
    builder_id: str = ""  # address of what runs the build, which is attested too
    empty: str = ""  # of a build from nothing: what marks the cache mounts that are its own


def build_words(wanted: Wanted) -> list[str]:
    """List the words of `buildctl build`."""
    image = wanted.image
    options = dict(build_options(wanted))
    words = ["build", "--progress", "rawjson", "--frontend", "dockerfile.v0"]
    words += ["--local", f"context={CONTEXT}", "--local", f"dockerfile={DOCKERFILE}"]
    for name, value in options.items():
        words += ["--opt", f"{name}={value}"]
    for name in image.secrets:
        words += ["--secret", f"id={name},src={SECRETS}/{name}"]
    for name in image.ssh:
        words += ["--ssh", f"{name}={AGENT}"]
    for name, value in image.contexts.items():
        part = part_of(image, name)
        if name in wanted.layouts:
            words += ["--oci-layout", f"{part}={LAYOUTS}/{part}"]
        elif not value.startswith(IMAGE_CONTEXT):
            words += ["--local", f"{part}={CONTEXTS}/{part}"]
    if image.network == "host":
        words += ["--allow", "network.host"]
    words += ["--no-cache"] if wanted.empty else []
    insecure = ",registry.insecure=true" if wanted.cache.insecure else ""
    for reference in wanted.cache.read:
        words += ["--import-cache", f"type=registry,ref={reference}{insecure}"]
    if reference := wanted.cache.write:
        # As the image is: a layer of both would be compressed, sent and kept twice.
        ways = f"{_CACHE_OPTIONS},compression={wanted.compression.value}{insecure}"
        words += ["--export-cache", f"type=registry,ref={reference},{ways}"]
    return [*words, "--source-policy-file", POLICY, "--output", _output(wanted)]


def build_options(wanted: Wanted) -> Iterator[tuple[str, str]]:
    """List the frontend's options."""
    image = wanted.image
    yield "filename", image.dockerfile.rpartition("/")[2]
    yield "platform", wanted.platform
    # What is not released is asked for too: it says which images the build took.
    mode = ProvenanceMode.MIN if wanted.provenance is ProvenanceMode.OFF else wanted.provenance
    builder_id = [f"builder-id={wanted.builder_id}"] if wanted.builder_id else []
    yield "attest:provenance", _csv([f"mode={mode.value}", "version=v1", *builder_id])
    if wanted.generator:
        yield "attest:sbom", f"generator={wanted.generator}"
    yield from _source(wanted)
    if wanted.empty:
        yield "build-arg:BUILDKIT_CACHE_MOUNT_NS", wanted.empty
    if image.target:
        yield "target", image.target
    if wanted.syntax and is_own_frontend(wanted.syntax):
        yield "cmdline", f"{FRONTEND}:1"
    yield from ((f"build-arg:{name}", value) for name, value in wanted.arguments.items())
    yield from ((f"label:{name}", value) for name, value in {**wanted.labels, **image.labels}.items())
    yield from ((f"context:{name}", _context(wanted, name, value)) for name, value in image.contexts.items())
    hosts = [f"{name}={address}" for name, address in image.extra_hosts.items()]
    run = {
        "force-network-mode": image.network or "",
        "add-hosts": _csv(hosts) if hosts else "",
        "shm-size": "" if image.shm_size is None else str(image.shm_size),
        "ulimit": _csv(image.ulimits) if image.ulimits else "",
    }
    yield from ((name, value) for name, value in run.items() if value)


def _source(wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Say where the Dockerfile is from, as buildx does: of files that it is handed, BuildKit knows no source."""
    if revision := wanted.labels.get(REVISION):
        yield "vcs:revision", revision
        yield from (("vcs:source", source) for source in [wanted.labels.get(SOURCE)] if source)
        yield "vcs:localdir:context", wanted.image.context
        yield "vcs:localdir:dockerfile", wanted.image.dockerfile.rpartition("/")[0] or "."


def _context(wanted: Wanted, name: str, value: str) -> str:
    part = part_of(wanted.image, name)
    if digest := wanted.layouts.get(name):
        return f"oci-layout://{part}@{digest}"
    return value if value.startswith(IMAGE_CONTEXT) else f"local:{part}"


def part_of(image: Image, name: str) -> str:
    """Name a context so that it can be a folder's name, which its own, such as "acme/base:1", cannot."""
    return f"part{list(image.contexts).index(name)}"


def write_policy(digests: Mapping[str, str]) -> str:
    """Write a source policy that fixes images to digests.

    Args:
        digests: the digest of each whole reference, such as "docker.io/library/python:3.13-slim".

    Source: BuildKit, docs/build-repro.md, "Pinning the dependencies".

    """
    rules = [
        {
            "action": "CONVERT",
            "selector": {"identifier": f"docker-image://{reference}"},
            "updates": {"identifier": f"docker-image://{reference}@{digest}"},
        }
        for reference, digest in sorted(digests.items())
    ]
    return json.dumps({"rules": rules})


def _output(wanted: Wanted) -> str:
    fields = ["type=oci", f"dest={ARCHIVE}", "oci-mediatypes=true", f"compression={wanted.compression.value}"]
    if wanted.epoch is not None:
        fields.append("rewrite-timestamp=true")
    if wanted.names:
        fields.append(f"name={','.join(wanted.names)}")
    annotations = {**wanted.labels, **wanted.image.annotations}
    return _csv([*fields, *(f"annotation.{key}={value}" for key, value in annotations.items())])


def _csv(fields: Sequence[str]) -> str:
    """Write fields as BuildKit reads them: one record of RFC 4180."""
    return ",".join('"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text for text in fields)
