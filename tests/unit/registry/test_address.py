"""Addresses, names, digests and headers of a registry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.core.errors import DrydockError
from ci.core.names import check_digest
from ci.core.oci import digest_of
from ci.registry.address import RegistryAddress, check_name, check_reference, parse_repository
from ci.registry.auth import Challenge, Credentials, parse_challenges, widen_scope
from ci.registry.headers import parse_media_type, parse_retry_after


@pytest.mark.parametrize(
    ("reference", "url", "name"),
    [
        ("ghcr.io/acme/backend", "https://ghcr.io", "acme/backend"),
        ("docker.io/acme/backend", "https://registry-1.docker.io", "acme/backend"),
        ("registry.test:5000/a", "https://registry.test:5000", "a"),
        ("localhost/a", "http://localhost", "a"),
        ("localhost:5000/a/b/c", "http://localhost:5000", "a/b/c"),
        ("127.0.0.1:5000/a", "http://127.0.0.1:5000", "a"),
        ("127.9.9.9/a", "http://127.9.9.9", "a"),
        ("[::1]:5000/a", "http://[::1]:5000", "a"),
        ("128.0.0.1/a", "https://128.0.0.1", "a"),
        ("127.0.0.1.evil.test/a", "https://127.0.0.1.evil.test", "a"),
        ("localhost.evil.test/a", "https://localhost.evil.test", "a"),
    ],
)
def test_a_repository_names_its_registry(reference: str, url: str, name: str) -> None:
    address, found = parse_repository(reference)
    assert (address.url, found) == (url, name)


def test_plain_http_can_be_told() -> None:
    assert parse_repository("registry:5000/a", plain_http=True)[0].url == "http://registry:5000"
    assert parse_repository("127.0.0.1:5000/a", plain_http=False)[0].url == "https://127.0.0.1:5000"
    assert str(RegistryAddress(host="ghcr.io")) == "ghcr.io"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "a",
        "acme/backend",
        "ghcr.io",
        "ghcr.io/",
        "ghcr.io/A",
        "ghcr.io/a/../b",
        "u:p@ghcr.io/a",
        "ghcr.io?x/a",
        "/a",
    ],
)
def test_what_names_no_repository_is_refused(reference: str) -> None:
    with pytest.raises(DrydockError):
        parse_repository(reference)


def test_names_and_references_cannot_lead_elsewhere() -> None:
    for name in ("", "a//b", "a b", "a%2fb", "a/b?c", "a" * 256):
        with pytest.raises(DrydockError):
            check_name(name)
    for reference in ("", "a/b", "a?b", "..", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32, "a:b"):
        with pytest.raises(DrydockError):
            check_reference(reference)
    assert check_reference("latest") == "latest"


def test_digests() -> None:
    empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_of(b"") == empty
    assert check_digest(empty) == empty
    assert check_digest(digest_of(b"", like="sha512:")).startswith("sha512:cf83e1357eef")


def test_credentials_show_no_password() -> None:
    login = Credentials(username="ada", password="planted")
    assert repr(login) == "Credentials(username='ada')"
    assert "planted" not in str(login)
    assert login.basic == "Basic YWRhOnBsYW50ZWQ="
    with pytest.raises(DrydockError, match="colon"):
        Credentials(username="a:b", password="planted")


def challenge(scheme: str, **parameters: str) -> Challenge:
    return Challenge(scheme=scheme, parameters=parameters)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("Basic", (challenge("basic"),)),
        ('BASIC Realm="a b"', (challenge("basic", realm="a b"),)),
        (
            'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push"',
            (challenge("bearer", realm="https://ghcr.io/token", service="ghcr.io", scope="repository:a/b:pull,push"),),
        ),
        ('Bearer realm=https://x/t , service = "s"', (challenge("bearer", realm="https://x/t", service="s"),)),
        ('Bearer realm="a\\"b\\\\"', (challenge("bearer", realm='a"b\\'),)),
        (
            'Negotiate, Basic realm="x", Bearer realm="y"',
            (challenge("negotiate"), challenge("basic", realm="x"), challenge("bearer", realm="y")),
        ),
        ('Bearer realm="a",realm="b"', (challenge("bearer", realm="a"),)),
        ('Bearer realm="unclosed', (challenge("bearer"), challenge("realm"))),
        ('realm="a"', (challenge("realm"),)),
        (",,, ,", ()),
    ],
)
def test_challenges(header: str, expected: tuple[Challenge, ...]) -> None:
    assert parse_challenges(header) == expected


@given(st.text())
def test_no_header_breaks_the_parser(header: str) -> None:
    parse_challenges(header)
    parse_challenges("Bearer " + header)
    parse_media_type(header)
    wait = parse_retry_after(header, now=0.0)
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        (" 12 ", 12.0),
        ("999999999", 999_999_999.0),
        ("1000000010", 999_999_010.0),  # seconds since 1970
        ("9" * 400, 9_999_998_999.0),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:16:50 -0000", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(value: str, expected: float | None) -> None:
    assert parse_retry_after(value, now=1000.0) == expected


def test_media_types_lose_their_parameters() -> None:
    assert parse_media_type("Application/JSON; charset=utf-8") == "application/json"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, "repository:a/b:pull,push"),
        ("", "repository:a/b:pull,push"),
        ("repository:a/b:pull", "repository:a/b:pull,push"),
        ("repository:a/b:push,delete", "repository:a/b:push,delete,pull"),
        ("repository:store/a/b:pull", "repository:store/a/b:pull,push"),
        ("repository:a/b:pull repository:c/d:pull", "repository:a/b:pull,push repository:c/d:pull"),
        ("repository:e/f:pull repository:c/d:pull", "repository:e/f:pull repository:c/d:pull"),
        ("aws", "aws"),
    ],
)
def test_scopes(asked: str | None, expected: str) -> None:
    assert widen_scope(asked, "repository:a/b:pull,push") == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, "repository:a/b:pull,push repository:a/c:pull"),
        ("repository:a/b:pull,push repository:a/c:pull", "repository:a/b:pull,push repository:a/c:pull"),
        ("repository:a/b:pull", "repository:a/b:pull,push repository:a/c:pull"),
        ("repository:store/a/b:pull", "repository:store/a/b:pull"),
    ],
)
def test_scopes_of_two_repositories(asked: str | None, expected: str) -> None:
    assert widen_scope(asked, "repository:a/b:pull,push repository:a/c:pull") == expected
