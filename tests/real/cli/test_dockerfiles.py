"""What BuildKit says of Dockerfiles, from the real BuildKit: mistakes planted one to an image, all read at once."""

from dataclasses import dataclass

import pytest
from dagger import dag

import ci.main
from ci.core.findings import Finding
from ci.validate.report import sort_findings
from ci.validate.run import find_all
from ci.validate.workflow import Workflows

from .conftest import Repository

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("session")]

assert ci.main.__doc__  # imported, the functions that workflows may call are known
CONFIG = "deploy/images.yaml"
GOOD = """\
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
ARG VERSION
ARG FOLDER=app
WORKDIR /srv
COPY ${FOLDER}/ app/
COPY requirements*.txt .
RUN --mount=type=secret,id=PIP_TOKEN pip install -r requirements.txt && echo "$VERSION"

FROM ${PYTHON_IMAGE} AS final
COPY --from=build /srv /srv
USER 10001:10001
HEALTHCHECK CMD ["python", "-c", "print()"]
ENTRYPOINT ["python", "-m", "app"]
"""
REFUSED, WARNING = "error buildkit/refused", "warning buildkit"


@dataclass(frozen=True)
class Mistake:
    """What is replaced in the Dockerfile, and the finding that must come of it: severity and rule, line, text."""

    old: str
    new: str
    rule: str
    line: int
    text: str


MISTAKES = [
    Mistake("WORKDIR", "WORKDRI", REFUSED, 5, "unknown instruction: WORKDRI (did you mean WORKDIR?)"),
    Mistake("WORKDIR /srv", "WORKDIR", REFUSED, 5, "WORKDIR requires exactly one argument"),
    Mistake("ARG PYTHON", "RUN true\nARG PYTHON", REFUSED, 1, "no build stage in current context"),
    Mistake(GOOD, "# nothing yet\n", REFUSED, 1, "file with no instructions"),
    Mistake("USER", "RUN cat <<EOF\nUSER", REFUSED, 12, "unterminated heredoc"),
    Mistake("ARG PYTHON", "# escape=/\nARG PYTHON", REFUSED, 1, "invalid escape token '/'"),
    Mistake("USER", "SHELL ['sh', '-c']\nUSER", REFUSED, 12, "requires the arguments to be in JSON form"),
    Mistake("USER", "HEALTHCHECK --interval=often CMD true\nUSER", REFUSED, 12, 'invalid duration "often"'),
    Mistake("USER", "EXPOSE http/x\nUSER", REFUSED, 12, "invalid port"),
    Mistake("USER", "COPY --chmod=u+q app /x\nUSER", REFUSED, 12, "invalid syntax"),
    Mistake("USER", "RUN --mount=type=volume true\nUSER", REFUSED, 12, 'unsupported mount type "volume"'),
    Mistake("USER", f"LABEL text={'x' * 65536}\nUSER", REFUSED, 12, "greater than max allowed size of 65535"),
    Mistake("USER", "COPY --from=$PYTHON_IMAGE /a /b\nUSER", REFUSED, 12, "variable expansion is not supported for"),
    Mistake(
        GOOD, GOOD.replace("--mount=type=secret,id=PIP_TOKEN ", "").replace("=build", "=2"), REFUSED, 11, "index 2"
    ),
    Mistake("--from=build", "--from=final", REFUSED, 11, "circular dependency detected on stage: final"),
    Mistake("--from=build", "--from=later", REFUSED, 11, 'cannot copy from stage "later"'),
    Mistake("FROM ${PYTHON_IMAGE} AS final", "FROM Scratch AS final", REFUSED, 10, "(library/Scratch) must be lower"),
    Mistake(
        "FROM ${PYTHON_IMAGE} AS build", "FROM Python:3 AS build", REFUSED, 2, "(library/Python) must be lowercase"
    ),
    Mistake("FROM ${PYTHON_IMAGE} AS final", "FROM ${PYTON} AS final", REFUSED, 10, "(${PYTON}) should not be blank"),
    Mistake(
        "FROM ${PYTHON_IMAGE} AS f",
        "FROM build AS build\nFROM build AS f",
        f"{WARNING}/DuplicateStageName",
        10,
        'Duplicate stage name "build"',
    ),
    Mistake("ARG FOLDER", "ENV API_TOKEN=x\nARG FOLDER", f"{WARNING}/SecretsUsedInArgOrEnv", 4, '(ENV "API_TOKEN")'),
    Mistake("} AS final", "} as final", f"{WARNING}/FromAsCasing", 10, "casing do not match"),
    Mistake(GOOD, f"# check=error=true\n{GOOD.replace(' AS f', ' as f')}", "error buildkit/FromAsCasing", 11, "casing"),
]


