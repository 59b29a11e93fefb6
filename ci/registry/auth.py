"""Logs in to a registry as its challenges ask: not at all, by basic authentication, or by a bearer token."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import httpx

from ci.core.errors import DrydockError
from ci.registry.address import RegistryAddress
from ci.registry.errors import RegistryError, error_of
from ci.registry.headers import wait_asked
from ci.registry.http import Request, Response, Transport, host_of, parse_url, protocol_error
from ci.registry.refusals import Refusal
from ci.registry.retry import Clock

_MAX_TOKEN = 256 * 1024  # bytes of a token server's answer
_TOKEN = re.compile(r"[!-~]+")  # what a header can carry
_SECONDS = 60  # how long a token lives that says nothing (token specification, "Token Response Fields")
_MARGIN = 0.8  # part of its life a token is used for, so that none expires on the way
_HIDDEN = "***"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, section 5.6.2
_SCHEME = re.compile(_WORD)
_PARAMETER = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SEPARATORS = re.compile(r"[\s,]*")
_MAX_HEADER = 8192  # characters of a challenge that are read


@dataclass(frozen=True, kw_only=True, slots=True)
class _Token:
    header: str = field(repr=False)
    until: float  # by the monotonic clock


class Authenticator:
    """Knows what to send a registry so that it lets a request pass."""

    def __init__(
        self, address: RegistryAddress, credentials: Credentials | None, transport: Transport, clock: Clock
    ) -> None:
        """Start without anything sent: the registry says first what it wants.

        Args:
            address: the only host that is sent the credentials, besides the token server it names over TLS.
            credentials: None to stay anonymous.
            transport: carries the requests for tokens.
            clock: tells when a token has expired.

        """
        self._address, self._credentials, self._transport, self._clock = address, credentials, transport, clock
        self.asks_for_tokens = False  # whether the registry looks at what a token allows
        self._basic = False
        self._tokens: dict[str, _Token] = {}  # by the scope that is needed
        self._secrets: set[str] = set()
        if credentials and credentials.password:
            self._secrets = {credentials.password, credentials.basic.removeprefix("Basic ")}
        self._lock = anyio.Lock()

    def __repr__(self) -> str:
        return f"Authenticator({self._address})"

    def redact(self, text: str) -> str:
        """Hide the password and every token in a text."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    def known(self, scope: str) -> str | None:
        """Return the header that let requests of this scope pass before; nothing if there is none that still does."""
        if self._basic and self._credentials:
            return self._credentials.basic
        token = self._tokens.get(scope)
        return token.header if token and self._clock.monotonic() < token.until else None

    async def answer(self, refused: Response, *, what: str, scope: str, sent: str | None) -> str | None:
        """Return the header that a challenge asks for; nothing if there is none, or it was sent already.

        Args:
            refused: the registry's answer with status 401.
            what: the request, for messages.
            scope: what a token has to allow.
            sent: the header the request had.

        Raises:
            RegistryError: the token server refuses, or is not to be trusted.

        """
        challenges = parse_challenges(refused.headers.get("WWW-Authenticate", ""))
        bearer = next((c for c in challenges if c.scheme == "bearer"), None)
        if bearer:
            self.asks_for_tokens = True
            async with self._lock:
                # Another request may have renewed the token while this one waited.
                if (header := self.known(scope)) and header != sent:
                    return header
                self._tokens.pop(scope, None)
                token = await self._fetch(bearer, what=what, scope=scope)
                self._tokens[scope] = token
                return token.header
        # One that wants a login and does not say which (as ECR has done) can only mean a user name and a password.
        basic = not challenges or any(c.scheme == "basic" for c in challenges)
        if basic and self._credentials and sent != self._credentials.basic:
            self._basic = True
            return self._credentials.basic
        return None

    async def _fetch(self, challenge: Challenge, *, what: str, scope: str) -> _Token:
        realm = self._realm(challenge, what)
        asked = widen_scope(challenge.parameters.get("scope"), scope)
        # Each of several is a parameter of its own (token specification, "Requesting a Token").
        query = httpx.QueryParams(realm.query.decode("ascii", "replace"))
        for one in asked.split():
            query = query.add("scope", one)
        if service := challenge.parameters.get("service"):
            query = query.set("service", service)
        request = Request(
            method="GET",
            url=str(realm.copy_with(params=query)),
            what=f"{what}: asking for a token",
            headers={"Accept": "application/json"},
            limit=_MAX_TOKEN,
        )
        start = self._clock.monotonic()
        answer = await self._transport.send(request, self._credentials.basic if self._credentials else None)
        if not answer.ok:
            raise self.error(answer, what=request.what, scope=asked)
        return self._token(answer, request.what, start)

    def _realm(self, challenge: Challenge, what: str) -> httpx.URL:
        """Return the token server's address, if the registry may be believed in it.

        Whoever can change what a registry says over plain HTTP could name a server of their own as the realm.
        """
        registry = httpx.URL(self._address.url)
        realm = parse_url(challenge.parameters.get("realm", ""))
        if realm is None or not realm.host:
            raise protocol_error(what, str(self._address), "its challenge names no legal address for tokens")
        neighbour = self._address.plain_http and realm.host == registry.host
        if realm.scheme != "https" and not neighbour:
            why = f"it wants a token fetched without TLS, from {host_of(realm)}"
            raise protocol_error(what, str(self._address), why)
        if self._credentials and self._address.plain_http and not neighbour:
            why = f"it speaks without TLS, and wants credentials sent to another host, {host_of(realm)}"
            raise protocol_error(what, str(self._address), why)
        return realm

    def _token(self, answer: Response, what: str, start: float) -> _Token:
        found: object
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        fields = found if isinstance(found, dict) else {}
        token = fields.get("token") or fields.get("access_token")
        # A header's value with a line break would end the header; the exception that says so would show the token.
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise protocol_error(what, answer.where, "the answer holds no token")
        self._secrets.add(token)
        life = fields.get("expires_in")
        seconds = life if isinstance(life, int) and not isinstance(life, bool) and life > 0 else _SECONDS
        return _Token(header=f"Bearer {token}", until=start + _MARGIN * seconds)

    def error(self, answer: Response, *, what: str, scope: str) -> RegistryError:
        """Turn an answer that says no into an error without secrets.

        Args:
            answer: from the registry, the token server, or a host a redirect led to.
            what: the request.
            scope: what a token for it has to allow.

        """
        challenges: Sequence[Challenge] = parse_challenges(answer.headers.get("WWW-Authenticate", ""))
        refusal = Refusal(
            what=what,
            where=answer.where,
            status=answer.status,
            body=answer.body,
            scope=scope,
            logged_in=self._credentials is not None,
            registry=self._address.host,
            insufficient=any(c.parameters.get("error") == "insufficient_scope" for c in challenges),
            retry_after=wait_asked(answer.headers, now=self._clock.wall()),
            exhausted=answer.headers.get("X-RateLimit-Remaining", "").strip() == "0",
        )
        return error_of(refusal, redact=self.redact)


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


def widen_scope(asked: str | None, needed: str) -> str:
    """Name the scope to ask a token for: what the registry asks, with the actions that are needed added to it.

    Args:
        asked: the scope of the registry's challenge; a registry may know the repository by a name of its own.
        needed: such as "repository:acme/backend:pull,push"; several with spaces between them.

    """
    if not asked:
        return needed
    wanted, both = _actions(needed), _actions(asked)
    if len(wanted) == len(both) == 1 and asked.startswith("repository:"):
        wanted = dict(zip(both, wanted.values(), strict=True))
    if not wanted.keys() & both.keys():
        return asked
    for resource, actions in wanted.items():
        both[resource] = {**both.get(resource, {}), **actions}
    return " ".join(f"{resource}:{','.join(actions)}" for resource, actions in both.items())


def _actions(scopes: str) -> dict[str, dict[str, None]]:
    """List the actions of each resource of a scope, in their order."""
    parts = (scope.rpartition(":") for scope in scopes.split())
    return {resource: dict.fromkeys(actions.split(",")) for resource, _, actions in parts}
