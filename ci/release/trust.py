"""Verifies signatures: by the authorities of Sigstore, or by a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any  # what is not imported before it is needed

import anyio
import httpx

from ci.core.quiet import quiet
from ci.release.bundles import Bundle

_FRESH = "https://tuf-repo-cdn.sigstore.dev"  # where Sigstore publishes which authorities are to be trusted
_ASKED_SECONDS, _REFRESH_SECONDS = 3.0, 20.0


@dataclass(kw_only=True, slots=True)
class Trust:
    """Who is trusted to say who has signed; what that takes is loaded when the first signature is to be verified.

    Args:
        root: a trusted_root.json as Sigstore defines it; "" for that of the public Sigstore.
        refresh: whether to ask Sigstore which authorities are trusted now; if it does not answer within seconds, those
            count that came with the library.

    """

    root: str = ""
    refresh: bool = True
    _verifier: Any = None
    _stale: str = ""  # why others may be trusted now
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def fault_of(self, bundle: Bundle, key: str = "") -> str:
        """Say why a bundle is not proven to be signed by whom it says; "" where it is.

        Args:
            bundle: with a certificate; or signed with a key.
            key: the public key (PEM) that has signed it; "" where a certificate has to say whose key it is.

        Raises:
            DrydockError: the trusted root, or the key, cannot be used.

        """
        from ci.release import proof  # noqa: PLC0415  # it takes 300 ms, and only what is signed needs it

        if key:
            return proof.check_key(bundle, key)
        if not bundle.certificate:
            return "it is signed with a key, and says nothing of whose"
        if not bundle.logged:
            return "no entry of a transparency log comes with it: GitHub signs so for private repositories"
        async with self._lock:
            verifier = self._verifier = self._verifier or await self._load()
        fault = proof.verify(verifier, bundle)
        return f"{fault} ({self._stale})" if fault and self._stale and fault not in proof.CERTAIN else fault

    async def _load(self) -> Any:  # noqa: ANN401
        from ci.release import proof  # noqa: PLC0415  # it takes 300 ms, and only what is signed needs it

        if self.root:
            return proof.read_root(self.root)
        if self.refresh and await _answers():
            with anyio.move_on_after(_REFRESH_SECONDS):
                if found := await anyio.to_thread.run_sync(proof.fetch_root, abandon_on_cancel=True):
                    return found
        self._stale = "by the authorities that came with this module"
        if self.refresh:
            self._stale += f": {_FRESH} did not answer"
        return proof.shipped_root()


async def _answers() -> bool:
    """Ask first whether anybody is there: the library tries for long."""
    try:
        async with httpx.AsyncClient(timeout=_ASKED_SECONDS) as client:
            with quiet():
                answer = await client.head(f"{_FRESH}/timestamp.json")
            return answer.is_success
    except (httpx.HTTPError, OSError):
        return False
