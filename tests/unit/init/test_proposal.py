"""What init proposes: which Dockerfiles, under which names, with which contexts, platforms and checks."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci.config.parse import parse_config
from ci.core.errors import DrydockError
from ci.core.model import Config, Image
from ci.core.supply import GENERATOR
from ci.init.contexts import guess_context
from ci.init.project import project_name
from ci.init.proposal import name_images, propose
from ci.init.proposal_yaml import render_proposal, schema_address
from ci.init.proposed import Proposal
from ci.init.released import Released, Triggers
from ci.init.search import find_dockerfiles
from ci.init.templates import adapt_hook, adapt_workflow, check_module

APP = "FROM python:3.13-slim\n"


def proposed(text: str, path: str = "Dockerfile", paths: tuple[str, ...] = ()) -> Image:
    (found,) = propose({path: text}, {path, *paths}).images
    return found.image


def rendered(proposal: Proposal) -> Config:
    """Write a proposal, and read it as a configuration; it has to say the same."""
    text = render_proposal(proposal, schema="https://example.com/schema.json", file="images.yaml")
    config = parse_config(text, file="images.yaml")
    # What no proposal says, the file's default does.
    assert config.images == tuple(replace(found.image, sbom=GENERATOR) for found in proposal.images)
    return config


@pytest.mark.parametrize(
    "path",
    [
        *("Dockerfile", "dockerfile", "Containerfile", "a/b/Dockerfile", "Dockerfile.api", "Containerfile.api"),
        *("api.Dockerfile", "api.dockerfile", "Dockerfile-alpine", "build/package/Dockerfile", "Dockerfile.v1.2"),
    ],
)
def test_a_dockerfile_is_found(path: str) -> None:
    assert find_dockerfiles([path, "README.md"]) == ((path,), ())


@pytest.mark.parametrize(
    "path",
    [
        *(
            "Dockerfile.dockerignore",
            "dockerfile.go",
            "dockerfile.py",
            "docker-compose.yml",
            "MyDockerfile",
            "Dockerfiles",
        ),
        *("node_modules/x/Dockerfile", "vendor/x/Dockerfile", ".devcontainer/Dockerfile", "a/.github/x/Dockerfile"),
    ],
)
def test_what_is_no_dockerfile_or_somebody_elses_is_not(path: str) -> None:
    assert find_dockerfiles([path, "Dockerfile"]) == (("Dockerfile",), ())


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tests/Dockerfile", "in a folder of tests"),
        ("a/testdata/Dockerfile", "in a folder of tests"),
        ("examples/x/Dockerfile", "in a folder of examples"),
        ("templates/Dockerfile", "in a folder of templates"),
        ("Dockerfile.dev", "for development"),
        ("dev.Dockerfile", "for development"),
        ("Dockerfile.api-test", "for tests"),
        ("Dockerfile.ci", "for tests"),
        (".github/workflows/Dockerfile.ci.test", "for tests"),
        (".github/workflows/Dockerfile.dev", "for development"),
    ],
)
def test_what_is_not_for_release_is_left_out_by_name(path: str, reason: str) -> None:
    chosen, left_out = find_dockerfiles([path, "Dockerfile"])
    assert chosen == ("Dockerfile",)
    assert [(other.path, other.reason) for other in left_out] == [(path, reason)]


def test_a_dockerfile_beside_the_workflows_is_one_and_is_built_of_the_whole_source() -> None:
    path = ".github/workflows/Dockerfile.ci.alpine"
    assert find_dockerfiles([path, "Dockerfile"]) == ((path, "Dockerfile"), ())
    assert name_images([path], "app") == {path: "alpine"}
    for copied in (".", "bin", "src/a"):
        assert proposed(f"{APP}COPY {copied} /\n", path, ("src/a", ".github/workflows/ci.yml")).context == "."


def test_a_repository_of_examples_means_them() -> None:
    assert find_dockerfiles(["examples/a/Dockerfile"]) == (("examples/a/Dockerfile",), ())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"Dockerfile": "project"}, None),
        ({"docker/Dockerfile": "project"}, None),
        ({"backend/Dockerfile": "backend", "frontend/Dockerfile": "frontend"}, None),
        ({"deploy/docker/Dockerfile.worker-cpu": "worker-cpu"}, None),
        ({"src/api/Dockerfile": "api", "src/cart/src/Dockerfile": "cart"}, None),
        ({"Dockerfile": "project", "Dockerfile.release": "project-release"}, None),
        ({"Dockerfile": "project", "Dockerfile.alpine": "alpine"}, None),
        ({"api/Dockerfile": "api", "api/Dockerfile.slim": "api-slim"}, None),
        ({"api/Dockerfile.api": "api"}, None),
        ({"a/web/Dockerfile": "a-web", "b/web/Dockerfile": "b-web"}, None),
        ({"api/Dockerfile": "api", "docker/api/Dockerfile": "docker-api"}, None),
        ({"My Service/Dockerfile": "my-service"}, None),
        ({"_x__y/Dockerfile.A.B": "x-y-a-b"}, None),
        ({"日本/Dockerfile": "project"}, None),
    ],
)
def test_names(names: dict[str, str], expected: None) -> None:
    assert name_images(names, "project") == names
    assert expected is None


@pytest.mark.parametrize(
    ("path", "sources", "paths", "context", "missing"),
    [
        ("Dockerfile", [], [], ".", []),
        ("api/Dockerfile", ["."], ["api/app.py"], "api", []),
        ("api/Dockerfile", ["app.py"], ["api/app.py", "app.py"], "api", []),
        ("api/Dockerfile", ["api/app.py"], ["api/app.py"], ".", []),
        ("api/Dockerfile", ["./api/"], ["api"], ".", []),
        ("api/docker/Dockerfile", ["app.py"], ["api/app.py"], "api", []),
        ("docker/Dockerfile", ["."], ["docker/x"], ".", []),
        ("docker/Dockerfile", ["entry.sh"], ["docker/entry.sh"], "docker", []),
        ("src/Dockerfile", ["."], ["src/x"], "src", []),
        ("api/Dockerfile", ["*.txt"], ["api/a.txt"], "api", []),
        ("api/Dockerfile", ["*/a.txt"], ["api/a.txt"], ".", []),
        ("api/Dockerfile", ["a.txt", "dist"], ["api/a.txt"], "api", ["dist"]),
        ("api/Dockerfile", ["dist"], [], ".", ["dist"]),
        ("api/Dockerfile", ["../x"], ["x"], ".", ["../x"]),
    ],
)
def test_the_context_is_where_the_sources_are(
    path: str, sources: list[str], paths: list[str], context: str, missing: list[str]
) -> None:
    assert guess_context(path, sources, {path, *paths}) == (context, missing)


BOTH, AMD64, ARM64 = ("linux/amd64", "linux/arm64"), ("linux/amd64",), ("linux/arm64",)


@pytest.mark.parametrize(
    ("path", "text", "platforms"),
    [
        ("Dockerfile", APP, BOTH),
        ("Dockerfile", "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\n", AMD64),
        ("Dockerfile", "FROM pytorch/pytorch:2.4.0-cuda12.1-cudnn9-runtime\n", AMD64),
        ("Dockerfile", "FROM amd64/debian\n", AMD64),
        ("Dockerfile", "FROM arm64v8/debian\n", ARM64),
        ("Dockerfile", "FROM --platform=linux/amd64 debian\n", AMD64),
        ("Dockerfile", "FROM --platform=$BUILDPLATFORM golang AS b\nFROM scratch\nCOPY --from=b / /\n", BOTH),
        ("Dockerfile.gpu", APP, AMD64),
        ("gpu/Dockerfile", APP, AMD64),
        ("gpustat/Dockerfile", APP, BOTH),
        ("Dockerfile", f"{APP}RUN curl -LO https://example.com/x-linux-amd64.tar.gz\n", AMD64),
        ("Dockerfile", f"{APP}RUN curl -LO https://example.com/x_x86_64.deb\n", AMD64),
        ("Dockerfile", f"{APP}ADD https://example.com/x-amd64 /x\n", AMD64),
        ("Dockerfile", f"{APP}ARG TARGETARCH\nRUN curl https://example.com/x-${{TARGETARCH:-amd64}}\n", BOTH),
        ("Dockerfile", f"{APP}RUN case $(uname -m) in x86_64) a ;; aarch64) b ;; esac\n", BOTH),
        ("Dockerfile", f"{APP}RUN echo fox64 matrix64x\n", BOTH),
    ],
)
def test_platforms_and_the_signs_against_them(path: str, text: str, platforms: tuple[str, ...]) -> None:
    (found,) = propose({path: text}, {path}).images
    assert found.image.platforms == platforms
    assert bool(found.notes) == (platforms != BOTH)


def test_checks_hold_what_the_dockerfile_says() -> None:
    image = proposed(f"""{APP}USER app
