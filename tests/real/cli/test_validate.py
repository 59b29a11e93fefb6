"""Validation through the real CLI, with the real linters in their container."""

import json
from pathlib import Path

import pytest
from dagger import dag

import ci.main
from ci.core.runners import HOSTED, Machine
from ci.init.adopt import WORKFLOW as WORKFLOW_FILE
from ci.init.templates import adapt_workflow
from ci.validate.linter_reports import parse_reports
from ci.validate.linting import lint, linters
from ci.validate.run import find_all
from ci.validate.workflow import Workflows

from .conftest import ROOT, Call, Repository

pytestmark = pytest.mark.timeout(900)

assert ci.main.__doc__  # imported, the functions that workflows may call are known
SMOKE = "smoke: [{name: greets, run: [python, -c, \"print('hi')\"], stdout: {equals: hi}}]"
APP = f"name: app\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\n{SMOKE}"
CLEAN = """\
name: images
on: [push]
permissions: {}
jobs:
  plan:
    runs-on: ubuntu-24.04
    steps:
      - run: dagger -m github.com/drydock/drydock@v1 call --source . plan
"""
# Each line that a linter has something to say of, and what it says.
DOCKERFILE = {
    "FROM python:3.13-slim": "",
    "MAINTAINER me": "warning hadolint/DL4000",
    "WORKDIR srv": "warning hadolint/DL3000",
    "RUN apt-get install -y curl": "warning hadolint/DL3008",
    "RUN sudo true": "warning hadolint/DL3004",
    "RUN cd /tmp": "warning hadolint/DL3003",
    'RUN echo `date` "$(cat $HOME)"': "note hadolint/SC2086",
    "EXPOSE 80000": "warning hadolint/DL3011",
    "ADD hello.txt /srv/": "warning hadolint/DL3020",
    "CMD python": "warning hadolint/DL3025",
    'ENTRYPOINT ["a"]': "",
    'ENTRYPOINT ["b"]': "warning hadolint/DL4004",
}
WORKFLOW = {
    "name: images": "",
    "on: [pull_request_target]": "warning zizmor/dangerous-triggers",
    "permissions: {}": "",
    "jobs:": "",
    "  plan:": "",
    "    runs-on: ubuntu-latst": "warning actionlint/runner-label",
    "    steps:": "",
    "      - uses: actions/checkout@v4": "warning zizmor/unpinned-uses",
    "      - run: echo ${{ github.event.pull_request.title }}": "warning zizmor/template-injection",
    "      - run: echo ${{ githob.ref }}": "error actionlint/expression",
    "      - run: cd $HOME && [ $x == 1 ]": "note actionlint/SC2086",
}


def planted(repository: Repository) -> set[tuple[str, str]]:
    """Write both files, and list what has to be found at which place."""
    repository.write({"Dockerfile": "\n".join(DOCKERFILE) + "\n", ".dockerignore": ".git\n"})
    repository.write({".github/workflows/images.yml": "\n".join(WORKFLOW) + "\n"})
    repository.write({".github/workflows/broken.yml": CLEAN.replace("- run:", "- runs:")})
    places = [("Dockerfile", DOCKERFILE), (".github/workflows/images.yml", WORKFLOW)]
    return {
        (f"{file}:{number}", expected)
        for file, lines in places
        for number, expected in enumerate(lines.values(), 1)
        if expected
    } | {(".github/workflows/broken.yml:8", "error actionlint/syntax-check")}


def test_what_the_linters_say_are_findings(repository: Repository, call: Call) -> None:
    repository.configure(APP)
    expected = planted(repository)
    done = call("validate", "--workflows", "all", "--format", "json", "--fail=false")
    assert done.code == 0, done.err
    data = json.loads(done.out)
    assert data["ok"] is False
    found = {(f"{f['file']}:{f['line']}", f"{f['severity']} {f['rule']}") for f in data["findings"]}
    assert expected <= found
    assert all(f["remedy"] for f in data["findings"] if f["severity"] != "note")
    own = json.loads(call("validate", "--format", "json", "--fail=false").out)["findings"]
    # The broken one names this module; the other does not call it.
    assert {f["file"] for f in own if f["file"].startswith(".github")} == {".github/workflows/broken.yml"}


