"""Mistakes planted one at a time in a repository without any: each gives its own finding, and no other."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import ci.main
from ci.core.findings import Finding, Severity
from ci.validate.dockerfile import Answer, check_bases
from ci.validate.linters.survey import survey
from ci.validate.report import sort_findings
from ci.validate.run import read_surface
from ci.validate.source import validate_source
from ci.validate.tree import make_tree
from ci.validate.workflow import Workflows, list_workflows

assert ci.main.__doc__  # imported, the functions that workflows may call are known
SURFACE = read_surface("ci")
CONFIG = "deploy/images.yaml"
WORKFLOW = ".github/workflows/images.yml"
BASE = f"python:3.13-slim@sha256:{'a1' * 32}"

GOOD = {
    CONFIG: """\
repository: ghcr.io/acme/{name}
images:
  - name: app
    dockerfile: Dockerfile
    platforms: [linux/amd64, linux/arm64]
    target: final
    build-args: {VERSION: "1"}
    secrets: [PIP_TOKEN]
    smoke:
      - run: [python, -c, "print(1)"]
        stdout: {equals: "1"}
""",
    "Dockerfile": f"""\
ARG PYTHON_IMAGE={BASE}
FROM ${{PYTHON_IMAGE}} AS build
ARG VERSION
ARG FOLDER=app
WORKDIR /srv
COPY ${{FOLDER}}/ app/
COPY requirements*.txt .
RUN --mount=type=secret,id=PIP_TOKEN pip install -r requirements.txt && echo "${{VERSION:-}}"

FROM ${{PYTHON_IMAGE}} AS final
COPY --from=build /srv /srv
USER 10001:10001
HEALTHCHECK CMD ["python", "-c", "print()"]
ENTRYPOINT ["python", "-m", "app"]
""",
    ".dockerignore": ".git\n*.md\ndeploy\n.github\n",
    "README.md": "# App\n",
    "requirements.txt": "",
    "app/__main__.py": "print(1)\n",
    WORKFLOW: """\
on: [push]
jobs:
  images:
    runs-on: ubuntu-24.04
    steps:
      - run: dagger -m github.com/drydock/drydock@v1 call --source . build-all --only app
      - run: |
          set -e
          dagger --progress plain call -m github.com/drydock/drydock@v1 --source . \\
            publish --revision "$GITHUB_SHA" --created "$(git log -1 --format=%cI)" \\
            --tags v1.2.3 --latest
      - uses: dagger/dagger-for-github@27b130bf0f79a7f6fbbbe0fbca6760dc9bb40a77
        with:
          module: github.com/drydock/drydock@v1
          args: --source . verify --revision ${{ github.sha }}
