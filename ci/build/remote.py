"""BuildKit daemons of other machines: which there are, which of them builds what, and how one is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import dagger

from ci.build.addresses import LIMIT, Address, Worker, is_lost, is_native, read_worker, same_minor, why_not_reached
from ci.build.daemon import asked_now, beside, client_base
from ci.core.buildkit import BUILDKIT
from ci.core.engine import engine_platform, explain, gather, step
from ci.core.errors import DrydockError
from ci.core.model import Config, Failure

_PULSE = 30.0  # seconds between two questions to a builder that builds
_KEYS = "/run/builder"
_MANUAL = 'docs/self-hosted.md, "Builders on other machines"'
# Unlike --wait and --timeout it ends what is connected and silent, and its error says why.
_ASK = """limit=$1; shift
timeout -s KILL "$limit" buildctl "$@" debug workers --format '{{json .}}' 2>&1; echo " $?"
"""
_KILLED = ("124", "137")  # exit status: the time was over


@dataclass(frozen=True, kw_only=True, slots=True)
class Remotes:
    """What the command line says of builders on other machines.

    Args:
        addresses: of them.
        tunnels: services in the place of builders that the engine's network does not reach, by their ports.
        ca: the certificates, in PEM, that the builders' own are signed by.
        certificate: of the client, in PEM.
        key: of that certificate.

    """

    addresses: tuple[Address, ...] = ()
    tunnels: Sequence[dagger.Service] = ()
    ca: dagger.Secret | None = None
    certificate: dagger.Secret | None = None
    key: dagger.Secret | None = None

    @property
    def keys(self) -> dict[str, dagger.Secret]:
        """The files of TLS that are given, by the words of buildctl."""
        given = {"--tlscacert": self.ca, "--tlscert": self.certificate, "--tlskey": self.key}
        return {word: secret for word, secret in given.items() if secret}


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteDaemon:
    """A daemon of another machine."""

    address: Address
    base: dagger.Container  # of its client
    keys: Mapping[str, dagger.Secret]
    tunnel: dagger.Service | None = None
    worker: Worker = field(default_factory=lambda: Worker(version=BUILDKIT, platforms=()))

    @property
    def natives(self) -> tuple[str, ...]:
        """What it is native for: as it was said, else its processor's own platform."""
        return self.address.platforms or self.worker.platforms[:1]

    @property
    def name(self) -> str:
        """What a report calls the machine: by its address, and what it is native for."""
        return f"{self.address.url} ({', '.join(self.natives)})"

    @property
    def words(self) -> tuple[str, ...]:
        """What buildctl is told before its command: where the files of TLS are, and whom the certificate is to name."""
        named = ("--tlsservername", self.address.host) if self.keys else ()
        return (*named, *(part for word in self.keys for part in (word, f"{_KEYS}/{word.strip('-')}")))

    def client(self) -> dagger.Container:
        """Describe the container that asks it."""
        container, url = self.base, self.address.url
        if self.tunnel:
            url = f"tcp://builder-{self.address.port}:{self.address.port}"
            container = container.with_service_binding(f"builder-{self.address.port}", self.tunnel)
        for word, secret in self.keys.items():
            container = container.with_mounted_secret(f"{_KEYS}/{word.strip('-')}", secret)
        # Another version makes another image: the engine would answer from before.
        return container.with_env_variable("BUILDKIT_HOST", url).with_env_variable("BUILDER", self.worker.version)

    def is_native(self, platform: str) -> bool:
        """Tell whether it builds a platform without emulation."""
        if self.address.platforms:
            return platform in self.address.platforms
        return any(is_native(platform, own) for own in self.natives)

    def emulates(self, platform: str) -> bool:
        """Tell whether its machine emulates a platform."""
        return not self.is_native(platform)

    def can_build(self, platform: str) -> bool:
        """Tell whether it builds a platform at all: one that was said to be native for some is for those alone."""
        return self.is_native(platform) or (not self.address.platforms and platform in self.worker.platforms)

    async def ask(self) -> Worker:
        """Ask what it is.

        Raises:
            DrydockError: it gave no answer; the text says why.

        """
        asked = asked_now(self.client()).with_exec(["sh", "-c", _ASK, "sh", str(LIMIT), *self.words])
        try:
            said, _, code = (await asked.stdout()).strip().rpartition(" ")
        except dagger.DaggerError as error:
            raise DrydockError(f"the engine could not ask it: {explain(error)}") from None
        if code == "0":
            return read_worker(said)
        text, tunnelled = "" if code in _KILLED else said, self.tunnel is not None
        raise DrydockError(why_not_reached(text, self.address, keys=bool(self.keys), tunnel=tunnelled))

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look after a build: a machine that is cut off closes no connection, and its client would wait for ever.

        Raises:
            DrydockError: the daemon does not answer any more.

        """
        async with beside(self._watch):
            yield

    async def _watch(self) -> None:
        while True:
            await anyio.sleep(_PULSE)
            if await self._silence() and (why := await self._silence()):  # one answer may come late
                raise DrydockError(self._lost(why))

    async def _silence(self) -> str:
        """Ask it; say why it gave no answer, and nothing where it gave one."""
        try:
            await self.ask()
        except DrydockError as why:
            return str(why).partition(": ")[0]  # what helps behind it is for one that was never reached
        return ""

    async def blame(self, failure: Failure) -> Failure:
        """Say so where a build has failed because the daemon was lost."""
        if is_lost(failure.reason):
            return Failure(step="build", reason=self._lost(failure.reason))
        return failure

    def _lost(self, why: str) -> str:
        return (
            f"the builder {self.name} was lost while it built: {why}. See its own log, and whether it has memory and "
            f"disk enough; then run this again, or without that --builder, which builds elsewhere ({_MANUAL})"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """The builders that were reached."""

    builders: tuple[RemoteDaemon, ...] = ()
    notes: tuple[str, ...] = ()  # what the user should know of them

    def choose(self, config: Config, image: str, platform: str) -> RemoteDaemon | None:
        """Choose the builder of a variant; None where the engine's own daemon builds it.

        One that is native comes first, then an engine that is, then one that emulates. Several that are native share
        the images of the configuration in turn, so that an image finds its cache at the same one each time.
        """
        natives = [builder for builder in self.builders if builder.is_native(platform)]
        if natives:
            sharing = [each.name for each in config.images if platform in each.platforms]
            return natives[sharing.index(image) % len(natives)]
        if is_native(platform, engine_platform()):
            return None
        return next((builder for builder in self.builders if builder.can_build(platform)), None)

    def version_for(self, config: Config, image: str, platform: str) -> str:
        """Return the version of the BuildKit that builds a variant."""
        builder = self.choose(config, image, platform)
        return builder.worker.version if builder else BUILDKIT


async def find_fleet(remotes: Remotes, authorities: dagger.File | None = None) -> Fleet:
    """Ask all builders what they are.

    Args:
        remotes: as the command line has them.
        authorities: certificates in PEM that a registry's may be signed by: the client asks for tokens.

    Raises:
        DrydockError: none was reached, or what was said of them makes no sense.

    """
    if not remotes.addresses:
        if remotes.keys or remotes.tunnels:
            raise DrydockError(f"certificates or a tunnel for builders, and no --builder ({_MANUAL})")
        return Fleet()
    if bool(remotes.certificate) != bool(remotes.key):
        raise DrydockError("a client's certificate needs both: --builder-cert file:cert.pem --builder-key file:key.pem")
    tunnels = await _by_port(remotes)
    base = client_base(authorities)
    daemons = {
        address.url: RemoteDaemon(address=address, base=base, keys=remotes.keys, tunnel=tunnels.get(address.port))
        for address in remotes.addresses
    }
    with step("ask the builders"):
        workers, missing = await gather(daemons, RemoteDaemon.ask, limit=len(daemons))
    if not workers:
        tried = "".join(f"\n  {url}: {why}" for url, why in missing.items())
        raise DrydockError(
            f"no builder was reached:{tried}\nSee that buildkitd runs there and listens on that address, and that the "
            f"engine's network reaches it, or give --builder-tunnel; or leave --builder out ({_MANUAL})"
        )
    builders = tuple(replace(daemons[url], worker=worker) for url, worker in workers.items())
    lost = (f"The builder {url} was not reached, and others built in its place: {why}" for url, why in missing.items())
    return Fleet(builders=builders, notes=(*lost, *(note for builder in builders for note in _notes(builder))))


def _notes(builder: RemoteDaemon) -> Iterator[str]:
    url, version = builder.address.url, builder.worker.version
    if not builder.keys and not builder.tunnel and not builder.address.on_loopback:
        yield (
            f"The builder {url} is asked without TLS: whoever is between reads what is sent, and whoever reaches it "
            f"can build there ({_MANUAL})."
        )
    if wrong := [said for said in builder.address.platforms if not is_native(said, builder.worker.platforms[0])]:
        yield (
            f"The builder {url} is said to be native for {', '.join(wrong)}, and says that its processor is "
            f"{builder.worker.platforms[0]}: what it builds there may be emulated."
        )
    if not same_minor(version, BUILDKIT):
        yield (
            f"The builder {url} is BuildKit {version}, and Drydock is made for {BUILDKIT}: digests may be others, and "
            "what another version built is not reused."
        )


async def _by_port(remotes: Remotes) -> dict[str, dagger.Service]:
    """Start the tunnels; name each by its port, which is its builder's too."""
    found: dict[str, dagger.Service] = {}
    for service in remotes.tunnels:
        await service.start()
        port = (await service.endpoint()).rpartition(":")[2]
        if [address.port for address in remotes.addresses].count(port) != 1 or port in found:
            raise DrydockError(
                f"--builder-tunnel at port {port} is the way to the --builder of that port, and needs one: give each "
                f"builder a port of its own, such as --builder tcp://127.0.0.1:{port} "
                f"--builder-tunnel tcp://127.0.0.1:{port} ({_MANUAL})"
            )
        found[port] = service
    return found
