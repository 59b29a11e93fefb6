"""Whatever moves a tag leaves every attestation at its place: read from two registries, by plain requests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from ci.release.deliver import release_again
from ci.release.outcome import Change, Release
from ci.release.promotion import promote
from ci.release.release import release
from ci.release.request import Target
from ci.release.uploads import Uploads
from tests.support.programs import find_program, run_crane
from tests.support.servers import Registry, run_registry

from .attesting import ATTESTED, Attesting, Said
from .conftest import connect
from .hand import NEW, OLD, Quick, destination, plan_of, request_of

# The larger program is compiled where no earlier run has.
pytestmark = pytest.mark.timeout(1500)

IMAGES = {"alpha": 2, "beta": 1}  # variants of each
KINDS = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
OLDER, NEWER = "sha-aaaaaaa", "sha-bbbbbbb"


@pytest.fixture(scope="module", params=["Debian's, twice", "distribution 3 and go-containerregistry"])
def hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    one, other = (tmp_path_factory.mktemp(name) / "registry" for name in ("one", "other"))
    with ExitStack() as stack:
        registries: list[Registry] = []
        if "3" in request.param:
            registries.append(stack.enter_context(run_registry(one, program=find_program("registry"))))
            registries.append(stack.enter_context(run_crane(other)))
        else:
            registries += [stack.enter_context(run_registry(folder)) for folder in (one, other)]
        yield registries[0].host, registries[1].host


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a registry serves of an image, by plain requests."""

    host: str
    repository: str
    http: httpx.Client

    def get(self, path: str) -> httpx.Response:
        return self.http.get(f"http://{self.host}/v2/{self.repository}/{path}", headers={"Accept": KINDS})

    def read(self, path: str) -> Any:  # noqa: ANN401  # a document of a registry
        return self.get(path).raise_for_status().json()

    def has(self, digest: str) -> bool:
        return self.get(f"manifests/{digest}").status_code == 200

    def digest(self, tag: str) -> str:
        return str(self.get(f"manifests/{tag}").raise_for_status().headers["Docker-Content-Digest"])

    def tags(self) -> dict[str, str]:
        return {tag: self.digest(tag) for tag in self.read("tags/list")["tags"]}

    def places(self, reference: str) -> dict[str, str]:
        """Return what an index says of its variants: the digest of each, and that of its attestation.

        Each attestation names its variant three times: in the index, as its subject, and in each statement.
        """
        entries = self.read(f"manifests/{reference}")["manifests"]
        key = "vnd.docker.reference.digest"
        about = [each for each in entries if key in each.get("annotations", {})]
        variants = [each["digest"] for each in entries if each not in about]
        for each in about:
            assert each["platform"] == {"architecture": "unknown", "os": "unknown"}
            assert each["annotations"]["vnd.docker.reference.type"] == "attestation-manifest"
            manifest = self.read(f"manifests/{each['digest']}")
            assert manifest["subject"]["digest"] == each["annotations"][key]
            statements = [self.read(f"blobs/{layer['digest']}") for layer in manifest["layers"]]
            assert [said["predicateType"].partition(".dev/")[0] for said in statements] == [
                "https://spdx",
                "https://slsa",
            ]
            for said in statements:
                assert {f"sha256:{one['digest']['sha256']}" for one in said["subject"]} == {each["annotations"][key]}
        for digest in variants:
            config = self.read(f"manifests/{digest}")["config"]
            assert self.read(f"blobs/{config['digest']}")["os"] == "linux"
        found = {each["annotations"][key]: each["digest"] for each in about}
        assert len(about) == len(found), "two of one variant"
        assert set(found) == set(variants), "each variant has one, and none is of anything else"
        return found