""",
}


@dataclass(frozen=True)
class Repository:
    path: Path

    def write(self, file: str, text: str | None) -> None:
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text()
        assert text.count(old) >= 1, f"{file} does not hold {old!r}"
        self.write(file, text.replace(old, new, 1))

    def findings(self, **answers: Answer) -> tuple[Finding, ...]:
        tree = make_tree(survey(self.path, ["Dockerfile", "Dockerfil", "app", "sub", "linked", "tests/app.yaml"]))
        text = (self.path / CONFIG).read_text()
        found = validate_source(tree, text=text, config=CONFIG, surface=SURFACE)
        return sort_findings([*found.findings, *check_bases(found.bases, answers)])


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    for file, text in GOOD.items():
        made.write(file, text)
    return made


def test_a_repository_without_mistakes_has_no_findings_but_the_size_of_its_context(repository: Repository) -> None:
    (only,) = repository.findings()
    assert (only.severity, only.rule, only.place) == (Severity.NOTE, "context-size", f"{CONFIG}:4")
    assert "in 4 files of the source" in only.message


@dataclass(frozen=True)
class Mistake:
    """What is replaced in which file, and the finding that must come of it: rule, place and a part of its text."""

    file: str
    old: str
    new: str
    rule: str
    place: str
    text: str
    severity: Severity = Severity.ERROR


D, W, I = "Dockerfile", WORKFLOW, ".dockerignore"  # noqa: E741
WARNING, NOTE = Severity.WARNING, Severity.NOTE
RUN = "dagger -m github.com/drydock/drydock@v1 call --source . build-all --only app"

MISTAKES = [
    # The configuration; every one of the parser's messages has tests of its own.
    Mistake(CONFIG, "dockerfile: Dockerfile", "dockerfile: Dockerfil", "config", f"{CONFIG}:4", "Did you mean 'Docke"),
    Mistake(CONFIG, "platforms: [linux/amd64, ", "platforms: [linux/amd46, ", "config", f"{CONFIG}:5", "linux/amd64"),
    Mistake(CONFIG, "    dockerfile:", "    context: sub\n    dockerfile:", "config", f"{CONFIG}:4", "does not exist"),
    Mistake(CONFIG, "    dockerfile:", "    contxt: .\n    dockerfile:", "config", f"{CONFIG}:4", "'context'"),
    Mistake(CONFIG, "name: app", "name: App", "config", f"{CONFIG}:3", "lower-case"),
    Mistake(CONFIG, "ghcr.io/acme/{name}", "ghcr.io/Acme/{name}", "config", f"{CONFIG}:1", "lower-case repository"),
    Mistake(CONFIG, "ghcr.io/acme/{name}", "ghcr.io/acme/{name}:v1", "config", f"{CONFIG}:1", "lower-case repository"),
    Mistake(CONFIG, "equals:", "equls:", "config", f"{CONFIG}:11", "'equals'"),
    Mistake(CONFIG, 'run: [python, -c, "print(1)"]', "run: []", "config", f"{CONFIG}:10", "the list is empty"),
    Mistake(CONFIG, "- run", "- deadline: soon\n        run", "config", f"{CONFIG}:10", "'soon'"),
    Mistake(CONFIG, "- run", "- platforms: [linux/amd64]\n        run", "config", f"{CONFIG}:9", "on linux/arm64"),
    Mistake(CONFIG, "images:", "images: [", "config", f"{CONFIG}:3", "not YAML"),
    # The configuration against the Dockerfile.
    Mistake(CONFIG, "{VERSION:", "{VERSIN:", "build-arg-unused", f"{CONFIG}:7", "'VERSION'", WARNING),
    Mistake(CONFIG, "[PIP_TOKEN]", "[PIP_TOKEN, NPM]", "secret-unused", f"{CONFIG}:8", "id=NPM", WARNING),
    Mistake(D, "id=PIP_TOKEN", "id=PIP_TOKEN --mount=type=secret,id=NPM", "secret-unnamed", "Dockerfile:8", "[NPM]"),
    Mistake(CONFIG, "[PIP_TOKEN]", "[PIP_TOKEN]\n    ssh: [default]", "ssh-unused", f"{CONFIG}:9",
            "type=ssh,id=default", WARNING),
    Mistake(D, "USER", "RUN --mount=type=ssh true\nUSER", "ssh-unnamed", "Dockerfile:12", "ssh: [default]"),
    Mistake(CONFIG, "[PIP_TOKEN]", "[PIP_TOKEN]\n    contexts:\n      base: docker-image://alpine:3.22",
            "context-unused", f"{CONFIG}:10", "takes nothing from 'base'", WARNING),
    Mistake(D, "FROM ${PYTHON_IMAGE} AS final", f"FROM --platform=linux/amd64 {BASE} AS final", "platform-fixed",
            "Dockerfile:10", "wanted for linux/arm64"),
    Mistake(D, "FROM ${PYTHON_IMAGE} AS final", f"FROM --platform=$BUILDPLATFORM {BASE} AS final", "platform-fixed",
            "Dockerfile:10", "the builder's own platform"),
    # The Dockerfile.
    Mistake(D, '["python", "-m", "app"]', "['python', '-m', 'app']", "exec-form", "Dockerfile:14", "double quotes"),
    Mistake(D, '["python", "-c", "print()"]', '["python" "-c"]', "exec-form", "Dockerfile:13", "HEALTHCHECK"),
    Mistake(D, "WORKDIR", "ARG TARGETARCH=amd64\nWORKDIR", "arg-hides-platform", "Dockerfile:5", "on every platform",
            WARNING),
    Mistake(D, "ARG PYTHON", "ARG BUILDPLATFORM=linux/amd64\nARG PYTHON", "arg-hides-platform", "Dockerfile:1",
            "Write ARG BUILDPLATFORM", WARNING),
    Mistake(D, "--from=build", "--from=buidl", "stage-unknown", "Dockerfile:11", "'build'"),
    Mistake(D, "USER", "RUN --mount=from=buidl,target=/x true\nUSER", "stage-unknown", "Dockerfile:12", "'build'"),
    Mistake(D, "USER", "RUN --mount=from=0,target=/x true\nUSER", "stage-unknown", "Dockerfile:12", "for COPY alone"),
    Mistake(D, "--from=build", "--from=2", "stage-unknown", "Dockerfile:11", "no earlier stage"),
    # Base images.
    Mistake(D, f"@sha256:{'a1' * 32}", "", "base-unpinned", "Dockerfile:1", "python:3.13-slim", WARNING),
    Mistake(D, "USER", "COPY --from=busybox:1 /bin/sh /sh\nUSER", "base-unpinned", "Dockerfile:12", "busybox", WARNING),
    Mistake(D, "USER", "RUN --mount=type=bind,FROM=busybox:1,target=/b true\nUSER", "base-unpinned", "Dockerfile:12",
            "busybox:1", WARNING),
    # The build context and its .dockerignore.
    Mistake(D, "USER", "COPY requirments.txt /\nUSER", "copy-missing", "Dockerfile:12", "'requirements.txt'"),
    Mistake(D, "ARG FOLDER=app", "ARG FOLDER=lib", "copy-missing", "Dockerfile:6", "'lib/'"),
    Mistake(D, "USER", "COPY ../other /\nUSER", "copy-outside", "Dockerfile:12", "leads out of the context"),
    Mistake(D, "USER", "COPY README.md /\nUSER", "copy-ignored", "Dockerfile:12", ".dockerignore:2 '*.md'"),
    Mistake(I, "*.md\n", "*\n!app\n", "copy-ignored", "Dockerfile:7", "Add !requirements*.txt"),
    Mistake(I, "*.md", "*.md\napp/*", "copy-ignored", "Dockerfile:6", ".dockerignore:3"),
    Mistake(I, ".git\n", "!.git\n", "git-unasked", ".dockerignore:1", "--git .git", WARNING),
    Mistake(I, "*.md", "[.md", "dockerignore-pattern", ".dockerignore:2", "Close the bracket"),
    Mistake(I, "*.md", "*.md\n/", "dockerignore-slash", ".dockerignore:3", "leaves nothing out", WARNING),
    Mistake(I, "*.md", "!", "dockerignore-pattern", ".dockerignore:2", "Write a path"),
    # Workflows.
    Mistake(W, "build-all", "buildall", "call-function", f"{W}:6", "Did you mean build-all"),
    Mistake(W, "--only app", "--onyl app", "call-argument", f"{W}:6", "Did you mean --only"),
    Mistake(W, "--only app", "--only", "call-value", f"{W}:6", "--only is given no value"),
    Mistake(W, "--only app", "app", "call-word", f"{W}:6", "takes flags only"),
    Mistake(W, "call --source", "call --sauce", "call-argument", f"{W}:6", "Did you mean --source"),
    Mistake(W, '--revision "$GITHUB_SHA" ', "", "call-required", f"{W}:9", "without --revision"),
    Mistake(W, "--tags v1.2.3", "--tags v1/2", "tag-illegal", f"{W}:9", "'v1/2'"),
    Mistake(W, "verify --revision", "verfy --revision", "call-function", f"{W}:15", "Did you mean verify"),
    Mistake(W, RUN, "dagger call build-all", "call-module", f"{W}:6", "no dagger.json"),
    Mistake(W, "jobs:", "jobs: {", "workflow-unread", f"{W}:4", "not YAML", WARNING),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.rule}: {m.new[:40].strip()!r}")
def test_a_mistake_gives_its_own_finding(repository: Repository, mistake: Mistake) -> None:
    clean = {f.rule for f in repository.findings()}
    repository.edit(mistake.file, mistake.old, mistake.new)
    found = [f for f in repository.findings() if f.severity is not NOTE and f.rule not in clean]
    assert [(f.severity, f.rule, f.place) for f in found] == [(mistake.severity, mistake.rule, mistake.place)]
    assert mistake.text in f"{found[0].message} {found[0].remedy}"
    assert found[0].remedy


def test_the_mistakes_are_distinct() -> None:
    assert len({(m.file, m.old, m.new) for m in MISTAKES}) == len(MISTAKES) >= 30
    assert len({m.rule for m in MISTAKES}) >= 25


def warnings_of(repository: Repository) -> list[tuple[str, str]]:
    return [(f.rule, f.place) for f in repository.findings() if f.severity is not NOTE]


@pytest.mark.parametrize("test", ['[ "$(svstat app)" = "true" ]', "[ -f /ready ]", '[ -n "$A" -a x != "$B" ]'])
def test_the_shells_own_test_is_no_broken_list(repository: Repository, test: str) -> None:
    repository.edit(D, '["python", "-c", "print()"]', test)
    assert warnings_of(repository) == []


def test_only_workflows_that_call_this_module_are_linted(repository: Repository) -> None:
    other = "on: [push]\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"
    repository.write(".github/workflows/other.yml", other)
    repository.write(".github/workflows/broken.yml", "jobs: {")
    repository.write(".github/workflows/broken-call.yaml", "jobs: {\n# dagger -m github.com/drydock/drydock@v1 call\n")
    repository.write(".github/actions/own/action.yml", "runs: {}\n")
    tree = make_tree(survey(repository.path, []))
    own = (".github/workflows/broken-call.yaml", W)
    assert list_workflows(tree, SURFACE, Workflows.OWN) == own
    assert len(list_workflows(tree, SURFACE, Workflows.ALL)) == len(own) + 2
    found = [(f.rule, f.file) for f in repository.findings() if f.file.startswith(".github")]
    assert found == [("workflow-unread", own[0])]


def test_an_acceptance_without_a_reason_is_a_finding(repository: Repository) -> None:
    repository.edit(D, "USER", "# drydock: accept base-unpinned\nUSER")
    repository.edit(CONFIG, "images:", "images:  # drydock: accept: it")
    assert warnings_of(repository) == [("accept-unclear", "Dockerfile:12"), ("accept-unclear", f"{CONFIG}:2")]


def test_no_dockerignore_is_a_warning(repository: Repository) -> None:
    repository.write(I, None)
    assert warnings_of(repository) == [("dockerignore-missing", f"{CONFIG}:4")]


def test_a_credential_in_the_context_is_a_warning(repository: Repository) -> None:
    repository.write("app/.env", "TOKEN=1\n")
    for name in (".env.example", ".env.dev.example", ".env.prod-s3.sample", ".env.template"):
        repository.write(f"app/{name}", "TOKEN=\n")
    assert warnings_of(repository) == [("context-credential", "app/.env:1")]


def test_a_large_context_is_a_warning_that_names_the_largest_file(repository: Repository) -> None:
    with (repository.path / "app/weights.bin").open("wb") as file:
        file.truncate(150_000_000)
    (found,) = [f for f in repository.findings() if f.severity is WARNING]
    assert (found.rule, found.place) == ("context-large", f"{CONFIG}:4")
    assert "150.0 MB" in found.message
    assert "app/weights.bin" in found.remedy


def test_a_dockerfile_that_no_image_names_is_a_note(repository: Repository) -> None:
    repository.write("Dockerfile.debug", "FROM scratch\n")
    assert [(f.rule, f.place) for f in repository.findings() if f.file == "Dockerfile.debug"] == [
        ("dockerfile-unused", "Dockerfile.debug:1")
    ]


def test_a_dockerfile_that_is_no_text_is_an_error(repository: Repository) -> None:
    (repository.path / D).write_bytes(b"FROM scratch\n\xff\xfe")
    assert warnings_of(repository) == [("dockerfile-syntax", "Dockerfile:1")]


def test_a_link_out_of_the_source_is_refused_and_never_read(repository: Repository) -> None:
    (repository.path / "linked").symlink_to("/etc/passwd")
    repository.edit(CONFIG, "dockerfile: Dockerfile", "dockerfile: linked")
    found = [f for f in repository.findings() if f.severity is Severity.ERROR]
    assert [f.rule for f in found] == ["config"]
    assert "link that leads out" in found[0].message
    assert survey(repository.path, ["linked"])["texts"].get("linked") is None


def test_what_a_registry_answers_is_a_finding(repository: Repository) -> None:
    repository.edit(D, f"@sha256:{'a1' * 32}", "")
    asked = {"python:3.13-slim": Answer(digest="sha256:1234")}
    assert "python:3.13-slim@sha256:1234" in next(
        f.remedy for f in repository.findings(**asked) if f.rule == "base-unpinned"
    )
    gone = repository.findings(**{"python:3.13-slim": Answer(missing="not found")})
    assert [(f.rule, f.place) for f in gone if f.severity is Severity.ERROR] == [("base-missing", "Dockerfile:1")]
    silent = repository.findings(**{"python:3.13-slim": Answer(unknown="no such host")})
    assert [f.rule for f in silent] == ["base-unpinned", "base-unresolved", "context-size"]


def test_a_quoted_stage_and_scratch_are_no_images_to_ask_for(repository: Repository) -> None:
    rules = [f.rule for f in repository.findings()]
    repository.edit(D, "--from=build", '--from="build"')
    repository.edit(D, "USER", "COPY --from=scratch / /\nUSER")
    assert [f.rule for f in repository.findings() if f.rule != "base-unclear"] == rules


@pytest.mark.parametrize(
    ("new", "place", "message"),
    [
        ('RUN --mount=type=bind,target="/a b",from=build true', "Dockerfile:12", "a quote or a backslash in a flag"),
        ("COPY --from=$WHO / /", "Dockerfile:12", "'$WHO', which only a build fills in"),
        ("COPY --from=busybox:$V / /", "Dockerfile:12", "'busybox:$V', which only a build fills in"),
    ],
)
def test_a_base_that_cannot_be_fixed_is_a_note(repository: Repository, new: str, place: str, message: str) -> None:
    repository.edit(D, "USER", f"{new}\nUSER")
    (found,) = (f for f in repository.findings() if f.rule == "base-unclear")
    assert (found.severity, found.place) == (Severity.NOTE, place)
    assert message in found.message
    assert "app is built anew in each run" in found.message


@pytest.mark.parametrize(
    ("old", "new", "unread"),
    [
        ("", "", 3),
        ("COPY requirements*.txt .", "COPY [r]equirements.txt .", 0),  # the whole context may be meant
        ("COPY requirements*.txt .", "COPY . .", 0),
        ("COPY ${FOLDER}/ app/", "COPY $UNKNOWN/ app/", 0),
        ("RUN --mount=type=secret", "RUN --mount=target=/src --mount=type=secret", 0),
        (
            "RUN --mount=type=secret",
            "RUN --mount=type=cache,target=/c --mount=type=bind,from=build --mount=type=secret",
            3,
        ),
        ("COPY ${FOLDER}/ app/", "COPY app/__main__.py other/sub/ app/", 2),
    ],
)
def test_what_reaches_a_build_and_is_not_copied_is_a_note(
    repository: Repository, old: str, new: str, unread: int
) -> None:
    for file in ("other/a.py", "other/b.py", "other/sub/c.py"):
        repository.write(file, "x")
    repository.edit(D, old, new)
    found = [f for f in repository.findings() if f.rule == "context-unread"]
    assert [f.severity for f in found] == [Severity.NOTE] * bool(unread)
    if unread:
        assert (
            f"{unread} of the files that reach the build of app are not copied, such as 'other/a.py'"
            in found[0].message
        )
        assert found[0].remedy.startswith("Write Dockerfile.dockerignore: * first")


def test_a_pattern_that_matches_nothing_is_a_note(repository: Repository) -> None:
    repository.edit(D, "COPY requirements*.txt .", "COPY requirements.txt yarn.lock* pnpm-lock.yam[l] .")
    assert warnings_of(repository) == []
    found = [f for f in repository.findings() if f.rule == "copy-empty"]
    assert [(f.severity, f.place) for f in found] == [(NOTE, "Dockerfile:7")] * 2
    assert "'yarn.lock*', which copies nothing then" in found[1].message


def test_a_slash_that_leaves_nothing_out_and_one_at_the_end(repository: Repository) -> None:
    repository.write(I, ".git\n*.md\ndeploy\n/.github/\n/\n!/\n")
    repository.edit(D, "USER", "COPY README.md /\nUSER")
    assert warnings_of(repository) == [
        ("copy-ignored", "Dockerfile:12"),
        ("dockerignore-slash", ".dockerignore:5"),
        ("dockerignore-slash", ".dockerignore:6"),
    ]
    assert "in 4 files of the source" in next(f.message for f in repository.findings() if f.rule == "context-size")


def test_a_dockerfiles_own_ignore_file_comes_first(repository: Repository) -> None:
    repository.write("Dockerfile.dockerignore", ".git\nrequirements.txt\n")
    assert warnings_of(repository) == [("copy-ignored", "Dockerfile:7")]


def test_an_empty_ignore_file_of_a_dockerfile_comes_first_too(repository: Repository) -> None:
    repository.edit(D, "USER", "COPY README.md /\nUSER")
    assert warnings_of(repository) == [("copy-ignored", "Dockerfile:12")]
    repository.write("Dockerfile.dockerignore", "")
    assert warnings_of(repository) == []


def test_an_image_that_is_most_likely_a_stage_is_not_asked_for(repository: Repository) -> None:
    repository.edit(D, "--from=build", "--from=buidl")
    rules = [f.rule for f in repository.findings(buidl=Answer(missing="not found"))]
    assert "stage-unknown" in rules
    assert not {"base-missing", "base-unpinned"} & {*rules}


def test_a_call_of_another_module_or_tool_is_nobodys_business(repository: Repository) -> None:
    repository.edit(W, RUN, "dagger -m github.com/other/module call anything --at-all")
    assert warnings_of(repository) == []
    repository.edit(W, "dagger -m github.com/other/module call anything", "dagger call anything")
    repository.write("dagger.json", '{"name": "theirs", "sdk": {"source": "go"}}')
    assert warnings_of(repository) == []


def test_what_only_a_run_can_know_is_not_guessed_at(repository: Repository) -> None:
    repository.edit(W, RUN, 'dagger -m github.com/drydock/drydock@v1 call $FLAGS "$FUNCTION" ${{ inputs.more }}')
    repository.edit(D, "ARG FOLDER=app", "ARG FOLDER")
    assert warnings_of(repository) == [("argument-empty", "Dockerfile:6")]


def with_contexts(repository: Repository, contexts: str) -> None:
    """Give the image contexts, on line 9 of the configuration."""
    repository.edit(CONFIG, "    smoke:", f"    contexts: {{{contexts}}}\n    smoke:")


@pytest.mark.parametrize(
    ("context", "found"),
    [
        (f"docker-image://alpine:3.22@sha256:{'a1' * 32}", []),
        ("docker-image://alpine:3.22", [("base-unpinned", f"{CONFIG}:9")]),
        ("docker-image://scratch", []),
        ("app", []),
    ],
)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FROM ${PYTHON_IMAGE} AS final", "FROM base AS final"),
        ("FROM ${PYTHON_IMAGE} AS final", "FROM docker.io/library/base:latest AS final"),
        ("USER", "COPY --from=base / /\nUSER"),
        ("USER", "RUN --mount=from=base,target=/x true\nUSER"),
    ],
)
def test_what_a_context_replaces_is_no_image(
    repository: Repository, context: str, found: list[tuple[str, str]], old: str, new: str
) -> None:
    repository.edit(D, old, new)
    with_contexts(repository, f"base: {context}")
    assert warnings_of(repository) == found


def test_the_image_that_a_context_names_is_asked_for(repository: Repository) -> None:
    repository.edit(D, "USER", "COPY --from=base / /\nUSER")
    with_contexts(repository, "base: docker-image://alpine:3.22")
    gone = repository.findings(**{"alpine:3.22": Answer(missing="not found")})
    assert [(f.rule, f.place) for f in gone if f.severity is Severity.ERROR] == [("base-missing", f"{CONFIG}:9")]
    pinned = repository.findings(**{"alpine:3.22": Answer(digest="sha256:1234")})
    assert [f.remedy for f in pinned if f.rule == "base-unpinned"] == [
        "Write alpine:3.22@sha256:1234, and let a bot renew it."
    ]


def test_a_context_with_nearly_the_name_of_a_stage_is_meant(repository: Repository) -> None:
    repository.edit(D, "--from=build", "--from=buidl")
    with_contexts(repository, "buidl: app")
    assert warnings_of(repository) == []


def test_nothing_of_a_stage_that_a_context_replaces_is_looked_at(repository: Repository) -> None:
    repository.edit(D, "USER", "FROM nowhere AS old\nCOPY missing /\nFROM old AS final\nUSER")
    repository.edit(D, "FROM ${PYTHON_IMAGE} AS final", "FROM ${PYTHON_IMAGE} AS second")
    assert ("copy-missing", "Dockerfile:13") in warnings_of(repository)
    with_contexts(repository, "old: app")
    assert warnings_of(repository) == []


def test_an_unused_context_names_what_may_be_meant(repository: Repository) -> None:
    repository.edit(D, "USER", "COPY --from=protocol / /\nUSER")
    with_contexts(repository, "protcol: app")
    found = {f.rule: f for f in repository.findings()}
    assert found["context-unused"].remedy == "Did you mean 'protocol'?"


def test_a_context_may_be_used_where_only_a_build_knows_it(repository: Repository) -> None:
    repository.edit(D, "FROM ${PYTHON_IMAGE} AS final", "ARG TARGETARCH\nFROM base-${TARGETARCH} AS final")
    with_contexts(repository, "base-amd64: app")
    assert "context-unused" not in [f.rule for f in repository.findings()]


@pytest.mark.parametrize(
    ("address", "unused"),
    [
        ("git@example.com:a/b.git", False),
        ("ssh://example.com/b", False),
        ("https://example.com/b", True),
        ("app", True),
    ],
)
def test_an_address_may_need_the_agent_without_a_mount(repository: Repository, address: str, *, unused: bool) -> None:
    repository.edit(CONFIG, "[PIP_TOKEN]", "[PIP_TOKEN]\n    ssh: [default]")
    repository.edit(D, "USER", f"ADD {address} /b\nUSER")
    assert ("ssh-unused" in [f.rule for f in repository.findings()]) is unused


def test_a_file_of_checks_is_read_and_is_no_dockerfile(repository: Repository) -> None:
    repository.edit(CONFIG, "    smoke:\n", "    smoke:\n      - structure-test: tests/app.yaml\n")
    repository.write("tests/app.yaml", "schemaVersion: 2.0.0\ncommandTests: [{name: a, command: b}]\n")
    assert not [found for found in repository.findings() if found.severity is Severity.ERROR]
    repository.write("tests/app.yaml", "schemaVersion: 2.0.0\ncommandTests: [{name: a, comand: b}]\n")
    errors = [found for found in repository.findings() if found.severity is Severity.ERROR]
    assert {(found.file, found.line) for found in errors} == {("tests/app.yaml", 2)}
