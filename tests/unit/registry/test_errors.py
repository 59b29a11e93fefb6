"""What an error of a registry says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.registry.errors import RegistryError, RegistryErrorKind, error_of
from ci.registry.refusals import Refusal, parse_refusal, quote

KIND = RegistryErrorKind


def refusal(
    status: int,
    code: str = "",
    message: str = "",
    *,
    what: str = "PUT acme/a:v1",
    logged_in: bool = True,
    insufficient: bool = False,
    retry_after: float | None = None,
) -> RegistryError:
    answer = Refusal(
        what=what,
        where="ghcr.io",
        status=status,
        body=json.dumps({"errors": [{"code": code, "message": message}]}).encode(),
        scope="repository:acme/a:pull,push",
        logged_in=logged_in,
        insufficient=insufficient,
        retry_after=retry_after,
    )
    return error_of(answer, redact=lambda text: text.replace("planted", "***"))


def test_the_whole_message() -> None:
    assert str(refusal(403, "DENIED", "permission_denied: write_package")) == (
        "PUT acme/a:v1 at ghcr.io failed: 403 DENIED: permission_denied: write_package. "
        "The token needs the scope repository:acme/a:pull,push; on GitHub, `packages: write`."
    )


@pytest.mark.parametrize(
    ("status", "kind", "wait", "remedy"),
    [
        (307, KIND.PROTOCOL, None, ""),
        (400, KIND.REFUSED, None, ""),
        (401, KIND.UNAUTHORIZED, None, "Check the user name"),
        (403, KIND.FORBIDDEN, None, "packages: write"),
        (404, KIND.NOT_FOUND, None, "does not exist"),
        (429, KIND.RATE_LIMITED, 0.0, "wait"),
        (500, KIND.UNAVAILABLE, 0.0, "again"),
        (501, KIND.UNAVAILABLE, None, "again"),
        (503, KIND.UNAVAILABLE, 0.0, "again"),
        (413, KIND.REFUSED, None, "client_max_body_size"),
    ],
)
def test_statuses(status: int, kind: RegistryErrorKind, wait: float | None, remedy: str) -> None:
    error = refusal(status)
    assert (error.kind, error.wait, error.status) == (kind, wait, status)
    assert remedy in error.remedy
    # GitHub's 403 with Retry-After is a limit, whatever it says.
    asked = None if wait is None and status != 403 else 7.0
    assert refusal(status, retry_after=7.0).wait == asked


def test_a_login_that_is_missing_or_too_weak() -> None:
    assert "Log in" in refusal(401, logged_in=False).remedy
    assert refusal(401, insufficient=True).kind is KIND.FORBIDDEN


@pytest.mark.parametrize("text", ["BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"])
def test_a_missing_blob_may_appear_for_a_manifest(text: str) -> None:
    for status in (400, 404):
        assert refusal(status, text).wait == 0.0
        assert refusal(status, "", "unknown blob").wait == 0.0
        assert refusal(status, text, what="GET blob acme/a").wait is None
    for status in (401, 403):
        assert refusal(status, text, "unknown blob").wait is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>no</html>",
        b"{broken",
        b"[]",
        b"{}",
        b'{"errors":[]}',
        b'{"errors":[5]}',
        b'{"errors":{}}',
        b'{"errors":null}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_gives_no_reason(body: bytes) -> None:
    assert parse_refusal(body) == ("", "")


def test_a_name_that_looks_like_the_code_of_a_missing_blob_decides_nothing() -> None:
    assert refusal(404, "NAME_UNKNOWN", "repository acme/blob_unknown is not there").wait is None


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"message":"Not Found"}', "", "Not Found"),
        (b'{"details":"access token has insufficient scopes"}', "", "access token has insufficient scopes"),
        (b'{"error":"invalid_token","error_description":"expired"}', "", "expired"),
        (b"Too Many Requests (HAP429).\n", "", "Too Many Requests (HAP429)."),
        (b'{"errors":[{"code":"DENIED","message":"no","detail":{"reason":"quota"}}]}', "DENIED", "no (quota)"),
        (b'{"errors":[{"code":"DENIED","message":"no","detail":"no"}]}', "DENIED", "no"),
        (b'{"errors":[{"code":"DENIED","detail":[{"Type":"repository"}]}]}', "DENIED", ""),
        (b"x" * 5000, "", ""),
    ],
)
def test_words_that_are_not_in_the_form_of_the_specification(body: bytes, code: str, message: str) -> None:
    assert parse_refusal(body) == (code, message)


def test_a_reason_of_other_types_is_left_out() -> None:
    assert parse_refusal(b'{"errors":[{"code":7,"message":{}}]}') == ("", "")
    assert parse_refusal(b'{"errors":[{"code":"lower case","message":"m"}]}') == ("", "m")


@given(st.binary())
def test_no_body_breaks_the_parser(body: bytes) -> None:
    parse_refusal(body)


def test_a_servers_words_are_cleaned_before_secrets_are_sought() -> None:
    text = str(refusal(400, "X", "a\x1b[31m\n\nb plan\x00ted" + "x" * 1000))
    assert "400 X: a b ***xxx" in text
    assert len(text) < 500
    assert quote("\x1b]0;title\x07") == ""


def test_effort_is_told_and_secrets_are_sought_again() -> None:
    error = RegistryError(kind=KIND.UNAVAILABLE, what="GET a", where="h", why="heard planted", wait=0.0)
    told = error.after(6, 12.34, redact=lambda text: text.replace("planted", "***"))
    assert str(told) == "GET a at h failed: heard *** (gave up after 6 attempts in 12.3 s)."
    assert str(error.after(1, 1.0, redact=str)) == "GET a at h failed: heard planted."
