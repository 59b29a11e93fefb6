"""What a build takes from registries, what an image descends from, and a Dockerfile with the digests of its bases."""

from __future__ import annotations

import pytest

from ci.bases import Base, final_base, list_bases, list_uses, pin_bases
from ci.dockerfile import parse_dockerfile
from ci.errors import DrydockError

AMD, ARM = "linux/amd64", "linux/arm64"
DIGEST = f"sha256:{'1' * 64}"


def bases(text: str, platform: str = AMD, **arguments: str) -> list[str]:
    found = list_bases(parse_dockerfile(text), arguments={"BUILDPLATFORM": AMD, **arguments}, platform=platform)
    assert all(isinstance(base, Base) for base in found)
    return [str(base) for base in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a\n", ["a@linux/arm64"]),
        ("FROM scratch\n", []),
        ("FROM a:1@" + DIGEST, [f"a:1@{DIGEST}@linux/arm64"]),
        ("FROM a AS one\nFROM ONE\nFROM b\n", ["a@linux/arm64", "b@linux/arm64"]),
        ("FROM --platform=$BUILDPLATFORM a AS x\nFROM a\n", ["a@linux/amd64", "a@linux/arm64"]),
        ("FROM --platform=linux/amd64 a\n", ["a@linux/amd64"]),
        ("ARG V=1\nARG I=a:$V\nFROM ${I}\n", ["a:1@linux/arm64"]),
        ("ARG I\nFROM ${I:-b}\n", ["b@linux/arm64"]),
        ("ARG GIVEN=x\nFROM $GIVEN\n", ["given@linux/arm64"]),
        ("FROM a-$TARGETARCH\n", ["a-arm64@linux/arm64"]),
        ("FROM a AS x\nFROM b\nCOPY --from=x / /\nCOPY --from=0 / /\nCOPY --from=c / /\n", ["a", "b", "c"]),
        ("FROM a\nRUN --mount=type=bind,from=b,target=/b --mount=type=cache,target=/c true\n", ["a", "b"]),
        ("FROM a\nRUN --mount=target=/b,From=b true\n", ["a", "b"]),
        ("FROM a\nCOPY --from=later / /\nFROM b AS later\n", ["a", "later", "b"]),
    ],
)
def test_the_images_a_build_takes_from_registries(text: str, found: list[str]) -> None:
    assert bases(text, ARM, GIVEN="given") == [name if "@" in name else f"{name}@{ARM}" for name in found]


@pytest.mark.parametrize(
    "text",
    [
        "FROM $NOWHERE\n",
        "FROM a-${NOWHERE}\n",
        "ARG I\nFROM $I\n",
        "FROM $BUILDARCH\n",
        "ARG TARGETARCH=x\nFROM a-$TARGETARCH\n",
        "FROM --platform=$WHAT a\n",
        "FROM a\nCOPY --from=$X / /\n",
        "FROM a\nRUN --mount=from=$X,target=/x true\n",
        "FROM a\nARG X=b\nFROM $X\n",
    ],
)
def test_an_image_that_only_the_build_knows_is_refused(text: str) -> None:
    with pytest.raises(DrydockError, match=r"the Dockerfile's line \d takes .* which only a build fills in"):
        bases(text)


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("FROM a", "FROM a@D"),
        ("FROM a\r\nRUN a\r\n", "FROM a@D\r\nRUN a\r\n"),
        ("# a\nfrom  a  AS a\nFROM a\n", "# a\nfrom  a@D  AS a\nFROM a\n"),
        ("FROM from AS as\n", "FROM from@D AS as\n"),
        (f"FROM a:1@{DIGEST}\nFROM scratch\n", f"FROM a:1@{DIGEST}\nFROM scratch\n"),
        ("ARG V=1\nARG I=a:$V\nFROM ${I} AS b\n", "ARG V=1\nARG I=a:$V\nFROM a:1@D AS b\n"),
        ('FROM "a:1"\n', "FROM a:1@D\n"),
        ("FROM --platform=$BUILDPLATFORM a\nFROM a\n", "FROM --platform=$BUILDPLATFORM a@D\nFROM a@D\n"),
        ("FROM \\\n  # a\n  --platform=linux/amd64 \\\n  a\\\n AS x\n", None),
        ("FROM \\\n  # a\n  --platform=linux/amd64 \\\n  a \\\n AS x\n", None),
        (
            "FROM scratch\nCOPY --chown=1 --from=a --chmod=1 a /a\n",
            "FROM scratch\nCOPY --chown=1 --from=a@D --chmod=1 a /a\n",
        ),
        (
            "FROM a\nRUN --mount=from=b,target=/b \\\n  --mount=type=bind,target=/c,from=b b --mount=from=b\n",
            "FROM a@D\nRUN --mount=from=b@D,target=/b \\\n  --mount=type=bind,target=/c,from=b@D b --mount=from=b\n",
        ),
        ('FROM a\nRUN --mount="type=bind,From=b" b\n', 'FROM a@D\nRUN --mount="type=bind,From=b@D" b\n'),
        (
            "FROM a AS b\nFROM a\nCOPY --from=b / /\nCOPY --from=0 / /\n",
            "FROM a@D AS b\nFROM a@D\nCOPY --from=b / /\nCOPY --from=0 / /\n",
        ),
    ],
)
def test_each_image_from_a_registry_is_given_its_digest(text: str, pinned: str | None) -> None:
    uses = list_uses(parse_dockerfile(text), arguments={"BUILDPLATFORM": AMD}, platform=ARM)
    given = pin_bases(text, uses, {use.base: "D" for use in uses})
    assert given == (text.replace("  a", "  a@D") if pinned is None else pinned)
    # What is pinned is what it was, stage by stage, and once more changes nothing.
    before, after = parse_dockerfile(text.replace('"a:1"', "a:1")), parse_dockerfile(given)
    assert [(s.line, s.name, s.platform) for s in before.stages] == [(s.line, s.name, s.platform) for s in after.stages]


def test_a_reference_over_two_lines_is_not_pinned() -> None:
    text = "FROM a\\\nb\n"
    uses = list_uses(parse_dockerfile(text), arguments={}, platform=ARM)
    assert [str(use.base) for use in uses] == ["ab@linux/arm64"]
    with pytest.raises(DrydockError, match="line 1 names ab in a way that is not found again"):
        pin_bases(text, uses, {uses[0].base: "D"})


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("FROM a\n", None, "a@linux/arm64"),
        ("FROM a AS x\nFROM b\nFROM X AS y\n", None, "a@linux/arm64"),
        ("FROM a AS x\nFROM b\nFROM x\n", "1", "b@linux/arm64"),
        ("FROM a AS x\nFROM b\n", "X", "a@linux/arm64"),
        ("ARG V=1\nFROM a:$V\n", None, "a:1@linux/arm64"),
        ("FROM --platform=linux/amd64 a\n", None, "a@linux/amd64"),
        ("FROM a\nFROM scratch\n", None, None),
        ("FROM a$NOBODY\n", None, None),
        ("FROM a\n", "missing", None),
        ("FROM a\n", "7", None),
        ("FROM x AS x\n", None, "x@linux/arm64"),
        ("RUN true\n", None, None),
    ],
)
def test_what_an_image_is_based_on(text: str, target: str | None, found: str | None) -> None:
    arguments = {"BUILDPLATFORM": AMD}
    base = final_base(parse_dockerfile(text), target=target, arguments=arguments, platform="linux/arm64")
    assert (str(base) if base else None) == found