EXPOSE 8000
HEALTHCHECK CMD curl -f http://localhost:8000/health
ENTRYPOINT ["tini", "--"]
""")
    assert yaml.safe_load(
        render_proposal(propose({"Dockerfile": f"{APP}USER a:b\nEXPOSE 53/udp 80\n"}, set()), schema="", file="x")
    ) == {
        "repository": "ghcr.io/{owner}/{name}",
        "compression": "gzip",
        "images": [
            {
                "name": "app",
                "dockerfile": "Dockerfile",
                "context": ".",
                "platforms": ["linux/amd64", "linux/arm64"],
                "smoke": [{"name": "configuration", "config": {"user": "a:b", "ports": ["53/udp", 80]}}],
            }
        ],
    }
    assert [check.name for check in image.smoke] == ["configuration", "health"]


@pytest.mark.parametrize(
    ("base", "known"),
    [
        ("python:3.13-slim", True),
        ("docker.io/library/node@sha256:0123", True),
        ("gcr.io/distroless/static:nonroot", True),
        ("scratch", True),
        ("nginx:1", False),
        ("acme/python:3", False),
        ("registry.example.com/python:3", False),
    ],
)
def test_ports_are_compared_where_the_base_is_known_to_have_none(base: str, known: bool) -> None:
    image = proposed(f"FROM {base}\nUSER app\nEXPOSE 8000\n")
    assert ("ports=('8000/tcp',)" in repr(image.smoke)) == known


def test_an_image_of_which_nothing_is_known_has_a_check_for_each_platform() -> None:
    image = proposed("FROM $BASE\n")
    assert [(check.platforms, check.check) for check in image.smoke] == [
        (("linux/amd64",), image.smoke[0].check),
        (("linux/arm64",), image.smoke[1].check),
    ]


def test_what_needs_a_hand_is_said() -> None:
    (found,) = propose(
        {
            "Dockerfile": "ARG V\nFROM a:$V AS one\nRUN --mount=type=secret,id=TOKEN --mount=type=ssh true\n"
            "COPY dist /x\nFROM a:$V AS two\nFROM one AS three\n"
        },
        {"Dockerfile"},
    ).images
    notes = "\n".join(found.notes)
    parts = (
        "FROM needs build-args for V",
        "--secrets env:TOKEN",
        "SSH agent",
        "hold: dist; generated:",
        "target:",
        "two",
    )
    for part in parts:
        assert part in notes
    assert found.image.secrets == ("TOKEN",)
    assert found.image.ssh == ("default",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it cannot be read"),
        ("RUN x\n", "it cannot be read"),
        ("package docker\n", "it cannot be read"),
        ("FROM {{base}}\n", "it is a template"),
        ("{{ head }}\nFROM a\n", "it is a template"),
        ("FROM mcr.microsoft.com/windows/servercore:ltsc2022\n", "it is for Windows"),
    ],
)
def test_what_cannot_be_proposed_is_left_out_by_name(text: str, reason: str) -> None:
    proposal = propose({"Dockerfile": APP, "a/Dockerfile": text}, set())
    assert [found.image.dockerfile for found in proposal.images] == ["Dockerfile"]
    assert [(other.path, other.reason.partition(":")[0]) for other in proposal.left_out] == [("a/Dockerfile", reason)]
    assert "#   a/Dockerfile: " in render_proposal(proposal, schema="", file="x")


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        ({}, "app"),
        ({"pyproject.toml": '[project]\nname = "My.App"'}, "My.App"),
        ({"pyproject.toml": '[tool.poetry]\nname = "poem"'}, "poem"),
        ({"pyproject.toml": "[tool.ruff]", "package.json": '{"name": "@acme/web"}'}, "web"),
        ({"package.json": "{", "go.mod": "module github.com/acme/tool/v2\n\ngo 1.26\n"}, "tool"),
        ({"Cargo.toml": '[package]\nname = "rusty"'}, "rusty"),
        ({"package.json": "[1]"}, "app"),
        ({"package.json": '{"name": {"a": 1}}'}, "app"),
        ({"go.mod": "module v2"}, "app"),
        ({"pyproject.toml": "project = 1"}, "app"),
    ],
)
def test_the_project_names_itself(texts: dict[str, str], name: str) -> None:
    assert project_name(texts) == name


@pytest.mark.parametrize(
    ("module", "address"),
    [
        (
            "github.com/acme/drydock@v1.2",
            "https://raw.githubusercontent.com/acme/drydock/v1.2/deploy/images.schema.json",
        ),
        ("github.com/acme/drydock", "https://raw.githubusercontent.com/acme/drydock/HEAD/deploy/images.schema.json"),
        ("gitlab.com/acme/drydock", ""),
        ("../drydock", ""),
    ],
)
def test_the_schema_of_a_module(module: str, address: str) -> None:
    assert schema_address(module) == address


@pytest.mark.parametrize(
    "module", ["github.com/acme/drydock@v1", "https://github.com/acme/x.git@main", "../drydock", "."]
)
def test_an_address_is_accepted(module: str) -> None:
    assert check_module(module) == module


@pytest.mark.parametrize("module", ["", "a b", "a;b", "$(x)", "a\nb", "`x`", "a@b@c", "-m", "a: b", '"', "a#b", "é"])
def test_an_address_that_could_be_more_than_text_is_refused(module: str) -> None:
    with pytest.raises(DrydockError, match="is not an address"):
        check_module(module)


def test_templates_call_the_module_by_its_address() -> None:
    workflow = (Path(__file__).parents[3] / ".github/workflows/images.yml").read_text()
    assert "          module: x/y@v1\n          args: >-\n" in adapt_workflow(workflow, "x/y@v1")
    with pytest.raises(ValueError, match="no longer calls Dagger"):
        adapt_workflow(workflow.replace("args: >-", "args: |"), "x/y@v1")
    hook = 'module=$(git config drydock.module || echo "$here")\n'
    assert adapt_hook(hook, "x/y@v1") == "module=$(git config drydock.module || echo x/y@v1)\n"
    for adapt in (adapt_workflow, adapt_hook):
        with pytest.raises(ValueError, match="no longer"):
            adapt("nothing\n", "x")


PIECES = st.sampled_from(
    [
        *(
            "FROM ",
            "python",
            "scratch",
            " AS ",
            "a",
            "b\n",
            "\n",
            "ARG ",
            "ENV ",
            "USER ",
            "EXPOSE ",
            "80",
            "=",
            "$",
            "{",
            "}",
        ),
        *(
            ":-",
            "HEALTHCHECK ",
            "CMD ",
            "http://localhost:",
            "/",
            "ENTRYPOINT ",
            "[",
            "]",
            '"',
            "'",
            "\\",
            "\\\n",
            "#",
            " ",
        ),
        *(
            "COPY ",
            "--from=",
            "0",
            "--mount=type=secret,id=",
            "--platform=",
            "RUN ",
            "<<EOF\n",
            "EOF\n",
            "ONBUILD ",
            "\t",
            "\r",
        ),
        *(
            "\x00",
            "\ufeff",
            "\u2028",
            "\ud800",
            "é",
            "# escape=`\n",
            "`",
            "*",
            "?",
            "..",
            "-",
            ",",
            "|",
            "{{",
            "99999999999",
        ),
    ]
)


PATHS = st.lists(
    st.text("aAé.-_ D\\", min_size=1, max_size=8).filter(lambda name: name not in (".", "..")), min_size=1
).map("/".join)


@given(st.dictionaries(PATHS, st.lists(PIECES, max_size=40).map("".join), max_size=4))
def test_whatever_a_dockerfile_holds_the_proposal_is_a_configuration(texts: dict[str, str]) -> None:
    proposal = propose({**texts, "Dockerfile": APP}, {"a", "b"})
    assert len(proposal.images) + len(proposal.left_out) == len({**texts, "Dockerfile": APP})
    for found in proposal.images:
        assert all(any(not c.platforms or p in c.platforms for c in found.image.smoke) for p in found.image.platforms)
    try:
        rendered(proposal)
    except UnicodeEncodeError:
        assert any("\ud800" in text for text in texts.values())


@given(st.lists(PIECES, max_size=60).map(lambda pieces: "FROM a AS x\n" + "".join(pieces)))
def test_a_dockerfile_that_begins_well(text: str) -> None:
    propose({"Dockerfile": text}, set())


@pytest.mark.parametrize(
    "piece", ["'", '"', "\\", "$", "${A:-", "[", " ", "a", "<<", "amd64", "http://localhost", "x64 ", "{"]
)
def test_a_long_line_takes_no_long_time(piece: str) -> None:
    for instruction in (
        "RUN ",
        "ENV A=",
        "HEALTHCHECK CMD ",
        "ENTRYPOINT ",
        "COPY ",
        "EXPOSE ",
        "USER ",
        "FROM ",
        "# escape= ",
    ):
        propose({"Dockerfile": f"FROM a\n{instruction}{piece * (60_000 // len(piece))}b\n"}, set())


def test_the_workflow_starts_by_what_starts_the_release_today() -> None:
    text = (Path(__file__).parents[3] / ".github/workflows/images.yml").read_text()
    triggers = Triggers(branches=("dev", "feature/**"), tags=("[0-9]+.*",), crons=("0 1 * * *",), release=True)
    events = yaml.safe_load(adapt_workflow(text, "github.com/a/b@v1", triggers=triggers))[True]
    assert events["push"] == {"branches": ["dev", "feature/**"], "tags": ["[0-9]+.*"]}
    assert events["release"] == {"types": ["published"]}
    assert events["schedule"] == [{"cron": "0 1 * * *"}]
    assert {"pull_request", "merge_group", "workflow_dispatch"} <= events.keys()
    everything = adapt_workflow(text, "github.com/a/b@v1", triggers=Triggers(branches=("**",), tags=("**",)))
    assert yaml.safe_load(everything)[True]["push"] == {"branches": ["main", "master"], "tags": ["*"]}


@pytest.mark.parametrize(
    ("dockerfile", "platforms"),
    [
        ("FROM --platform=linux/amd64 a AS helper\nFROM b\nCOPY --from=helper /a /a\n", 2),
        ("ARG ARCH=amd64\nFROM quay.io/acme/busybox-${ARCH}\n", 2),
        ("FROM amd64/debian\n", 1),
        ("FROM nvidia/cuda:12\n", 1),
    ],
)
def test_only_the_last_stage_narrows_the_platforms(dockerfile: str, platforms: int) -> None:
    assert len(proposed(dockerfile).platforms) == platforms


@pytest.mark.parametrize(
    ("dockerfile", "beside", "reason"),
    [
        ("FROM alpine\nEXPOSE 80\nHEALTHCHECK CMD curl -f http://localhost/\n", (), ""),
        ("FROM alpine\nHEALTHCHECK CMD curl -f http://localhost:2019/\n", (), "the port 2019 is not exposed"),
        ("FROM alpine\nEXPOSE 80\nHEALTHCHECK CMD curl -fsSL http://localhost/\n", (), "follows a redirect"),
        (
            "FROM alpine\nEXPOSE 80\nHEALTHCHECK CMD curl -f http://localhost/\n",
            ("postgres:17 in c.yml",),
            "postgres:17",
        ),
    ],
)
def test_a_health_check_that_cannot_pass_alone_is_a_comment(
    dockerfile: str, beside: tuple[str, ...], reason: str
) -> None:
    (found,) = propose({"Dockerfile": dockerfile}, {"Dockerfile"}, released=Released(beside=beside)).images
    assert any(check.name == "health" for check in found.image.smoke) is not bool(reason)
    assert reason in " ".join(found.notes)


def test_a_name_that_nothing_tells_is_called_a_guess() -> None:
    proposal = propose({"Dockerfile": APP}, {"Dockerfile"})
    assert "name: app  # a guess" in render_proposal(proposal, schema="", file="images.yaml")
    named = propose({"Dockerfile": APP}, {"Dockerfile"}, project="shop")
    assert "name: shop\n" in render_proposal(named, schema="", file="images.yaml")


@pytest.mark.parametrize(
    ("commands", "paths", "context"),
    [
        ("RUN make app", ("Makefile", "packaging/api/x"), "."),
        ("WORKDIR /src\nCOPY . .\nRUN go build ./cmd", ("go.mod",), "."),
        ("RUN make app", ("packaging/api/Makefile", "Makefile"), "packaging/api"),
        ("RUN ./own.sh", ("Makefile",), "packaging/api"),
        ("WORKDIR /util/tool", ("util/tool/a.cs",), "."),
    ],
)
def test_a_dockerfile_that_copies_everything_has_the_context_that_its_commands_fit(
    commands: str, paths: tuple[str, ...], context: str
) -> None:
    copied = "" if "COPY" in commands else "COPY . /\n"
    folders = {path.rpartition("/")[0] for path in paths} - {""}
    image = proposed(f"{APP}{copied}{commands}\n", "packaging/api/Dockerfile", (*paths, *folders))
    assert image.context == context


def test_a_pattern_that_fits_nothing_is_not_missing() -> None:
    files = {"Dockerfile": "FROM a\nCOPY package.json yarn.lock* ./\n"}
    (proposed,) = propose(files, {*files, "package.json"}).images
    assert not proposed.missing
    assert not any("COPY names" in note for note in proposed.notes)


def test_an_image_of_the_builder_s_own_platform_is_for_one() -> None:
    files = {"Dockerfile": "FROM --platform=$BUILDPLATFORM a\n"}
    (proposed,) = propose(files, set(files)).images
    assert proposed.image.platforms == ("linux/amd64",)
    assert "linux/amd64 only: its last stage's FROM asks for the builder's own" in proposed.notes


def test_a_title_names_an_image_that_nothing_else_does() -> None:
    files = {"Dockerfile": 'FROM a\nLABEL org.opencontainers.image.title="My Tool"\n'}
    (proposed,) = propose(files, set(files)).images
    assert (proposed.image.name, proposed.guessed_name) == ("my-tool", False)
