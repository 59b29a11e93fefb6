"""Images written by hand and staged as a machine stages what it has built, without an engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ci.build.inputs import INPUTS, PARTS
from ci.build.pins import Pins
from ci.config.plan import plan_build
from ci.core.checks import RunCheck, SmokeCheck
from ci.core.engine import Stopwatch
from ci.core.model import Config, Image, Outcome, Plan, Variant
from ci.core.names import of_commit
from ci.core.oci import OCI_MANIFEST, Descriptor, Manifest, digest_of
from ci.core.supply import ProvenanceMode
from ci.release.destination import Destination
from ci.release.finish import finish_staged
from ci.release.folder import Folder, Machine, make_folder
from ci.release.outcome import Delivery, Release
from ci.release.record import Entry, Record, compose_index, digest_configuration
from ci.release.registries import Registries
from ci.release.release import Promise, Push
from ci.release.request import ReleaseRequest, Staged, Target, parse_created, tags_for
from ci.release.stage import stage_targets
from ci.release.uploads import Locate, Uploads

from .conftest import Hosts, connect, listed

AMD64, ARM64 = "linux/amd64", "linux/arm64"
BOTH = (AMD64, ARM64)
OLD = ("a" * 40, "2026-01-01T12:00:00+00:00")
NEW = ("b" * 40, "2026-02-01T12:00:00+00:00")
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"


def config_of(*checks: str, title: str = "Alpha") -> Config:
    greets = tuple(SmokeCheck(name=name, check=RunCheck(argv=("true",))) for name in checks)
    return Config(
        repositories=("registry.test/{name}",),
        images=(
            Image(name="alpha", title=title, dockerfile="Dockerfile", context=".", platforms=BOTH, smoke=greets),
            Image(name="beta", dockerfile="Dockerfile", context=".", platforms=(AMD64,), smoke=greets),
        ),
        provenance=ProvenanceMode.OFF,
    )


CONFIG = config_of("greets", "ends")


def plan_of(commit: tuple[str, str] = NEW, config: Config = CONFIG, platforms: Sequence[str] = ()) -> Plan:
    return plan_build(config, platforms=platforms, revision=commit[0])


def request_of(plan: Plan, commit: tuple[str, str] = NEW, *tags: str, once: bool = False) -> ReleaseRequest:
    created = parse_created(commit[1])
    return ReleaseRequest(revision=commit[0], created=created, tags=tags_for(plan, tags), once=once)


def destination(hosts: Hosts, prefix: str) -> Destination:
    return Destination(repositories=tuple(f"{host}/{prefix}/{{name}}" for host in listed(hosts)))


@dataclass(frozen=True, kw_only=True)
class Hand:
    """What stands for a machine's builds: one layer of a few bytes for each variant.

    `content` is what differs between two builds of the same commit; `passed` are the checks that the record tells of.
    """

    commit: tuple[str, str] = NEW
    content: str = "hello"
    base: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] | None = None
    attestation: str | None = None
    pins: Pins | None = field(default_factory=lambda: Pins(digests={}, whole=True, still=True))

    def make(self, target: Target, variant: Variant) -> tuple[Manifest, dict[str, bytes]]:
        """Write a variant: its manifest, and its blobs by their digests."""
        layer = f"{variant} of {self.commit[0]}: {self.content}".encode()
        system, architecture = variant.platform.split("/")
        config = {
            "os": system,
            "architecture": architecture,
            "config": {"Labels": {**target.labels, **self.base}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        }
        text = json.dumps(config, sort_keys=True).encode()
        blobs = {digest_of(body): body for body in (text, layer)}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": digest_of(text), "size": len(text)},
            "layers": [{"mediaType": _LAYER, "digest": digest_of(layer), "size": len(layer)}],
        }
        body = json.dumps(document, sort_keys=True).encode()
        return Manifest(body=body, media_type=OCI_MANIFEST, digest=digest_of(body)), blobs

    def attest(
        self, target: Target, variant: Variant, manifest: Manifest
    ) -> tuple[Manifest | None, Mapping[str, bytes]]:
        """Attest nothing of a variant."""
        del target, variant, manifest
        return None, {}

    def record(self, plan: Plan, target: Target, variant: Variant, digest: str) -> Record:
        inputs = {INPUTS: digest_of(str(variant).encode()), PARTS: "context=0"}
        return Record(
            variant=str(variant),
            digest=digest,
            revision=self.commit[0],
            configuration=digest_configuration(plan.config),
            annotations={**of_commit(target.labels), **inputs},
            base=self.base,
            checks=tuple(c.name for c in variant.checks) if self.passed is None else self.passed,
            attestation=self.attestation,
            pins=self.pins,
        )

    def push(self, uploads: Uploads, plan: Plan) -> Push:
        """Bring it to the registries, as push_image does what was built."""

        async def push(targets: Sequence[Target], _: Stopwatch) -> tuple[Staged, ...]:
            entries = []
            for variant in targets[0].variants:
                manifest, blobs = self.make(targets[0], variant)
                attestation, more = self.attest(targets[0], variant, manifest)
                async with _at_hand({**blobs, **more}) as locate:
                    for target in targets:
                        for one in filter(None, (manifest, attestation)):
                            await uploads.send(target, one, locate)
                record = self.record(plan, targets[0], variant, manifest.digest)
                if attestation:
                    record = replace(record, attestation=attestation.digest)
                entries.append(Entry(record=record, manifest=manifest, attestation=attestation))
            index = compose_index(entries, targets[0].variants, targets[0].labels)
            return tuple(Staged(target=target, index=index, entries=tuple(entries)) for target in targets)

        return push


@asynccontextmanager
async def _at_hand(blobs: Mapping[str, bytes]) -> AsyncIterator[Locate]:
    with TemporaryDirectory() as folder:
        for digest, body in blobs.items():
            (Path(folder) / digest.replace(":", "-")).write_bytes(body)

        async def locate(blob: Descriptor) -> tuple[Path, int]:
            return Path(folder) / blob.digest.replace(":", "-"), 0

        yield locate


async def stage(
    hosts: Hosts, prefix: str, platform: str = "", *, hand: Hand | None = None, config: Config = CONFIG
) -> tuple[Release, Folder]:
    """Stage the variants of a platform, or all."""
    hand = hand or Hand()
    plan = plan_of(hand.commit, config)
    part = plan_of(hand.commit, config, (platform,) if platform else ())
    request = request_of(plan, hand.commit)
    names = {image.name for image in part.images}
    targets = tuple(
        replace(target, variants=tuple(v for v in target.variants if platform in {"", v.platform}))
        for target in destination(hosts, prefix).targets(plan, created=request.created)
        if target.image.name in names
    )
    async with connect(hosts) as registries:
        uploads = Uploads(registries)
        done, staged = await stage_targets(uploads, request, targets, push=hand.push(uploads, plan))
    outcomes = [
        Outcome(variant=variant, build_seconds=1.0, smoke_total=2, smoke_passed=2, size=1) for variant in part.variants
    ]
    machine = Machine(platform=platform or AMD64, engine="v0")
    folder = make_folder(plan, request, outcomes, staged, inputs={}, machine=machine)
    return done, replace(folder, place=f"folder of {platform or 'all'}")


async def stage_both(hosts: Hosts, prefix: str, *, hand: Hand | None = None) -> tuple[Folder, Folder]:
    """Stage both platforms, each by itself."""
    made = [await stage(hosts, prefix, platform, hand=hand) for platform in BOTH]
    assert all(done.ok for done, _ in made), [done.problems for done, _ in made]
    return made[0][1], made[1][1]


class Quick(Destination):
    """A destination whose clients give up soon."""

    __slots__ = ()

    @asynccontextmanager
    async def connect(self, targets: Sequence[Target]) -> AsyncIterator[Registries]:
        async with connect(tuple(dict.fromkeys(target.host for target in targets))) as registries:
            yield registries


async def finish(
    hosts: Hosts,
    prefix: str,
    folders: Sequence[Folder],
    *tags: str,
    commit: tuple[str, str] = NEW,
    config: Config = CONFIG,
    once: bool = False,
    prepare: bool = False,
    promises: Sequence[Promise] = (),
) -> Release:
    """Finish what was staged."""
    plan = plan_of(commit, config)
    request = request_of(plan, commit, *(tags or ("latest",)), once=once)
    where = Quick(repositories=destination(hosts, prefix).repositories)
    done: Delivery = await finish_staged(plan, request, folders, where, promises=promises, only_prepare=prepare)
    assert done.released
    return done.released
