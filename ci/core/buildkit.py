"""What every room has to know of BuildKit: the version, whose frontend reads a Dockerfile, and how it refuses one."""

from __future__ import annotations

import re

BUILDKIT = "v0.34.2"  # the one place; deploy/engine reads it here
IMAGE = f"moby/buildkit:{BUILDKIT}"
LOGIN = "/root/.docker/config.json"  # where its client looks for logins

# A label of an image that stands in for that one: what its engine's user should read where a base image is not found.
MISSING_BASE = "dev.drydock.missing-base"

# BuildKit's own frontend is as new as any that `# syntax=docker/dockerfile` names; another one is pulled.
FRONTEND = "docker/dockerfile"

UNFETCHED = "failed to resolve source metadata"  # is in what it says of an image that it could not look at

NO_ROOT = (
    "the engine refuses root capabilities, which BuildKit needs in its container: allow them in the engine's own "
    'configuration ("security": {"insecureRootCapabilities": true}), or name another engine (docs/self-hosted.md, '
    '"Root capabilities")'
)
_REFUSED_ROOT = "security.insecure is not allowed"  # util/entitlements of the engine 0.21.8

# As `solver/errdefs/source.go` and `cmd/buildctl/main.go` of moby/buildkit print them.
_PLACE = re.compile(r"^\S.*:(?P<line>\d+)\n-{20}$", re.MULTILINE)
_UNFETCHED = re.compile(rf"{UNFETCHED} for (?P<reference>\S+): .*: not found$")
_SENTENCE = re.compile(r"^error: (?:failed to solve: )?(?P<sentence>.*)", re.MULTILINE | re.DOTALL)


def is_own_frontend(syntax: str) -> bool:
    """Tell whether BuildKit's own frontend stands for a `# syntax=`: docker/dockerfile of any tag, of any mirror."""
    name = re.sub(r"[:@][^/]*$", "", syntax)
    return name == FRONTEND or name.endswith((f"/{FRONTEND}", f"/{FRONTEND}-upstream"))


def place_of(text: str) -> int | None:
    """Read the line of the Dockerfile that an error is about; None where BuildKit names none."""
    found = _PLACE.search(text)
    return int(found["line"]) if found else None


def missing_of(sentence: str) -> str | None:
    """Read which image is not there, from why a build failed; None where it failed for another reason."""
    found = _UNFETCHED.search(sentence)
    return found["reference"] if found else None


def sentence_of(text: str) -> str:
    """Read why BuildKit refused something, from what buildctl printed."""
    found = _SENTENCE.search(text)
    return found["sentence"].strip() if found else text.strip().rpartition("\n")[2]


def needs_root(refusal: str) -> bool:
    """Tell whether an engine has refused a command because of its root capabilities."""
    return _REFUSED_ROOT in refusal
