"""What a build takes from registries, what an image descends from, and a Dockerfile with the digests of its bases."""

from __future__ import annotations

import pytest

from ci.core.errors import DrydockError
from ci.dockerfile.bases import Base, final_base, fixed_platform, list_bases
from ci.dockerfile.parser import parse_dockerfile

AMD, ARM = "linux/amd64", "linux/arm64"
DIGEST = f"sha256:{'1' * 64}"


def bases(text: str, platform: str = AMD, target: str | None = None, **arguments: str) -> list[str]:
    given = {"BUILDPLATFORM": AMD, **arguments}
    found = list_bases(parse_dockerfile(text), target=target, arguments=given, platform=platform).whole()
    assert all(isinstance(base, Base) for base in found)
    return [str(base) for base in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a\n", ["a@linux/arm64"]),
        ("\ufeffFROM a\n", ["a@linux/arm64"]),
        ("FROM scratch\n", []),
        ("FROM a:1@" + DIGEST, [f"a:1@{DIGEST}@linux/arm64"]),
        ("FROM a AS One\nFROM one\n", ["a@linux/arm64"]),
        ("FROM a AS one\nFROM ONE\n", ["ONE@linux/arm64"]),  # and BuildKit refuses that name
        ("FROM a AS one\nFROM b\nCOPY --from=ONE / /\n", ["a", "b"]),
        ("FROM --platform=$BUILDPLATFORM a AS x\nFROM a\nCOPY --from=x / /", ["a@linux/amd64", "a@linux/arm64"]),
        ("FROM --platform=linux/amd64 a\n", ["a@linux/amd64"]),
        ("ARG V=1\nARG I=a:$V\nFROM ${I}\n", ["a:1@linux/arm64"]),
        ("ARG I\nFROM ${I:-b}\n", ["b@linux/arm64"]),
        ("ARG GIVEN=x\nFROM $GIVEN\n", ["given@linux/arm64"]),
        ("FROM a-$TARGETARCH\n", ["a-arm64@linux/arm64"]),
        ("FROM a AS x\nFROM b\nCOPY --from=x / /\nCOPY --from=0 / /\nCOPY --from=c / /\n", ["a", "b", "c"]),
        ("FROM a\nRUN --mount=type=bind,from=b,target=/b --mount=type=cache,target=/c true\n", ["a", "b"]),
        ("FROM a\nRUN --mount=target=/b,From=b true\n", ["a", "b"]),
        ("FROM a\nRUN --mount=from=c,target=/b,from=b true\n", ["a", "b"]),
        # A number names a stage in COPY alone.
        ("FROM a AS x\nFROM b\nRUN --mount=from=0,target=/x true\n", ["b", "0"]),
        ("FROM a AS x\nFROM 0\n", ["0"]),
        ("FROM a\nCOPY --from=scratch / /\nRUN --mount=from=scratch,target=/x true\n", ["a"]),
        # Without a colon, an empty value is a value.
        ("ARG EMPTY=x\nFROM a${EMPTY--b}\n", ["a"]),
        ("ARG EMPTY=x\nFROM a${EMPTY:--b}\n", ["a-b"]),
        ("ARG EMPTY\nFROM a${EMPTY+-b}\n", ["a-b"]),
        ("ARG EMPTY\nFROM a${EMPTY:+-b}\n", ["a"]),
        ("ARG NOTHING\nFROM a${NOTHING+-b}\n", ["a-b"]),
        ("ARG GIVEN\nFROM ${GIVEN:?no}\n", ["given"]),
        # Of two stages of one name, the later one is meant.
        ("FROM a AS x\nFROM b AS x\nFROM x\n", ["b"]),
        ("FROM a AS x\nFROM b AS x\nFROM c\nCOPY --from=x / /\n", ["b", "c"]),
        ("FROM a\nRUN cat <<\\EOF >/x\nFROM b\nEOF\nCOPY --from=c / /\n", ["a", "c"]),
        ("FROM a\nRUN echo it\\'s && cat <<EOF && echo it\\'s\nFROM b\nEOF\n", ["a"]),
    ],
)
def test_the_images_a_build_takes_from_registries(text: str, found: list[str]) -> None:
    whole = [name if "@" in name else f"{name}@{ARM}" for name in found]
    assert bases(text, ARM, GIVEN="given", EMPTY="") == whole


@pytest.mark.parametrize(
    ("target", "found"),
    [(None, ["c"]), ("cpu", ["a", "c"]), ("gpu", ["c", "private"]), ("2", [])],
)
def test_only_the_stages_that_the_target_needs_count(target: str | None, found: list[str]) -> None:
    text = (
        "FROM a AS one\nFROM c AS two\nFROM private AS gpu\nCOPY --from=two / /\nFROM one AS cpu\nCOPY --from=1 / /\n"
    )
    last = "" if target else "FROM two\n"
    assert bases(text + last, ARM, target) == [f"{name}@{ARM}" for name in found]


