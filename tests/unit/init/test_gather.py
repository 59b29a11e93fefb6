"""What workflows, Makefiles, bake and compose files say of the images that a repository releases."""

from __future__ import annotations

import pytest
import yaml

from ci.config.parse import parse_config
from ci.core.errors import ConfigError
from ci.init.gather import find_slug, gather, telling
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.init.proposed import without_release
from ci.init.released import Built, Released, Triggers
from ci.init.told import about_images, about_machines, tell

FILE = ".github/workflows/release.yml"
LOGIN: dict[str, object] = {
    "uses": "docker/login-action@v3",
    "with": {"username": "${{ secrets.HUB_USER }}", "password": "${{ secrets.HUB }}"},
}


def build(**given: object) -> dict[str, object]:
    return {"uses": "docker/build-push-action@v6", "with": {"push": True, **given}}


def meta(images: str, tags: str = "", flavor: str = "", **step: object) -> dict[str, object]:
    given = {"images": images, "tags": tags, "flavor": flavor}
    return {"id": "meta", "uses": "docker/metadata-action@v5", "with": {k: v for k, v in given.items() if v}, **step}


META = "${{ steps.meta.outputs.tags }}"


def workflow(*steps: dict[str, object], on: object = None, **job: object) -> str:
    made = {
        "on": on or {"push": {"tags": ["v*"]}},
        "jobs": {"build": {"runs-on": "ubuntu-latest", "steps": [*steps], **job}},
    }
    return yaml.safe_dump(made, sort_keys=False, width=1000)


def read(*texts: str, dockerfiles: tuple[str, ...] = ("Dockerfile",), **files: str) -> Released:
    given = {f".github/workflows/{n}.yml": text for n, text in enumerate(texts)} if texts[1:] else {}
    given |= {FILE: texts[0]} if len(texts) == 1 else {}
    return gather({**given, **{name.replace("__", "."): text for name, text in files.items()}}, set(dockerfiles), "app")


def one(*steps: dict[str, object], dockerfile: str = "Dockerfile", on: object = None, **job: object) -> Built:
    (image,) = read(workflow(*steps, on=on, **job), dockerfiles=(dockerfile,)).images
    return image


def test_a_build_is_taken_over_with_its_place() -> None:
    image = one(
        meta("acme/app\nghcr.io/${{ github.repository }}", "type=semver,pattern={{version}}", "suffix=-slim"),
        build(
            file="./docker/Dockerfile",
            context=".",
            target="run",
            platforms="linux/amd64, linux/arm64/v8,linux/arm/v8",
            tags=META,
            **{"build-args": "A=1\nCOMMIT=${{ github.sha }}\nV=${{ steps.meta.outputs.version }}\nB={word}"},
        ),
        dockerfile="docker/Dockerfile",
    )
    assert image.place == f"{FILE}:17"
    assert (image.dockerfile, image.context, image.target) == ("docker/Dockerfile", ".", "run")
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert image.repositories == ("docker.io/acme/app", "ghcr.io/{owner}/app")
    assert image.rules == ("type=semver,pattern={{version}}",)
    assert image.flavor == ("suffix=-slim",)
    assert dict(image.build_args) == {"A": "1", "COMMIT": "{revision}", "V": "{version:-{ref}}", "B": r"\{word}"}
    assert image.lost == (f"{FILE}:17: the platform linux/arm/v8 is none that Drydock builds",)


@pytest.mark.parametrize(
    ("step", "taken"),
    [
        (build(tags="a/b:1"), 1),
        (build(tags="a/b:1", push="${{ github.event_name != 'pull_request' }}"), 1),
        (build(tags="a/b:1", push=False), 0),
        (build(tags="a/b:1", push=False, outputs="type=image,name=a/b,push=true"), 1),
        (build(tags="a/b:1", push=False, outputs="type=registry"), 1),
        (build(tags="a/b:1", push=False, outputs="type=cacheonly"), 0),
        (build(tags="a/b:1", push=False, outputs="type=oci,dest=x"), 0),
    ],
)
def test_only_what_is_pushed_is_released(step: dict[str, object], taken: int) -> None:
    assert len(read(workflow(step)).images) == taken


def test_a_workflow_of_pull_requests_releases_nothing() -> None:
    assert not read(workflow(build(tags="a/b:1"), on="pull_request")).images


