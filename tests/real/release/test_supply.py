"""What is attested of an image that BuildKit has built: read from the registry, without Drydock's own readers."""

import base64
import contextlib
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from dagger import dag

from ci.build.pipeline import Builder
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.model import Plan
from ci.core.oci import Descriptor, Manifest, digest_of
from ci.registry.client import RegistryClient
from ci.release.deliver import deliver
from ci.release.destination import Destination
from ci.release.finish import finish_staged
from ci.release.outcome import Delivery
from ci.release.promotion import promote
from ci.release.record import Entry, read_record, write_record
from ci.release.request import ReleaseRequest, tags_for
from ci.release.stage import stage_part
from tests.support.generator import run_generator
from tests.support.servers import Registry

from .conftest import client

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(600)]

SECRET = "planted-value-40871"
FIRST, SECOND, PLANTED = "1" * 40, "2" * 40, "6" * 40
MOVED = ("8" * 40, "9" * 40)
BAD = "sha256:" + "7" * 64
RUN = "https://ci.test/runs/{}?of=a,b"
CREATED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
CONFIG = """\
repository: registry.test/{name}
source: https://git.test/acme/app
sbom: GENERATOR
SCAN
images:
  - name: app
    dockerfile: docker/Dockerfile
    platforms: [linux/amd64, linux/arm64]
    build-args: {COLOUR: blue}
    smoke: [{file: {path: /hello.txt}}]
  - name: locked
    dockerfile: docker/Dockerfile.locked
    platforms: [linux/amd64]
    secrets: [TOKEN]
    smoke: [{file: {path: /seen}}]
"""
DOCKERFILE = """\
FROM python:3.13-slim AS build
ARG BUILDKIT_SBOM_SCAN_STAGE=true
ARG COLOUR
RUN echo $COLOUR > /colour
FROM python:3.13-slim
COPY --from=build /colour /colour
COPY hello.txt /
"""
LOCKED = "FROM python:3.13-slim\nRUN --mount=type=secret,id=TOKEN,required=true wc -c /run/secrets/TOKEN > /seen\n"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("token") / "TOKEN"
    file.write_text(SECRET)
    return file


@pytest.fixture(scope="module")
def generator() -> Iterator[str]:
    with run_generator() as name:
        yield name


async def publish(
    host: str, generator: str, token: Path, revision: str, *, scan: str = "", args: str = "blue"
) -> Delivery:
    return await deliver(*await asked(host, generator, token, revision, scan=scan, args=args))


async def asked(
    host: str, generator: str, token: Path, revision: str, *, scan: str = "", args: str = "blue"
) -> tuple[Plan, ReleaseRequest, Builder, Destination]:
    """Say what is released, by what, and where it goes."""
    config = CONFIG.replace("GENERATOR", generator).replace("SCAN\n", scan).replace("blue", args)
    source = (
        dag.directory()
        .with_new_file("deploy/images.yaml", config)
        .with_new_file("docker/Dockerfile", DOCKERFILE)
        .with_new_file("docker/Dockerfile.locked", LOCKED)
        .with_new_file("hello.txt", "hello")
    )
    plan = plan_build(await read_config(source, None), revision=revision)
    request = ReleaseRequest(revision=revision, created=CREATED, tags=tags_for(plan, ("latest",)))
    run = RUN.format(revision[0])
    builder = Builder(source=source, secrets=[dag.secret(f"file://{token}")], parallel=2, builder_id=run)
    return plan, request, builder, Destination(repositories=(f"{host}/supply/{{name}}",))


class Served:
    """What a registry serves, by plain requests."""

    def __init__(self, host: str) -> None:
        self._place = f"http://{host}/v2/supply"

    def _get(self, path: str, **headers: str) -> Any:  # noqa: ANN401
        return httpx.get(f"{self._place}{path}", headers=headers, trust_env=False).raise_for_status().json()

    def manifest(self, image: str, reference: str) -> Any:  # noqa: ANN401  # a document of a registry
        kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
        return self._get(f"/{image}/manifests/{reference}", Accept=kinds)

    def statements(self, image: str, reference: str) -> dict[str, list[Any]]:
        """List what is said of each variant, by its digest."""
        found = {}
        for entry in self.manifest(image, reference)["manifests"]:
            notes = entry.get("annotations", {})
            if notes.get("vnd.docker.reference.type") == "attestation-manifest":
                assert entry["platform"] == {"architecture": "unknown", "os": "unknown"}
                layers = self.manifest(image, entry["digest"])["layers"]
                blobs = [self._get(f"/{image}/blobs/{layer['digest']}") for layer in layers]
                found[notes["vnd.docker.reference.digest"]] = blobs
        return found


