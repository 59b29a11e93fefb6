"""What BuildKit builds, drydock builds; what it refuses, is refused with its sentence: cases from public reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dagger import dag

from ci.build.report import render_json, render_markdown, render_table

from .building import build, failures, only_failure, read_configuration
from .conftest import Call, Repository

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

BASE = "FROM python:3.13-slim\n"
SECRET = "planted-value-4711"
SHORT = 50_000  # characters of a report


@dataclass(frozen=True, kw_only=True)
class Case:
    dockerfile: str
    image: str = "smoke: [{file: {path: /x, exists: false}}]"  # what its configuration says besides
    platform: str = "linux/amd64"
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, repository: Repository) -> None:
        repository.write({**self.files, "Dockerfile": self.dockerfile})
        repository.configure(f"name: app\ndockerfile: Dockerfile\nplatforms: [{self.platform}]\n{self.image}")


ACCEPTED = {
    "a frontend's name through a mirror": Case(
        dockerfile="# syntax=mirror.test/docker/dockerfile:1.7\nFROM scratch\nCOPY hello.txt /\n",
        image="smoke: [{file: {path: /hello.txt}}]",
    ),
    "a proxy that RUN sees and the image does not keep": Case(
        dockerfile=f'{BASE}RUN echo "$HTTP_PROXY" > /proxy\n',
        image='build-args: {HTTP_PROXY: "http://proxy.invalid:3128"}\nsmoke:\n'
        '  - file: {path: /proxy, content: {equals: "http://proxy.invalid:3128"}}\n'
        "  - run: [python, -c, \"import os, sys; sys.exit('HTTP_PROXY' in os.environ)\"]\n",
    ),
    "a heredoc among the files of a COPY": Case(
        dockerfile="FROM scratch\nCOPY a.txt <<one.txt b.txt /data/\nfrom the Dockerfile\none.txt\n",
        image="smoke:\n"
        "  - file: {path: /data/a.txt, content: {equals: a}}\n"
        "  - file: {path: /data/b.txt, content: {equals: b}}\n"
        "  - file: {path: /data/one.txt, content: {equals: from the Dockerfile}}\n",
        files={"a.txt": "a", "b.txt": "b"},
    ),
    "a heredoc with a space before its word": Case(
        dockerfile=f"{BASE}RUN cat >> /made << 'END'\nhello $THERE\nEND\n",
        image="smoke: [{file: {path: /made, content: {equals: hello $THERE}}}]",
    ),
    "a cache of another user": Case(
        dockerfile=f"{BASE}RUN mkdir /srv/work && chown 10001:10001 /srv /srv/work\nUSER 10001:10001\n"
        "RUN --mount=type=cache,target=/srv/cache,uid=10001,gid=10001,mode=0750 "
        "touch /srv/cache/probe && stat -c '%u:%g %a' /srv/cache > /srv/owner\n",
        image='smoke: [{file: {path: /srv/owner, content: {equals: "10001:10001 750"}}}]',
    ),
    "an ignore file whose slashes mean nothing": Case(
        dockerfile="FROM scratch\nCOPY . /ctx/\n",
        image="smoke: [{file: {path: /ctx/hello.txt}}, {file: {path: /ctx/foo/bar.txt, exists: false}}]",
        files={".dockerignore": "/\n/foo/bar.txt/\n", "foo/bar.txt": "no"},
    ),
    "a port of SCTP": Case(
        dockerfile="FROM scratch\nCOPY hello.txt /\nEXPOSE 9899/sctp 53/udp 80\n",
        image="smoke: [{config: {ports: [9899/sctp, 53/udp, 80]}}]",
    ),
    "the builder's own platform": Case(
        dockerfile="FROM --platform=$BUILDPLATFORM python:3.13-slim AS build\n"
        "ARG BUILDPLATFORM BUILDOS BUILDARCH TARGETPLATFORM\n"
        'RUN echo "$BUILDPLATFORM $BUILDOS $BUILDARCH $TARGETPLATFORM $(uname -m)" > /built\n'
        f"{BASE}ARG BUILDARCH TARGETARCH\n"
        'COPY --from=build /built /built\nRUN echo "$BUILDARCH $TARGETARCH $(uname -m)" > /here\n',
        image="smoke:\n"
        "  - file: {path: /built, content: {equals: linux/amd64 linux amd64 linux/arm64 x86_64}}\n"
        "  - file: {path: /here, content: {equals: amd64 arm64 aarch64}}\n",
        platform="linux/arm64",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_what_buildkit_builds_is_built(name: str, repository: Repository) -> None:
    ACCEPTED[name].write(repository)
    assert failures(await build(repository.path)) == {f"app@{ACCEPTED[name].platform}": ()}


async def test_a_mode_may_be_written_in_letters(repository: Repository) -> None:
    Case(
        dockerfile="# syntax=docker/dockerfile:1-labs\nFROM scratch\nCOPY --chmod=u=rwX,go=rX srv /srv\n",
        image='smoke: [{file: {path: /srv/run.sh, mode: "0755"}}, {file: {path: /srv/data.txt, mode: "0644"}}]',
        files={"srv/run.sh": "", "srv/data.txt": ""},
    ).write(repository)
    (repository.path / "srv/run.sh").chmod(0o700)
    (repository.path / "srv/data.txt").chmod(0o600)
    assert failures(await build(repository.path)) == {"app@linux/amd64": ()}


REFUSED = {
    "a variable for a stage": (
        "ARG TOOLS=python:3.13-slim\nFROM scratch\nCOPY --from=$TOOLS /etc/os-release /\n",
        "",  # BuildKit names no line
        "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope",
    ),
    "a number of a stage in a mount": (
        f"{BASE}RUN echo made > /made\n{BASE}RUN --mount=from=0,source=/made,target=/made cp /made /kept\n",
        "",  # nor here
        "docker.io/library/0:latest: not found",
    ),
    "a line of 70 kB": (
        f'FROM scratch\nLABEL notes="{"0123456789" * 7000}"\nCOPY hello.txt /\n',
        "Dockerfile:2: ",
        "dockerfile line greater than max allowed size of 65535",
    ),
    "a file that is not there beside a heredoc": (
        "FROM scratch\nCOPY gone.txt <<one.txt /data/\nfrom the Dockerfile\none.txt\n",
        "Dockerfile:2: ",
        '"/gone.txt": not found',
    ),
    "a frontend that cannot be had": (
        "# syntax=frontend.invalid/other:1\nFROM scratch\nCOPY hello.txt /\n",
        "Dockerfile:1: ",
        "failed to resolve source metadata for frontend.invalid/other:1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_buildkit_refuses_is_refused_with_its_sentence_and_the_line(
    name: str, repository: Repository
) -> None:
    dockerfile, place, sentence = REFUSED[name]
    Case(dockerfile=dockerfile).write(repository)
    built = await build(repository.path)
    failure = only_failure(built)
    assert failure.step.startswith("build")
    assert failure.reason.startswith(place)
    assert sentence in failure.reason
    assert all(len(render(built.report)) < SHORT / 10 for render in (render_table, render_markdown, render_json))


async def test_an_argument_is_no_variable_of_the_image(repository: Repository, tmp_path: Path) -> None:
    names = ("BUILD_NOTE", "DEBIAN_FRONTEND", "REVISION", "TARGETARCH")
    Case(
        dockerfile=f"{BASE}ARG BUILD_NOTE=only-while-building\nARG DEBIAN_FRONTEND=noninteractive\nARG REVISION\n"
        'ARG TARGETARCH\nRUN test "$BUILD_NOTE" = only-while-building && test -n "$TARGETARCH"\nUSER 10001\n',
        image="smoke:\n"
        "  - run: [python, -c, \"import os, sys; sys.exit(bool({'BUILD_NOTE', 'DEBIAN_FRONTEND', 'REVISION', "
        "'TARGETARCH'} & os.environ.keys()))\"]\n",
    ).write(repository)
    built = await build(repository.path)
    assert failures(built) == {"app@linux/amd64": ()}
    config = await read_configuration(built.images["app@linux/amd64"], tmp_path)
    assert not [variable for variable in config["config"]["Env"] if variable.partition("=")[0] in names]


async def test_an_image_from_scratch_keeps_its_whole_configuration_on_a_foreign_platform(
    repository: Repository, tmp_path: Path
) -> None:
    Case(
        dockerfile="FROM scratch\nCOPY hello.txt /\nEXPOSE 9899/sctp\nSTOPSIGNAL SIGUSR1\nVOLUME /data /logs\n"
        'SHELL ["/bin/other", "-c"]\nONBUILD COPY . /app\n',
        platform="linux/arm64",
    ).write(repository)
    built = await build(repository.path)
    assert failures(built) == {"app@linux/arm64": ()}
    found = await read_configuration(built.images["app@linux/arm64"], tmp_path)
    assert (found["os"], found["architecture"]) == ("linux", "arm64")
    config = found["config"]
    assert config["ExposedPorts"] == {"9899/sctp": {}}
    assert config["StopSignal"] == "SIGUSR1"
    assert config["Volumes"] == {"/data": {}, "/logs": {}}
    assert config["Shell"] == ["/bin/other", "-c"]
    assert config["OnBuild"] == ["COPY . /app"]


async def test_the_time_of_an_image_may_be_given(repository: Repository, tmp_path: Path) -> None:
    Case(
        dockerfile="FROM scratch\nWORKDIR /srv\nCOPY hello.txt /\n",
        image='build-args: {SOURCE_DATE_EPOCH: "1700000000"}\nsmoke: [{file: {path: /hello.txt}}]',
    ).write(repository)
    built = await build(repository.path)
    assert failures(built) == {"app@linux/amd64": ()}
    config = await read_configuration(built.images["app@linux/amd64"], tmp_path)
    assert {config["created"], *(entry["created"] for entry in config["history"])} == {"2023-11-14T22:13:20Z"}


async def test_a_secret_is_nowhere_when_the_checks_run(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "PIP_TOKEN").write_text(SECRET)
    Case(
        dockerfile=f"{BASE}RUN --mount=type=secret,id=PIP_TOKEN,required=true test -s /run/secrets/PIP_TOKEN\n"
        "RUN --mount=type=secret,id=PIP_TOKEN,target=/kept-by-mistake test -s /kept-by-mistake\n"
        'RUN --mount=type=secret,id=PIP_TOKEN,env=PIP_TOKEN test -n "$PIP_TOKEN"\n',
        image="secrets: [PIP_TOKEN]\nsmoke:\n"
        "  - run: [sh, -c, 'test ! -s /run/secrets/PIP_TOKEN && test ! -s /kept-by-mistake']\n"
        "  - run: [sh, -c, 'test -z \"$PIP_TOKEN\"']\n"
        "  - {run: [python, -c, \"import sys; sys.exit(not open('/kept-by-mistake').read())\"], exit: 1}\n",
    ).write(repository)
    built = await build(repository.path, secrets=[dag.secret(f"file://{tmp_path}/PIP_TOKEN")])
    assert failures(built) == {"app@linux/amd64": ()}
    assert SECRET not in render_json(built.report)


def test_a_step_that_prints_a_secret_and_fails_shows_it_to_nobody(
    repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TOKEN", SECRET)
    Case(
        dockerfile=f"{BASE}RUN --mount=type=secret,id=PIP_TOKEN,env=PIP_TOKEN "
        'echo "the token is $PIP_TOKEN"; echo "again: $PIP_TOKEN" >&2; exit 4\n',
        image="secrets: [PIP_TOKEN]\nsmoke: [{run: [python, --version]}]",
    ).write(repository)
    done = call("build-all", "--secrets", "env:PIP_TOKEN", flags=("--progress=plain", "-vvv"))
    assert done.code == 1
    assert "the command failed with exit code 4" in done.err
    assert "the token is ***" in done.err
    assert SECRET not in done.out + done.err


NOISY = """\
import os, sys
os.write(1, b'x' * 8_000_000 + b'\\n')
os.write(2, b'\\x1b]0;title\\x07\\x1b[31mred\\x1b[0m caf\\xe9 \\xff\\xfe\\r50%\\r100%\\n')
os.write(2, 'the last line says why: \\u202edisk\\u202c full\\n'.encode())
sys.exit(3)
"""


async def test_eight_megabytes_on_one_line_hurt_nobody(repository: Repository) -> None:
    Case(dockerfile=f"{BASE}COPY noisy.py /\nRUN python /noisy.py\n", files={"noisy.py": NOISY}).write(repository)
    built = await build(repository.path)
    failure = only_failure(built)
    assert failure.reason == "Dockerfile:3: the command failed with exit code 3"
    assert failure.exit_code == 3
    assert failure.stderr
    lines = failure.stderr.splitlines()
    assert "the last line says why: disk full" in lines[-2:]  # nobody knows which of two streams came first
    assert any(line.startswith("red caf") for line in lines)
    assert json.loads(render_json(built.report))["variants"][0]["failures"][0]["exit_code"] == 3
    for render in (render_table, render_markdown, render_json):
        text = render(built.report)
        assert len(text.encode(errors="strict")) < SHORT
        assert not [sign for sign in ("\x1b", "\u202e", "\\u001b", "\\u202e") if sign in text]