def test_platforms_of_a_matrix_are_one_image() -> None:
    cases = {"include": [{"p": "linux/amd64", "r": "x"}, {"p": "linux/arm64", "r": "arm"}]}
    image = one(
        meta("ghcr.io/acme/app"),
        build(platforms="${{ matrix.p }}", outputs="type=image,name=ghcr.io/acme/app,push-by-digest=true,push=true"),
        strategy={"matrix": cases},
    )
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert image.rules == ("type=schedule", "type=ref,event=branch", "type=ref,event=tag")


def test_a_product_is_an_image_for_each_case() -> None:
    matrix = {"of": ["web", "worker"], "exclude": [{"of": "none"}], "include": [{"of": "worker", "folder": "jobs"}]}
    step = build(file="${{ matrix.folder || matrix.of }}/Dockerfile", context=".", tags="acme/${{ matrix.of }}:latest")
    found = read(workflow(step, strategy={"matrix": matrix}), dockerfiles=("web/Dockerfile", "jobs/Dockerfile"))
    assert [(image.dockerfile, image.repositories) for image in found.images] == [
        ("web/Dockerfile", ("docker.io/acme/web",)),
        ("jobs/Dockerfile", ("docker.io/acme/worker",)),
    ]


def test_a_called_workflow_gets_what_its_callers_say() -> None:
    called = workflow(
        build(tags="acme/app:${{ inputs.tag }}\n${{ inputs.more }}"),
        on={"workflow_call": {"inputs": {"tag": {"type": "string"}, "more": {"type": "string"}}}},
    )

    def caller(on: object, **given: str) -> str:
        job = {"uses": "./.github/workflows/0.yml", "with": given}
        return yaml.safe_dump({"on": on, "jobs": {"call": job}}, sort_keys=False)

    released = read(
        called,
        caller({"push": {"branches": ["next"]}}, tag="nightly"),
        caller({"release": {}}, tag="${{ github.event.release.tag_name }}", more="acme/app:latest"),
    )
    (image,) = released.images
    assert set(image.rules) == {
        "type=raw,value=nightly,enable=${{ github.ref == 'refs/heads/next' }}",
        "type=ref,event=tag",
        "type=raw,value=latest,enable=${{ github.event_name == 'release' }}",
    }
    assert released.triggers == Triggers(branches=("next",), release=True)


def test_a_condition_on_the_event_goes_into_the_rules_and_one_on_the_owner_does_not() -> None:
    image = one(
        meta(
            "a/b", "type=raw,value=dev", **{"if": "github.ref == 'refs/heads/main' && github.repository_owner == 'a'"}
        ),
        build(tags=META),
    )
    assert image.rules == ("type=raw,value=dev,enable=${{ github.ref == 'refs/heads/main' }}",)


def test_names_that_a_script_makes_are_followed() -> None:
    script = """
    REPO=ghcr.io/acme/${{ matrix.tool }}
    EXT=""
    if [ "${{ matrix.kind }}" != "scratch" ]; then
      EXT="-${{ matrix.kind }}"
    fi
    VERSION="${GITHUB_REF#refs/tags/v}"
    MINOR=$(echo "$VERSION" | cut -d. -f1-2)
    TAGS="$REPO:$VERSION$EXT,$REPO:$MINOR$EXT"
    echo "tags=$TAGS" >> "$GITHUB_OUTPUT"
    """
    matrix = {"tool": ["ctl"], "kind": ["scratch", "alpine"]}
    released = read(
        workflow(
            {"id": "names", "run": script},
            build(tags="${{ steps.names.outputs.tags }}", target="${{ matrix.kind }}"),
            strategy={"matrix": matrix},
        )
    )
    plain, alpine = released.images
    assert plain.repositories == alpine.repositories == ("ghcr.io/acme/ctl",)
    assert plain.rules == ("type=semver,pattern={{version}}", "type=semver,pattern={{major}}.{{minor}}")
    assert alpine.rules == tuple(f"{rule},suffix=-alpine" for rule in plain.rules)
    assert "a guess" in plain.notes[0]


