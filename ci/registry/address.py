"""What a registry is told and what it answers, as the OCI distribution and image specifications (1.1) write it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ci.core.errors import DrydockError
from ci.core.names import COMPONENT, MAX_REPOSITORY, check_digest, check_tag

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")
_HUB = "registry-1.docker.io"
_API_HOSTS = {"docker.io": _HUB, "index.docker.io": _HUB}  # where the name and the address of a registry differ


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


def check_reference(reference: str) -> str:
    """Return a tag or a digest; refuse anything else.

    Raises:
        DrydockError: it is neither.

    """
    return check_digest(reference) if ":" in reference else check_tag(reference)
