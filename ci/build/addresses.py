"""The builders of the command line: where they are, what a daemon says of itself, and why one is not reached."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ci.core.errors import DrydockError, SelectionError
from ci.core.text import show, split_values

_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:]+\]|[\w.-]+):\d{1,5}", re.ASCII)
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
_FORM = (
    "a builder is tcp://HOST:PORT, or tcp://HOST:PORT=linux/arm64 with what it is native for. What only this machine "
    "reaches, such as a socket, by SSH or in Kubernetes, needs a forwarded port and --builder-tunnel "
    '(docs/self-hosted.md, "Builders on other machines")'
)
_ALSO_NATIVE = {"amd64": ("amd64", "386"), "arm64": ("arm64",)}  # by the processor; not every arm64 runs 32 bits

_SIGNED = "give --builder-cert and --builder-key, signed by the CA that it was started with"
# As Go's crypto/tls and net, grpc-go and buildctl 0.34.2 print them; the first that is found counts.
_REFUSALS = tuple(
    (re.compile(said), means)
    for said, means in (
        (r"signed by unknown authority", "its certificate is not signed by a CA that is trusted: give --builder-ca"),
        (r"certificate is valid for (?P<names>[^\"\n]*), not ", "its certificate is for {names}, and not for {host}"),
        (
            r"because it doesn't contain any IP SANs|certificate is not valid for any names",
            "its certificate names no host: it needs {host} as a subject alternative name",
        ),
        (r"certificate has expired or is not yet valid", "its certificate has expired, or is not valid yet"),
        (
            r"remote error: tls: (certificate required|bad certificate|unknown certificate|expired certificate)",
            f"it does not accept the client's certificate: {_SIGNED}",
        ),
        (
            r"does not look like a TLS handshake",
            "it does not speak TLS: start it with --tlscert and --tlskey, or give no certificates for it",
        ),
        (r"could not read certificate/key: (?P<why>.*)", "--builder-cert or --builder-key cannot be used: {why}"),
        (r"failed to append ca certs", "--builder-ca holds no certificates in PEM"),
        (r"connection refused", "nothing listens there"),
        (r"no such host", "the engine's network knows no host of that name"),
        (
            r"error reading server preface: EOF|broken pipe|connection reset|error reading from server",
            "it closes the connection: {hint}",
        ),
        (r"frame too large|HTTP status code", "what answers there is not BuildKit"),
    )
)
LIMIT = 10  # seconds that a builder has to answer
_KEYED = f"it may not accept the client's certificate ({_SIGNED})"
_UNKEYED = "it may expect TLS, with --builder-ca, --builder-cert and --builder-key"
_LOST = re.compile(r"(failed to receive status: rpc error: code = )?Unavailable(:| desc =)|no active session for ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a builder is, and what it is said to be native for."""

    url: str  # such as "tcp://arm-1.example.com:1234", which is its name in reports too
    platforms: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The name of the machine, which its certificate has to have."""
        return self.url.removeprefix("tcp://").rpartition(":")[0].strip("[]")

    @property
    def port(self) -> str:
        """The port at the machine."""
        return self.url.rpartition(":")[2]

    @property
    def on_loopback(self) -> bool:
        """Whether it is reached from this machine alone."""
        return _LOOPBACK.fullmatch(self.host) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """What a daemon says of itself."""

    version: str  # of BuildKit, such as "v0.34.2"
    platforms: tuple[str, ...]  # its processor's own first, then those that it emulates too


def parse_builders(given: Iterable[str], platforms: Collection[str]) -> tuple[Address, ...]:
    """Read the builders of the command line; what follows a comma may be another platform of the one before.

    Args:
        given: such as "tcp://arm-1.example.com:1234=linux/arm64".
        platforms: that there are.

    Raises:
        SelectionError: one is not written as it has to be.

    """
    found: dict[str, list[str]] = {}
    url = ""
    for value in split_values(given):
        named, equals, platform = value.partition("=") if "://" in value or not url else (url, "=", value)
        url = named
        if not _ADDRESS.fullmatch(url):
            raise SelectionError(f"--builder {show(value)}: {_FORM}")
        if equals and platform not in platforms:
            known = ", ".join(platforms)
            raise SelectionError(f"--builder {show(value)}: {show(platform)} is not a platform; there are {known}")
        found.setdefault(url, []).extend([platform] if platform else [])
    return tuple(Address(url=url, platforms=tuple(dict.fromkeys(native))) for url, native in found.items())


def read_worker(text: str) -> Worker:
    """Read what `buildctl debug workers --format '{{json .}}'` printed: the first worker builds.

    Raises:
        DrydockError: it is something else.

    """
    try:
        worker = json.loads(text)[0]
        platforms = tuple("/".join(filter(None, _parts(each))) for each in worker["platforms"])
        return Worker(version=str(worker["buildkitVersion"]["version"]), platforms=(platforms[0], *platforms[1:]))
    except (ValueError, LookupError, TypeError):
        raise DrydockError("what it says of itself cannot be read: it may be older than BuildKit v0.11") from None


def _parts(platform: dict[str, str]) -> tuple[str, str, str]:
    variant = platform.get("variant", "")
    return platform["os"], platform["architecture"], variant


def is_native(platform: str, own: str) -> bool:
    """Tell whether a processor runs a platform's programs itself.

    Args:
        platform: such as "linux/arm64".
        own: the platform of the processor.

    """
    processor = own.split("/")[1] if "/" in own else own
    return platform == own or platform.split("/")[1] in _ALSO_NATIVE.get(processor, ())


def same_minor(version: str, other: str) -> bool:
    """Tell whether two versions, such as "v0.34.2", have the same first two numbers."""
    return version.lstrip("v").split(".")[:2] == other.lstrip("v").split(".")[:2]


def why_not_reached(text: str, address: Address, *, keys: bool, tunnel: bool) -> str:
    """Say why a builder could not be asked, and what helps.

    Args:
        text: what buildctl printed; nothing where its time was over.
        address: of the builder.
        keys: whether the client was given certificates.
        tunnel: whether it was asked through a tunnel, which takes connections for whatever is behind it.

    """
    if address.on_loopback and not tunnel:
        return f"that is the engine's own container; what this host reaches needs --builder-tunnel {address.url} too"
    doubts = [*(["nothing may listen behind the tunnel"] if tunnel else []), _KEYED if keys else _UNKEYED]
    hint = ", or ".join(doubts)
    if not text:
        return f"no answer in {LIMIT} s: {hint}"
    for pattern, means in _REFUSALS:
        if found := pattern.search(text):
            return means.format(host=address.host, hint=hint, **found.groupdict())
    return text.strip().rpartition("\n")[2].removeprefix("error: ") or "it gave no reason"


def is_lost(sentence: str) -> bool:
    """Tell whether a build has failed because its daemon was gone, from what buildctl says of it."""
    return _LOST.match(sentence) is not None
