"""Holds a release to what is attested: before any tag is written, each digest that it would name is looked up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial

import dagger

from ci.core.errors import DrydockError
from ci.core.model import Attest, Config
from ci.core.supply import issuer_of
from ci.github.attestations import API, SERVER, GitHub
from ci.release import (
    PROVENANCE,
    Destination,
    Judge,
    Registries,
    Signers,
    Staged,
    Trust,
    find_missing,
)

Places = Mapping[str, Sequence[Staged]]  # digests, each with what is staged of it
Find = Callable[[Registries, Places], Awaitable[Mapping[str, str]]]  # those without an attestation, each with why

_SHOWN = 5  # digests that are named one by one


@dataclass(kw_only=True, slots=True)
class Attested:
    """Says of all that is to be named whether it is attested; what a user should know is in `notes` then.

    Args:
        find: asks GitHub, and the registries.
        required: whether a release ends where an attestation is missing.
        taken: the digests of which GitHub's word alone is known, once it was asked.

    """

    find: Find
    required: bool
    taken: AbstractSet[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    async def __call__(self, registries: Registries, staged: Sequence[Staged]) -> tuple[str, ...]:
        """Return what is missing, where it is required."""
        places = _places(staged)
        missing = await self.find(registries, places)
        if not missing:
            self.notes.append(
                f"The provenance of each of {len(places)} digests is attested, at GitHub or by a bundle in its "
                f"registry: that was read back before any tag was written. {_verified(len(self.taken))}"
            )
            return ()
        text = _missing({f"{places[one][0].target.repository}@{one}": why for one, why in missing.items()}, len(places))
        if not self.required:
            self.notes.append(f"{text} attest: optional lets the release go on.")
            return ()
        return (f"{text} Where nobody can attest, say attest: optional in the configuration.",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attestations:
    """Who attests, and who is asked about it, as the command line says it.

    Args:
        repository: OWNER/NAME; "" outside of GitHub, where nobody can be asked.
        private: whether the repository is.
        server: GitHub's address.
        api: of its API.
        token: that may read the repository's attestations.

    """

    repository: str = ""
    private: bool = False
    server: str = SERVER
    api: str = API
    token: dagger.Secret | None = None

    async def promise(self, config: Config, destination: Destination) -> Attested | None:
        """Say what has to be attested before a tag is written; None where nothing has to.

        Raises:
            DrydockError: attestations are required, and nobody knows of which repository.

        """
        wanted = choose_attest(config, private=self.private, repository=self.repository)
        if wanted is Attest.OFF:
            return None
        judge = Judge(
            signers=Signers(repository=f"{self.server}/{self.repository}"),
            kinds=(PROVENANCE,),
            trust=Trust(root=config.trusted_root),
            # GitHub's own authority signs for private repositories, and on servers other than github.com.
            by_word=self.private or self.server != SERVER,
        )
        find = partial(find_missing, judge=judge, store=await self.ask(destination))
        return Attested(find=find, required=wanted is Attest.REQUIRED, taken=judge.taken)

    async def ask(self, destination: Destination) -> GitHub:
        """Say who is asked about what the repository's workflows have attested."""
        return GitHub(
            repository=self.repository,
            server=self.server,
            api=await self._reach(destination),
            token=await self.token.plaintext() if self.token else None,
        )

    async def store(self, config: Config, destination: Destination) -> GitHub | None:
        """Say who keeps signatures besides the registries; None where no workflow has to have signed."""
        signed = config.require.signed
        if not signed or signed.key or not self.repository:
            return None
        return await self.ask(destination)

    async def _reach(self, destination: Destination) -> str:
        """Return where the API is reached: on a loopback address by its service, as a registry is."""
        host = self.api.partition("://")[2]
        if host.startswith(("127.0.0.1:", "localhost:")) and (service := await destination.service_of(host, (host,))):
            return f"http://{await service.endpoint()}"
        return self.api


def attestations_of(config: Config, *, api: str = "", token: dagger.Secret | None = None) -> Attestations:
    """Say whom to ask about what workflows have signed, by the source that a configuration names.

    Args:
        config: with the address of the source.
        api: where GitHub's API is; "" for the usual address of that host.
        token: that may read it.

    """
    scheme, _, rest = (config.source or "").partition("://")
    host, _, repository = rest.partition("/")
    signed = config.require.signed
    known = repository.count("/") == 1 and (
        not signed or not signed.by or signed.issuer == issuer_of(config.source or "")
    )
    usual = API if host == "github.com" else f"{scheme}://api.{host}"
    if host != "github.com" and not host.endswith(".ghe.com"):
        usual = f"{scheme}://{host}/api/v3"
    return Attestations(
        repository=repository if known else "", server=f"{scheme}://{host}", api=api or usual, token=token
    )


def choose_attest(config: Config, *, private: bool, repository: str) -> Attest:
    """Say whether attestations are asked for, and whether they are required.

    Args:
        config: what it says counts; without a word they are required of a public repository, optional in a private one.
        private: whether the repository is.
        repository: OWNER/NAME; "" outside of GitHub, where nobody can be asked.

    Raises:
        DrydockError: they are required, and nobody knows of which repository.

    """
    if not repository:
        if config.attest is Attest.REQUIRED:
            raise DrydockError(
                "attest: required needs the repository whose workflow attests: --github-repository OWNER/NAME, which "
                "the workflow gives as $GITHUB_REPOSITORY"
            )
        return Attest.OFF
    return config.attest or (Attest.OPTIONAL if private else Attest.REQUIRED)


def _verified(taken: int) -> str:
    if not taken:
        return "The signatures were verified."
    return (
        f"Of {taken} of them GitHub's word alone is known, and no signature was verified here: GitHub's own authority "
        "has signed them, as it does for private repositories. gh attestation verify can verify them."
    )


def _places(staged: Sequence[Staged]) -> dict[str, list[Staged]]:
    """List what has to be attested: each index, and each variant that was built for it; each with where it is.

    A variant that was reused is attested by the run that built it.
    """
    places: dict[str, list[Staged]] = {}
    for one in staged:
        built = [entry.manifest.digest for entry in one.entries if not entry.record.reused]
        for digest in dict.fromkeys((one.index.digest, *built)):
            places.setdefault(digest, []).append(one)
    return places


def _missing(missing: Mapping[str, str], count: int) -> str:
    shown = "; ".join(f"{name}: {why}" for name, why in list(missing.items())[:_SHOWN])
    more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return (
        f"{len(missing)} of {count} digests are not attested: {shown}{more}. What GitHub said when they were to be "
        "stands in the log of the step that attests, and under Annotations of the run."
    )
