"""What is attested of a variant is read back before any tag: each fault is stopped, by a sentence of its own."""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from ci.build.pins import Pins
from ci.core.attestations import SBOM
from ci.core.engine import Stopwatch
from ci.core.names import BASE_DIGEST, BASE_NAME, VERSION
from ci.core.oci import EMPTY, OCI_MANIFEST, REFERENCE, Descriptor, Manifest, digest_of
from ci.core.supply import Promised, ProvenanceMode, Require
from ci.release.ages import promise_ages
from ci.release.destination import Destination
from ci.release.outcome import Release, VariantFact
from ci.release.promotion import promote
from ci.release.push import Supply, push_image
from ci.release.release import release
from ci.release.request import Reusable, Staged, Target
from ci.release.sending import keep_attested
from ci.release.uploads import Uploads
from ci.release.verification import verify
from tests.support.proxy import Fault, FaultProxy, Kind, always
from tests.support.servers import Registry

from .attesting import ATTESTED, BAD, GOOD, PYTHON, SLSA, Attesting, Said, package, write
from .conftest import client, connect
from .hand import CONFIG, NEW, Hand, destination, plan_of, request_of

pytestmark = pytest.mark.timeout(120)


def targets_of(host: str, prefix: str, *tags: str) -> tuple[Target, ...]:
    plan = plan_of(NEW, ATTESTED)
    request = request_of(plan, NEW, *tags)
    named = destination(host, prefix).targets(plan, tags=request.tags, created=request.created)
    pins = {p: Pins(digests={PYTHON: GOOD}, whole=True, still=True) for p in ("linux/amd64", "linux/arm64")}
    base = {BASE_NAME: PYTHON, BASE_DIGEST: GOOD}
    return tuple(replace(target, labels={**target.labels, **base}, pins=pins) for target in named)


async def publish(host: str, prefix: str, hand: Hand, *, at: str = "") -> Release:
    """Release all images; `at` is where the registry is reached, if not under its own name."""
    plan = plan_of(NEW, ATTESTED)
    async with connect(at or host) as registries:
        targets = targets_of(at or host, prefix, "latest")
        push = hand.push(Uploads(registries), plan)
        return await release(registries, request_of(plan, NEW, "latest"), targets, push=push)


async def tags(host: str, prefix: str) -> set[str]:
    async with client(host) as registry:
        return {tag for name in ("alpha", "beta") for tag in await registry.list_tags(f"{prefix}/{name}")}


async def test_what_is_attested_is_read_back_and_released(plain: Registry) -> None:
    done = await publish(plain.host, "attested", Attesting())
    assert done.ok, done.problems
    assert await tags(plain.host, "attested") == {"latest", "sha-bbbbbbb"}
    for image in done.images:
        for variant in image.variants:
            assert variant.attested
            assert variant.attested.provenance
            assert variant.attested.provenance.bases == (("python:3.13-slim", GOOD),)
            assert variant.attested.provenance.arguments == {"A": "1"}
            assert variant.attested.sbom
            assert variant.attested.sbom.distribution == "debian-13"
            assert [package.name for package in variant.attested.sbom.packages] == ["bash", "requests"]


def set_to(name: str, value: object) -> Callable[[Said], None]:
    return lambda said: setattr(said, name, value)


SPOILT: dict[str, tuple[Callable[[Said], None] | None, str]] = {
    "no attestation": (None, "no provenance says how it was made"),
    "no SBOM": (set_to("leave_out", SBOM), "no SBOM says what is in it"),
    "no provenance": (set_to("leave_out", SLSA), "no provenance says how it was made"),
    "an attestation of another image": (set_to("subject", BAD), f"its attestation is of {BAD}, not of sha256:"),
    "statements of another image": (set_to("about", BAD), f"its SBOM is of {BAD}, not of sha256:"),
    "another base": (
        set_to("bases", [("python@3.13-slim", BAD)]),
        f"it is based on {PYTHON}@{GOOD}, and its provenance names other images: python:3.13-slim@{BAD}",
    ),
    "one more base": (
        set_to("bases", [("python@3.13-slim", GOOD), ("golang@1.26", BAD)]),
        f"by its provenance, the build took golang:1.26 with the digest {BAD}, and nobody knew of it",
    ),
    "another commit": (set_to("revision", "c" * 40), f"its provenance is of commit {'c' * 40}, and the image of b"),
    "no commit": (set_to("revision", ""), "its provenance is of commit none, and the image of b"),
    "less than promised": (set_to("whole", value=False), "its provenance has neither its Dockerfile nor its steps"),
    "an empty SBOM": (set_to("packages", []), f"its SBOM is empty, and it is based on {PYTHON}"),
    "no distribution": (
        set_to("packages", [package("bash", "5.2", "pkg:deb/debian/bash@5.2?arch=amd64")]),
        "its SBOM lists packages of a distribution, and does not name it",
    ),
    "another kind": (set_to("kinds", {SLSA: SBOM}), f"is {SLSA}, and its manifest says {SBOM}"),
    "no statement": (set_to("body", b"[]"), "is not an in-toto statement"),
}


