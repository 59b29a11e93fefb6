"""The script that asks BuildKit, and what is read of its answers; the samples are what buildctl 0.34.2 printed."""

import shlex
from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise

import pytest

from ci.core.findings import Finding, Severity, error, note
from ci.core.model import Image
from ci.dockerfile import parse_dockerfile
from ci.validate.buildkit_reports import read_answers, read_unanswered, read_unfetched
from ci.validate.buildkit_script import Subject, list_requests, write_script
from ci.validate.run import merge

CONFIG = "deploy/images.yaml"
LINT = """
WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/
'as' and 'FROM' keywords' casing do not match
Dockerfile:2
--------------------
   1 |     ARG PYTHON=python:3.13-slim
   2 | >>> FROM $PYTHON as build
   3 |     WARNING: NoRule - of a heredoc
--------------------

WARNING: UndefinedVar - https://docs.docker.com/go/dockerfile/rule/undefined-var/
Usage of undefined variable '$BAR' (did you mean $FOO?)
Dockerfile:4
--------------------
   3 |     WARNING: NoRule - of a heredoc
   4 | >>> ENV A=$BAR
--------------------
"""
PLACED = """\
Dockerfile:2
--------------------
   1 |     FROM python:3.13-slim
   2 | >>> ENV
--------------------
error: failed to solve: dockerfile parse error on line 2: ENV requires at least one argument
"""
PLACE = PLACED.partition("error")[0]
UNPLACED = (
    "error: failed to solve: variable expansion is not supported for --from, define a new stage with FROM using ARG "
    "from global scope as a workaround\n"
)
UNFETCHED = (
    "error: failed to solve: python:3.14: failed to resolve source metadata for docker.io/library/python:3.14: "
    "docker.io/library/python:3.14: not found\n"
)
VIOLATED = "error: failed to solve: lint violation found for rules: FromAsCasing, WorkdirRelativePath\n"


def subject(
    text: str = "FROM scratch\n",
    *,
    platforms: Sequence[str] = ("linux/amd64",),
    target: str | None = None,
    contexts: dict[str, str] | None = None,
    arguments: dict[str, str] | None = None,
) -> Subject:
    image = Image(
        name="app",
        dockerfile="docker/Dockerfile",
        context=".",
        platforms=tuple(platforms),
        target=target,
        build_args=arguments or {},
        contexts=contexts or {},
    )
    return Subject(
        image=image, text=text, dockerfile=parse_dockerfile(text, file=image.dockerfile), lines={"target": 7}
    )


def answer(number: int, code: int, out: str = "", err: str = "") -> str:
    return f"{number} {code} {b64encode(out.encode()).decode()} {b64encode(err.encode()).decode()}\n"


def read(asked: Subject, *lines: str, bases: bool = True) -> list[Finding]:
    return read_answers([asked], "".join(lines), config=CONFIG, bases=bases)


def test_warnings_have_their_rule_place_and_how_to_accept_them() -> None:
    casing, undefined = read(subject(), answer(0, 0, LINT), answer(1, 0))
    assert (casing.severity, casing.rule, casing.place) == ("warning", "buildkit/FromAsCasing", "docker/Dockerfile:2")
    assert casing.message == "'as' and 'FROM' keywords' casing do not match"
    assert "rule/from-as-casing/" in casing.remedy
    assert "# check=skip=FromAsCasing" in casing.remedy
    assert (undefined.rule, undefined.line) == ("buildkit/UndefinedVar", 4)


def test_what_hangs_on_a_base_image_is_said_only_where_it_was_looked_at() -> None:
    asked = answer(0, 0, LINT) + answer(1, 0)
    assert [f.rule for f in read(subject(), asked, bases=False)] == ["buildkit/FromAsCasing", "buildkit-bases"]
    of_this_run = subject(contexts={"base": "target:other"})
    assert [f.rule for f in read(of_this_run, asked)] == ["buildkit/FromAsCasing"]


def test_warnings_that_fail_a_build_are_errors() -> None:
    found = read(subject(), answer(0, 0, LINT), answer(1, 1, err=VIOLATED))
    assert [(f.rule, f.severity) for f in found] == [
        ("buildkit/FromAsCasing", Severity.ERROR),
        ("buildkit/UndefinedVar", Severity.WARNING),
    ]


