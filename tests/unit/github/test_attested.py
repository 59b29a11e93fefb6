"""A release is held to its attestations: which digests, whether they are required, and what is said."""

from collections.abc import Mapping, Sequence
from typing import cast

import anyio
import pytest

from ci.config.parse import parse_config
from ci.core.errors import DrydockError
from ci.core.model import Attest, Config, Image, Variant
from ci.core.oci import Manifest
from ci.github.attested import Attested, choose_attest
from ci.release import Registries, Staged
from ci.release.record import Entry, Record
from ci.release.request import Target

CONFIG = "repository: ghcr.io/acme/{name}\nimages: [{name: app, dockerfile: D, platforms: [linux/amd64], smoke: none, "
CONFIG += "smoke-reason: none}]\n"
NOBODY = cast("Registries", None)


def manifest(letter: str) -> Manifest:
    return Manifest(body=letter.encode(), media_type="application/vnd.oci.image.manifest.v1+json", digest=sha(letter))


def sha(letter: str) -> str:
    return f"sha256:{letter * 64}"


def staged(*, reused: str = "") -> list[Staged]:
    """One image in two repositories: built for amd64, and for arm64 perhaps reused."""
    image = Image(name="app", dockerfile="D", context=".", platforms=("linux/amd64", "linux/arm64"))
    entries = tuple(
        Entry(
            record=Record(variant=f"app@{platform}", digest=sha(letter), revision="", configuration="", reused=origin),
            manifest=manifest(letter),
        )
        for platform, letter, origin in (("linux/amd64", "a", ""), ("linux/arm64", "b", reused))
    )
    variants = tuple(Variant(image=image, platform=platform) for platform in image.platforms)
    return [
        Staged(
            target=Target(
                image=image, repository=f"{host}/acme/app", name="acme/app", variants=variants, labels={}, own="sha-1"
            ),
            index=manifest("c"),
            entries=entries,
        )
        for host in ("ghcr.io", "docker.io")
    ]


def hold(
    missing: Mapping[str, str], *, required: bool, reused: str = "", taken: frozenset[str] = frozenset()
) -> tuple[list[str], Sequence[str], list[str]]:
    asked: list[str] = []

    async def find(_: Registries, places: Mapping[str, Sequence[Staged]]) -> Mapping[str, str]:
        asked.extend(places)
        assert {tuple(one.target.host for one in staged) for staged in places.values()} == {("ghcr.io", "docker.io")}
        return missing

    attested = Attested(find=find, required=required, taken=taken)
    problems = anyio.run(attested, NOBODY, staged(reused=reused))
    return asked, problems, attested.notes


def test_each_index_and_each_variant_that_was_built_is_looked_up_once() -> None:
    asked, problems, (note,) = hold({}, required=True)
    assert sorted(asked) == [sha("a"), sha("b"), sha("c")]
    assert problems == ()
    assert "each of 3 digests" in note
    assert note.endswith("The signatures were verified.")
    asked, _, _ = hold({}, required=True, reused="sha-1234567")
    assert sorted(asked) == [sha("a"), sha("c")]


def test_what_github_alone_vouches_for_is_said() -> None:
    _, problems, (note,) = hold({}, required=True, taken=frozenset([sha("a"), sha("b")]))
    assert problems == ()
    assert "Of 2 of them GitHub's word alone is known, and no signature was verified here" in note


def test_what_is_missing_ends_the_release_only_where_it_is_required() -> None:
    missing = {sha("c"): "GitHub answered 403: Feature not available"}
    _, (problem,), notes = hold(missing, required=True)
    assert problem.startswith("1 of 3 digests are not attested: ghcr.io/acme/app@sha256:cccc")
    for part in ("403: Feature not available", "under Annotations", "attest: optional in the configuration"):
        assert part in problem
    assert notes == []
    _, problems, (note,) = hold(missing, required=False)
    assert problems == ()
    assert "403: Feature not available" in note
    assert note.endswith("attest: optional lets the release go on.")


@pytest.mark.parametrize(
    ("head", "private", "repository", "wanted"),
    [
        ("", False, "acme/shop", Attest.REQUIRED),
        ("", True, "acme/shop", Attest.OPTIONAL),
        ("attest: required\n", True, "acme/shop", Attest.REQUIRED),
        ("attest: optional\n", False, "acme/shop", Attest.OPTIONAL),
        ("attest: off\n", False, "acme/shop", Attest.OFF),
        ("", False, "", Attest.OFF),
        ("attest: optional\n", False, "", Attest.OFF),
    ],
)
def test_whether_they_are_required(head: str, private: bool, repository: str, wanted: Attest) -> None:
    assert choose_attest(config(head), private=private, repository=repository) is wanted


def test_required_ones_of_nobody_knows_whom_are_a_mistake() -> None:
    with pytest.raises(DrydockError, match="attest: required needs the repository"):
        choose_attest(config("attest: required\n"), private=False, repository="")


def config(head: str) -> Config:
    return parse_config(head + CONFIG, file="images.yaml")