def test_what_cannot_be_taken_over_is_named() -> None:
    released = read(
        workflow(
            LOGIN,
            build(
                tags="${{ secrets.REPOSITORY }}:1\nacme/app:${{ steps.x.outputs.y }}",
                **{"build-args": "F=$(date)\nG=${{ steps.x.outputs.flags }}"},
            ),
        )
    )
    (image,) = released.images
    said = "\n".join([*released.lost, *image.lost])
    for part in ("secrets HUB_USER and HUB", "secrets.REPOSITORY", "the tag '${{ steps.x.outputs.y }}'", "argument G="):
        assert part in said


def test_make_builds_what_its_target_says() -> None:
    makefile = """\
PLATFORMS ?= linux/amd64,linux/arm64
IMAGE := ghcr.io/acme/app

image: deps
\tdocker buildx build --push \\
\t\t-t $(IMAGE):$(VERSION) --build-arg V=$(shell git describe --tags) \\
\t\t--platform=$(PLATFORMS) -f docker/Dockerfile .
"""
    released = gather(
        {FILE: workflow(LOGIN, {"run": "make image"}), "Makefile": makefile}, {"docker/Dockerfile"}, "app"
    )
    (image,) = released.images
    assert image.place == "Makefile:5"
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert dict(image.build_args) == {"V": "{tag:-{short}}"}
    assert image.rules == ("type=semver,pattern={{version}}",)
    alone = gather({"Makefile": makefile}, {"docker/Dockerfile"}, "app")
    assert alone.images[0].repositories == ("ghcr.io/acme/app",)


@pytest.mark.parametrize(
    ("condition", "tag"),
    [
        ("ifneq ($(COLOR),)", "plain"),
        ("ifeq ($(COLOR),)", "odd"),
        ('ifneq "${COLOR}" ""', "plain"),
        ("ifeq '$(KIND)' 'release'", "odd"),
        ("ifeq ($(KIND),test)", "plain"),
        ("ifdef COLOR", "odd"),  # it may be given
        ("ifdef UNHEARD", "plain"),
        ("ifneq ($(UNHEARD),)", "odd"),
        ("ifneq ($(filter v%,$(KIND)),)", "odd"),  # only make can tell
        ("ifneq ($(shell git status -s),)", "odd"),
    ],
)
def test_a_condition_of_make_is_read_where_both_texts_are_known(condition: str, tag: str) -> None:
    makefile = f"""\
COLOR ?=
KIND := release
TAG = plain
{condition}
TAG = odd
endif
image:
\tdocker build -t ghcr.io/acme/app:$(TAG) .
"""
    (image,) = gather({"Makefile": makefile}, {"Dockerfile"}, "app").images
    assert image.rules == (f"type=raw,value={tag}",)


def test_what_another_system_is_told_is_named() -> None:
    released = gather({"cloudbuild.yaml": "steps: []\n"}, {"Dockerfile"}, "app")
    assert released.lost == ("cloudbuild.yaml: it is not read: what it releases, and where to, is not known here",)


def test_workflows_that_people_start_one_at_a_time_are_named() -> None:
    by_hand: dict[str, object] = {"workflow_dispatch": None}
    first = workflow(build(tags="acme/app:1"), on={**by_hand, "push": {"tags": ["v*"]}})
    released = read(first, workflow(build(tags="acme/app-edge:latest", platforms="linux/amd64"), on=by_hand))
    assert [image.repositories for image in released.images] == [("docker.io/acme/app",), ("docker.io/acme/app-edge",)]
    files = ".github/workflows/0.yml and .github/workflows/1.yml"
    said = f"{files}: each is started by hand: here one run releases the images of all of them"
    assert released.lost == (said,)


def test_names_that_a_waiting_job_gives_are_those_of_what_was_pushed_by_its_digest() -> None:
    push = build(outputs="type=image,name=ghcr.io/acme/app,push-by-digest=true,push=true", platforms="linux/amd64")
    jobs = {
        "build": {"runs-on": "x", "strategy": {"matrix": {"kind": ["plain", "slim"]}}, "steps": [push]},
        "merge": {
            "needs": ["build"],
            "strategy": {"matrix": {"kind": ["plain", "slim"]}},
            "steps": [
                {
                    "env": {"END": "${{ matrix.kind != 'plain' && format('-{0}', matrix.kind) || '' }}"},
                    "run": 'echo "TAGS=latest$END,${GITHUB_REF#refs/tags/}$END" >> "$GITHUB_ENV"\n',
                }
            ],
        },
    }
    text = yaml.safe_dump({"on": {"push": {"tags": ["v*"]}}, "jobs": jobs}, sort_keys=False, width=1000)
    (image,) = read(text).images  # nothing tells the builds of both kinds apart
    assert {rule.partition(",enable")[0] for rule in image.rules} >= {"type=raw,value=latest", "type=ref,event=tag"}


