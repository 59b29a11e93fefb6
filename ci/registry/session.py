"""Sends what is asked of a registry: logged in, repeated where that helps, and told as an error where it is refused."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ci.registry.address import RegistryAddress
from ci.registry.auth import Authenticator, Credentials
from ci.registry.errors import RegistryError, RegistryErrorKind
from ci.registry.http import Request, Response, Transport
from ci.registry.retry import Clock, Effort, ExhaustedError, Retry, RetryPolicy

_UPLOAD = 3600.0  # seconds for one blob, with all repetitions: a large layer on a slow line takes long
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_REFUSED = frozenset((_UNAUTHORIZED, _FORBIDDEN))


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What is asked of the registry, and what a token has to allow for it."""

    request: Request
    scope: str


class Session:
    """Requests to one registry, and what they took."""

    def __init__(
        self,
        address: RegistryAddress,
        *,
        credentials: Credentials | None,
        verify: ssl.SSLContext | None,
        timeout: float,
        policy: RetryPolicy,
        clock: Clock,
    ) -> None:
        """Prepare it; nothing is sent yet. The arguments are those of RegistryClient."""
        self.address = address
        self.transport = Transport(address, verify=verify, timeout=timeout)
        self.auth = Authenticator(address, credentials, self.transport, clock)
        self._retry = Retry(wait_of=_wait_of, policy=policy, clock=clock)
        longer = replace(policy, deadline=max(policy.deadline, _UPLOAD))
        self._uploads = Retry(wait_of=_wait_of, policy=longer, clock=clock)

    @property
    def effort(self) -> Effort:
        """How many attempts were repeated and how long all took, so far."""
        return self._retry.effort + self._uploads.effort

    async def send(self, call: Call) -> Response:
        """Return the registry's last word on a request: an answer of any status that is not worth repeating."""

        async def attempt() -> Response:
            return await self.attempt(call)

        return await self.repeat(call.request.what, attempt)

    async def read(self, call: Call) -> Response:
        """Send a request that reads; where that is refused, once more as one who may write.

        Of a repository that is not there yet, Quay and Docker Hub answer that it may not be read, and that it is not
        there only to one who may make it (helm/helm#32144).
        """
        refused: RegistryError | None = None
        answer: Response | None = None
        try:
            answer = await self.send(call)
        except RegistryError as error:
            # A token server's 401 is about the password: sent once more it could lock the account.
            if error.status != _FORBIDDEN:
                raise
            refused = error
        if answer and (answer.status not in _REFUSED or answer.left or not self.auth.asks_for_tokens):
            return answer
        wider = replace(call, scope=f"{call.scope.rpartition(':')[0]}:pull,push")
        try:
            second = await self.send(wider)
        except RegistryError as error:
            if error.status not in _REFUSED:
                raise
        else:
            if second.status not in _REFUSED or answer is None:
                return second
        if refused:
            raise refused
        assert answer  # noqa: S101
        return answer

    async def attempt(self, call: Call) -> Response:
        """Send a request once; raise only for an answer that is worth a repetition."""
        return self.checked(call, await self._authorized(call))

    def checked(self, call: Call, answer: Response) -> Response:
        """Return an answer of any status; raise for one that is worth a repetition."""
        if not answer.ok and (error := self.error(call, answer)).wait is not None:
            raise error
        return answer

    async def repeat(self, what: str, attempt: Callable[[], Awaitable[Response]], *, upload: bool = False) -> Response:
        """Repeat an attempt until it succeeds, or for as long as the policy allows.

        Args:
            what: it is, for messages.
            attempt: raises where it has failed.
            upload: whether a large layer goes on its way, which may take longer.

        """
        ended: ExhaustedError
        try:
            return await (self._uploads if upload else self._retry).run(attempt)
        except ExhaustedError as error:
            ended = error
        # Outside the handler: a chain of exceptions is shown, and says nothing that the last one does not.
        if isinstance(ended.last, RegistryError):
            raise ended.last.after(ended.attempts, ended.seconds, redact=self.auth.redact)
        if ended.last:
            raise ended.last
        raise RegistryError(
            kind=RegistryErrorKind.UNAVAILABLE,
            what=what,
            where=str(self.address),
            why=f"no answer in {ended.seconds:.1f} s",
            remedy="Check the address and the network, then run the same command again.",
        )

    async def _authorized(self, call: Call) -> Response:
        header = self.auth.known(call.scope)
        answer = await self.transport.send(call.request, header)
        # Where a redirect led away, the challenge is not the registry's.
        if answer.status != _UNAUTHORIZED or answer.left:
            return answer
        header = await self.auth.answer(answer, what=call.request.what, scope=call.scope, sent=header)
        return await self.transport.send(call.request, header) if header else answer

    def require(self, call: Call, answer: Response) -> None:
        """Raise what an answer says where it says no."""
        if not answer.ok:
            raise self.error(call, answer)

    def error(self, call: Call, answer: Response) -> RegistryError:
        """Turn an answer that says no into an error."""
        return self.auth.error(answer, what=call.request.what, scope=call.scope)


def _wait_of(error: Exception) -> float | None:
    return error.wait if isinstance(error, RegistryError) else None
