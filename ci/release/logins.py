"""Reads who logs in to which registry: from `--login`, and from the config.json that `docker login` writes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ci.core.errors import DrydockError
from ci.registry import Credentials, parse_repository

LOGIN_HELP = "HOST=USER:TOKEN, such as docker.io=ada:dckr_pat_..."
_HUB = "docker.io"
# What else Docker Hub is called; Docker's config.json has the address of its first version.
_HUB_NAMES = frozenset((_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"))
_HUB_KEY = "https://index.docker.io/v1/"
_REMEDY = "Give it as --login env:NAME, with NAME set to HOST=USER:TOKEN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Logins:
    """Who logs in to each registry."""

    known: Mapping[str, Credentials] = field(default_factory=dict)  # by host
    withheld: Mapping[str, str] = field(default_factory=dict)  # by host: why a login that there is cannot be used
    store: str = ""  # the program that keeps the logins of all other hosts, and that cannot be asked

    def of(self, host: str) -> Credentials | None:
        """Return the login of a registry; None where nobody is to log in.

        Raises:
            DrydockError: there may be one, and it is kept where it cannot be read.

        """
        if host in self.known:
            return self.known[host]
        if reason := self.withheld.get(host):
            raise DrydockError(f"The login of {host} is not in --docker-config: {reason}. {_REMEDY}")
        if self.store:
            raise DrydockError(
                f"The login of {host} is not in --docker-config: the credential store {self.store!r} of the machine "
                f"keeps it, which a container cannot ask. {_REMEDY}"
            )
        return None

    def render(self) -> str:
        """Write the logins as Docker's config.json has them."""
        auths = {
            _HUB_KEY if host == _HUB else host: {"auth": one.basic.removeprefix("Basic ")}
            for host, one in self.known.items()
        }
        return json.dumps({"auths": auths})

    def joined(self, more: Logins) -> Logins:
        """Add logins; they count before these."""
        return Logins(
            known={**self.known, **more.known},
            withheld={**self.withheld, **more.withheld},
            store=more.store or self.store,
        )


def parse_login(text: str, *, given: str) -> tuple[str, Credentials]:
    """Read the value of one --login: a host and who logs in there.

    Args:
        text: such as "docker.io=ada:TOKEN"; no message shows any of it.
        given: how it was given, for messages.

    Raises:
        DrydockError: it is not such a text.

    """
    host, equals, pair = text.rstrip("\r\n").partition("=")
    username, colon, password = pair.partition(":")
    if not (equals and colon and username and password) or "/" in host or not _is_host(host):
        raise DrydockError(f"The value of --login {given} is not {LOGIN_HELP}")
    return _host_of(host), Credentials(username=username, password=password)


def parse_docker_config(text: str) -> Logins:
    """Read the logins of a config.json as `docker login` writes it.

    What a program of the machine keeps (`credHelpers`, `credsStore`) is not in the file.

    Source: docker/cli, cli/config/configfile/file.go and cli/config/types/authconfig.go.

    Raises:
        DrydockError: it is no such file.

    """
    try:
        document = json.loads(text)
        auths, helpers = document.get("auths") or {}, document.get("credHelpers") or {}
        store = str(document.get("credsStore") or "")
        known = {_host_of(key): pair for key, entry in auths.items() if (pair := _pair(entry))}
        tokens = {_host_of(key) for key, entry in auths.items() if entry.get("identitytoken")}
        kept = {_host_of(str(key)): f"the credential helper {str(name)!r} keeps it" for key, name in helpers.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise DrydockError("--docker-config is not a config.json as docker login writes it") from None
    withheld = {
        **dict.fromkeys(tokens, "it is an identity token, which is not a password"),
        **{host: f"{reason}, which a container cannot ask" for host, reason in kept.items()},
    }
    return Logins(
        known={host: pair for host, pair in known.items() if host not in withheld}, withheld=withheld, store=store
    )


def _pair(entry: Mapping[str, str]) -> Credentials | None:
    """Read one entry of `auths`; None where it only says that there is a login."""
    username, password = entry.get("username") or "", entry.get("password") or ""
    if auth := entry.get("auth"):
        username, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
    password = password.strip("\0")
    return Credentials(username=username, password=password) if username and password else None


def _host_of(key: str) -> str:
    """Reduce a key of `auths`, which may be an address, to the host that repositories begin with."""
    host = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return _HUB if host in _HUB_NAMES else host


def _is_host(text: str) -> bool:
    try:
        parse_repository(f"{text}/name")
    except DrydockError:
        return False
    return True