def test_a_step_that_writes_to_fewer_repositories_is_an_image_of_its_own() -> None:
    tags = "acme/app:{0}\nghcr.io/acme/app:{0}".format
    versions = "\n".join([tags("${{ github.ref_name }}"), "acme/app-old:${{ github.ref_name }}"])
    released = read(
        workflow(build(tags=versions)),
        workflow(build(tags=tags("edge")), on={"push": {"branches": ["main"]}}),
    )
    now, before = released.images
    assert now.repositories == ("docker.io/acme/app", "ghcr.io/acme/app")
    assert any("edge" in rule for rule in now.rules)
    assert before.repositories == ("docker.io/acme/app-old",)
    assert not any("edge" in rule for rule in before.rules)


def test_an_argument_says_the_version_or_what_stands_for_it_without_one() -> None:
    version: dict[str, object] = {"run": "make release"}
    main: dict[str, object] = {"run": "make edge"}
    makefile = """\
release:
\tdocker build --push -t acme/app:$(VERSION) --build-arg F="-X v=$${VERSION} -s" .
edge:
\tdocker build --push -t acme/app:edge --build-arg F="-X v=edge-$(shell git rev-parse --short HEAD) -s" .
"""
    said: dict[str, object] = {"run": 'echo "VERSION=${GITHUB_REF/refs\\/tags\\/v/}" >> $GITHUB_ENV'}
    first = workflow(LOGIN, said, version)
    files = {".github/workflows/0.yml": first, "Makefile": makefile}
    files[".github/workflows/1.yml"] = workflow(LOGIN, main, on={"push": {"branches": ["main"]}})
    (image,) = gather(files, {"Dockerfile"}, "app").images
    assert dict(image.build_args) == {"F": "-X v={version:-edge-{short}} -s"}


@pytest.mark.parametrize(
    ("argument", "file", "text", "value"),
    [
        ("GO_VERSION", "go.mod", "module a/b\n\ngo 1.25.0\n\ntoolchain go1.26.2\n", "1.26.2"),
        ("NODE_VERSION", ".nvmrc", "v24.1.0\n", "24.1.0"),
        ("PYTHON_VERSION", ".python-version", "3.14\n", "3.14"),
    ],
)
def test_a_tool_has_the_version_that_its_own_file_says(argument: str, file: str, text: str, value: str) -> None:
    step = build(tags="acme/app:1", **{"build-args": f"{argument}=${{{{ steps.x.outputs.y }}}}"})
    (image,) = gather({FILE: workflow(step), file: text}, {"Dockerfile"}, "app").images
    assert dict(image.build_args) == {argument: value}
    assert f"a guess: {argument} is what {file} says; renew both together" in image.notes


def test_a_script_that_chooses_repositories_by_the_event_is_named() -> None:
    script = """
    TAGS=one.example/app:$TAG
    if [ "$TAG" == "main" ]; then
      TAGS=$TAGS,ghcr.io/acme/app:$TAG
    fi
    echo "tags=$TAGS" >> $GITHUB_OUTPUT
    """
    env = {"TAG": "${{ github.ref_name }}"}
    image = one({"id": "names", "run": script, "env": env}, build(tags="${{ steps.names.outputs.tags }}"))
    assert any("a script chooses by the event where names go" in line for line in image.lost)


def test_compose_tells_contexts_and_what_stands_beside() -> None:
    text = yaml.safe_dump(
        {
            "services": {
                "web": {
                    "build": {"context": ".", "dockerfile": "web/Dockerfile", "target": "run"},
                    "image": "ghcr.io/acme/web:1",
                },
                "db": {"image": "postgres:17"},
            }
        }
    )
    released = gather({"compose.yaml": text}, {"web/Dockerfile"}, "app")
    (image,) = released.images
    assert (image.context, image.target, image.repositories) == (".", "run", ("ghcr.io/acme/web",))
    assert released.beside == ("postgres:17 in compose.yaml",)