@pytest.mark.parametrize("fault", SPOILT)
async def test_what_is_attested_wrongly_stops_a_release_before_any_tag(fault: str, plain: Registry) -> None:
    spoil, sentence = SPOILT[fault]
    prefix = f"spoilt/{re.sub('[^a-z]', '', fault.lower())}"
    done = await publish(plain.host, prefix, Attesting(spoil=spoil))
    assert not done.ok
    assert any(sentence in problem for problem in done.problems), done.problems
    assert {change.after for change in done.tags} == {None}
    assert await tags(plain.host, prefix) == set()


def forge(change: Callable[[Sequence[Descriptor]], Sequence[Descriptor]], hand: Hand, uploads: Uploads) -> Any:  # noqa: ANN401  # a Push
    """Push as `hand` does, and compose another index of it."""
    push = hand.push(uploads, plan_of(NEW, ATTESTED))

    async def forged(targets: Sequence[Target], watch: Stopwatch) -> tuple[Staged, ...]:
        found = []
        for one in await push(targets, watch):
            index = Manifest.of_index([*one.index.entries, *change(one.index.attestations)], one.index.annotations)
            found.append(replace(one, index=index))
        return tuple(found)

    return forged


FORGED: dict[str, tuple[Callable[[Sequence[Descriptor]], Sequence[Descriptor]], str]] = {
    "of no variant": (
        lambda found: [*found, replace(found[0], annotations={**found[0].annotations, REFERENCE: BAD})],
        f"is of {BAD}, which is no variant of it",
    ),
    "twice": (lambda found: [*found, found[0]], "has two attestations: sha256:"),
    "of its neighbour": (
        lambda found: [
            replace(one, annotations=other.annotations) for one, other in zip(found, found[::-1], strict=True)
        ],
        "its attestation is of sha256:",
    ),
    "of another size": (lambda found: [replace(one, size=1) for one in found], "bytes, the index says 1"),
}


@pytest.mark.parametrize("fault", FORGED)
async def test_a_forged_index_stops_a_release_before_any_tag(fault: str, plain: Registry) -> None:
    change, sentence = FORGED[fault]
    prefix = f"forged/{re.sub('[^a-z]', '', fault)}"
    plan = plan_of(NEW, ATTESTED)
    async with connect(plain.host) as registries:
        push = forge(change, Attesting(), Uploads(registries))
        targets = targets_of(plain.host, prefix, "latest")
        done = await release(registries, request_of(plan, NEW, "latest"), targets, push=push)
    assert not done.ok
    assert any(sentence in problem for problem in done.problems), done.problems
    assert await tags(plain.host, prefix) == set()


async def test_a_registry_that_serves_something_else_is_found_out(plain: Registry) -> None:
    """What it serves in place of a statement has another digest."""
    other = Fault(kind=Kind.STATUS, status=200, body=b'{"_type": "https://in-toto.io/Statement/v1"}')
    statements: set[str] = set()

    def spoil(said: Said) -> None:
        statements.update(set(write(said)[1]) - {digest_of(EMPTY)})

    hand = Attesting(spoil=spoil)
    assert (await publish(plain.host, "first", hand)).ok
    with FaultProxy(plain.port, rule=always(other, "GET", f"/blobs/{min(statements)}")) as proxy:
        done = await publish("", "served", hand, at=proxy.host)
    assert not done.ok
    assert any("the body has the digest" in problem for problem in done.problems), done.problems
    assert await tags(plain.host, "served") == set()


