"""What is attested of an image: statements of BuildKit 0.34.2 and syft 1.57.1, shortened, and hostile ones."""

import base64
import json
from typing import Any

import pytest

from ci.core.attestations import (
    Package,
    check_builder_id,
    find_text,
    read_provenance,
    read_sbom,
    read_statement,
)
from ci.core.errors import DrydockError
from ci.core.supply import match_package

DIGEST = "sha256:" + "a" * 64
REVISION = "1234567890" * 4

PROVENANCE: dict[str, Any] = {
    "buildDefinition": {
        "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
        "resolvedDependencies": [
            {"uri": "pkg:docker/python@3.13-slim?platform=linux%2Famd64", "digest": {"sha256": "b" * 64}},
            {"uri": "pkg:docker/ghcr.io/acme/a@latest?platform=linux%2Famd64", "digest": {"sha256": "c" * 64}},
            {"uri": "pkg:oci/part0?digest=sha256:d&platform=linux%2Famd64", "digest": {"sha256": "d" * 64}},
            {"uri": "https://example.test/file", "digest": {"sha256": "e" * 64}},
        ],
        "externalParameters": {
            "configSource": {"path": "Dockerfile.backend"},
            "request": {
                "frontend": "dockerfile.v0",
                "args": {"build-arg:FOO": "bar", "target": "x"},
                "secrets": [{"id": "TOK", "optional": True}],
                "locals": [{"name": "context"}],
            },
        },
        "internalParameters": {"builderPlatform": "linux/amd64"},
    },
    "runDetails": {
        "builder": {"id": "https://ci.test/runs/1"},
        "metadata": {
            "startedOn": "2026-11-26T06:29:33.848215308Z",
            "finishedOn": "2026-11-26T06:29:36.543077353Z",
            "buildkit_completeness": {"request": True, "resolvedDependencies": False},
            "buildkit_metadata": {
                "vcs": {"localdir:dockerfile": "deploy/docker", "revision": REVISION, "source": "https://git.test/a"},
                "source": {"infos": [{"filename": "Dockerfile.backend", "data": "RlJPTSBzY3JhdGNoCg=="}]},
            },
        },
    },
}


def test_how_a_variant_was_made() -> None:
    found = read_provenance(PROVENANCE, DIGEST)
    assert (found.revision, found.source, found.dockerfile) == (
        REVISION,
        "https://git.test/a",
        "deploy/docker/Dockerfile.backend",
    )
    assert found.bases == (("python:3.13-slim", f"sha256:{'b' * 64}"), ("ghcr.io/acme/a", f"sha256:{'c' * 64}"))
    assert found.beside == (f"sha256:{'d' * 64}",)
    assert (dict(found.arguments), found.secrets, found.mode) == ({"FOO": "bar"}, ("TOK",), "max")
    assert (found.platform, found.finished) == ("linux/amd64", "2026-11-26T06:29:36.543077353Z")
    assert found.builder == "https://ci.test/runs/1"


def test_a_little_provenance() -> None:
    """Of mode=min, BuildKit writes neither arguments nor the Dockerfile."""
    found = read_provenance({"buildDefinition": {"externalParameters": {}}, "runDetails": {}}, DIGEST)
    assert (found.mode, found.bases, found.revision, found.dockerfile, found.builder) == ("min", (), "", "", "")


def sbom(*packages: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"spdxVersion": "SPDX-2.3", "name": "sbom", "packages": list(packages), **more}


def package(name: str, address: str, **more: object) -> dict[str, Any]:
    references = [
        {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x"},
        {"referenceType": "purl", "referenceLocator": address},
    ]
    return {"name": name, "SPDXID": f"SPDXRef-{name}", "versionInfo": "1", "externalRefs": references, **more}


def test_what_is_in_a_variant() -> None:
    root = {"name": "sbom", "SPDXID": "SPDXRef-DocumentRoot-Directory-sbom"}
    described = {"relationshipType": "DESCRIBES", "relatedSpdxElement": root["SPDXID"]}
    found = read_sbom(
        sbom(
            package("bash", "pkg:deb/debian/bash@1?arch=amd64&distro=debian-13.8"),
            package("@scope/left-pad", "pkg:npm/%40scope/left-pad@1"),
            {"name": "bare", "SPDXID": "SPDXRef-bare"},
            root,
            relationships=[described, {"relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-bare"}],
        ),
        DIGEST,
    )
    assert found.packages == (
        Package(name="@scope/left-pad", version="1", kind="npm"),
        Package(name="bare", version="", kind=""),
        Package(name="bash", version="1", kind="deb"),
    )
    assert (found.distribution, found.of_distribution) == ("debian-13.8", True)


def test_a_distribution_that_is_a_package_of_its_own() -> None:
    system = {"name": "alpine", "SPDXID": "a", "versionInfo": "3.22", "primaryPackagePurpose": "OPERATING-SYSTEM"}
    found = read_sbom(sbom(system), DIGEST)
    assert (found.distribution, found.packages) == ("alpine-3.22", ())


def test_a_statement_says_what_it_is_about() -> None:
    body = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://spdx.dev/Document",
        "subject": [{"name": n, "digest": {"sha256": "a" * 64}} for n in ("pkg:docker/a", "pkg:docker/b")],
        "predicate": {},
    }
    found = read_statement(json.dumps(body).encode(), DIGEST)
    assert found.subjects == (DIGEST,)
    assert read_statement(json.dumps({**body, "subject": None}).encode(), DIGEST).subjects == ()


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000),
        b'{"_type": "x", "predicateType": "y", "predicate": {}}',
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "y", "predicate": []}',
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "y", "subject": [1], "predicate": {}}',
    ],
)
def test_what_is_no_statement_is_refused(body: bytes) -> None:
    with pytest.raises(DrydockError, match=f"^{DIGEST} is not an in-toto statement$"):
        read_statement(body, DIGEST)


