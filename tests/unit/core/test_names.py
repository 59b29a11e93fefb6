"""Names as registries accept them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ci.core.errors import DrydockError
from ci.core.model import Config, Image, Plan
from ci.core.names import (
    REFERENCE,
    check_tag,
    labels_of,
    repository_fault,
    repository_of,
    sha_tag,
    short_reference,
)

REVISION = "0123456789abcdef0123456789abcdef01234567"
IMAGE = Image(name="backend", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",))


def config(repository: str = "ghcr.io/acme/{name}", source: str | None = None) -> Config:
    return Config(repositories=(repository,), images=(IMAGE,), source=source)


def plan(revision: str | None = REVISION, source: str | None = None) -> Plan:
    return Plan(config=config(source=source), variants=(), revision=revision)


@pytest.mark.parametrize(
    ("template", "owner", "expected"),
    [
        ("ghcr.io/acme/{name}", None, "ghcr.io/acme/backend"),
        ("ghcr.io/{owner}/{name}", "Acme-Inc", "ghcr.io/acme-inc/backend"),
        ("localhost:5000/x-{name}", None, "localhost:5000/x-backend"),
        ("registry.example.com/a/b/c", "unused", "registry.example.com/a/b/c"),
    ],
)
def test_a_repository_is_its_template_filled(template: str, owner: str | None, expected: str) -> None:
    assert repository_of(template, IMAGE, owner=owner) == expected


@pytest.mark.parametrize(
    ("template", "owner", "message"),
    [
        ("ghcr.io/{owner}/{name}", None, "needs an owner"),
        ("ghcr.io/{owner}/{name}", "", "owner ''"),
        ("ghcr.io/{owner}/{name}", "a/b", "owner 'a/b'"),
        ("ghcr.io/{owner}/{name}", "-a", "owner '-a'"),
        ("ghcr.io/{owner}/{name}", "a" * 250, "more than 255"),
        ("acme/{name}", None, "not a registry"),
    ],
)
def test_a_repository_that_cannot_be_is_refused(template: str, owner: str | None, message: str) -> None:
    with pytest.raises(DrydockError, match=message):
        repository_of(template, IMAGE, owner=owner)


@pytest.mark.parametrize(
    ("repository", "legal"),
    [
        ("ghcr.io/a", True),
        ("localhost/a", True),
        ("127.0.0.1:5000/a/b__c/d---e", True),
        ("registry:5000/a", True),
        ("registry/a", False),
        ("ghcr.io", False),
        ("ghcr.io/", False),
        ("ghcr.io/A", False),
        ("GHCR.io/a", False),
        ("ghcr.io//a", False),
        ("ghcr.io/a/", False),
        ("ghcr.io/a..b", False),
        ("ghcr.io/a___b", False),
        ("ghcr.io/a:tag", False),
        ("ghcr.io/a\n", False),
        ("https://ghcr.io/a", False),
        ("user@ghcr.io/a", False),
        ("ghcr.io/" + "a" * 247, True),
        ("ghcr.io/" + "a" * 248, False),
    ],
)
def test_legal_repositories(repository: str, *, legal: bool) -> None:
    assert bool(repository_fault(repository)) is not legal


@pytest.mark.parametrize("tag", ["latest", "sha-0123456", "_x", "A.b-C_d", "1", "a" * 128])
def test_a_legal_tag_is_returned(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a" * 129, "a b", "a/b", "a:b", "é", "a\n"])
def test_an_illegal_tag_is_refused(tag: str) -> None:
    with pytest.raises(DrydockError, match="is not legal"):
        check_tag(tag)


def test_tags_are_named_after_the_revision() -> None:
    assert sha_tag(REVISION) == "sha-0123456"
    assert check_tag(sha_tag(REVISION))


def test_a_branch_is_no_revision() -> None:
    with pytest.raises(DrydockError, match="not a commit id"):
        sha_tag("main")


def test_labels_say_all_that_is_known() -> None:
    image = replace(IMAGE, title="Backend", description="Answers requests")
    created = datetime(2024, 2, 29, 1, 2, 3, 456, tzinfo=timezone(timedelta(hours=2)))
    labels = labels_of(plan(source="https://example.com/app"), image, version="1.2", created=created)
    assert labels == {
        "org.opencontainers.image.created": "2024-02-28T23:02:03Z",
        "org.opencontainers.image.revision": REVISION,
        "org.opencontainers.image.source": "https://example.com/app",
        "org.opencontainers.image.version": "1.2",
        "org.opencontainers.image.title": "Backend",
        "org.opencontainers.image.description": "Answers requests",
    }


def test_labels_leave_out_what_is_unknown() -> None:
    assert labels_of(plan(None), IMAGE) == {}


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValueError, match="time zone"):
        labels_of(plan(), IMAGE, created=naive)


@pytest.mark.parametrize(
    ("reference", "short"),
    [
        ("alpine", "alpine"),
        ("alpine:latest", "alpine"),
        ("docker.io/library/alpine:latest", "alpine"),
        ("index.docker.io/library/alpine:3.22", "alpine:3.22"),
        ("library/alpine", "alpine"),
        ("docker.io/acme/app", "acme/app"),
        ("library/acme/app", "library/acme/app"),
        ("localhost:5000/library/app:latest", "localhost:5000/library/app"),
        (f"alpine:latest@sha256:{'a' * 64}", f"alpine:latest@sha256:{'a' * 64}"),
    ],
)
def test_a_reference_as_the_names_of_contexts_are_compared(reference: str, short: str) -> None:
    assert REFERENCE.fullmatch(reference)
    assert short_reference(reference) == short


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Alpine",
        "alpine:",
        "alpine:-1",
        "alpine@sha256:1",
        "a//b",
        "/a",
        "a/",
        "a b",
        "https://a.test/b",
        "a-.b/c",
        "a:\u00e9",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    assert not REFERENCE.fullmatch(text)