async def attested(host: str, prefix: str, tag: str = "latest") -> dict[str, list[str]]:
    """List what an index says of its attestations, by image."""
    async with client(host) as registry:
        found = {}
        for name in ("alpha", "beta"):
            index = await registry.get_manifest(f"{prefix}/{name}", tag)
            found[name] = [entry.digest for entry in index.attestations]
            for entry in index.attestations:
                manifest = await registry.get_manifest(f"{prefix}/{name}", entry.digest)
                for layer in manifest.image.layers:
                    assert await registry.blob_size(f"{prefix}/{name}", layer.digest) == layer.size
        return found


def later(said: Said) -> None:
    """Build the same again: only what is said of the time is other."""
    said.started = "2026-02-01T13:00:00Z"


async def test_a_second_build_keeps_what_is_attested_of_the_same_variants(plain: Registry, other: Registry) -> None:
    """The tag of a commit stays what it was, and a repository that is new gets the same."""
    assert (await publish(plain.host, "again", Attesting())).ok
    before = await attested(plain.host, "again")
    plan = plan_of(NEW, ATTESTED)
    async with connect((plain.host, other.host)) as registries:
        uploads = Uploads(registries)
        targets = [t for host in (other.host, plain.host) for t in targets_of(host, "again", "latest")]
        push = Attesting(spoil=later).push(uploads, plan)

        async def kept(of: Sequence[Target], watch: Stopwatch) -> tuple[Staged, ...]:
            staged = await push(of, watch)
            index = await keep_attested(uploads, of, staged[0].index)
            return tuple(replace(one, index=index) for one in staged)

        done = await release(registries, request_of(plan, NEW, "latest"), targets, push=kept)
    assert done.ok, done.problems
    assert await attested(plain.host, "again") == await attested(other.host, "again") == before


async def test_what_is_attested_goes_along_to_another_repository_and_to_another_tag(
    plain: Registry, other: Registry
) -> None:
    assert (await publish(plain.host, "along", Attesting())).ok
    before = await attested(plain.host, "along")
    plan = plan_of(NEW, ATTESTED)
    here, there = targets_of(plain.host, "along"), targets_of(other.host, "along", "latest")
    async with connect((plain.host, other.host)) as registries:
        found = {}
        for target in here:
            live = await registries.of(target).get_manifest(target.name, "latest")
            facts = tuple(VariantFact(variant=str(v), digest="", size=0, reused="sha-aaaaaaa") for v in target.variants)
            found[target.image.name] = Reusable(
                source=target, entries=live.entries, attestations=live.attestations, facts=facts
            )
        supply = Supply(revision=NEW[0], configuration="x", found=found)
        push = partial(push_image, Uploads(registries), supply)
        done = await release(registries, request_of(plan, NEW, "latest"), there, push=push)
        assert done.ok, done.problems
        assert await attested(other.host, "along") == before
        # A tag of a version is an index of its own, of the same.
        named = tuple(
            replace(t, labels={**t.labels, VERSION: "1.2.3"}, tags=("1.2.3",)) for t in targets_of(other.host, "along")
        )
        done = await promote(registries, named, "latest")
        assert done.ok, done.problems
    assert await attested(other.host, "along", "1.2.3") == before


async def test_what_was_released_before_may_lack_it_and_what_is_wrong_is_found(plain: Registry) -> None:
    plan = plan_of(NEW, replace(ATTESTED, provenance=ProvenanceMode.OFF, images=CONFIG.images))
    async with connect(plain.host) as registries:
        bare = tuple(replace(target, promised=Promised()) for target in targets_of(plain.host, "before"))
        push = Attesting(spoil=None).push(Uploads(registries), plan)
        assert (await release(registries, request_of(plan, NEW), bare, push=push)).ok
        found = await verify(registries, targets_of(plain.host, "before"), NEW[0])
        assert found.ok, found.problems
        assert [note.rpartition(": ")[2] for note in found.notes] == [
            "no provenance says how it was made",
            "no SBOM says what is in it",
        ] * 3
        # What says nothing wrong today says it of another image tomorrow.
        push = forge(FORGED["of its neighbour"][0], Attesting(), Uploads(registries))
        targets = targets_of(plain.host, "wrong")
        for one in [each for target in targets[:1] for each in await push([target], Stopwatch())]:
            await registries.of(one.target).put_manifest(
                one.target.name, one.target.own, one.index.body, one.index.media_type
            )
        found = await verify(registries, targets[:1], NEW[0])
        assert [problem.partition(": its ")[2].partition(" of ")[0] for problem in found.problems] == [
            "attestation is"
        ] * 2


