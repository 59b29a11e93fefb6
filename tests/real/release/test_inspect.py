"""What a person asks of a release, read from a real registry: packages, bases, signatures, and the difference."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ci.core.errors import PipelineError
from ci.core.model import Image
from ci.core.supply import GENERATOR
from ci.core.text import Format
from ci.release.changes import read_changes
from ci.release.inspect import Looked, inspect
from ci.release.inspect_report import report_inspected
from ci.release.inspected import Inspected
from ci.release.outcome import Change, Delivery, Release, TagOutcome
from ci.release.report import report_or_fail
from ci.release.request import Target
from ci.release.signatures import signers_of, signers_of_bundle, signers_of_pem
from tests.support.proxy import Fault, FaultProxy, Kind, always
from tests.support.releases import INDEX, Shelf
from tests.support.servers import Registry, run_registry

from .conftest import connect

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHO = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
RUN = "https://github.com/acme/shop/actions/runs/7/attempts/1"
PROVENANCE, SBOM = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with run_registry(tmp_path_factory.mktemp("inspect") / "registry") as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A certificate as Fulcio makes them: nobody is its subject, and a critical extension says who."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/"]
    names = ["-addext", f"subjectAltName=critical,URI:{WHO},email:ada@acme.test", "-outform", "DER"]
    out = ["-keyout", str(folder / "key"), "-out", str(folder / "out")]
    subprocess.run([*command, *names, *out], check=True, capture_output=True, timeout=60)
    return (folder / "out").read_bytes()


def sbom(packages: dict[str, str]) -> dict[str, Any]:
    """Write an SBOM as syft does for BuildKit: kind/name and version."""
    listed = [
        {
            "name": name.partition("/")[2],
            "SPDXID": f"SPDXRef-{number}",
            "versionInfo": version,
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:{name}@{version}?distro=debian-13",
                }
            ],
        }
        for number, (name, version) in enumerate(packages.items())
    ]
    return {"spdxVersion": "SPDX-2.3", "name": "sbom", "packages": listed, "relationships": []}


def provenance(host: str, digest: str) -> dict[str, Any]:
    uri = f"pkg:docker/{host.replace(':', '%3A')}/base@1?platform=linux%2Famd64"
    scanner = GENERATOR.partition("@")[0].replace(":", "@")  # took part in it, and is no base
    beside = {"uri": f"pkg:docker/{scanner}?platform=linux%2Famd64", "digest": {"sha256": "0" * 64}}
    return {
        "buildDefinition": {
            "externalParameters": {"request": {}},
            "resolvedDependencies": [beside, {"uri": uri, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        },
        "runDetails": {
            "builder": {"id": RUN},
            "metadata": {
                "buildkit_completeness": {"request": True},
                "buildkit_metadata": {"vcs": {"revision": "1" * 40}, "source": {"infos": []}},
            },
        },
    }


def base(shelf: Shelf, content: bytes, created: str) -> str:
    variant = shelf.variant("linux/amd64", content, created=created)
    return str(shelf.manifest({"mediaType": INDEX, "manifests": [variant]}, "1")["digest"])


def release(shelf: Shelf, tag: str, packages: dict[str, str], on: str, host: str) -> dict[str, Any]:
    """Push a release of one variant as a build would leave it."""
    created = "2026-02-01T12:00:00Z"
    labels = {"org.opencontainers.image.revision": "1" * 40, "org.opencontainers.image.created": created}
    variant = shelf.variant("linux/amd64", tag.encode(), labels)
    about = shelf.statements(variant, {PROVENANCE: provenance(host, on), SBOM: sbom(packages)})
    notes = {**labels, "org.opencontainers.image.version": "1.2.3"}
    made = shelf.manifest({"mediaType": INDEX, "manifests": [variant, about], "annotations": notes}, tag)
    return {**made, "variant": variant}


@pytest.fixture(scope="module")
def filled(registry: Registry, certificate: bytes) -> Iterator[str]:
    """Two releases of one image, on a base that has moved since; the newer is signed."""
    host = registry.host
    bases, shelf = Shelf(f"http://{host}", "base"), Shelf(f"http://{host}", "acme/app")
    old = base(bases, b"old", "2026-01-10T12:00:00Z")
    release(shelf, "sha-0000001", {"deb/libc6": "2.41", "deb/gone": "1", "pypi/httpx": "0.27"}, old, host)
    new = {"deb/libc6": "2.42", "pypi/httpx": "0.27", "pypi/anyio": "4.0"}
    made = release(shelf, "sha-0000002", new, old, host)
    shelf.tag(made["digest"], "latest")
    shelf.fallback(made, shelf.signature(made, "of the index", certificate))
    base(bases, b"new", "2026-02-20T12:00:00Z")
    yield host
    bases.http.close()
    shelf.http.close()


async def look(host: str, tag: str, before: str = "", *, registry: str = "") -> Inspected:
    image = Image(name="app", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",), sbom=GENERATOR)
    target = Target(image=image, repository=f"{registry or host}/acme/app", name="acme/app", variants=(), labels={})
    async with connect((registry or host, *([host] if registry else []))) as registries:
        return await inspect(registries, [target], Looked(tag=tag, before=before))


async def test_what_a_person_asks_of_a_release(filled: str) -> None:
    done = await look(filled, "latest", "sha-0000001")
    assert done.ok, done
    (image,) = done.images
    (one,) = image.variants
    assert (image.version, image.revision, one.revision) == ("1.2.3", "1" * 40, "1" * 40)
    assert (one.layers, one.counts, one.distribution) == (1, {"deb": 1, "pypi": 2}, "debian-13")
    assert one.size > 100
    assert one.attested == ("provenance (max)", "SBOM")
    assert one.builder == RUN
    (on,) = one.bases
    assert on.reference == f"{filled}/base:1"
    assert on.created == "2026-01-10T12:00:00Z"
    assert on.moved
    (signature,) = image.signatures
    assert signature.signers == (WHO, "ada@acme.test")
    assert signature.about == image.digest
    diff = one.diff
    assert diff
    assert [(each.name, each.before, each.after) for each in diff.changed] == [("libc6", ("2.41",), ("2.42",))]
    assert [each.name for each in diff.came] == ["anyio"]
    assert [each.name for each in diff.went] == ["gone"]


@pytest.mark.parametrize("wanted", [Format.TABLE, Format.MARKDOWN])
async def test_the_report_of_it(filled: str, wanted: Format) -> None:
    done = await look(filled, "latest", "sha-0000001")
    text = report_inspected(done, wanted, NOW, packages=True)
    for told in ("1 deb, 2 pypi", "debian-13", "50 days", "has moved", "provenance (max), SBOM", "httpx", RUN):
        assert told in text, text
    assert "3 packages came, went or changed since sha-0000001" in text
    plain = report_inspected(done, wanted, NOW, packages=False)
    assert "httpx" not in plain


async def test_the_report_as_json(filled: str) -> None:
    found = json.loads(report_inspected(await look(filled, "sha-0000001"), Format.JSON, NOW, packages=False))
    assert found["schema"] == 1
    assert found["images"][0]["variants"][0]["builder"] == RUN
    assert {each["name"] for each in found["images"][0]["variants"][0]["packages"]} == {"libc6", "gone", "httpx"}


async def test_what_cannot_be_read_fails_and_is_said(filled: str) -> None:
    done = await look(filled, "sha-9999999")
    with pytest.raises(PipelineError, match="sha-9999999 does not exist"):
        report_inspected(done, Format.TABLE, NOW, packages=False)
    missing = await look(filled, "latest", "sha-9999999")
    assert "cannot be compared" in report_inspected(missing, Format.TABLE, NOW, packages=False)
    refused = Fault(kind=Kind.STATUS, status=403, body=b'{"errors":[{"code":"DENIED","message":"injected"}]}')
    with FaultProxy(int(filled.rpartition(":")[2]), rule=always(refused, "GET", "/blobs/")) as proxy:
        done = await look(filled, "latest", registry=proxy.host)
    with pytest.raises(PipelineError, match="DENIED"):
        report_inspected(done, Format.TABLE, NOW, packages=False)


async def test_the_report_of_a_release_says_what_has_changed(filled: str) -> None:
    image = Image(name="app", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",))
    repository = f"{filled}/acme/app"
    target = Target(image=image, repository=repository, name="acme/app", variants=(), labels={}, tags=("v2", "latest"))
    async with connect(filled) as registries:
        old, new = [await registries.of(target).resolve("acme/app", f"sha-000000{n}") for n in ("1", "2")]
        known = TagOutcome(repository=repository, tag="latest", before=old, after=new, change=Change.MOVED)
        created = TagOutcome(repository=repository, tag="v2", before=None, after=new, change=Change.CREATED)
        changes = await read_changes(registries, [target], [created, known])
        assert await read_changes(registries, [target], [created]) == ()
        lost = replace(known, before=f"sha256:{'0' * 64}")
        assert await read_changes(registries, [target], [lost]) == (), "it fails no release"
    released = Release(what="release", tags=(created, known), changes=changes)
    for wanted in (Format.TABLE, Format.MARKDOWN):
        text = report_or_fail(Delivery(released=released), wanted)
        assert "app@linux/amd64: 3 packages came, went or changed since sha-1111111" in text
        assert "libc6" in text
    assert json.loads(report_or_fail(Delivery(released=released), Format.JSON))["changes"]


def test_a_certificate_that_is_none_names_nobody(certificate: bytes) -> None:
    assert signers_of(certificate) == (WHO, "ada@acme.test")
    for length in range(0, len(certificate), 7):
        assert isinstance(signers_of(certificate[:length]), tuple)
    assert signers_of_pem("-----BEGIN CERTIFICATE-----?-----END CERTIFICATE-----") == ()
    for body in (
        b"",
        b"[]",
        b"{}",
        b'{"verificationMaterial": {"publicKey": {"hint": "x"}}}',
        b'{"verificationMaterial": 1}',
    ):
        assert signers_of_bundle(body) == ()