async def findings_of(repository: Repository, *, offline: bool) -> tuple[Finding, ...]:
    source = dag.host().directory(str(repository.path), no_cache=True)
    judged = await find_all(source, None, module="ci", offline=offline, which=Workflows.OWN)
    return sort_findings(judged.findings)


def image(name: str, *more: str, dockerfile: str = "Dockerfile") -> str:
    lines = [f"name: {name}", f"dockerfile: {dockerfile}", "platforms: [linux/amd64, linux/arm64]", *more]
    return "\n".join([*lines, "smoke: none", "smoke-reason: nothing is built here"])


def said(findings: tuple[Finding, ...], file: str) -> list[tuple[str, int]]:
    """List what BuildKit says of a file: severity and rule, line."""
    return [(f"{f.severity} {f.rule}", f.line) for f in findings if f.file == file and f.rule.startswith("buildkit/")]


async def test_what_buildkit_refuses_and_what_it_warns_of(repository: Repository) -> None:
    repository.write({f"Dockerfile.m{n}": GOOD.replace(m.old, m.new, 1) for n, m in enumerate(MISTAKES)})
    later = next(n for n, m in enumerate(MISTAKES) if m.new == "--from=later")
    with (repository.path / f"Dockerfile.m{later}").open("a") as text:
        text.write("FROM scratch AS later\n")
    target = ["target: final"]
    repository.write({"Dockerfile": GOOD})
    repository.configure(
        image("good", *target),
        image("misspelt", "target: finel"),
        image("numbered", 'target: "0"'),
        *(
            image(
                f"m{n}",
                *(target if " AS final" in GOOD.replace(m.old, m.new, 1) else ()),
                dockerfile=f"Dockerfile.m{n}",
            )
            for n, m in enumerate(MISTAKES)
        ),
    )
    findings = await findings_of(repository, offline=True)
    assert [f.message for f in findings if f.rule == "buildkit-missing"] == []
    assert said(findings, "Dockerfile") == []
    for number, mistake in enumerate(MISTAKES):
        file = f"Dockerfile.m{number}"
        assert (mistake.rule, mistake.line) in said(findings, file), mistake.new[:40]
        assert {line for _, line in said(findings, file)} == {mistake.line}
        found = next(f for f in findings if f.file == file and f"{f.severity} {f.rule}" == mistake.rule)
        assert mistake.text in found.message
        assert found.remedy
    targets = [f for f in findings if f.file == CONFIG and f.rule == "buildkit/refused"]
    lines = (repository.path / CONFIG).read_text().split("\n")
    assert [lines[f.line - 1].strip() for f in targets] == ["target: finel", 'target: "0"']
    assert 'target stage "finel" could not be found (did you mean final?)' in targets[0].message


@pytest.mark.parametrize("skip", ["skip=FromAsCasing", "skip=all;error=true"])
async def test_what_a_dockerfile_accepts_is_not_said(repository: Repository, skip: str) -> None:
    repository.write({"Dockerfile": f"# check={skip}\nFROM scratch as final\nCOPY hello.txt /\n"})
    repository.configure(image("app"))
    assert said(await findings_of(repository, offline=True), "Dockerfile") == []