def test_files_that_tell_are_listed() -> None:
    files = [FILE, "Makefile", "docker-bake.json", "compose.yml", "docker/docker-compose.prod.yml"]
    assert telling([*files, "src/a.yml", ".github/workflows/x/y.yml", "node_modules/a/compose.yml"]) == sorted(files)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("if: github.repository == 'acme/app'", ("acme", "app")),
        ('LABEL org.opencontainers.image.source="https://github.com/acme/app.git"', ("acme", "app")),
        ("module github.com/acme/app/v2\n", ("acme", "app")),
        ('"url": "git+https://github.com/acme/app.git"', ("acme", "app")),
        ("see https://docs.github.com/en/actions", ("", "")),
    ],
)
def test_the_name_on_github_is_found_where_it_is_said(text: str, slug: tuple[str, str]) -> None:
    assert find_slug([text]) == slug


def test_a_file_that_is_no_yaml_tells_nothing() -> None:
    assert gather({FILE: "on: [push\n", "Makefile": "\t(", "compose.yaml": "- x"}, set(), "app") == Released()


def test_two_variants_of_one_repository_are_a_configuration_that_can_be_used() -> None:
    text = workflow(
        meta("ghcr.io/acme/app", "type=semver,pattern={{version}}"),
        {**meta("ghcr.io/acme/app", "type=semver,pattern={{version}}", "suffix=-slim,onlatest=true"), "id": "slim"},
        build(file="Dockerfile", tags=META),
        build(file="Dockerfile.slim", tags="${{ steps.slim.outputs.tags }}"),
    )
    files = {"Dockerfile": "FROM a\n", "Dockerfile.slim": "FROM b\n", "Dockerfile.other": "FROM c\n"}
    proposal = propose(files, set(files), released=gather({FILE: text}, set(files), "app"))
    rendered = render_proposal(proposal, schema="", file="images.yaml")
    written = yaml.safe_load(rendered)
    assert written["repository"] == "ghcr.io/acme/{name}"
    assert written["tags"] == ["type=semver,pattern={{version}}"]
    assert [(image["name"], image.get("repository")) for image in written["images"]] == [
        ("app", None),
        ("app-slim", "ghcr.io/acme/app"),
    ]
    assert f"# from {FILE}:" in rendered
    assert "#   Dockerfile.other: no workflow releases it" in rendered


def test_two_images_under_one_name_fall_back_to_a_configuration_that_can_be_used() -> None:
    text = workflow(build(file="a/Dockerfile", tags="acme/app:1"), build(file="b/Dockerfile", tags="acme/app:1"))
    files = {"a/Dockerfile": "FROM a\n", "b/Dockerfile": "FROM b\n"}
    proposal = propose(files, set(files), released=gather({FILE: text}, set(files), "app"))
    with pytest.raises(ConfigError) as caught:
        render_proposal(proposal, schema="", file="images.yaml")
    plain = without_release(proposal, str(caught.value))
    rendered = render_proposal(plain, schema="", file="images.yaml")
    assert "#   names, tags, arguments: images.yaml:" in rendered
    assert len(yaml.safe_load(rendered)["images"]) == 2


def test_what_was_written_is_told_with_what_to_type_next() -> None:
    files = {"Dockerfile": "FROM a\n"}
    proposal = propose(
        files, set(files), released=gather({FILE: workflow(LOGIN, build(tags="acme/app:1"))}, set(files), "x")
    )
    written = {"deploy/images.yaml": about_images(proposal), "x": about_machines(proposal.machines)}
    said = tell(written, proposal, module="github.com/a/b@v1", config="deploy/images.yaml", install="i")
    assert said.splitlines()[:3] == [
        "init writes:",
        "  deploy/images.yaml: 1 image, as they are released today",
        f"  x{about_machines(proposal.machines)}",
    ]
    each = "linux/amd64 on ubuntu-24.04, linux/arm64 on ubuntu-24.04-arm"
    assert about_machines(proposal.machines) == f": one job for each platform ({each}), and one that releases"
    assert about_machines(proposal.machines[:1]) == ": one job builds and releases"
    assert "1 lines at the end of deploy/images.yaml" in said
    assert "  dagger -m github.com/a/b@v1 call --source . build-all --only app --platforms linux/amd64" in said
    assert "stay as they are" in tell({}, proposal, module="m", config="c", install="i")