def test_what_is_known_is_listed_beside_what_is_not() -> None:
    text = "FROM a AS x\nFROM b\nCOPY --from=$X / /\nCOPY --from=x / /\nRUN --mount=from=c,target=/c true\n"
    found = list_bases(parse_dockerfile(text), target=None, arguments={}, platform=AMD)
    assert [base.reference for base in found.known] == ["a", "b", "c"]
    assert "line 3 takes files from '$X'" in str(found.refusal)


@pytest.mark.parametrize(
    "text",
    [
        "FROM $NOWHERE\n",
        "FROM a-${NOWHERE}\n",
        "ARG I\nFROM $I\n",
        "FROM $BUILDARCH\n",
        "ARG TARGETARCH=x\nFROM a-$TARGETARCH\n",
        "ARG TARGETARCH\nFROM a-$TARGETARCH\n",
        "ARG I\nFROM a${I:?needed}\n",
        "FROM --platform=$WHAT a\n",
        "FROM a\nCOPY --from=$X / /\n",
        "FROM a\nRUN --mount=from=$X,target=/x true\n",
        "FROM a\nARG X=b\nFROM $X\n",
        "ARG I='$A'\nFROM a$I\n",
        "ARG I=\\$A\nFROM a$I\n",
    ],
)
def test_an_image_that_only_the_build_knows_is_refused(text: str) -> None:
    with pytest.raises(DrydockError, match=r"the Dockerfile's line \d takes .* which only a build fills in"):
        bases(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('FROM a\nRUN --mount=type=bind,target="/a b",from=c true\n', "line 2 has a quote or a backslash in a flag"),
        ('FROM a\nRUN --mount=target="/a b" --mount=from=c,target=/c true\n', "line 2 has a quote"),
        ("FROM a\nRUN --mount=type=bind,target=/a\\ b,from=c true\n", "line 2 has a quote"),
        ("FROM a\nRUN --mount='from=c,target=/c' true\n", "line 2 has a quote"),
        ('FROM a AS b\nFROM a\nCOPY --from="b" / /\n', "line 3 has a quote"),
        ('FROM --platform="linux/amd64" a\n', "line 1 has a quote or a backslash, which"),
        ("FROM a\nRUN --mount\\=from=b,target=/x true\n", "line 2 has a quote"),
        ("FROM a\nCOPY --chmod\\=1 --from=b / /\n", "line 2 has a quote"),
        ("FROM --platform\\=linux/amd64 a\nFROM b\n", "line 1 has a quote or a backslash, which"),
        ("FROM 'a'\n", "line 1 has a quote or a backslash, which"),
        ('FROM a"\n', "line 1 has a quote or a backslash, which"),
        ("# escape=`\nFROM a\\b\n", "line 2 has a quote or a backslash, which"),
        ("FROM a\nCOPY --from=later / /\nFROM b AS later\nFROM scratch\nCOPY --from=0 / /\n", "is no earlier stage"),
        ("FROM a\nCOPY --from=nginx / /\nFROM nginx AS nginx\nFROM scratch\nCOPY --from=0 / /\n", "no earlier stage"),
        ("FROM a AS me\nRUN --mount=from=me,target=/x true\n", "is no earlier stage"),
        ("FROM a\nCOPY --from=0 / /\n", "is no earlier stage"),
        ("FROM a\nCOPY --from=7 / /\n", "is no earlier stage"),
        ("FROM a AS x\nONBUILD COPY --from=c / /\nFROM x\n", "line 2 takes files by ONBUILD"),
        ("FROM a\nRUN cat <<EOF\nFROM b\n", "line 2 cannot be read: heredoc 'EOF' is not closed|the heredoc"),
        ("RUN true\n", "line 1 cannot be read"),
    ],
)
def test_what_could_hide_an_image_is_refused(text: str, message: str) -> None:
    with pytest.raises(DrydockError, match=message):
        bases(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a", ["a"]),
        ("FROM a\r\nRUN a\r\n", ["a"]),
        ("# a\nfrom  a  AS a\nFROM a\n", ["a"]),
        ("FROM from AS as\n", ["from"]),
        (f"FROM a:1@{DIGEST}\nFROM scratch\nCOPY --from=0 / /", [f"a:1@{DIGEST}"]),
        ("ARG V=1\nARG I=a:$V\nFROM ${I} AS b\n", ["a:1"]),
        ('FROM "a:1"\n', ["a:1"]),
        ("FROM a AS unneeded\nFROM b\n", ["b"]),
        ("FROM \\\n  # a\n  --platform=linux/amd64 \\\n  a\\\n AS x\n", ["a"]),
        ("FROM \\\n  # a\n  --platform=linux/amd64 \\\n  a \\\n AS x\n", ["a"]),
        ("FROM scratch\nCOPY --chown=1 --from=a --chmod=1 a /a\n", ["a"]),
        (
            "FROM a\nRUN --mount=from=b,target=/b \\\n  --mount=type=bind,target=/c,from=d b --mount=from=e\n",
            ["a", "b", "d"],
        ),
        ("FROM a\nRUN --mount=type=bind,source=/from=b,From=b,target=/x true\n", ["a", "b"]),
        ("FROM a AS b\nFROM c\nCOPY --from=b / /\nCOPY --from=0 / /\n", ["a", "c"]),
        ("\ufeffFROM node AS node\nFROM scratch\nCOPY --from=node /out /\n", ["node"]),
        # Over several lines.
        ("FROM a\\\nb\n", ["ab"]),
        ("FROM\\\n node AS node\nFROM scratch\nCOPY --from=node / /\n", ["node"]),
        ("FROM c\nRUN --mount=type=bind,\\\nfrom=b,target=/x true\nCOPY --from=b / /\n", ["c", "b"]),
        ("FROM a\nRUN --mount=type=bind,target=/x,\\\nfrom=b echo --mount=from=c\n", ["a", "b"]),
    ],
)
def test_each_image_from_a_registry_is_listed_however_it_is_written(text: str, found: list[str]) -> None:
    assert [base.rpartition("@")[0] for base in bases(text)] == found


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("FROM a\n", None, "a@linux/arm64"),
        ("FROM a AS x\nFROM b\nFROM x AS y\n", None, "a@linux/arm64"),
        ("FROM a AS x\nFROM b AS y\nFROM x\n", "y", "b@linux/arm64"),
        ("FROM a AS x\nFROM b\n", "X", "a@linux/arm64"),
        ("ARG V=1\nFROM a:$V\n", None, "a:1@linux/arm64"),
        ("FROM --platform=linux/amd64 a\n", None, "a@linux/amd64"),
        ("FROM a\nFROM scratch\n", None, None),
        ("FROM a$NOBODY\n", None, None),
        ("FROM a\n", "missing", None),
        ("FROM a\n", "7", None),
        ("FROM x AS x\n", None, "x@linux/arm64"),
        ("FROM a AS x\nFROM b AS x\nFROM x\n", None, "b@linux/arm64"),
        ("FROM a AS x\nFROM b AS x\n", "x", "b@linux/arm64"),
        ("FROM a\nRUN cat <<EOF\nFROM b\n", None, None),
        ("RUN true\n", None, None),
    ],
)
def test_what_an_image_is_based_on(text: str, target: str | None, found: str | None) -> None:
    arguments = {"BUILDPLATFORM": AMD}
    base = final_base(parse_dockerfile(text), target=target, arguments=arguments, platform="linux/arm64")
    assert (str(base) if base else None) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a\n", None),
        ("FROM --platform=$TARGETPLATFORM a\n", None),
        ("FROM --platform=linux/arm64/v8 a\n", None),
        ("FROM --platform=linux/amd64 a\n", "1 linux/amd64"),
        ("FROM --platform=$BUILDPLATFORM a\n", "1 linux/amd64"),
        ("ARG P=linux/amd64\nFROM --platform=$P a\n", "2 linux/amd64"),
        # What the last stage descends from decides, and not the stages that it copies from.
        ("FROM --platform=$BUILDPLATFORM a AS b\nFROM c\nCOPY --from=b / /\n", None),
        ("FROM --platform=$BUILDPLATFORM a AS b\nFROM b\n", "1 linux/amd64"),
        ("FROM --platform=$BUILDPLATFORM a AS b\nFROM --platform=$TARGETPLATFORM b\n", "1 linux/amd64"),
        # Nothing in it is of a platform.
        ("FROM --platform=$BUILDPLATFORM scratch\n", None),
    ],
)
def test_what_makes_an_image_one_of_another_platform(text: str, found: str | None) -> None:
    arguments = {"BUILDPLATFORM": AMD}
    fixed = fixed_platform(parse_dockerfile(text), target=None, arguments=arguments, platform=ARM)
    assert (fixed and f"{fixed[0].line} {fixed[1]}") == found


def test_a_platform_that_only_the_builder_knows() -> None:
    text = parse_dockerfile("FROM --platform=${BUILDPLATFORM} a\n")
    fixed = fixed_platform(text, target=None, arguments={}, platform=ARM)
    assert fixed
    assert fixed[1] == ""
    other = parse_dockerfile("ARG P\nFROM --platform=$P a\n")
    assert fixed_platform(other, target=None, arguments={}, platform=ARM) is None
