"""What finish takes of a record: which images a build had to take; and what is no record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ci.build.pins import Pins
from ci.core.model import Plan, Variant
from ci.core.oci import Descriptor, Manifest, digest_of
from ci.registry import RegistryClient
from ci.release.folder import Folder, StagedVariant
from ci.release.record import KIND, Entry, Record, read_record, write_record
from ci.release.request import Target
from tests.support.servers import Registry

from .attesting import ATTESTED, BAD, GOOD, PYTHON, Attesting, Said
from .conftest import client
from .hand import AMD64, ARM64, finish, stage, stage_both
from .test_finish import ALPHA, STAGE, changed, nothing_is_named, of

pytestmark = pytest.mark.timeout(120)

GOLANG = "docker.io/library/golang:1.26"
TOOLS = digest_of(b"golang")
PINS = Pins(digests={PYTHON: GOOD, GOLANG: TOOLS}, whole=True, still=True)
TAKEN = [("python@3.13-slim", GOOD), ("golang@1.26", TOOLS)]


def taking(*taken: tuple[str, str]) -> Callable[[Said], None]:
    return lambda said: setattr(said, "bases", list(taken))


async def staged(host: str, prefix: str, hand: Attesting) -> list[Folder]:
    """Stage what nobody has held against its pins, as whoever can write to the registry may do."""
    found = [await stage(host, prefix, platform, hand=hand, config=ATTESTED) for platform in (AMD64, ARM64)]
    assert all(done.ok for done, _ in found), found
    return [folder for _, folder in found]


async def tags(host: str, prefix: str) -> set[str]:
    async with client(host) as registry:
        return {tag for name in ("alpha", "beta") for tag in await registry.list_tags(f"{prefix}/{name}")}


async def test_a_build_that_took_what_was_pinned_is_released(plain: Registry) -> None:
    folders = await staged(plain.host, "pinned", Attesting(pins=PINS, spoil=taking(*TAKEN)))
    done = await finish(plain.host, "pinned", folders, config=ATTESTED)
    assert done.ok, done.problems
    assert await tags(plain.host, "pinned") == {"latest", "sha-bbbbbbb"}


PLANTED = {
    "another-digest": (
        [TAKEN[0], ("golang@1.26", BAD)],
        f"by its provenance, the build took golang:1.26 with the digest {BAD}, and {TOOLS} was resolved before",
    ),
    "one-more": (
        [*TAKEN, ("curl@8", BAD)],
        f"by its provenance, the build took curl:8 with the digest {BAD}, and nobody knew of it before it began",
    ),
}


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("fault", PLANTED)
async def test_a_builder_stage_that_took_something_else_stops_before_any_tag(
    plain: Registry, fault: str, prepare: bool
) -> None:
    taken, sentence = PLANTED[fault]
    prefix = f"planted/{fault}/{prepare}".lower()
    folders = await staged(plain.host, prefix, Attesting(pins=PINS, spoil=taking(*taken)))
    done = await finish(plain.host, prefix, folders, config=ATTESTED, prepare=prepare)
    assert [problem.partition("linux/")[2].partition(": ")[2][: len(sentence)] for problem in done.problems] == [
        sentence
    ] * 3, done.problems
    assert done.next.startswith("Stage what is named above")
    assert await tags(plain.host, prefix) == set()


@pytest.mark.parametrize("whole", [False, True])
async def test_a_variant_of_one_platform_is_held_to_its_own_pins(plain: Registry, whole: bool) -> None:
    """A foreign frontend takes what nobody knows: only what is known is held."""
    other = digest_of(b"golang for arm64")

    @dataclass(frozen=True, kw_only=True)
    class Each(Attesting):
        def record(self, plan: Plan, target: Target, variant: Variant, digest: str) -> Record:
            made = super().record(plan, target, variant, digest)
            tools = other if variant.platform == ARM64 else TOOLS
            return replace(made, pins=Pins(digests={PYTHON: GOOD, GOLANG: tools}, whole=whole, still=whole))

    prefix = f"each/{whole}".lower()
    folders = await staged(plain.host, prefix, Each(spoil=taking(*TAKEN, *([] if whole else [("curl@8", BAD)]))))
    done = await finish(plain.host, prefix, folders, config=ATTESTED)
    (problem,) = done.problems
    assert f"alpha@linux/arm64: by its provenance, the build took golang:1.26 with the digest {TOOLS}" in problem


async def test_a_record_that_leaves_the_pins_out_is_not_enough(plain: Registry) -> None:
    """Only what a stage took over as it was released may: then what its build had to take is not known."""
    folders = await staged(plain.host, "left-out", Attesting(pins=None))
    done = await finish(plain.host, "left-out", folders, config=ATTESTED)
    assert len(done.problems) == 3
    assert "no record says which images the build of alpha@linux/arm64 had to take; run the job" in str(done.problems)
    assert await tags(plain.host, "left-out") == set()

    @dataclass(frozen=True, kw_only=True)
    class Reused(Attesting):
        def record(self, plan: Plan, target: Target, variant: Variant, digest: str) -> Record:
            return replace(super().record(plan, target, variant, digest), reused="sha-aaaaaaa")

    folders = await staged(plain.host, "reused", Reused(pins=None))
    assert (await finish(plain.host, "reused", folders, config=ATTESTED)).ok


async def subject_of(registry: RegistryClient, name: str, one: StagedVariant) -> tuple[Manifest, Descriptor]:
    """Read what was staged of a variant, and how a record refers to it."""
    variant = await registry.get_manifest(name, str(one.digest))
    return variant, Descriptor(media_type=variant.media_type, digest=variant.digest, size=len(variant.body))


async def test_a_hostile_record_is_no_record(plain: Registry) -> None:
    folders = await stage_both(plain.host, "hostile")
    one = of(folders[1], ALPHA)
    async with client(plain.host) as registry:
        variant, subject = await subject_of(registry, "hostile/alpha", one)
        real = read_record(await registry.get_manifest("hostile/alpha", str(one.record)))
        text = write_record(Entry(record=real, manifest=variant)).annotations["dev.drydock.staged"]
        said = json.loads(text)
        pins = [1, [], {}, "x", {**said["pins"], "digests": {"a": "b"}}, {**said["pins"], "whole": "yes"}]
        later, more = [json.dumps({**said, **other}) for other in ({"schema": said["schema"] + 1}, {"x": 1})]
        spoilt = [json.dumps({**said, "pins": each}) for each in pins]
        for hostile in ("", "[]", "{}", "null", "1", later, more, *spoilt):
            made = Manifest.of_artifact(KIND, subject, {"dev.drydock.staged": hostile})
            await registry.put_manifest("hostile/alpha", made.digest, made.body, made.media_type)
            done = await finish(plain.host, "hostile", [folders[0], changed(folders[1], ALPHA, record=made.digest)])
            assert f"{made.digest} is no record of this version of Drydock" in str(done.problems), hostile


async def test_a_record_of_an_earlier_version_is_staged_again(plain: Registry) -> None:
    """It does not say which images its build had to take."""
    folders = await stage_both(plain.host, "earlier")
    one = of(folders[1], ALPHA)
    async with client(plain.host) as registry:
        _, subject = await subject_of(registry, "earlier/alpha", one)
        record = (await registry.get_manifest("earlier/alpha", str(one.record))).annotations["dev.drydock.staged"]
        said = {**json.loads(record), "schema": 1}
        del said["pins"]
        made = Manifest.of_artifact(KIND, subject, {"dev.drydock.staged": json.dumps(said)})
        await registry.put_manifest("earlier/alpha", made.digest, made.body, made.media_type)
    done = await finish(plain.host, "earlier", [folders[0], changed(folders[1], ALPHA, record=made.digest)])
    (problem,) = done.problems
    assert f"{ALPHA}: {plain.host}/earlier/alpha: {made.digest} is no record of this version of Drydock" in problem
    assert problem.endswith(STAGE)
    assert await nothing_is_named(plain.host, "earlier")