@pytest.mark.parametrize(
    ("plain", "other", "flavor", "name"),
    [
        ("latest", "latest-slim", "suffix=-slim", "app-slim"),
        ("latest\nghcr.io/acme/app:3", "s3-latest\nghcr.io/acme/app:s3-3", "prefix=s3-", "app-s3"),
    ],
)
def test_builds_of_other_arguments_under_other_tags_are_images_of_their_own(
    plain: str, other: str, flavor: str, name: str
) -> None:
    released = read(
        workflow(
            build(tags=f"ghcr.io/acme/app:{plain}", **{"build-args": "A=1"}),
            build(tags=f"ghcr.io/acme/app:{other}", **{"build-args": "A=2"}),
        )
    )
    proposal = propose({"Dockerfile": "FROM a\nARG A\n"}, set(), released=released)
    first, second = parse_config(render_proposal(proposal, schema="", file="x"), file="x").images
    assert (first.name, dict(first.build_args), first.flavor) == ("app", {"A": "1"}, ())
    assert (second.name, dict(second.build_args)) == (name, {"A": "2"})
    assert flavor in second.flavor
    assert {rule.partition(",")[0] for rule in proposal.tags or ()} == {"type=raw"}


def test_a_platform_or_an_event_with_arguments_of_its_own_is_the_same_image() -> None:
    platforms = (
        build(tags="ghcr.io/acme/app:latest-amd64", platforms="linux/amd64", **{"build-args": "A=1"}),
        build(tags="ghcr.io/acme/app:latest-arm64", platforms="linux/arm64", **{"build-args": "A=2"}),
    )
    assert len(read(workflow(*platforms)).images) == 1
    event, other = (
        meta("acme/app", f"type=raw,value={tag}", **{"id": "meta", "if": f"github.event_name == '{name}'"})
        for tag, name in (("edge", "push"), ("latest", "release"))
    )
    steps = (event, build(tags=META, **{"build-args": "A=1"}), other, build(tags=META, **{"build-args": "A=2"}))
    assert len(read(workflow(*steps, on={"push": None, "release": None})).images) == 1


def test_an_argument_without_a_value_has_that_of_the_environment() -> None:
    step = build(tags="acme/app:1", **{"build-args": "A\nB\nC=3\n"})
    assert one({**step, "env": {"A": "3.14"}}).build_args == {"A": "3.14", "C": "3"}


def test_the_images_of_metadata_action_are_read_as_it_reads_them() -> None:
    images = "# ours\nname=docker.io/acme/app,enable=${{ steps.x.outputs.y }}\nname=quay.io/acme/app,enable=false\n"
    lower: dict[str, object] = {
        "id": "n",
        "run": "n=$(echo 'Acme/App' | awk '{ print tolower($0) }')\necho \"n=${n}\" >> $GITHUB_OUTPUT",
    }
    image = one(lower, meta(f"{images}ghcr.io/${{{{ steps.n.outputs.n }}}}, acme/other"), build(tags=META))
    assert image.repositories == ("docker.io/acme/app", "ghcr.io/acme/app", "docker.io/acme/other")
    unknown: dict[str, object] = {"id": "n", "run": 'n=$(curl x | jq "{ a b }")\necho "n=${n}" >> $GITHUB_OUTPUT'}
    image = one(unknown, meta("acme/app\nghcr.io/${{ steps.n.outputs.n }}"), build(tags=META))
    assert image.repositories == ("docker.io/acme/app",)
    assert len([line for line in image.lost if "is not plain" in line]) == 1


def test_a_variable_beside_the_folder_of_a_docker_build_is_no_folder() -> None:
    image = one(LOGIN, {"run": "docker buildx build --push --file ./Dockerfile . --tag acme/app:1 $MORE"})
    assert (image.context, image.repositories) == (".", ("docker.io/acme/app",))