async def test_packages_that_may_not_be_there_stop_a_release(plain: Registry) -> None:
    """By a name, by a kind and a name, and by a pattern; what is only like one is none."""
    unwanted = Require(without=("bash", "pypi/requ*", "deb/requests", "bas", "npm/bash"))
    plan = plan_of(NEW, ATTESTED)
    async with connect(plain.host) as registries:
        targets = tuple(
            replace(target, promised=replace(target.promised, require=unwanted))
            for target in targets_of(plain.host, "without", "latest")
        )
        push = Attesting().push(Uploads(registries), plan)
        done = await release(registries, request_of(plan, NEW, "latest"), targets, push=push)
    assert [problem.partition(": it has ")[2] for problem in done.problems] == [
        "bash 5.2, and the configuration says require: without: bash",
        "requests 2.32, and the configuration says require: without: pypi/requ*",
    ] * 3
    assert await tags(plain.host, "without") == set()


async def test_what_was_released_before_has_to_have_what_is_required(plain: Registry) -> None:
    plan = plan_of(NEW, replace(ATTESTED, provenance=ProvenanceMode.OFF, images=CONFIG.images))
    async with connect(plain.host) as registries:
        bare = tuple(replace(target, promised=Promised()) for target in targets_of(plain.host, "required"))
        push = Attesting(spoil=None).push(Uploads(registries), plan)
        assert (await release(registries, request_of(plan, NEW), bare, push=push)).ok
        required = Require(sbom=True)
        targets = tuple(replace(target, promised=replace(target.promised, require=required)) for target in bare)
        found = await verify(registries, targets, NEW[0])
    assert [problem.rpartition(": ")[2] for problem in found.problems] == ["no SBOM says what is in it"] * 3


@pytest.mark.parametrize(("days", "said"), [(31, "was made 31 days ago, on 2026-01-01"), (30, ""), (0, "")])
async def test_a_base_image_that_is_too_old_stops_a_release(plain: Registry, days: int, said: str) -> None:
    """Its registry is asked when it was made."""
    made = datetime(2026, 1, 1, tzinfo=UTC)
    plan = plan_of(NEW, ATTESTED)
    base = await publish_base(plain.host, f"{made:%Y-%m-%dT%H:%M:%SZ}")
    labels = {BASE_NAME: f"{plain.host}/library/python:3.13-slim", BASE_DIGEST: base}
    hand = Attesting(base=labels, spoil=set_to("bases", [(f"{plain.host}/library/python@3.13-slim", base)]))
    pins = Pins(digests={labels[BASE_NAME]: base}, whole=True, still=True)
    promises = promise_ages(30 * 86400, Destination(), now=lambda: made + timedelta(days=days, seconds=-1 + days // 31))
    prefix = f"old/{days}"
    async with connect(plain.host) as registries:
        targets = tuple(
            replace(target, labels={**target.labels, **labels}, pins=dict.fromkeys(target.pins, pins))
            for target in targets_of(plain.host, prefix, "latest")
        )
        push = hand.push(Uploads(registries), plan)
        request = request_of(plan, NEW, "latest")
        done = await release(registries, request, targets, push=push, promises=promises)
    assert done.ok == (not said), done.problems
    assert all(said in problem and "require: base-age: 30d" in problem for problem in done.problems), done.problems
    assert await tags(plain.host, prefix) == (set() if said else {"latest", "sha-bbbbbbb"})


async def publish_base(host: str, created: str) -> str:
    """Push an image for both platforms that says when it was made."""
    entries = []
    async with client(host) as registry:
        for architecture in ("amd64", "arm64"):
            config: dict[str, object] = {
                "os": "linux",
                "architecture": architecture,
                "created": created,
                "rootfs": {"diff_ids": []},
            }
            text = json.dumps(config).encode()
            kind = "application/vnd.oci.image.config.v1+json"
            blob = Descriptor(media_type=kind, digest=digest_of(text), size=len(text))

            async def content(text: bytes = text) -> AsyncIterator[bytes]:
                yield text

            await registry.put_blob("library/python", blob, content)
            described = {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}
            document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": []}
            body = json.dumps(document).encode()
            digest = await registry.put_manifest("library/python", digest_of(body), body, OCI_MANIFEST)
            entries.append(
                Descriptor(media_type=OCI_MANIFEST, digest=digest, size=len(body), platform=f"linux/{architecture}")
            )
        index = Manifest.of_index(entries, {})
        return await registry.put_manifest("library/python", "3.13-slim", index.body, index.media_type)