def secrets_in(registry: Registry) -> list[str]:
    """Look for the secret in all that a registry holds, in base64 and in layers too."""
    found = []
    for file in (registry.log.parent / "data").rglob("data"):
        body = file.read_bytes()
        with contextlib.suppress(gzip.BadGzipFile, EOFError, zlib.error):
            body += gzip.decompress(body)
        encoded = [base64.b64encode(b"x" * shift + SECRET.encode())[4:-4] for shift in range(3)]
        found += [str(file) for text in (SECRET.encode(), *encoded) if text in body]
    return found


async def test_what_buildkit_attests_is_served_beside_each_variant(
    plain: Registry, generator: str, token: Path
) -> None:
    done = await publish(plain.host, generator, token, FIRST)
    assert done.ok, done
    served = Served(plain.host)
    for tag in ("latest", "sha-1111111"):
        index = served.manifest("app", tag)
        said = served.statements("app", tag)
        variants = {e["digest"]: e["platform"]["architecture"] for e in index["manifests"][:2]}
        assert sorted(variants.values()) == ["amd64", "arm64"]
        assert said.keys() == variants.keys()
        for digest, statements in said.items():
            kinds = [statement["predicateType"] for statement in statements]
            assert kinds == ["https://spdx.dev/Document"] * 2 + ["https://slsa.dev/provenance/v1"]
            names = {s["digest"]["sha256"] for statement in statements for s in statement["subject"]}
            assert names == {digest.removeprefix("sha256:")}
            image, stage, provenance = (statement["predicate"] for statement in statements)
            assert (image["name"], stage["name"]) == ("sbom", "sbom-build")
            assert len(image["packages"]) > 50
            # Whatever the image is for, the generator runs on the builder's own platform.
            assert image["comment"] == "x86_64"
            taken = provenance["buildDefinition"]["resolvedDependencies"]
            base = index["annotations"]["org.opencontainers.image.base.digest"]
            assert base in {f"sha256:{one['digest']['sha256']}" for one in taken if "python@3.13-slim" in one["uri"]}
            assert {one["uri"].partition("@")[0] for one in taken} == {
                "pkg:docker/python",
                f"pkg:docker/{generator.rpartition('/')[2].partition(':')[0]}",
            }
            request = provenance["buildDefinition"]["externalParameters"]["request"]
            assert request["args"]["build-arg:COLOUR"] == "blue"
            assert provenance["runDetails"]["builder"]["id"] == RUN.format(1)
            vcs = provenance["runDetails"]["metadata"]["buildkit_metadata"]["vcs"]
            assert vcs == {
                "revision": FIRST,
                "source": "https://git.test/acme/app",
                "localdir:context": ".",
                "localdir:dockerfile": "docker",
            }
    locked = [s["predicate"] for each in served.statements("locked", "latest").values() for s in each]
    request = locked[-1]["buildDefinition"]["externalParameters"]["request"]
    assert request["secrets"] == [{"id": "TOKEN"}]
    assert secrets_in(plain) == []
    # What another commit takes over has what was attested of it, by the run that has built it.
    again = await publish(plain.host, generator, token, SECOND)
    assert again.ok, again
    assert {o.reused for o in again.built.outcomes if o.variant.image.name == "app"} == {"sha-1111111"}  # type: ignore[union-attr]
    assert served.statements("app", "sha-2222222") == served.statements("app", "sha-1111111")
    facts = {f.variant: f.attested for image in again.released.images for f in image.variants}  # type: ignore[union-attr]
    assert all(a and a.sbom and a.sbom.distribution.startswith("debian-13") for a in facts.values()), facts


async def test_a_rollback_a_promotion_and_a_version_take_along_what_buildkit_attests(
    plain: Registry, generator: str, token: Path
) -> None:
    for revision, colour in zip(MOVED, ("green", "red"), strict=True):
        assert (await publish(plain.host, generator, token, revision, args=colour)).ok
    plan, request, builder, where = await asked(plain.host, generator, token, MOVED[0], args="green")
    version = replace(request, version="1.2.3", tags=tags_for(plan, ("v1.2.3",)), once=True)
    done = await deliver(plan, version, builder, where)
    assert done.ok, done
    assert done.built is None
    for tag in ("latest", "stable"):
        targets = where.targets(plan, tags=tags_for(plan, (tag,)))
        async with where.connect(targets) as registries:
            moved = await promote(registries, targets, "sha-8888888")
        assert moved.ok, moved
    served = Served(plain.host)
    for image, variants in (("app", 2), ("locked", 1)):
        said = served.statements(image, "sha-8888888")
        assert len(said) == variants
        assert said != served.statements(image, "sha-9999999")
        for tag in ("latest", "stable", "v1.2.3"):
            assert served.statements(image, tag) == said
            entries = served.manifest(image, tag)["manifests"]
            assert [each["digest"] for each in entries[:variants]] == list(said)
            assert len(entries) == 2 * variants
        assert served.manifest(image, "v1.2.3")["annotations"]["org.opencontainers.image.version"] == "1.2.3"