@pytest.mark.parametrize("predicate", [{}, {"buildDefinition": 1, "runDetails": {}}, {"buildDefinition": {}}])
def test_what_is_no_provenance_is_refused(predicate: dict[str, Any]) -> None:
    with pytest.raises(DrydockError, match="is not provenance of SLSA 1"):
        read_provenance(predicate, DIGEST)


@pytest.mark.parametrize("predicate", [{}, {"spdxVersion": "SPDX-3.0"}, sbom({"name": "x"}), sbom(1)])  # type: ignore[arg-type]
def test_what_is_no_sbom_is_refused(predicate: dict[str, Any]) -> None:
    with pytest.raises(DrydockError, match="is not an SBOM of SPDX 2"):
        read_sbom(predicate, DIGEST)


def test_a_text_is_found_wherever_it_stands() -> None:
    hidden = base64.b64encode(b"FROM scratch\nENV A=s3cret-value\n").decode()
    assert find_text({"a": {"b": [{"c": "x s3cret-value y"}]}}, "s3cret-value") == "a.b.c"
    assert find_text({"infos": [{"data": hidden}]}, "s3cret-value") == "infos.data"
    assert find_text({"a": {"s3cret-value": 1}}, "s3cret-value") == "a.a name"
    assert find_text(PROVENANCE, "s3cret-value") == ""


@pytest.mark.parametrize(
    ("pattern", "name", "kind", "meant"),
    [
        ("curl", "curl", "deb", True),
        ("curl", "libcurl4", "deb", False),
        ("deb/curl", "curl", "deb", True),
        ("apk/curl", "curl", "deb", False),
        ("*-dev", "zlib1g-dev", "deb", True),
        ("deb/*-dev", "is-dev", "npm", False),
        ("@scope/left-pad", "@scope/left-pad", "npm", True),
        ("github.com/acme/*", "github.com/acme/x", "golang", True),
        ("python3.?", "python3x1", "deb", False),
    ],
)
def test_a_package_is_meant_by_its_name_or_a_pattern(pattern: str, name: str, kind: str, meant: bool) -> None:
    assert match_package(pattern, name, kind) is meant


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://github.com/acme/app/actions/runs/1/attempts/1",
        "http://git.test:3000/acme/app/actions/runs/7?a=1,2#x",
        "https://[::1]:8443/a%20b/@user",
    ],
)
def test_an_address_of_what_runs_a_build_is_taken_as_it_is(address: str) -> None:
    assert check_builder_id(address) == address


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("github.com/acme/app", "is no whole address of http or https"),
        ("ftp://git.test/1", "is no whole address"),
        ("https://", "is no whole address"),
        ("https:///runs/1", "is no whole address"),
        ("https://git.test:x/1", "is no whole address"),
        ("https://git.test:99999/1", "is no whole address"),
        ("https://[::1/1", "is no whole address"),
        ("https://git.test/a b", "is no whole address"),
        ("https://git.test/1\n", "is no whole address"),
        ("https://git.test/\u00e9", "is no whole address"),
        ('https://git.test/"x"', "is no whole address"),
        ("https://ada:pw-3317@git.test/1", "holds a user name or a password, and provenance is public"),
        ("https://ada:pw-3317@git.test/a b", "is no whole address"),
        ("https://ada@git.test/1", "holds a user name or a password"),
        ("https://git.test/" + "1" * 500, "has 517 characters, more than 500"),
    ],
)
def test_any_other_text_is_refused_with_what_to_give(address: str, sentence: str) -> None:
    with pytest.raises(DrydockError) as refused:
        check_builder_id(address)
    assert sentence in str(refused.value)
    assert "give the address of what runs this build, such as https://github.com/acme" in str(refused.value)
    assert "pw-3317" not in str(refused.value)
