"""One Dockerfile, one reading: the build, validate and init take the same from it, which is what BuildKit takes."""

import pytest

from ci.core.errors import DrydockError
from ci.dockerfile.bases import final_base, list_bases
from ci.dockerfile.ignore import ignore_files
from ci.dockerfile.parser import Instruction, parse_dockerfile
from ci.dockerfile.stages import Mount, find_remote, list_mounts, read_stages
from ci.init.facts import read_facts
from ci.validate.dockerfile import bases_of

AMD = "linux/amd64"


def built(text: str) -> list[str]:
    found = list_bases(parse_dockerfile(text), target=None, arguments={"BUILDPLATFORM": AMD}, platform=AMD).whole()
    return [base.reference for base in found]


def validated(text: str) -> list[str]:
    return [base.reference for base in bases_of(read_stages(parse_dockerfile(text), arguments={}))]


@pytest.mark.parametrize(
    ("text", "images", "unneeded"),  # the last: of stages that the last stage does not need
    [
        ("FROM a\nRUN --mount=type=bind,FROM=busybox:1,target=/b true\n", ["a", "busybox:1"], []),
        ("FROM a\nRUN --mount=Type=Bind,From=busybox:1,target=/b true\n", ["a", "busybox:1"], []),
        ("FROM a AS build\nFROM b\nCOPY --from=biuld / /\n", ["b", "biuld"], ["a"]),
        ("FROM a AS build\nFROM b\nRUN --mount=from=biuld,target=/x true\n", ["b", "biuld"], ["a"]),
        ("FROM a AS build\nFROM b\nCOPY --from=BUILD / /\n", ["a", "b"], []),
        # A number names a stage in COPY alone.
        ("FROM a AS x\nFROM b\nCOPY --from=0 / /\n", ["a", "b"], []),
        ("FROM a AS x\nFROM b\nRUN --mount=from=0,target=/x true\n", ["b", "0"], ["a"]),
        ("FROM scratch\nCOPY --from=scratch / /\n", [], []),
        ("ARG V=1\nARG I=a:$V\nFROM ${I}\nFROM $I\n", ["a:1"], []),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\n", ["a"], []),
    ],
)
def test_all_take_the_same_images(text: str, images: list[str], unneeded: list[str]) -> None:
    assert built(text) == images
    assert set(validated(text)) == {*images, *unneeded}
    scopes = read_stages(parse_dockerfile(text), arguments={})
    named = {origin.image for scope in scopes for origin in scope.origins if origin.outer}
    assert read_facts(parse_dockerfile(text)).bases == tuple(image for image in images if image in named)


def test_scratch_is_empty_in_lower_case_alone() -> None:
    text = "FROM Scratch\nUSER $NOBODY\n"
    facts = read_facts(parse_dockerfile(text))
    assert built(text) == ["Scratch"]
    assert (facts.base, facts.bases, facts.user) == ("Scratch", ("Scratch",), None)
    assert built("FROM a\nCOPY --from=Scratch / /\n") == ["a", "Scratch"]


@pytest.mark.parametrize("line", ["COPY --from=busybox:$V / /", "RUN --mount=from=busybox:$V,target=/x true"])
def test_a_from_of_a_copy_or_a_mount_takes_no_variable(line: str) -> None:
    text = f"ARG V=1\nFROM a\nARG V\n{line}\n"
    with pytest.raises(DrydockError, match=r"line 4 takes files from 'busybox:\$V', which only a build fills in"):
        built(text)
    assert validated(text) == ["a"]
    assert read_facts(parse_dockerfile(text)).bases == ("a",)


def test_an_image_is_found_whatever_the_case_of_the_option() -> None:
    text = "FROM a\nRUN --mount=type=bind,FROM=busybox:1,target=/b true\n"
    bases = list_bases(parse_dockerfile(text), target=None, arguments={}, platform=AMD).whole()
    assert [base.reference for base in bases] == ["a", "busybox:1"]


def test_what_is_known_at_each_instruction() -> None:
    text = """\
ARG V=1
ARG GIVEN
FROM a AS one
ARG V
ENV V=2 W=$V
ARG V=3 INNER=$W
FROM one
ARG TARGETARCH=x INNER GIVEN
RUN end
"""
    scopes = read_stages(parse_dockerfile(text), arguments={"GIVEN": "g"}, platform="linux/arm64")
    known = [dict(step.variables) for scope in scopes for step in scope.steps]
    assert known == [
        {},
        {"V": "1"},
        {"V": "2", "W": "1"},
        {"V": "2", "W": "1"},
        {"V": "2", "W": "1", "TARGETARCH": "arm64", "INNER": None, "GIVEN": "g"},
    ]


def test_the_line_of_a_reference_is_that_of_the_arg_that_holds_it() -> None:
    text = "ARG I=a\nARG J=b\nFROM $I\nFROM x$J\nFROM c\nCOPY --from=d / /\n"
    scopes = read_stages(parse_dockerfile(text), arguments={"J": "y"})
    assert [(o.image, o.line, o.pin_line) for scope in scopes for o in scope.origins] == [
        ("a", 3, 1),
        ("xy", 4, 4),
        ("c", 5, 5),
        ("d", 6, 6),
    ]


