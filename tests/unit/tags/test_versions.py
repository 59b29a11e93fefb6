"""Which of two versions is newer, and which of two releases."""

import itertools

import pytest

from ci.core.names import CREATED, VERSION
from ci.release.tags import why_newer
from ci.tags import compare_versions

# As Semantic Versioning orders them, section 11; then what PEP 440 knows besides.
ORDERED = [
    ["0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"],
    ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.1.9", "1.2.0", "1.10.0", "2.0.0"],
    ["1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.1", "2024.1"],
]


@pytest.mark.parametrize(("one", "other"), [pair for each in ORDERED for pair in itertools.pairwise(each)])
def test_the_order_of_versions(one: str, other: str) -> None:
    assert compare_versions(one, other) == compare_versions(f"v{one}", other) == -1
    assert compare_versions(other, one) == 1
    assert compare_versions(one, one) == 0


@pytest.mark.parametrize(("one", "other"), [("1.2.3", "v1.2.3"), ("1.2.3+a", "1.2.3+b"), ("1.2", "1.2.0")])
def test_what_is_the_same_version(one: str, other: str) -> None:
    assert compare_versions(one, other) == 0


@pytest.mark.parametrize(("one", "other"), [("", "1.0.0"), ("1.0.0", "main"), ("stable", "1.0"), ("", "")])
def test_what_is_no_version_is_not_compared(one: str, other: str) -> None:
    assert compare_versions(one, other) is None


EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


@pytest.mark.parametrize(
    ("live", "version", "created", "newer"),
    [
        ({VERSION: "1.2.0", CREATED: EARLY}, "1.1.9", LATE, "version 1.2.0, this is 1.1.9"),
        ({VERSION: "1.2.0", CREATED: EARLY}, "1.1.9", "", "version 1.2.0, this is 1.1.9"),
        ({VERSION: "1.1.9", CREATED: LATE}, "1.2.0", EARLY, ""),
        ({VERSION: "1.2.0", CREATED: LATE}, "1.2.0", EARLY, f"{LATE}, this commit of {EARLY}"),
        ({VERSION: "1.2.0", CREATED: LATE}, "", EARLY, f"{LATE}, this commit of {EARLY}"),
        ({CREATED: LATE}, "1.2.0", EARLY, f"{LATE}, this commit of {EARLY}"),
        ({CREATED: EARLY}, "1.2.0", LATE, ""),
        ({CREATED: LATE}, "", LATE, ""),
        ({CREATED: LATE}, "", "", ""),
        ({}, "1.0.0", EARLY, ""),
    ],
)
def test_a_version_counts_before_the_time_of_a_commit(
    live: dict[str, str], version: str, created: str, newer: str
) -> None:
    assert why_newer(live, version, created) == newer
