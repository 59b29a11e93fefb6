"""Says whose signature counts, and what of a digest; a bundle that does not count gets a sentence of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from ci.core.supply import Signed, issuer_of
from ci.release.bundles import PROVENANCE, Bundle, BundleError, Identity, read_bundle
from ci.release.trust import Trust

# What cosign sign writes; and what is said of a build, by actions/attest and cosign attest.
SIGNATURES = ("https://sigstore.dev/cosign/sign/v1", PROVENANCE, "https://slsa.dev/provenance/v0.2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Signers:
    """Whose signature counts: a key's, an identity's that a pattern fits, or a workflow's of a repository."""

    signed: Signed = field(default_factory=Signed)
    repository: str = ""  # its address, such as https://github.com/acme/app; counts where `signed` names nobody

    def fault_of(self, identity: Identity | None) -> str:
        """Say why it is somebody else's signature; "" where it is not, if it is right."""
        if self.signed.key:
            return f"it was signed by {identity}, and not with the key of the configuration" if identity else ""
        if identity is None:
            return "it was signed with a key, and not by an identity that a certificate names"
        issuer = self.signed.issuer if self.signed.by else issuer_of(self.repository)
        # An enterprise may have an issuer of its own, which is its name behind GitHub's.
        if not f"{identity.issuer}/".startswith(f"{issuer}/"):
            return f"it was signed for an identity of {identity.issuer or 'nobody'}, and not of {issuer}"
        if not self.signed.by:
            if identity.repository.lower() != self.repository.lower():
                return f"it was signed by a workflow of {identity.repository or 'nobody'}, and not of {self.repository}"
        elif not any(re.fullmatch(translate(one), name) for one in self.signed.by for name in identity.names):
            return f"it was signed by {identity}, and not by {' or '.join(self.signed.by)}"
        return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Says of a bundle why it is not what is looked for; "" where it is.

    Args:
        signers: whose signature counts.
        kinds: the types of statements that count.
        trust: verifies it.
        by_word: whether a bundle that GitHub has given counts without, where GitHub's own authority has signed it; what
            was taken so is listed in `taken`.

    """

    signers: Signers
    kinds: Sequence[str]
    trust: Trust
    by_word: bool = False
    taken: set[str] = field(default_factory=set)

    async def __call__(self, found: object, digest: str, *, stored: bool = False) -> str:
        """Judge a bundle that is to be about a digest.

        Args:
            found: the bundle, as it was found.
            digest: of a manifest.
            stored: whether GitHub has given it.

        """
        try:
            bundle = read_bundle(found)
        except BundleError as error:
            return str(error)
        if fault := self._claims(bundle, digest):
            return fault
        if stored and self.by_word and bundle.certificate and not bundle.logged:
            self.taken.add(digest)
            return ""
        return await self.trust.fault_of(bundle, self.signers.signed.key)

    def _claims(self, bundle: Bundle, digest: str) -> str:
        if digest not in bundle.digests:
            return "it is about another digest"
        if bundle.predicate not in self.kinds:
            return f"its type is {bundle.predicate}, and not {' or '.join(self.kinds)}"
        return self.signers.fault_of(bundle.identity)
