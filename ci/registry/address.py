"""What a registry is told and what it answers, as the OCI distribution and image specifications (1.1) write it."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from ci.core.errors import DrydockError
from ci.core.names import COMPONENT, MAX_REPOSITORY, check_tag

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
MAX_MANIFEST = 4 * 1024 * 1024  # bytes; what the distribution specification asks registries to accept

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_API_HOSTS = {"docker.io": "registry-1.docker.io"}  # where the name and the address of a registry differ
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, section 5.6.2
_SCHEME = re.compile(_WORD)
_PARAMETER = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SEPARATORS = re.compile(r"[\s,]*")
_MAX_SECONDS_DIGITS = 9
_MAX_HEADER = 8192  # characters of a challenge that are read


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryAddress:
    """Where a registry is."""

    host: str  # with the port, if any: "ghcr.io", "127.0.0.1:5000", "[::1]:5000"
    plain_http: bool = False

    def __str__(self) -> str:
        return self.host

    @property
    def url(self) -> str:
        """The start of every address of its API, without a slash at the end."""
        return f"{'http' if self.plain_http else 'https'}://{_API_HOSTS.get(self.host, self.host)}"

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine, by its name alone."""
        name = re.sub(r":[0-9]+$", "", self.host).strip("[]")
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name.lower() == "localhost"


def parse_repository(reference: str, *, plain_http: bool | None = None) -> tuple[RegistryAddress, str]:
    """Split the full name of a repository into the registry and the name the registry knows.

    Args:
        reference: such as "ghcr.io/acme/backend", without tag or digest.
        plain_http: whether the registry speaks HTTP without TLS; by default only one on a loopback address does.

    Raises:
        DrydockError: it names no registry or no repository.

    """
    host, _, name = reference.partition("/")
    # A first part with neither dot nor port would be taken for a part of the path, on Docker Hub.
    if not _HOST.fullmatch(host) or not (re.search(r"[.:]", host) or host == "localhost"):
        raise DrydockError(f"{reference!r} does not start with a registry, such as ghcr.io/")
    address = RegistryAddress(host=host)
    plain = address.loopback if plain_http is None else plain_http
    return RegistryAddress(host=host, plain_http=plain), check_name(name)


def check_name(name: str) -> str:
    """Return the name of a repository inside its registry; refuse what is none, since it becomes part of an address.

    Raises:
        DrydockError: it is not legal.

    """
    if len(name) > MAX_REPOSITORY or not all(COMPONENT.fullmatch(part) for part in name.split("/")):
        raise DrydockError(f"{name[:MAX_REPOSITORY]!r} is not the name of a repository")
    return name


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


def check_reference(reference: str) -> str:
    """Return a tag or a digest; refuse anything else.

    Raises:
        DrydockError: it is neither.

    """
    return check_digest(reference) if ":" in reference else check_tag(reference)


def digest_of(body: bytes, *, like: str = "sha256:") -> str:
    """Compute the digest of bytes, by the algorithm of the digest it will be compared with."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, body, usedforsecurity=True).hexdigest()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A manifest or an index, byte for byte as the registry serves it."""

    body: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Who logs in to a registry; the password is never shown."""

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise DrydockError("A user name of a registry cannot hold a colon")  # RFC 7617, section 2

    @property
    def basic(self) -> str:
        """The value of the header that logs in, itself a secret."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """One way a server accepts to be convinced: a scheme and its parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read a WWW-Authenticate header; what comes after the first thing that is no challenge is left out.

    RFC 9110, section 11.6.1: commas separate the parameters of one challenge, and challenges too.
    """
    header = header[:_MAX_HEADER]
    challenges: list[tuple[str, dict[str, str]]] = []
    position = 0
    while True:
        start = _SEPARATORS.match(header, position)
        position = start.end() if start else position
        if challenges and (found := _PARAMETER.match(header, position)):
            name, quoted, plain = found.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            challenges[-1][1].setdefault(name.lower(), value)
        elif found := _SCHEME.match(header, position):
            challenges.append((found[0].lower(), {}))
        else:
            return tuple(Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in challenges)
        position = found.end()


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Read how many seconds a Retry-After header asks to wait; nothing if it says nothing legible.

    Args:
        value: seconds, or a date (RFC 9110, section 10.2.3).
        now: seconds since 1970, to compare a date with.

    """
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value[:_MAX_SECONDS_DIGITS])
    try:
        date = parsedate_to_datetime(value)
        stamp = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, stamp - now)


def parse_media_type(header: str) -> str:
    """Read the media type of a Content-Type header, without its parameters."""
    return header.partition(";")[0].strip().lower()


def widen_scope(asked: str | None, needed: str) -> str:
    """Name the scope to ask a token for: what the registry asks, with the actions that are needed added to it.

    Args:
        asked: the scope of the registry's challenge; a registry may know the repository by a name of its own.
        needed: such as "repository:acme/backend:pull,push".

    """
    resource, _, actions = needed.rpartition(":")
    if not asked:
        return needed
    if asked.rpartition(":")[0] != resource:
        return asked
    both = dict.fromkeys([*asked.rpartition(":")[2].split(","), *actions.split(",")])
    return f"{resource}:{','.join(both)}"