async def test_a_dockerfile_that_only_hadolint_cannot_read_has_no_errors(repository: Repository) -> None:
    text = "FROM scratch\nCOPY hello.txt <<one.txt /data/\nfrom the Dockerfile\none.txt\n"
    repository.write({"Dockerfile": text, ".dockerignore": ".git\n"})
    repository.configure(image("app"))
    findings = await findings_of(repository, offline=True)
    assert [f for f in findings if f.severity == "error"] == []
    assert {f.rule: f.severity for f in findings}["hadolint/DL1000"] == "note"
    assert "context-unread" not in {f.rule for f in findings if "hello.txt" in f.message}


async def test_variables_come_from_base_images_and_are_left_out_without_them(repository: Repository) -> None:
    """One dead base is its own error, and takes no other check away."""
    repository.write({"Dockerfile": "FROM python:3.13-slim as a\nENV A=$TYPO PATH=/x:$PATH\n"})
    repository.configure(image("app"))
    undefined = ("warning buildkit/UndefinedVar", 2)
    casing = ("warning buildkit/FromAsCasing", 1)
    findings = await findings_of(repository, offline=False)
    assert said(findings, "Dockerfile") == [casing, undefined]
    assert ["$TYPO" in f.message for f in findings if f.rule == "buildkit/UndefinedVar"] == [True]

    findings = await findings_of(repository, offline=True)
    assert said(findings, "Dockerfile") == [casing]
    assert "buildkit-bases" in {f.rule for f in findings}

    digest = f"sha256:{'0' * 64}"
    repository.write(
        {"Dockerfile.pinned": f"FROM python:3.13-slim@{digest}\n", "Dockerfile.tag": "FROM python:no-tag\n"}
    )
    repository.configure(image("app"), *(image(n, dockerfile=f"Dockerfile.{n}") for n in ("pinned", "tag")))
    findings = await findings_of(repository, offline=False)
    assert said(findings, "Dockerfile") == [casing]
    missing = [(f.place, f.severity) for f in findings if f.rule == "base-missing"]
    assert missing == [("Dockerfile.pinned:1", "error"), ("Dockerfile.tag:1", "error")]
    assert {f.rule for f in findings if f.severity == "error"} == {"base-missing"}


async def test_contexts_links_and_other_frontends(repository: Repository) -> None:
    """Nothing of what only a build has is missing: images of the same run, folders, what a link leads to."""
    repository.write({"real/Dockerfile": "FROM base as a\nENV A=$B\nCOPY --from=files / /\n", "app/x": ""})
    (repository.path / "Dockerfile").unlink()
    (repository.path / "Dockerfile").symlink_to("real/Dockerfile")
    repository.write({"Dockerfile.base": "# syntax=docker/dockerfile:1\nFROM scratch as b\nCOPY hello.txt /\n"})
    repository.write({"Dockerfile.other": "# syntax=example.com/other:1\nFROM scratch as c\nCOPI\n"})
    repository.configure(
        image("base", dockerfile="Dockerfile.base"),
        image("app", "contexts: {base: 'target:base', files: app}"),
        image("other", dockerfile="Dockerfile.other"),
    )
    findings = await findings_of(repository, offline=True)
    assert said(findings, "real/Dockerfile") == [("warning buildkit/FromAsCasing", 1)]
    assert said(findings, "Dockerfile.base") == [("warning buildkit/FromAsCasing", 2)]
    other = {f.rule: f.severity for f in findings if f.file == "Dockerfile.other"}
    assert (other["buildkit-frontend"], other["dockerfile-syntax"]) == ("note", "error")


async def test_without_buildkit_what_can_be_read_is_found(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci.validate.buildkit.IMAGE", "127.0.0.1:9/no-such-registry/buildkit:v0")
    repository.write({"Dockerfile": "FROM python:3.13-slim\nCOPI helo.txt /srv/\nCOPY helo.txt /srv/\n"})
    repository.configure(image("app"))
    for offline, severity in ((True, "warning"), (False, "error")):
        findings = await findings_of(repository, offline=offline)
        found = {f.rule: (f.severity, f.line) for f in findings}
        assert found["buildkit-missing"] == (severity, 1)
        assert found["dockerfile-syntax"] == ("error", 2)
        assert found["copy-missing"] == ("error", 3)
