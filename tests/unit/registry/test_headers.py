"""What headers say, and what nobody can make of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.registry.headers import next_page, wait_asked, whole_size


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:16:44 GMT"}, 4.0),
        ({"X-RateLimit-Reset": "1000000100"}, None),
        ({"X-RateLimit-Remaining": "4", "X-RateLimit-Reset": "1000000100"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000001060"}, 1000000060.0),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "5", "X-RateLimit-Reset": "1000000100"}, 5.0),
    ],
)
def test_how_long_an_answer_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert wait_asked(headers, now=1000.0) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", ""),
        ('</v2/a/tags/list?n=1&last=b>; rel="next"', "/v2/a/tags/list?n=1&last=b"),
        ("<https://h/v2/a/tags/list?last=b>; rel=next", "https://h/v2/a/tags/list?last=b"),
        ('</first>; rel="first", </second>; title="x"; rel="next"', "/second"),
        ('</first>; rel="prev"', ""),
        ('</first>; rel="nexter"', ""),
    ],
)
def test_where_a_list_goes_on(link: str, expected: str) -> None:
    assert next_page(link) == expected


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ({"Content-Length": "12"}, 200, 12),
        ({"Content-Length": "-1"}, 200, None),
        ({"Content-Length": "9" * 30}, 200, None),
        ({}, 200, None),
        ({"Content-Length": "1", "Content-Range": "bytes 0-0/345"}, 206, 345),
        ({"Content-Length": "1", "Content-Range": "bytes 0-0/*"}, 206, None),
        ({"Content-Length": "1"}, 206, None),
    ],
)
def test_how_much_there_is_in_all(headers: dict[str, str], status: int, expected: int | None) -> None:
    assert whole_size(headers, status) == expected


@given(st.text())
def test_no_header_breaks_a_reader(text: str) -> None:
    next_page(text)
    whole_size({"Content-Length": text, "Content-Range": text}, 206)
    wait_asked({"Retry-After": text, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": text}, now=0.0)