@pytest.mark.parametrize(
    ("text", "sentence", "place"),
    [
        ("FROM python\nENV\n", PLACED, "docker/Dockerfile:2"),
        ("ARG T=x\nFROM $T\nRUN true\nCOPY --from=$T / /\n", UNPLACED, "docker/Dockerfile:4"),
        ("FROM a\nFROM b\nCOPY --from=7 / /\n", "error: failed to solve: invalid stage index 7", "docker/Dockerfile:3"),
        (
            "FROM a AS a\nFROM b AS b\nCOPY --from=c / /\n",
            'error: failed to solve: cannot copy from stage "c", it needs to be defined before current stage "b"',
            "docker/Dockerfile:3",
        ),
        (
            f"FROM a\n\nRUN {'x' * 65536}\n",
            f"{PLACE}error: failed to solve: dockerfile line greater than max allowed size of 65535",
            "docker/Dockerfile:3",
        ),
        ("FROM a\n", 'error: failed to solve: target stage "b" could not be found', f"{CONFIG}:7"),
        ("FROM a\n", "error: failed to solve: something new", "docker/Dockerfile:1"),
    ],
)
def test_a_refusal_has_its_place_even_where_buildkit_names_none(text: str, sentence: str, place: str) -> None:
    (found,) = read(subject(text), answer(0, 0), answer(1, 1, err=sentence))
    assert (found.severity, found.rule, found.place) == ("error", "buildkit/refused", place)
    assert sentence.rpartition("error: failed to solve: ")[2].strip() in found.message
    assert found.remedy


def test_a_refusal_is_short_and_on_one_line() -> None:
    (found,) = read(subject(), answer(0, 0), answer(1, 1, err=f"error: failed to solve: a\nb {'x' * 70_000}\n"))
    assert found.message.startswith("a b xxx")
    assert len(found.message) < 1000


def test_a_base_image_that_could_not_be_had() -> None:
    asked = subject("FROM scratch AS a\nFROM python:3.14\n")
    (gone,) = read_unfetched([asked], "noise\n" + answer(1, 1, err=UNFETCHED))
    assert (gone.severity, gone.rule, gone.place) == ("error", "base-missing", "docker/Dockerfile:2")
    (silent,) = read_unfetched([asked], answer(1, 1, err=UNFETCHED.replace("not found", "connection refused")))
    assert (silent.severity, silent.rule) == ("note", "base-unresolved")
    # Where none was asked for, that is no finding.
    assert [f.rule for f in read(asked, answer(0, 0), answer(1, 1, err=UNFETCHED), bases=False)] == ["buildkit-bases"]


def test_another_frontends_dockerfile_is_read_as_far_as_it_can_be() -> None:
    other = subject("# syntax=example.com/other\nFROM scratch\nCOPI\n")
    assert [(f.severity, f.rule, f.line) for f in read_unanswered([other])] == [
        ("error", "dockerfile-syntax", 3),
        ("note", "buildkit-frontend", 1),
    ]
    assert subject("# syntax=docker/dockerfile:1.7-labs\nFROM scratch\n").is_own
    assert not subject(arguments={"BUILDKIT_SYNTAX": "example.com/other"}).is_own


def words_of(script: str) -> list[list[str]]:
    return [shlex.split(line.removesuffix(" &")) for line in script.split("\n") if line.startswith("ask ")]


def options(words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for flag, word in pairwise(words) if flag == "--opt")


def test_one_lint_for_an_image_and_one_outline_for_each_platform() -> None:
    asked = subject(platforms=("linux/amd64", "linux/arm64"))
    assert [(r.name, r.platform) for r in list_requests([asked])] == [
        ("lint", "linux/amd64"),
        ("outline", "linux/amd64"),
        ("outline", "linux/arm64"),
    ]
    assert [words[:3] for words in words_of(write_script([asked, asked], bases=True))] == [
        ["ask", str(number), name] for number, name in enumerate(["lint", "outline", "outline"] * 2)
    ]


def test_what_is_asked_is_what_is_built() -> None:
    asked = subject(
        "# syntax=docker/dockerfile:1\nFROM base-$TARGETARCH\nFROM busybox:1 AS b\n",
        target="b",
        arguments={"TEXT": "it's a 'b'"},
        contexts={"base-amd64": "docker-image://alpine:3", "other": "target:other", "files": "sub"},
    )
    given = options(words_of(write_script([asked], bases=True))[1])
    assert given == {
        "filename": "Dockerfile",
        "platform": "linux/amd64",
        "target": "b",
        "cmdline": "docker/dockerfile:1",
        "build-arg:TEXT": "it's a 'b'",
        "context:base-amd64": "docker-image://alpine:3",
        "context:other": "local:context",
        "context:files": "local:context",
    }
    script = write_script([asked], bases=False)
    empty = options(words_of(script)[1])
    assert {key: value for key, value in empty.items() if key.startswith("context:")} == {
        f"context:{name}": "local:context" for name in ("base-amd64", "other", "files", "busybox:1")
    }
    assert script.count("--source-policy-file") == len(words_of(script))
    assert '"DENY"' in script


def test_what_both_say_is_said_once() -> None:
    found = [
        error("D", 1, "base-missing", "ours"),
        note("D", 3, "base-unclear", "ours"),
        error("D", 3, "stage-unknown", "ours"),
        error("E", 3, "stage-unknown", "ours"),
    ]
    read_ = [error("D", 1, "base-missing", "theirs"), error("D", 3, "buildkit/refused", "theirs")]
    assert [(f.file, f.rule, f.message) for f in merge(found, read_)] == [
        ("D", "base-missing", "ours"),
        ("E", "stage-unknown", "ours"),
        ("D", "buildkit/refused", "theirs"),
    ]
