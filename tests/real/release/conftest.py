"""Releases in client mode: real containers, real pushes, a real registry, a proxy that spoils requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import dagger
import pytest
import pytest_asyncio
from dagger import dag

from ci.build.buildkit import Made
from ci.build.pipeline import Builder, build_all
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.model import Plan
from ci.core.names import sha_tag
from ci.registry.address import RegistryAddress
from ci.registry.auth import Credentials
from ci.registry.client import RegistryClient
from ci.registry.retry import RetryPolicy
from ci.release.destination import Destination
from ci.release.logins import Logins
from ci.release.outcome import Release
from ci.release.push import Supply, push_image, smoke_published
from ci.release.registries import Registries
from ci.release.release import release
from ci.release.request import ReleaseRequest, Target, parse_created, references
from ci.release.uploads import Uploads
from tests.support.proxy import FaultProxy
from tests.support.servers import Registry, run_registry

QUICK = RetryPolicy(attempts=4, base=0.01, deadline=15.0, longest=0.1)
STALLED = 1.0  # seconds without an answer that count as a stall
PATIENT = 30.0  # seconds that a look at the registry itself may take, on a machine that has much to do

OLD = ("a", "2026-01-01T12:00:00+00:00")
NEW = ("b", "2026-02-01T12:00:00+00:00")

CONFIG = """\
repository: registry.test/{name}
sbom: off
images:
  - name: alpha
    dockerfile: Dockerfile
    platforms: [linux/amd64, linux/arm64]
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
  - name: beta
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
"""


Hosts = str | tuple[str, ...]


def listed(hosts: Hosts) -> tuple[str, ...]:
    return (hosts,) if isinstance(hosts, str) else hosts


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit whose images are built and smoked, ready to be released."""

    plan: Plan
    source: dagger.Directory
    revision: str
    created: str
    targets: tuple[Target, ...]
    images: dict[str, Made]

    @property
    def tag(self) -> str:
        return sha_tag(self.revision)

    def at(self, hosts: Hosts, prefix: str, *tags: str) -> tuple[Target, ...]:
        """Name the repositories of its images below a prefix of each registry, and the tags that move."""
        return tuple(
            replace(t, repository=f"{host}/{prefix}/{t.image.name}", name=f"{prefix}/{t.image.name}", tags=tags)
            for t in self.targets
            for host in listed(hosts)
        )


def client(
    host: str, *, timeout: float = STALLED, login: tuple[str, str] | None = None, patient: bool = False
) -> RegistryClient:
    """Make a client that gives up soon, or one that waits as long as that of a user."""
    credentials = Credentials(username=login[0], password=login[1]) if login else None
    address = RegistryAddress(host=host, plain_http=True)
    if patient:
        return RegistryClient(address, credentials=credentials)
    return RegistryClient(address, credentials=credentials, policy=QUICK, timeout=timeout)


@asynccontextmanager
async def connect(
    hosts: Hosts, *, login: tuple[str, str] | None = None, patient: bool = False
) -> AsyncIterator[Registries]:
    async with AsyncExitStack() as stack:
        clients = {
            host: await stack.enter_async_context(client(host, login=login, patient=patient)) for host in listed(hosts)
        }
        yield Registries(clients=clients)


async def publish(
    commit: Commit,
    hosts: Hosts,
    prefix: str,
    *,
    tags: tuple[str, ...] = ("latest",),
    login: tuple[str, str] | None = None,
    resmoke: bool = False,
    overwrite: bool = False,
    allow_older: bool = False,
    patient: bool = False,
) -> Release:
    """Release a commit as `dagger call publish` does after its build."""
    request = ReleaseRequest(
        revision=commit.revision,
        created=parse_created(commit.created),
        overwrite=overwrite,
        allow_older=allow_older,
    )
    known = Credentials(username=login[0], password=login[1]) if login else None
    logins = Logins(known=dict.fromkeys(listed(hosts), known) if known else {})
    async with connect(hosts, login=login, patient=patient) as registries:
        return await release(
            registries,
            request,
            commit.at(hosts, prefix, *tags),
            push=partial(push_image, Uploads(registries), Supply(built=commit.images)),
            resmoke=partial(smoke_published, registries, logins=logins, made=commit.images) if resmoke else None,
        )


async def live(host: str, prefix: str, tag: str = "latest", *, login: tuple[str, str] | None = None) -> dict[str, str]:
    """Ask the registry itself what a tag names, for each image."""
    async with client(host, timeout=PATIENT, login=login) as registry:
        return {name: await registry.resolve(f"{prefix}/{name}", tag) or "" for name in ("alpha", "beta")}


def _source(dockerfile: str) -> dagger.Directory:
    return (
        dag.directory()
        .with_new_file("Dockerfile", dockerfile)
        .with_new_file("hello.txt", "hello")
        .with_new_file("deploy/images.yaml", CONFIG)
    )


async def make_commit(
    digit: str, created: str, *, dockerfile: str = "FROM scratch\nCOPY hello.txt /hello.txt\n"
) -> Commit:
    source = _source(dockerfile)
    return await build_commit(plan_build(await read_config(source, None), revision=digit * 40), source, created)


async def build_commit(plan: Plan, source: dagger.Directory, created: str) -> Commit:
    """Build and smoke all images of a plan, as a release does before it sends them."""
    targets = Destination(owner="acme").targets(plan, created=parse_created(created))
    labels = {target.image.name: target.labels for target in targets}
    built = await build_all(
        plan,
        Builder(source=source, parallel=2),
        created=parse_created(created),
        labels=labels,
        names=references(targets),
    )
    assert built.report.ok, built.report
    assert plan.revision
    return Commit(
        plan=plan,
        source=source,
        revision=plan.revision,
        created=created,
        targets=targets,
        images=dict(built.images),
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def old(session: None) -> Commit:
    del session
    return await make_commit(*OLD)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def new(session: None) -> Commit:
    del session
    return await make_commit(*NEW)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with run_registry(tmp_path_factory.mktemp("plain") / "registry") as registry:
        yield registry


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with run_registry(tmp_path_factory.mktemp("other") / "registry") as registry:
        yield registry


@pytest.fixture(scope="module")
def proxy(plain: Registry) -> Iterator[FaultProxy]:
    with FaultProxy(plain.port) as running:
        yield running
