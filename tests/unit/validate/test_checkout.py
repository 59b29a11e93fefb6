"""What a checkout may not bring: .git, files that a step makes, submodules, files of Git LFS, what links lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.core.findings import Finding, Severity
from ci.dockerfile import meets, relative_to
from ci.validate.linters.survey import survey
from ci.validate.report import sort_findings
from ci.validate.source import dockerfiles_of, follow_links, validate_source
from ci.validate.tree import make_tree

from .test_source import BASE, SURFACE

CONFIG, WORKFLOW = "deploy/images.yaml", ".github/workflows/images.yml"
IMAGES = """\
repository: ghcr.io/acme/{name}
images:
  - name: app
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke: none
    smoke-reason: none
"""
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a1' * 32}\nsize 12345\n"
JOB = """\
on: [push]
jobs:
  build:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {persist-credentials: false%s}
      - run: %s
      - run: dagger -m github.com/drydock/drydock@v1 call --source . %s
"""
Found = list[tuple[str, str, str]]


def job(inputs: str = "", *, run: str = "true", call: str = "build-all") -> str:
    return JOB % (f", {inputs}" if inputs else "", run, call)


def found_in(path: Path, files: dict[str, str], *, names: tuple[str, ...] = ("Dockerfile",)) -> list[Finding]:
    """Validate a source, notes left out."""
    for name, text in {CONFIG: IMAGES, ".dockerignore": "*.md\n", **files}.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("BASE", BASE))
    tree = make_tree(survey(path, names))
    checked = validate_source(tree, text=(path / CONFIG).read_text(), config=CONFIG, surface=SURFACE)
    return [f for f in sort_findings(follow_links(tree, checked.findings)) if f.severity is not Severity.NOTE]


def brief(findings: list[Finding]) -> Found:
    return [(f.severity.value, f.rule, f.place) for f in findings]


def with_key(line: str) -> str:
    return IMAGES.replace("    smoke: none", f"    {line}\n    smoke: none")


GIT = with_key("git: true")
UNASKED = ("git-unasked", "Say git: true in deploy/images.yaml, and add --git .git to the calls that build")


@pytest.mark.parametrize(
    ("config", "ignored", "copied", "found"),
    [
        (IMAGES, "*.md\n", "COPY . .", []),  # it is never given without being asked for
        (IMAGES, ".git\n", "COPY . .", []),
        (IMAGES, "*\n!.git\n!src\n", "COPY . .", [("warning", "git-unasked", ".dockerignore:2")]),
        (IMAGES, "*\n!.git/\n", "COPY . .", [("warning", "git-unasked", ".dockerignore:2")]),
        (IMAGES, "*\n!.git/HEAD\n", "COPY . .", [("warning", "git-unasked", ".dockerignore:2")]),
        (IMAGES, "*\n!.gitignore\n", "COPY . .", []),
        (IMAGES, "*\n!.git\n.git\n", "COPY . .", []),
        (IMAGES, "*.md\n", "COPY .git /src/.git", [("error", "git-unasked", "Dockerfile:2")]),
        (IMAGES, "*.md\n", "COPY .git/HEAD /", [("error", "git-unasked", "Dockerfile:2")]),
        (IMAGES, "*.md\n", "RUN --mount=source=.git,target=.git true", [("error", "git-unasked", "Dockerfile:2")]),
        (GIT, "*.md\n", "COPY . .", []),
        (GIT, "*\n!.git\n", "COPY .git .git", []),
        (GIT, "*\n!.git/HEAD\n", "COPY .git/HEAD .", []),
        (GIT, ".git\n", "COPY . .", [("warning", "git-ignored", ".dockerignore:1")]),
        (GIT, "*\n", "RUN true", [("warning", "git-ignored", ".dockerignore:1")]),
    ],
)
def test_git_reaches_a_build_that_asks_for_it(
    tmp_path: Path, config: str, ignored: str, copied: str, found: Found
) -> None:
    files = {CONFIG: config, ".dockerignore": ignored, "Dockerfile": f"FROM BASE\n{copied}\n"}
    findings = found_in(tmp_path, files)
    assert brief(findings) == found
    assert all(UNASKED[1] in f.remedy for f in findings if f.rule == UNASKED[0])


@pytest.mark.parametrize(
    ("generated", "ignored", "copied", "found"),
    [
        ("ui/build", "", "ui/build", ""),
        ("ui/build", "", "ui/build/index.html", ""),
        ("ui/build", "", "ui/build/*.html", ""),
        ("ui/build", "", "ui", ""),
        ("ui/build", "", "ui/src", "copy-missing"),
        ("ui/build", "", "ui/buil", "copy-missing"),
        ("ui/build", "", ".", ""),
        ("ui/build", "ui", "ui/build", "copy-ignored"),
        ("ui/build", "*\n!ui/build", "ui/build/x", ""),
        ("ui/build", "ui\n!ui/build/x", "ui/build", ""),
        ('"*.jar"', "", "app.jar", ""),
        ("app.jar", "", "*.jar", ""),
        ("app.jar", "*.jar", "app.jar", "copy-ignored"),
        ('".build/*/exporter"', "", ".build/linux-amd64/exporter", ""),
        ('".build/*/exporter"', "", ".build/linux-amd64/other", "copy-missing"),
    ],
)
def test_what_a_step_makes_is_not_missed(tmp_path: Path, generated: str, ignored: str, copied: str, found: str) -> None:
    findings = found_in(
        tmp_path,
        {
            CONFIG: with_key(f"generated: [{generated}]"),
            ".dockerignore": f"{ignored}\n",
            "Dockerfile": f"FROM BASE\nCOPY {copied} /app/\n",
        },
    )
    assert brief(findings) == ([("error", found, "Dockerfile:2")] if found else [])


def test_what_is_missing_and_not_named_is_told_of_the_key(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, {"Dockerfile": "FROM BASE\nCOPY ui/build /\n"})
    assert found.remedy == (
        "Paths are looked up in the root of the source. If a step makes it before the build, name it under generated:"
    )


def test_a_context_and_a_dockerfile_may_be_made_by_a_step(tmp_path: Path) -> None:
    config = with_key("generated: [out]").replace("    dockerfile:", "    context: out/app\n    dockerfile:")
    assert brief(
        found_in(tmp_path, {CONFIG: config, "Dockerfile": "FROM BASE\nCOPY a /\n"}, names=("Dockerfile", "out/app"))
    ) == [("warning", "dockerignore-missing", f"{CONFIG}:4")]
    config = config.replace("dockerfile: Dockerfile", "dockerfile: out/Dockerfile")
    assert found_in(tmp_path, {CONFIG: config}, names=("out/Dockerfile", "out/app")) == []
    config = config.replace("generated: [out]", "generated: [other]")
    assert [f.rule for f in found_in(tmp_path, {CONFIG: config}, names=("out/Dockerfile", "out/app"))] == ["config"] * 2


MODULES = '[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://example.com/lib\n'


@pytest.mark.parametrize(
    ("copied", "found"),
    [
        ("vendor/lib/a.c", ("error", "copy-missing")),
        ("vendor/lib", ("warning", "submodule-empty")),
        ("vendor", ("warning", "submodule-empty")),
        (".", ("warning", "submodule-empty")),
        ("src", None),
    ],
)
def test_a_submodule_that_holds_nothing_is_told_of(tmp_path: Path, copied: str, found: tuple[str, str] | None) -> None:
    (tmp_path / "vendor/lib").mkdir(parents=True)
    files = {".gitmodules": MODULES, "src/a.c": "", "Dockerfile": f"FROM BASE\nCOPY {copied} /src/\n"}
    findings = found_in(tmp_path, files)
    assert found is None or (*found, "Dockerfile:2") in brief(findings)
    assert bool(findings) == (found is not None)
    for each in findings:
        assert "git submodule update --init vendor/lib; in a workflow, add submodules: true" in each.remedy
    (tmp_path / "vendor/lib/a.c").touch()
    assert found_in(tmp_path, files) == []


@pytest.mark.parametrize(
    ("attributes", "copied", "text", "found"),
    [
        ("*.onnx filter=lfs diff=lfs merge=lfs -text\n", "models", POINTER, True),
        ("*.onnx filter=lfs diff=lfs merge=lfs -text\n", ".", POINTER, True),
        ("*.onnx filter=lfs diff=lfs merge=lfs -text\n", "models/a.onnx", POINTER, True),
        ("*.onnx filter=lfs diff=lfs merge=lfs -text\n", "src", POINTER, False),
        ("*.onnx filter=lfs diff=lfs merge=lfs -text\n", "models", "a model", False),
        ("*.txt text\n", "models", POINTER, False),
    ],
)
def test_a_pointer_that_an_image_would_hold_is_a_warning(
    tmp_path: Path, attributes: str, copied: str, text: str, *, found: bool
) -> None:
    files = {".gitattributes": attributes, "models/a.onnx": text, "src/a": ""}
    findings = found_in(tmp_path, {**files, "Dockerfile": f"FROM BASE\nCOPY {copied} /src/\n"})
    assert brief(findings) == ([("warning", "lfs-pointer", "Dockerfile:2")] if found else [])


@pytest.mark.parametrize(
    ("workflow", "found"),
    [
        (job("fetch-depth: 0", call="--git .git build-all"), []),
        (job("fetch-depth: 0", call="--git=.git build-all"), []),
        (job("fetch-depth: 0"), [("error", "call-git", f"{WORKFLOW}:9")]),
        (job(call="--git .git build-all"), [("warning", "checkout-shallow", f"{WORKFLOW}:6")]),
        (job("fetch-depth: 1", call="--git .git build-all"), [("warning", "checkout-shallow", f"{WORKFLOW}:6")]),
        (job("fetch-depth: '${{ inputs.depth }}'", call="--git .git build-all"), []),
        (job(run="git fetch --unshallow --tags", call="--git .git build-all"), []),
        (job(call="validate"), []),
        (job(call="--config other.yaml build-all"), []),
        (job("path: elsewhere, fetch-depth: 1", call="--git .git build-all"), []),
    ],
)
def test_a_job_has_to_give_the_history_that_an_image_needs(tmp_path: Path, workflow: str, found: Found) -> None:
    files = {
        CONFIG: GIT,
        WORKFLOW: workflow,
        "Dockerfile": "FROM BASE\nCOPY . .\n",
        ".github/workflows/Dockerfile": ":",
    }
    assert brief(found_in(tmp_path, files)) == found


@pytest.mark.parametrize(
    ("inputs", "run", "found"),
    [
        ("", "true", ["checkout-lfs", "checkout-submodules"]),
        ("lfs: true", "true", ["checkout-submodules"]),
        ("submodules: recursive", "true", ["checkout-lfs"]),
        ("lfs: true, submodules: true", "true", []),
        ("", "git submodule update --init && git lfs pull", []),
    ],
)
def test_a_job_has_to_bring_submodules_and_large_files(tmp_path: Path, inputs: str, run: str, found: list[str]) -> None:
    files = {
        ".gitmodules": MODULES,
        "vendor/lib/a.c": "",
        "models/.gitattributes": "# a comment\n/*.onnx filter=lfs diff=lfs\nsmall.onnx -filter\n",
        "models/a.onnx": "a model",
        "models/small.onnx": "one that is none of them",
        WORKFLOW: job(inputs, run=run),
    }
    findings = found_in(tmp_path, {**files, "Dockerfile": "FROM BASE\nCOPY vendor models /src/\n"})
    assert brief(findings) == [("warning", rule, f"{WORKFLOW}:6") for rule in found]
    assert found_in(tmp_path, {**files, "Dockerfile": "FROM BASE\nCOPY models/small.onnx /src/\n"}) == []


def test_a_link_and_its_file_are_one_dockerfile(tmp_path: Path) -> None:
    text = "FROM BASE\nCOPY missing /\n"
    (tmp_path / "docker").mkdir()
    (tmp_path / "Dockerfile").symlink_to("docker/Dockerfile.debian")
    second = IMAGES.partition("images:\n")[2].replace("name: app", "name: other")
    both = IMAGES + second.replace("dockerfile: Dockerfile", "dockerfile: docker/Dockerfile.debian")
    names = ("Dockerfile", "docker/Dockerfile.debian")
    for config in (IMAGES, both):
        findings = found_in(tmp_path, {CONFIG: config, "docker/Dockerfile.debian": text}, names=names)
        assert brief(findings) == [("error", "copy-missing", "docker/Dockerfile.debian:2")]
        tree = make_tree(survey(tmp_path, names))
        assert dockerfiles_of(tree, config) == ("docker/Dockerfile.debian",)
        notes = validate_source(tree, text=config, config=CONFIG, surface=SURFACE).findings
        assert [f.message for f in notes if f.rule == "dockerfile-link"] == [
            "'Dockerfile' is a link to 'docker/Dockerfile.debian', where all that is wrong with it is shown"
        ]
        assert not [f for f in notes if f.rule == "dockerfile-unused"]


def test_a_dockerfile_beside_the_workflows_is_none_of_them(tmp_path: Path) -> None:
    path = ".github/workflows/Dockerfile.ci.alpine"
    config = IMAGES.replace("dockerfile: Dockerfile", f"dockerfile: {path}")
    findings = found_in(tmp_path, {CONFIG: config, path: "FROM BASE\nCOPY missing /\n"}, names=(path,))
    assert brief(findings) == [("error", "copy-missing", f"{path}:2")]


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("a", "a", True),
        ("a", "a/b", True),
        ("a/b", "a", True),
        ("a/b", "a/c", False),
        ("ab", "a", False),
        ("a/*", "a/b/c", True),
        ("*/c", "a/b", False),
        ("a/*/c", "a/b", True),
        ("a/[", "a/b", False),
    ],
)
def test_what_a_copy_takes_of_a_path(source: str, path: str, *, expected: bool) -> None:
    assert meets(source, path) is expected


def test_a_path_of_the_source_as_one_of_a_context() -> None:
    assert [relative_to("a/b", path) for path in ("a/b/c", "a/b", "a", "a/c", "ab")] == ["c", ".", ".", "", ""]
    assert relative_to(".", "a/b") == "a/b"
