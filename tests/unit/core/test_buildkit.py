"""What is read from the words of BuildKit."""

import pytest

from ci.core.buildkit import missing_of

NOT_FOUND = "docker.io/library/node:22-alpine: not found"


@pytest.mark.parametrize(
    ("sentence", "image"),
    [
        (
            f"Dockerfile:1: node:22-alpine: failed to resolve source metadata for {NOT_FOUND[:-11]}: {NOT_FOUND}",
            "docker.io/library/node:22-alpine",
        ),
        ("x: failed to resolve source metadata for reg.test/a:1: failed to do request: dial tcp: i/o timeout", None),
        ("process did not complete: /bin/node: not found", None),
    ],
)
def test_an_image_that_is_not_there_is_told_from_other_failures(sentence: str, image: str | None) -> None:
    assert missing_of(sentence) == image