@pytest.mark.parametrize(
    ("line", "copied"),
    [
        ("COPY a b/ /x/", ["a", "b/"]),
        ("COPY $V ${W} /x/", ["1", None]),
        ('COPY ["a b", "/x/"]', ["a b"]),
        ("COPY --from=c a /x", []),
        ("ADD https://example.com/x.tgz a github.com/a/b git@example.com:a/b.git /x/", ["a"]),
        ('ADD "github.com/a/b" /x/', []),
        ("COPY github.com/a /x/", ["github.com/a"]),
        ("COPY @scope/a /x/", ["@scope/a"]),
        ("COPY <<EOF /x\nEOF", []),
        ("COPY a.txt <<EOF b.txt /x/\nEOF", ["a.txt", "b.txt"]),
        ("RUN a b", []),
    ],
)
def test_what_is_copied_from_the_context(line: str, copied: list[str | None]) -> None:
    (scope,) = read_stages(parse_dockerfile(f"FROM a\nENV V=1\n{line}\n"), arguments={})
    assert list(scope.steps[1].copied()) == copied


@pytest.mark.parametrize(
    ("flag", "mount"),
    [
        ("type=cache,target=/c", Mount(kind="cache", target="/c")),
        ("TYPE=Secret,ID=T", Mount(kind="secret", id="T")),
        ("src=a,dst=/b", Mount(source="a", target="/b")),
        ("source=a,destination=/b,from=c,FROM=d,ro", Mount(source="a", target="/b", origin="d")),
    ],
)
def test_the_options_of_a_mount(flag: str, mount: Mount) -> None:
    made = Instruction(line=1, keyword="RUN", arguments="true", flags=(("mount", flag),))
    assert list(list_mounts(made)) == [mount]


@pytest.mark.parametrize(
    ("mount", "secret"),
    [(Mount(id="a", target="/x/b"), "a"), (Mount(source="c"), "c"), (Mount(target="/x/b"), "b"), (Mount(), "")],
)
def test_the_name_of_a_mounted_secret(mount: Mount, secret: str) -> None:
    assert mount.secret == secret


@pytest.mark.parametrize(
    ("words", "remote"),
    [
        ("a b/ /x/", False),
        ("https://example.com/a /x", True),
        ("$A /x", True),
        ('"github.com/a/b" /x', True),
        ("git\\hub.com/a/b /x", True),
        ("a/github.com/b /x:y", False),
    ],
)
def test_an_add_that_may_take_from_elsewhere_is_found(words: str, remote: bool) -> None:
    assert bool(find_remote(parse_dockerfile(f"FROM a\nADD {words}\n"))) == remote


@pytest.mark.parametrize(
    ("dockerfile", "context", "files"),
    [
        ("Dockerfile", ".", ("Dockerfile.dockerignore", ".dockerignore")),
        ("a/Dockerfile", "a/b", ("a/Dockerfile.dockerignore", "a/b/.dockerignore")),
    ],
)
def test_the_ignore_files_a_build_looks_for(dockerfile: str, context: str, files: tuple[str, str]) -> None:
    assert ignore_files(dockerfile, context) == files


CONTEXTS = {
    "base": "docker-image://alpine:3.22",
    "files": "libs",
    "tools": "target:tools",
    "build": "docker-image://golang:1",
    "scratch-like": "docker-image://scratch",
}


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("FROM base\n", ["alpine:3.22"]),
        ("FROM docker.io/library/base:latest\n", ["alpine:3.22"]),
        ("FROM base:1\n", ["base:1"]),
        ("ARG I=base\nFROM ${I}\n", ["alpine:3.22"]),
        (
            "FROM a\nCOPY --from=base / /\nCOPY --from=files / /\nRUN --mount=from=tools,target=/x true\n",
            ["a", "alpine:3.22"],
        ),
        ("FROM files\n", []),
        ("FROM tools AS base2\nFROM base2\n", []),
        ("FROM scratch-like\n", []),
        # A context of a stage's name replaces all of the stage.
        ("FROM a AS build\nCOPY --from=b / /\nFROM c\nCOPY --from=build / /\n", ["c", "golang:1"]),
        ("FROM a AS tools\nFROM tools\n", []),
        ("FROM a AS BUILD\nFROM build AS next\nFROM next\n", ["golang:1"]),
        ("FROM a AS x\nFROM b\nCOPY --from=0 / /\n", ["a", "b"]),
        ("FROM scratch\n", []),
    ],
)
def test_a_named_context_stands_in_the_place_of_an_image_or_a_stage(text: str, images: list[str]) -> None:
    found = list_bases(parse_dockerfile(text), target=None, arguments={}, platform=AMD, contexts=CONTEXTS).whole()
    assert sorted(base.reference for base in found) == images
    assert {base.platform for base in found} <= {AMD}


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("FROM base\n", "alpine:3.22"),
        ("FROM tools\n", None),
        ("FROM files AS x\nFROM x\n", None),
        ("FROM a AS build\nFROM build\n", "golang:1"),
        ("FROM a\nCOPY --from=base / /\n", "a"),
    ],
)
def test_an_image_descends_from_what_a_context_names(text: str, reference: str | None) -> None:
    base = final_base(parse_dockerfile(text), target=None, arguments={}, platform=AMD, contexts=CONTEXTS)
    assert (base.reference if base else None) == reference


def test_nothing_is_known_of_what_a_replaced_stage_sets() -> None:
    text = "FROM scratch AS build\nENV A=b\nFROM build\nUSER $A\n"
    scopes = read_stages(parse_dockerfile(text), arguments={})
    assert scopes[1].steps[0].fill("$A $B") == "b "
    scopes = read_stages(parse_dockerfile(text), arguments={}, contexts=CONTEXTS)
    assert scopes[0].steps == ()
    assert scopes[1].steps[0].fill("$A") is None