def test_of_two_images_that_a_version_names_latest_the_one_pushed_later_keeps_it() -> None:
    one_meta = meta("acme/app", "type=semver,pattern={{version}}")
    steps = (
        one_meta,
        build(tags=META, target="a"),
        meta("acme/app", "type=semver,pattern={{version}}", "suffix=-b"),
        build(tags=META, target="b"),
    )
    released = read(workflow(*steps))
    proposal = propose({"Dockerfile": "FROM a AS a\nFROM a AS b\n"}, set(), released=released)
    first, second = parse_config(render_proposal(proposal, schema="", file="x"), file="x").images
    assert (first.flavor, second.flavor) == (("latest=false",), ("suffix=-b",))
    assert any("'type=raw,value=latest' names an image that is pushed later" in line for line in proposal.lost)


@pytest.mark.parametrize(
    ("uses", "given", "on", "named"),
    [
        ("acme/.github/.github/workflows/docker.yml@main", {"image-names": "a"}, "push", True),
        ("acme/.github/.github/workflows/docker.yml@main", {}, "pull_request", False),
        ("acme/.github/.github/workflows/lint.yml@main", {"python": "3.13"}, "push", False),
        ("./.github/workflows/docker.yml", {}, "push", False),
    ],
)
def test_a_workflow_of_another_repository_that_is_called_is_named(
    uses: str, given: dict[str, str], on: str, named: bool
) -> None:
    text = yaml.safe_dump({"on": {on: None}, "jobs": {"build": {"uses": uses, "with": given}}})
    assert any(f"calls {uses}, which is not here" in line for line in read(text).lost) == named


def test_images_of_one_repository_are_told_apart_by_what_is_written_out() -> None:
    texts = [workflow(build(file=f"{one}/Dockerfile", tags=f"acme/app:{one}")) for one in ("devel", "nightly")]
    files = {"devel/Dockerfile": "FROM a\n", "nightly/Dockerfile": "FROM b\n"}
    released = gather({f".github/workflows/{n}.yml": text for n, text in enumerate(texts)}, set(files), "app")
    written = yaml.safe_load(render_proposal(propose(files, set(files), released=released), schema="", file="x"))
    assert [image["name"] for image in written["images"]] == ["app", "app-nightly"]
    assert "suffix=-nightly" in written["images"][1]["flavor"]
    assert written["images"][1]["tags"][0].endswith(",suffix=")


def test_services_of_several_compose_files_are_named_with_their_folders() -> None:
    compose = "services:\n  web:\n    build: .\n"
    files = {f"{one}/Dockerfile": "FROM a\n" for one in ("one", "two")}
    released = gather({f"{one}/compose.yaml": compose for one in ("one", "two")}, set(files), "app")
    images = propose(files, set(files), released=released).images
    assert [proposed.image.name for proposed in images] == ["web", "two-web"]


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("echo $PASS | docker login -u me --password-stdin", "docker.io"),
        ("echo $PASS | docker login ghcr.io -u me --password-stdin", "ghcr.io"),
        ("skopeo login -u me -p $PASS quay.io", "quay.io"),
    ],
)
def test_a_login_by_a_script_names_its_secret(command: str, where: str) -> None:
    step: dict[str, object] = {"run": command, "env": {"PASS": "${{ secrets.REGISTRY_TOKEN }}"}}
    said = f"{FILE}:9: logs in to {where} with the secrets REGISTRY_TOKEN: --login gives it to a release"
    assert said in read(workflow(step, build(tags="acme/app:1"))).lost


def test_a_job_that_logs_in_and_builds_by_what_is_not_read_is_named() -> None:
    release: dict[str, object] = {"uses": "goreleaser/goreleaser-action@v7"}
    released = gather({FILE: workflow(LOGIN, release), ".goreleaser.yml": ""}, {"Dockerfile"}, "app")
    assert any("secrets HUB_USER and HUB" in line for line in released.lost)
    assert any("what it pushes there cannot be read" in line for line in released.lost)
    assert any(line.startswith(".goreleaser.yml: it is not read") for line in released.lost)


def test_a_script_that_make_calls_is_named() -> None:
    makefile = "image:\n\tsh ./scripts/build-docker.sh\n\tsh ./scripts/lint.sh\n\tsh ./test_image.sh\n"
    released = gather({"Makefile": makefile}, {"Dockerfile"}, "app")
    assert released.lost == ("Makefile:2: calls ./scripts/build-docker.sh, which is not read",)
