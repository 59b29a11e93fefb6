"""What decides what an image becomes: each part by itself, and what nobody can tell before a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any  # a value of whatever field

import pytest

import ci.build.inputs
from ci.build.inputs import INPUTS, PARTS, Inputs, digest_inputs, why_not_reusable
from ci.core.checks import (
    Check,
    ConfigCheck,
    FileCheck,
    GrpcCheck,
    HttpCheck,
    MetadataCheck,
    RunCheck,
    Service,
    Setting,
    SmokeCheck,
    TcpCheck,
    TextMatch,
)
from ci.core.model import Affixes, Compression, Image, Variant
from ci.dockerfile.ignore import parse_ignore
from ci.dockerfile.parser import parse_dockerfile

AMD, ARM = "linux/amd64", "linux/arm64"
DIGEST, OTHER = ("sha256:" + digit * 64 for digit in "12")
IMAGE = Image(
    name="app",
    dockerfile="Dockerfile",
    context=".",
    platforms=(AMD, ARM),
    build_args={"PYTHON": "3.13"},
    smoke=(SmokeCheck(name="runs", check=RunCheck(argv=("true",))),),
)
GIVEN: dict[str, Any] = {
    "dockerfile": "FROM base\nARG REVISION\n",
    "context": DIGEST,
    "bases": {"base@linux/amd64": DIGEST},
    "arguments": {"PYTHON": "3.13", "BUILDPLATFORM": AMD, "REVISION": "a" * 40},
    "labels": {
        "org.opencontainers.image.title": "App",
        "org.opencontainers.image.revision": "a" * 40,
        "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
    },
    "compression": Compression.ZSTD,
    "builder": "v0.21.8",
}


def inputs(image: Image = IMAGE, platform: str = AMD, **given: object) -> Inputs:
    return digest_inputs(Variant(image=image, platform=platform), **{**GIVEN, **given})


BASIS = inputs()


def test_the_same_values_give_the_same_digest_on_any_machine() -> None:
    """Where this fails without a change of the rules, what was released before is built again for nothing."""
    assert BASIS.digest == "sha256:f9a9119d56fdff2708bf7e9dd057a83cca84767a5550bf5aeced140ef163697c"
    assert inputs(bases=dict(GIVEN["bases"])) == BASIS
    assert inputs().changed(BASIS.annotations) == ""


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("dockerfile", GIVEN["dockerfile"] + "\n"),
        ("context", OTHER),
        ("bases", {"base@linux/amd64": OTHER}),
        ("bases", {"base:1@linux/amd64": DIGEST}),
        ("bases", {}),
        ("compression", Compression.GZIP),
        ("labels", {"org.opencontainers.image.title": "Other"}),
        ("labels", {**GIVEN["labels"], "org.opencontainers.image.version": "1"}),
        ("builder", "v0.21.9"),
        ("history", "1" * 40),
    ],
)
def test_each_value_by_itself_changes_the_digest(part: str, value: object) -> None:
    changes: dict[str, Any] = {part: value}
    assert inputs(**changes).changed(BASIS.annotations) == {"history": "git"}.get(part, part)


# Every field of an image, with another value and the part that it changes; None: it decides nothing by itself.
FIELDS: dict[str, tuple[object, str | None]] = {
    "name": ("other", None),  # the repository, which is where a release is looked for
    "repositories": (("ghcr.io/x",), None),  # as well
    "tags": (("type=edge",), None),  # what an index is called
    "flavor": (("suffix=-x",), None),
    "dockerfile": ("docker/Dockerfile", "dockerfile"),
    "context": ("src", "context"),
    "platforms": ((AMD,), None),  # held against the platforms of the index
    "title": ("Title", None),  # a label
    "description": ("Text", None),  # a label
    "build_args": ({"PYTHON": "3.12"}, "build-args"),
    "target": ("build", "target"),
    "secrets": (("TOKEN",), None),  # a doubt
    "budget": (1, "budget"),
    "smoke": ((), "smoke"),
    "smoke_reason": ("because", None),
    "services": ((Service(name="db", image="postgres:17", port=5432),), "smoke"),
    "ssh": (("default",), None),  # never reused
    "contexts": ({"x": "docker-image://x"}, "options"),
    "network": ("none", "options"),
    "extra_hosts": ({"x": "127.0.0.1"}, "options"),
    "shm_size": (1, "options"),
    "ulimits": (("nofile=1",), "options"),
    "git": (True, None),  # the commit, where .git reaches the build
    "generated": (("ui",), None),  # its files are in the context
    "platform_args": ({AMD: {"ARCH": "x64"}, ARM: {"ARCH": "arm"}}, "build-args"),
    "labels": ({"a": "b"}, "labels"),
    "annotations": ({"a": "b"}, "annotations"),
    "release": (False, None),  # never looked for
    "affixes": (Affixes(suffix="-x"), None),
    "sbom": ("acme/scanner:1", None),  # an image without one is not reused where one is promised
}


def test_the_table_knows_every_field_of_an_image() -> None:
    assert set(FIELDS) == {field.name for field in fields(Image)}


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_of_an_image_by_itself(name: str) -> None:
    value, part = FIELDS[name]
    changes: dict[str, Any] = {name: value}
    assert inputs(replace(IMAGE, **changes)).changed(BASIS.annotations) == (part or "")


CHECKS: tuple[Check, ...] = (
    RunCheck(argv=("true",)),
    RunCheck(argv=("true", "")),
    RunCheck(argv=("true",), exit_code=1),
    RunCheck(argv=("true",), stdout=TextMatch(equals="a")),
    RunCheck(argv=("true",), stdout=TextMatch(contains=("a",))),
    RunCheck(argv=("true",), stderr=TextMatch(contains=("a",))),
    RunCheck(argv=("true",), stdout=TextMatch(matches=("a",))),
    RunCheck(argv=("true",), stdout=TextMatch(rejects=("a",))),
    RunCheck(argv=("true",), deadline=61.0),
    RunCheck(argv=("true",), setup=(("true",),)),
    RunCheck(argv=("true",), user="app"),
    HttpCheck(port=1),
    HttpCheck(port=2),
    HttpCheck(port=1, status=201),
    HttpCheck(port=1, redirects=1),
    HttpCheck(port=1, headers={"A": "b"}),
    HttpCheck(port=1, response_headers={"A": TextMatch(equals="b")}),
    TcpCheck(port=1),
    GrpcCheck(port=1),
    GrpcCheck(port=1, service="a"),
    FileCheck(path="/a"),
    FileCheck(path="/a", exists=False),
    FileCheck(path="/a", mode=0o644),
    FileCheck(path="/a", follow=False),
    FileCheck(path="/a", permissions="-rw-r--r--"),
    FileCheck(path="/a", uid=0),
    FileCheck(path="/a", gid=0),
    FileCheck(path="/a", executable_by="any"),
    MetadataCheck(),
    MetadataCheck(env=(Setting(name="A", value="b"),)),
    MetadataCheck(env=(Setting(name="A", value="b", pattern=True),)),
    ConfigCheck(),
    ConfigCheck(user=""),
    ConfigCheck(env={"A": "b"}),
    ConfigCheck(labels={"A": "b"}),
)


def test_no_two_smoke_checks_are_the_same() -> None:
    digests = {
        inputs(replace(IMAGE, smoke=(SmokeCheck(name="x", check=check, platforms=platforms),))).digest
        for check in CHECKS
        for platforms in ((), (AMD,))
    }
    assert len(digests) == 2 * len(CHECKS)


def test_what_surrounds_a_check_decides() -> None:
    check = SmokeCheck(name="x", check=RunCheck(argv=("true",)))
    others = [replace(check, env={"A": "b"}), replace(check, services=("db",)), replace(check, expands={})]
    digests = {inputs(replace(IMAGE, smoke=(each,))).digest for each in (check, *others)}
    assert len(digests) == 4


def test_a_check_of_another_platform_decides_nothing() -> None:
    more = SmokeCheck(name="arm", check=RunCheck(argv=("false",)), platforms=(ARM,))
    image = replace(IMAGE, smoke=(*IMAGE.smoke, more))
    assert inputs(image).changed(BASIS.annotations) == ""
    assert inputs(image, ARM).changed(inputs(platform=ARM).annotations) == "smoke"


def test_the_commit_decides_something_only_where_the_dockerfile_names_it() -> None:
    arguments = {**GIVEN["arguments"], "REVISION": "b" * 40}
    labels = {**GIVEN["labels"], "org.opencontainers.image.revision": "b" * 40}
    assert inputs(arguments=arguments, labels=labels).changed(BASIS.annotations) == "REVISION"
    for text in ("FROM base\n", "FROM base\nENV APP_REVISION=1 REVISIONS=2\n"):
        assert inputs(dockerfile=text, arguments=arguments, labels=labels) == inputs(dockerfile=text)
    for text in (
        "ARG REVISION",
        "ARG A=1 REVISION=2",
        "RUN echo ${REVISION}",
        "ARG REVI\\\nSION",
        'RUN echo "é$REVISION"',
    ):
        named = inputs(dockerfile=text)
        assert inputs(dockerfile=text, arguments=arguments).changed(named.annotations) == "REVISION"


def test_labels_that_follow_from_the_bases_decide_nothing() -> None:
    labels = {
        **GIVEN["labels"],
        "org.opencontainers.image.base.name": "a",
        "org.opencontainers.image.base.digest": OTHER,
    }
    assert inputs(labels=labels) == BASIS


def test_the_platform_that_builds_decides_something_only_where_the_dockerfile_names_it() -> None:
    arguments = {**GIVEN["arguments"], "BUILDPLATFORM": ARM}
    assert inputs(arguments=arguments) == BASIS
    text = "FROM --platform=$BUILDPLATFORM base\n"
    named = inputs(dockerfile=text)
    assert inputs(dockerfile=text, arguments=arguments).changed(named.annotations) == "BUILDPLATFORM"


def test_other_rules_change_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci.build.inputs, "RULES", ci.build.inputs.RULES + 1)
    assert inputs().changed(BASIS.annotations) == "rules"


@pytest.mark.parametrize(
    ("recorded", "changed"),
    [
        ({}, "BUILDPLATFORM, REVISION, bases, budget"),
        ({INPUTS: DIGEST}, "BUILDPLATFORM, REVISION, bases, budget"),
        ({INPUTS: DIGEST, PARTS: BASIS.annotations[PARTS]}, "something"),
        ({INPUTS: "", PARTS: "=== = rules"}, "BUILDPLATFORM"),
        ({INPUTS: BASIS.digest.upper(), PARTS: BASIS.annotations[PARTS]}, "something"),
    ],
)
def test_what_was_recorded_otherwise_is_a_change(recorded: Mapping[str, str], changed: str) -> None:
    basis = inputs(dockerfile="ARG REVISION BUILDPLATFORM")
    recorded = {
        name: value.replace(BASIS.annotations[PARTS], basis.annotations[PARTS]) for name, value in recorded.items()
    }
    assert changed in basis.changed(recorded)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM a\nADD file /\n", ""),
        ("FROM a\nADD <<EOF /x\nhttps://x.test/y\nEOF\n", ""),
        ("FROM a\nCOPY a:b /\n", ""),
        ("FROM a\nADD https://x.test/y /\n", "line 2"),
        ("FROM a\nADD --checksum=sha256:1 http://x.test/y /\n", "line 2"),
        ("FROM a\nADD a git@x.test:y /\n", "line 2"),
        ("FROM a\nADD ssh://x.test/y /\n", "line 2"),
        ("FROM a\nADD github.com/x/y /\n", "line 2"),
        ('FROM a\nADD ["a b", "https://x.test/y", "/"]\n', "line 2"),
        ("FROM a\nARG W\nADD ${W} /\n", "line 3"),
        ("FROM a\nADD \\\n  https://x.test/y /\n", "line 2"),
        ("FROM a\nONBUILD RUN true\n", "ONBUILD"),
        ("RUN true\n", "cannot be read"),
        ("FROM a\nRUN <<EOF\n", "cannot be read"),
    ],
)
def test_what_nobody_can_tell_before_a_build(text: str, reason: str) -> None:
    found = why_not_reusable(IMAGE, parse_dockerfile(text))
    assert reason in found
    assert bool(found) == bool(reason)


def test_secrets_are_a_doubt_and_are_named() -> None:
    assert "A, B" in why_not_reusable(replace(IMAGE, secrets=("A", "B")), parse_dockerfile("FROM a\n"))


@pytest.mark.parametrize(
    ("text", "excludes"),
    [
        ("", []),
        ("\ufeff*.log\r\n# no\n #yes\n\n  a/ \n", ["*.log", "#yes", "a"]),
        ("/a\n//b\n!/c\n! d\n.\n", ["a", "b", "!c", "!d"]),
        ("a//b/../c\n./x\n**/y/\n", ["a/c", "x", "**/y"]),
    ],
)
def test_what_an_ignore_file_leaves_out_of_the_context(text: str, excludes: list[str]) -> None:
    assert parse_ignore(text).excludes == excludes