@dataclass
class Shelf:
    """One prefix of both registries, and all that was attested there."""

    hosts: Sequence[str]
    prefix: str
    http: httpx.Client
    made: dict[str, str] = field(default_factory=dict)  # the variant of each attestation that was pushed

    def served(self) -> Iterator[Served]:
        for host in self.hosts:
            yield from (Served(host=host, repository=f"{self.prefix}/{name}", http=self.http) for name in IMAGES)

    async def publish(self, commit: tuple[str, str], *tags: str) -> Release:
        subjects: list[str] = []

        def listen(said: Said) -> None:
            subjects.append(said.about)

        plan = plan_of(commit, ATTESTED)
        request = request_of(plan, commit, *tags)
        targets = self.targets(commit, *tags)
        async with connect(tuple(self.hosts)) as registries:
            push = Attesting(commit=commit, spoil=listen).push(Uploads(registries), plan)
            done = await release(registries, request, targets, push=push)
        for each in self.served():
            found = each.places(f"sha-{commit[0][:7]}")
            assert set(found) <= set(subjects)
            self.made |= {attestation: variant for variant, attestation in found.items()}
        return done

    def targets(self, commit: tuple[str, str], *tags: str) -> tuple[Target, ...]:
        plan = plan_of(commit, ATTESTED)
        request = request_of(plan, commit, *tags)
        where = destination(tuple(self.hosts), self.prefix)
        return where.targets(plan, tags=request.tags, created=request.created)

    async def promote(self, source: str, tag: str) -> Release:
        async with connect(tuple(self.hosts)) as registries:
            return await promote(registries, self.targets(NEW, tag), source)

    async def name_version(self, commit: tuple[str, str], version: str) -> Release:
        """Release a commit again, as its version: nothing is built, and an index of its own says the version."""
        plan = plan_of(commit, ATTESTED)
        request = replace(request_of(plan, commit, f"v{version}"), version=version, once=True)
        where = Quick(repositories=destination(tuple(self.hosts), self.prefix).repositories)
        done = await release_again(plan, request, where)
        assert done
        assert done.released
        return done.released

    def check(self) -> dict[str, dict[str, str]]:
        """Hold what every tag of all repositories names; return that by repository, the same in both registries."""
        found: list[dict[str, dict[str, str]]] = [{} for _ in self.hosts]
        for each in self.served():
            tags = each.tags()
            for tag in tags:
                places = each.places(tag)
                assert len(places) == IMAGES[each.repository.rpartition("/")[2]]
                assert {attestation: variant for variant, attestation in places.items()}.items() <= self.made.items()
            found[self.hosts.index(each.host)][each.repository] = tags
        assert all(one == found[0] for one in found)
        for attestation, variant in self.made.items():
            kept = [one.host for one in self.served() if one.has(attestation) and one.has(variant)]
            assert kept == list(self.hosts)
        return found[0]


@pytest.fixture
def shelf(hosts: tuple[str, str], request: pytest.FixtureRequest) -> Iterator[Shelf]:
    """A prefix that no other test uses."""
    with httpx.Client(trust_env=False, timeout=30) as http:
        yield Shelf(hosts=hosts, prefix=request.function.__name__.replace("_", "-"), http=http)


async def test_rollback_and_promote_leave_every_attestation_at_its_place(shelf: Shelf) -> None:
    for commit in (OLD, NEW):
        done = await shelf.publish(commit, "latest")
        assert done.ok, done.problems
    found = shelf.check()
    assert all(tags == {**tags, "latest": tags[NEWER]} for tags in found.values())
    assert all(set(tags) == {"latest", OLDER, NEWER} for tags in found.values())
    # Back, by a tag; to a name of its own; forth, by a digest.
    for source, tag, now in ((OLDER, "latest", OLDER), (NEWER, "stable", NEWER), (OLDER, "stable", OLDER)):
        done = await shelf.promote(source, tag)
        assert done.ok, done.problems
        after = shelf.check()
        assert all(tags[tag] == tags[now] == found[name][now] for name, tags in after.items())
    done = await shelf.promote(found[f"{shelf.prefix}/alpha"][NEWER], "latest")
    assert done.ok, done.problems
    after = shelf.check()
    assert all(tags["latest"] == tags[NEWER] != tags["stable"] for tags in after.values())


async def test_a_version_of_its_own_has_the_attestations_of_its_commit(shelf: Shelf) -> None:
    """The index differs from the commit's, since it says the version; what it names is the same."""
    for commit in (OLD, NEW):
        assert (await shelf.publish(commit, "latest")).ok
    for commit, own, version in ((NEW, NEWER, "1.1.0"), (OLD, OLDER, "1.0.1")):
        done = await shelf.name_version(commit, version)
        assert done.ok, done.problems
        tags = shelf.check()
        for each in shelf.served():
            named, by_commit = tags[each.repository][f"v{version}"], tags[each.repository][own]
            assert named != by_commit
            assert each.places(named) == each.places(by_commit)
            notes = each.read(f"manifests/{named}")["annotations"]
            assert notes["org.opencontainers.image.version"] == version
    # A version is promoted and rolled back to as any other tag is.
    for source in ("v1.1.0", "v1.0.1"):
        done = await shelf.promote(source, "latest")
        assert done.ok, done.problems
        assert all(tags["latest"] == tags[source] for tags in shelf.check().values())


async def test_what_one_registry_has_lost_is_not_promoted(shelf: Shelf) -> None:
    """An index in one of two registries that leaves an attestation out is found before any tag is moved."""
    for commit in (OLD, NEW):
        assert (await shelf.publish(commit, "latest")).ok
    before = shelf.check()
    each = next(one for one in shelf.served() if one.host == shelf.hosts[1])
    document: Mapping[str, Any] = each.read(f"manifests/{OLDER}")
    left = [one for one in document["manifests"] if one["platform"]["os"] != "unknown"]
    body = json.dumps({**document, "manifests": left}).encode()
    place = f"http://{each.host}/v2/{each.repository}/manifests/{OLDER}"
    put = shelf.http.put(place, content=body, headers={"Content-Type": document["mediaType"]})
    assert put.is_success, put.text
    done = await shelf.promote(OLDER, "latest")
    assert not done.ok
    assert any("is not the same everywhere" in problem for problem in done.problems), done.problems
    assert {outcome.change for outcome in done.tags} <= {Change.UNCHANGED}
    assert all(one.tags()["latest"] == before[one.repository]["latest"] for one in shelf.served())
