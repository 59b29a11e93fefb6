"""Holds a release to what GitHub attests: before any tag is written, each digest that it would name is looked up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import dagger

from ci.core.errors import DrydockError
from ci.core.model import Attest, Config
from ci.github.attestations import GitHub, find_unattested
from ci.release import Destination, Registries, Staged

Find = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]  # those without an attestation, each with why

_SHOWN = 5  # digests that are named one by one


@dataclass(kw_only=True, slots=True)
class Attested:
    """Says of all that is to be named whether GitHub attests it; what a user should know is in `notes` then.

    Args:
        find: asks GitHub.
        required: whether a release ends where an attestation is missing.

    """

    find: Find
    required: bool
    notes: list[str] = field(default_factory=list)

    async def __call__(self, _registries: Registries, staged: Sequence[Staged]) -> tuple[str, ...]:
        """Return what is missing, where it is required."""
        named = _digests(staged)
        missing = await self.find(list(named))
        if not missing:
            self.notes.append(
                f"GitHub attests the provenance of each of {len(named)} digests: that was read back before any tag was "
                "written. No signature was verified here; gh attestation verify does that."
            )
            return ()
        text = _missing({named[digest]: why for digest, why in missing.items()}, len(named))
        if not self.required:
            self.notes.append(f"{text} attest: optional lets the release go on.")
            return ()
        return (f"{text} Where GitHub cannot attest, say attest: optional in the configuration.",)


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
    server: str = "https://github.com"
    api: str = "https://api.github.com"
    token: dagger.Secret | None = None

    async def promise(self, config: Config, destination: Destination) -> Attested | None:
        """Say what has to be attested before a tag is written; None where nothing has to.

        Raises:
            DrydockError: attestations are required, and nobody knows of which repository.

        """
        wanted = choose_attest(config, private=self.private, repository=self.repository)
        if wanted is Attest.OFF:
            return None
        github = GitHub(
            repository=self.repository,
            server=self.server,
            api=await self._reach(destination),
            token=await self.token.plaintext() if self.token else None,
        )
        return Attested(find=partial(find_unattested, github), required=wanted is Attest.REQUIRED)

    async def _reach(self, destination: Destination) -> str:
        """Return where the API is reached: on a loopback address by its service, as a registry is."""
        host = self.api.partition("://")[2]
        if host.startswith(("127.0.0.1:", "localhost:")) and (service := await destination.service_of(host, (host,))):
            return f"http://{await service.endpoint()}"
        return self.api


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


def _digests(staged: Sequence[Staged]) -> dict[str, str]:
    """List what has to be attested: each index, and each variant that was built for it; each with a name to show.

    A variant that was reused is attested by the run that built it.
    """
    built = [
        (one.target.repository, entry.manifest.digest)
        for one in staged
        for entry in one.entries
        if not entry.record.reused
    ]
    all_of_it = [*((one.target.repository, one.index.digest) for one in staged), *built]
    return {digest: f"{repository}@{digest}" for repository, digest in reversed(all_of_it)}


def _missing(missing: Mapping[str, str], count: int) -> str:
    shown = "; ".join(f"{name}: {why}" for name, why in list(missing.items())[:_SHOWN])
    more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return (
        f"{len(missing)} of {count} digests are not attested: {shown}{more}. What GitHub said when they were to be "
        "stands in the log of the step that attests, and under Annotations of the run."
    )
