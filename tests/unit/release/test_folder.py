"""What staged.json may hold: what a stage writes, and nothing else that a stranger could think of."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.build.pins import Pins
from ci.core.checks import RunCheck, SmokeCheck
from ci.core.errors import DrydockError
from ci.core.findings import Acceptance
from ci.core.model import Cache, CacheMode, Config, Image
from ci.core.oci import OCI_MANIFEST, Descriptor, Manifest, digest_of
from ci.release.folder import Folder, Machine, Smoke, StagedVariant, read_folder, render_folder
from ci.release.record import KIND, Entry, Record, digest_configuration, read_record, write_record

DIGEST = "sha256:" + "1" * 64
VARIANT = StagedVariant(
    variant="app@linux/arm64",
    image="app",
    platform="linux/arm64",
    digest=DIGEST,
    size=12,
    record=DIGEST,
    repositories=("ghcr.io/acme/app",),
    inputs=DIGEST,
    reused="sha-1234567",
    smoke=(Smoke(name="greets", ok=True),),
    build_seconds=1.5,
    smoke_seconds=0.0,
)
FOLDER = Folder(
    revision="1" * 40,
    created="2026-01-01T00:00:00Z",
    configuration=DIGEST,
    machine=Machine(platform="linux/arm64", engine="v1"),
    variants=(
        VARIANT,
        StagedVariant(variant="b@linux/amd64", image="b", platform="linux/amd64", failures=("build: no",)),
    ),
    place="folder 1",
)


def test_what_is_written_is_read() -> None:
    assert read_folder(render_folder(FOLDER), "folder 1") == FOLDER
    assert str(FOLDER) == "folder 1 (of an engine on linux/arm64)"


def document(**changes: object) -> str:
    return json.dumps({**json.loads(render_folder(FOLDER)), **changes})


def of_variant(**changes: object) -> str:
    found = json.loads(render_folder(FOLDER))
    found["variants"][0] |= changes
    return json.dumps(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "folder 1: it is no JSON, so that no stage has written it"),
        ("[" * 100_000, "it is no JSON"),
        ("9" * 5000, "it is no JSON"),
        ("null", "its schema is not 1: another version of Drydock has written it"),
        ("[1]", "its schema is not 1"),
        (document(schema=2), "its schema is not 1"),
        (document(revision="main"), "'revision' is not as a stage writes it; export the folder again"),
        (document(revision=None), "'revision' is not"),
        (document(configuration="sha256:1"), "'configuration' is not"),
        (document(machine=[]), "'machine' is not"),
        (document(machine={"platform": 1, "engine": ""}), "'platform' is not"),
        (document(variants={}), "'variants' is not"),
        (document(variants=[1]), "'variants' is not"),
        (document(variants=[{}] * 1001), "'variants' is not"),
        (of_variant(digest="../../blobs"), "'digest' is not"),
        (of_variant(digest="sha256:" + "A" * 64), "'digest' is not"),
        (of_variant(record=f"{DIGEST}/../x"), "'record' is not"),
        (of_variant(attestation=1), "'attestation' is not"),
        (of_variant(variant="x" * 1001), "'variant' is not"),
        (of_variant(size=-1), "'size' is not"),
        (of_variant(size=True), "'size' is not"),
        (of_variant(build_seconds=10**400), "'build_seconds' is not"),
        (of_variant(smoke={}), "'smoke' is not"),
        (of_variant(smoke=[{"ok": True}]), "'name' is not"),
        (of_variant(failures=[1]), "'failures' is not"),
        (of_variant(repositories="ghcr.io/acme/app"), "'repositories' is not"),
        (of_variant(build_seconds=0).replace('"build_seconds": 0,', '"build_seconds": NaN,'), "'build_seconds' is not"),
    ],
)
def test_anything_else_is_refused_with_the_key_that_is_wrong(text: str, sentence: str) -> None:
    with pytest.raises(DrydockError) as error:
        read_folder(text, "folder 1")
    assert sentence in str(error.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_no_value_of_any_key_ends_in_a_traceback(value: Any) -> None:  # noqa: ANN401
    for text in (*(document(**{key: value}) for key in json.loads(document())), *map(with_value(value), vars_of())):
        try:
            read_folder(text, "it")
        except DrydockError:
            continue


def vars_of() -> list[str]:
    return list(json.loads(render_folder(FOLDER))["variants"][0])


def with_value(value: object) -> Any:  # noqa: ANN401
    return lambda key: of_variant(**{key: value})


def test_texts_are_shown_without_what_a_terminal_obeys() -> None:
    read = read_folder(of_variant(failures=["a\x1b[31mb\nc"], variant="a\u202eb"), "it")
    assert read.variants[0].failures == ("ab c",)
    assert read.variants[0].variant == "ab"


IMAGE = Image(name="a", dockerfile="D", context=".", platforms=("x/y",))
CONFIG = Config(repositories=("r.test/{name}",), images=(IMAGE,))


def test_a_configuration_is_another_one_only_where_that_decides_something() -> None:
    same = [
        replace(CONFIG, cache=Cache(mode=CacheMode.OFF)),
        replace(CONFIG, rebuild_after=None),
        replace(CONFIG, accepted=(Acceptance(rule="a", reason="b", line=3),), baseline="x"),
    ]
    assert {digest_configuration(one) for one in same} == {digest_configuration(CONFIG)}
    other = [
        replace(IMAGE, smoke=(SmokeCheck(name="s", check=RunCheck(argv=("a",))),)),
        replace(IMAGE, build_args={"A": "1"}),
        replace(IMAGE, labels={"version": "2"}),
        replace(IMAGE, budget=1),
    ]
    digests = {digest_configuration(replace(CONFIG, images=(one,))) for one in other}
    assert len({*digests, digest_configuration(CONFIG)}) == len(other) + 1


def test_a_record_is_about_the_variant_that_it_is_of() -> None:
    body = b"{}"
    variant = Manifest(body=body, media_type=OCI_MANIFEST, digest=digest_of(body))
    record = Record(
        variant="a@x/y",
        digest=variant.digest,
        revision="1" * 40,
        configuration=DIGEST,
        annotations={"k": "v"},
        checks=("one", "two"),
        reused="sha-1234567",
        attestation=DIGEST,
        pins=Pins(digests={"docker.io/library/a:1": DIGEST}, whole=True, still=False),
    )
    written = write_record(Entry(record=record, manifest=variant))
    assert written == write_record(Entry(record=record, manifest=variant))
    assert written.about == (KIND, variant.digest)
    assert read_record(written) == record
    subjects = [Descriptor(media_type=OCI_MANIFEST, digest=digest, size=2) for digest in (DIGEST, variant.digest)]
    others = (
        Manifest.of_artifact(KIND, subjects[0], written.annotations),
        Manifest.of_artifact("application/other", subjects[1], written.annotations),
        variant,
    )
    for other in others:
        with pytest.raises(DrydockError, match="is no record of this version of Drydock"):
            read_record(other)