def test_errors_fail_the_call_and_warnings_do_not(repository: Repository, call: Call) -> None:
    repository.configure(APP)
    repository.write({".dockerignore": ".git\n", ".github/workflows/images.yml": CLEAN})
    good = call("validate")
    assert good.code == 0, good.err
    assert "base-unpinned" in good.out
    assert "python:3.13-slim@sha256:" in good.out
    assert "0 errors, " in good.out

    repository.write({"Dockerfile": "FROM python:no-such-tag\nCOPY helo.txt /srv/\n"})
    bad = call("validate")
    assert bad.code != 0
    for part in ("Dockerfile:1", "base-missing", "Dockerfile:2", "copy-missing", "2 errors found before anything was"):
        assert part in bad.err
    assert "Traceback" not in bad.err

    sarif = json.loads(call("validate", "--format", "sarif", "--fail=false").out)
    assert sarif["version"] == "2.1.0"
    errors = {r["ruleId"] for r in sarif["runs"][0]["results"] if r["level"] == "error"}
    assert errors == {"base-missing", "copy-missing"}

    repository.write({".hadolint.yaml": "ignored: 7\n"})
    assert "hadolint could not do its work" in call("validate").err


def test_hadolints_own_configuration_is_honoured(repository: Repository, call: Call) -> None:
    repository.configure(APP)
    repository.write({".hadolint.yaml": "override: {error: [DL3059]}\nignored: [DL3025]\n"})
    repository.write({"Dockerfile": "FROM python:3.13-slim\nRUN true\nRUN false\nCMD python\n"})
    findings = json.loads(call("validate", "--offline", "--fail=false", "--format", "json").out)["findings"]
    rules = {(f["rule"], f["severity"]) for f in findings if f["rule"].startswith("hadolint/")}
    assert rules == {("hadolint/DL3059", "error")}


def test_a_missing_configuration_is_a_finding(tmp_path: Path, call: Call) -> None:
    done = call("validate", source=tmp_path)
    assert done.code != 0
    assert "deploy/images.yaml:1" in done.err
    assert "--config" in done.err


@pytest.mark.usefixtures("session")
async def test_without_the_linters_the_rest_is_found_all_the_same(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.configure(APP)
    repository.write({"Dockerfile": "FROM python:3.13-slim\nCOPY helo.txt /srv/\n"})
    monkeypatch.setattr("ci.validate.linting.PYTHON", "127.0.0.1:9/no-such-registry/python:3.13-slim")
    source = dag.host().directory(str(repository.path))
    for offline, severity in ((True, "warning"), (False, "error")):
        judged = await find_all(source, None, module="ci", offline=offline, which=Workflows.OWN)
        found = {f.rule: f.severity for f in judged.findings}
        assert found["linters-missing"] == severity
        assert found["copy-missing"] == "error"
        assert ("base-missing" in found) is False


@pytest.mark.usefixtures("session")
async def test_the_strictest_linters_have_nothing_to_say_of_this_repository() -> None:
    source = dag.host().directory(str(ROOT), include=[".github", "deploy/docker"])
    found = (ROOT / "deploy/docker").glob("Dockerfile.*")
    dockerfiles = sorted(str(path.relative_to(ROOT)) for path in found if path.suffix != ".dockerignore")
    workflows = sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".github/workflows").iterdir())
    assert parse_reports(await lint(await linters(), source, dockerfiles, workflows, persona="auditor")) == []


@pytest.mark.usefixtures("session")
async def test_the_linters_have_nothing_to_say_of_what_init_writes(tmp_path: Path) -> None:
    """Actionlint with shellcheck, and zizmor, of a workflow for one machine and of one for several."""
    text = (ROOT / WORKFLOW_FILE).read_text()
    hosted = [Machine(platform=platform, labels=labels) for platform, labels in HOSTED.items()]
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    for name, machines in (("one", hosted[:1]), ("several", hosted)):
        adapted = adapt_workflow(text, "github.com/drydock/drydock@v1", machines=machines)
        (folder / f"{name}.yml").write_text(adapted)
    source = dag.host().directory(str(tmp_path))
    workflows = [f".github/workflows/{name}.yml" for name in ("one", "several")]
    assert parse_reports(await lint(await linters(), source, [], workflows, persona="pedantic")) == []