async def test_a_provenance_that_is_planted_between_stage_and_finish_stops_it(
    plain: Registry, generator: str, token: Path
) -> None:
    """Attestation and record are replaced by ones that fit each other: what the stage had resolved, the record says."""
    plan, request, builder, where = await asked(plain.host, generator, token, PLANTED)
    staging = await stage_part(plan, plan, request, builder, where)
    assert staging.delivery.ok, staging
    folder = staging.folder
    one = next(each for each in folder.variants if each.variant == "app@linux/arm64")
    async with client(plain.host) as registry:
        record = read_record(await registry.get_manifest("supply/app", str(one.record)))
        assert record.pins
        assert record.pins.whole
        (name,) = record.pins.digests
        assert name == "docker.io/library/python:3.13-slim"
        variant = await registry.get_manifest("supply/app", str(one.digest))
        forged = await forge(registry, await registry.get_manifest("supply/app", str(one.attestation)))
        made = write_record(Entry(record=replace(record, attestation=forged.digest), manifest=variant))
        for each in (forged, made):
            await registry.put_manifest("supply/app", each.digest, each.body, each.media_type)
        variants = [replace(v, record=made.digest) if v == one else v for v in folder.variants]
        folders = [replace(folder, variants=tuple(variants))]
        done = await finish_staged(plan, request, folders, where)
        assert done.released
        (problem,) = done.released.problems
        assert f"app@linux/arm64: by its provenance, the build took golang:1.26 with the digest {BAD}" in problem
        assert "sha-6666666" not in await registry.list_tags("supply/app")
    done = await finish_staged(plan, request, [folder], where)
    assert done.ok, done


async def forge(registry: RegistryClient, attestation: Manifest) -> Manifest:
    """Say in the provenance that the build took one more image."""
    document = json.loads(attestation.body)
    layer = document["layers"][-1]
    statement = json.loads(await registry.get_blob("supply/app", layer["digest"], limit=layer["size"]))
    taken = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    taken.append({"uri": "pkg:docker/golang@1.26?platform=linux%2Famd64", "digest": {"sha256": BAD[7:]}})
    text = json.dumps(statement).encode()
    layer |= {"digest": digest_of(text), "size": len(text)}
    blob = Descriptor(media_type=layer["mediaType"], digest=layer["digest"], size=len(text))

    async def content() -> AsyncIterator[bytes]:
        yield text

    await registry.put_blob("supply/app", blob, content)
    body = json.dumps(document).encode()
    return Manifest(body=body, media_type=attestation.media_type, digest=digest_of(body))


async def test_a_secret_in_an_argument_ends_the_build(plain: Registry, generator: str, token: Path) -> None:
    done = await publish(plain.host, generator, token, "3" * 40, args=SECRET)
    assert done.built
    reasons = {str(o.variant): [f.reason for f in o.failures] for o in done.built.outcomes}
    assert "the value of a build secret stands in the build argument COLOUR" in reasons["app@linux/amd64"][0]
    assert SECRET not in str(reasons)
    assert done.released is None


SCAN = """\
scan:
  image: python:3.13-slim
  run:
    - python
    - -c
    - |
      import json, sys
      found = json.load(open("/sbom.spdx.json"))["packages"]
      sys.exit("bash is a shell" if "WANTED" in {one["name"] for one in found} else 0)
"""


@pytest.mark.parametrize(("package", "ok"), [("bash", False), ("no-such-package", True)])
async def test_a_scanner_of_ones_own_decides(
    plain: Registry, generator: str, token: Path, package: str, ok: bool
) -> None:
    revision = ("4" if ok else "5") * 40
    done = await publish(plain.host, generator, token, revision, scan=SCAN.replace("WANTED", package))
    assert done.released
    assert done.ok == ok, done
    scanned = [p for p in done.released.problems if "the scanner python:3.13-slim ended with exit code 1" in p]
    assert len(scanned) == (0 if ok else 3)
    assert all("bash is a shell" in problem for problem in scanned)
    if not ok:
        assert {change.after for change in done.released.tags if change.tag.startswith("sha-")} == {None}
