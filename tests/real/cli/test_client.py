"""The pipeline in client mode on the real engine: real Dockerfiles, real containers, real failures."""

from pathlib import Path

import pytest
from dagger import dag

from ci.build.pipeline import Builder, build_all
from ci.build.report import Report
from ci.config.paths import PathKind
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.errors import ConfigError

from .conftest import Repository

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

BOTH = "[linux/amd64, linux/arm64]"
SMOKE = """\
smoke:
  - name: greets
    run: [python, -c, "print('hi')"]
    stdout: {equals: hi}
"""


async def build(path: Path, *, parallel: int = 4) -> Report:
    source = dag.host().directory(str(path))
    plan = plan_build(await read_config(source, None))
    return (await build_all(plan, Builder(source=source, parallel=parallel))).report


async def test_every_kind_of_check_passes_on_both_platforms(repository: Repository) -> None:
    repository.configure(f"""
name: server
dockerfile: Dockerfile
platforms: {BOTH}
budget: 200MB
smoke:
  - run: [python, -c, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"]
    exit: 3
    stdout: {{equals: out}}
    stderr: {{contains: err, excludes: [Traceback]}}
  - http: {{port: 8000, path: /hello.txt, body: {{equals: hello}}, deadline: 60s}}
  - http: {{port: 8000, path: /nowhere, status: 404, deadline: 60s}}
  - file: {{path: /srv/hello.txt, mode: "0644", content: {{matches: "^h.llo$"}}}}
  - file: {{path: /srv/nothing, exists: false}}
  - config:
      user: "10001:10001"
      entrypoint: [python, -m, http.server, "8000"]
      env: {{GREETING: hello}}
      labels: {{org.opencontainers.image.title: server}}
      ports: [8000]
      healthcheck: true
  - config: {{architecture: arm64}}
    platforms: [linux/arm64]
  - run: [python, -c, "import platform; print(platform.machine())"]
    platforms: [linux/arm64]
    stdout: {{equals: aarch64}}
title: server
""")
    report = await build(repository.path)
    assert [(str(o.variant), o.failures) for o in report.outcomes] == [
        ("server@linux/amd64", ()),
        ("server@linux/arm64", ()),
    ]
    assert [(o.smoke_passed, o.smoke_total) for o in report.outcomes] == [(6, 6), (8, 8)]
    assert all(o.size and 10_000_000 < o.size < 200_000_000 for o in report.outcomes)


async def test_each_kind_of_check_fails_with_expected_and_actual(repository: Repository) -> None:
    repository.configure("""
name: server
dockerfile: Dockerfile
platforms: [linux/amd64]
budget: 1kB
smoke:
  - {name: code, run: [python, -c, "import sys; sys.stderr.write('why'); sys.exit(7)"]}
  - {name: text, run: [echo, nothing], stdout: {contains: "yes"}}
  - {name: slow, run: [sleep, "60"], deadline: 2s}
  - {name: absent, run: [no-such-command]}
  - {name: status, http: {port: 8000, path: /nowhere, deadline: 6s}}
  - {name: port, http: {port: 8001, deadline: 4s}}
  - {name: missing, file: {path: /srv/nothing}}
  - {name: mode, file: {path: /srv/hello.txt, mode: "0600"}}
  - {name: content, file: {path: /srv/hello.txt, content: {equals: bye}}}
  - {name: config, config: {user: root, healthcheck: false, ports: [9000], architecture: arm64}}
""")
    (outcome,) = (await build(repository.path)).outcomes
    reasons = {f.step.removeprefix("smoke: "): f.reason for f in outcome.failures}
    assert reasons["code"] == "expected exit code 0, got 7"
    assert reasons["text"] == "expected stdout to contain 'yes', got 'nothing'"
    assert reasons["slow"] == "did not end within 2 s"
    assert "no-such-command" in reasons["absent"] or "got 1" in reasons["absent"]
    assert reasons["status"].startswith("GET http://localhost:8000/nowhere: expected status 200, got 404")
    assert "within 6 s" in reasons["status"]
    assert reasons["port"] == "nothing listened on port 8001 within 4 s"
    assert reasons["missing"] == "expected /srv/nothing to exist, and it does not"
    assert reasons["mode"] == "expected /srv/hello.txt to have mode 0600, it has 0644"
    assert reasons["content"] == "expected /srv/hello.txt to equal 'bye', got 'hello'"
    for part in (
        "user 'root', got '10001:10001'",
        "architecture 'arm64', got 'amd64'",
        "['9000/tcp'], got ['8000/tcp']",
    ):
        assert part in reasons["config"]
    assert "more than the budget of 1000" in reasons["budget"]
    by_step = {f.step: f for f in outcome.failures}
    assert by_step["smoke: code"].exit_code == 7
    assert by_step["smoke: code"].stderr == "why"
    assert outcome.smoke_passed == 0


@pytest.mark.parametrize(
    ("dockerfile", "platform", "expected"),
    [
        pytest.param("FROM python:3.13-slim\nRUN echo boom >&2; exit 3\n", "linux/amd64", "exit code 3", id="command"),
        pytest.param("FROM no-such-image:1\nRUN true\n", "linux/amd64", "no-such-image:1: not found", id="base"),
        pytest.param(
            "FROM python:3.13-slim\nRUNN true\n",
            "linux/amd64",
            "line 2: unknown instruction: RUNN",
            id="syntax",
        ),
        pytest.param("FROM python:3.13-slim\nCOPY nope /x\n", "linux/amd64", '"/nope": not found', id="copy"),
        pytest.param("FROM python:3.13-slim\nRUN true\n", "linux/s390x", "platform", id="platform"),
    ],
)
async def test_a_broken_build_names_its_cause_and_stops_nobody_else(
    repository: Repository, dockerfile: str, platform: str, expected: str
) -> None:
    repository.write({"Dockerfile.bad": dockerfile})
    repository.configure(
        f"name: bad\ndockerfile: Dockerfile.bad\nplatforms: [{platform}]\n{SMOKE}",
        f"name: good\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\n{SMOKE}",
    )
    bad, good = (await build(repository.path)).outcomes
    assert good.ok
    (failure,) = bad.failures
    assert failure.step.startswith("build")
    assert expected in failure.reason
    assert "xxh3" not in failure.reason
    assert len(failure.reason) < 700
    if expected == "exit code 3":
        assert failure.stderr == "boom"
        assert failure.command is not None
        assert "echo boom" in failure.command


async def test_http_needs_nothing_in_the_image(repository: Repository) -> None:
    """An image of one static binary: no shell, no curl, no Python."""
    repository.write(
        {
            "Dockerfile.scratch": """\
FROM python:3.13-slim AS tools
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends busybox-static
FROM scratch
COPY --from=tools /bin/busybox /busybox
COPY hello.txt /www/hello.txt
USER 10001:10001
ENTRYPOINT ["/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
        }
    )
    repository.configure("""
name: tiny
dockerfile: Dockerfile.scratch
platforms: [linux/amd64]
smoke: [{http: {port: 8080, path: /hello.txt, body: {contains: hello}, deadline: 30s}}]
""")
    (outcome,) = (await build(repository.path)).outcomes
    assert outcome.failures == ()


async def test_an_image_that_ends_instead_of_serving_says_so(repository: Repository) -> None:
    repository.write(
        {"Dockerfile": 'FROM python:3.13-slim\nENTRYPOINT ["python", "-c", "import sys; sys.exit(\'no settings\')"]\n'}
    )
    repository.configure("""
name: ends
dockerfile: Dockerfile
platforms: [linux/amd64]
smoke: [{http: {port: 8000, deadline: 10s}}]
""")
    (outcome,) = (await build(repository.path)).outcomes
    (failure,) = outcome.failures
    assert "ended" in failure.reason
    assert failure.exit_code == 1
    assert failure.stderr == "no settings"


async def test_paths_are_looked_at_in_the_source(repository: Repository) -> None:
    repository.configure(
        f"name: one\ndockerfile: Dockerfil\nplatforms: [linux/amd64]\n{SMOKE}",
        f"name: two\ndockerfile: outside\nplatforms: [linux/amd64]\n{SMOKE}",
        f"name: three\ndockerfile: Dockerfile\ncontext: hello.txt\nplatforms: [linux/amd64]\n{SMOKE}",
    )
    (repository.path / "outside").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError) as raised:
        await build(repository.path)
    assert [p.key for p in raised.value.findings] == [
        "images[0].dockerfile",
        "images[1].dockerfile",
        "images[2].context",
    ]
    assert PathKind.OUTSIDE  # the kind that the second stands for


async def test_what_dockerignore_excludes_is_not_in_the_context(repository: Repository) -> None:
    repository.write(
        {
            ".dockerignore": "secret.txt\n",
            "secret.txt": "no",
            "Dockerfile": "FROM python:3.13-slim\nCOPY . /srv/\nRUN ls -A /srv > /listing\n",
        }
    )
    repository.configure("""
name: all
dockerfile: Dockerfile
platforms: [linux/amd64]
smoke:
  - file: {path: /srv/secret.txt, exists: false}
  - file: {path: /srv/hello.txt}
  - file: {path: /listing, content: {equals: ".dockerignore\\nDockerfile\\ndeploy\\nhello.txt"}}
  - file: {path: /srv/Dockerfile, content: {contains: "FROM python:3.13-slim\\n"}}
""")
    (outcome,) = (await build(repository.path)).outcomes
    assert outcome.failures == ()


async def test_a_dockerfile_may_lie_outside_its_context(repository: Repository) -> None:
    dockerfile = "FROM python:3.13-slim\nCOPY . /app\nRUN ls -A /app > /listing\n"
    ignored = {"docker/Dockerfile.app.dockerignore": "b.txt\n", "app/.dockerignore": "a.txt\n"}
    repository.write({"docker/Dockerfile.app": dockerfile, "app/a.txt": "a", "app/b.txt": "b", **ignored})
    repository.configure("""
name: app
dockerfile: docker/Dockerfile.app
context: app
platforms: [linux/amd64]
smoke: [{file: {path: /listing, content: {equals: ".dockerignore\\na.txt"}}}]
""")
    (outcome,) = (await build(repository.path)).outcomes
    assert outcome.failures == ()


async def test_a_dockerfile_that_is_no_text_is_named(repository: Repository) -> None:
    (repository.path / "Dockerfile").write_bytes(b"FROM python:3.13-slim\n# caf\xe9\n")
    repository.configure(f"name: one\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\n{SMOKE}")
    (outcome,) = (await build(repository.path)).outcomes
    assert [str(failure.reason) for failure in outcome.failures] == ["Dockerfile is not UTF-8; save it as UTF-8"]


async def test_a_pattern_that_nobody_can_read_lets_nothing_through(repository: Repository) -> None:
    repository.write({"Dockerfile": "FROM python:3.13-slim\nCOPY . /x\n", ".dockerignore": "*.md\n[secret\n"})
    repository.configure(f"name: one\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\n{SMOKE}")
    (outcome,) = (await build(repository.path)).outcomes
    assert [str(failure.reason) for failure in outcome.failures] == [".dockerignore:2: '[secret' is no pattern"]


async def test_a_cross_building_stage_runs_on_the_engines_own_platform(repository: Repository) -> None:
    repository.write(
        {
            "Dockerfile": """\
FROM --platform=$BUILDPLATFORM python:3.13-slim AS build
ARG TARGETARCH
RUN echo "$(uname -m) for $TARGETARCH" > /built
FROM python:3.13-slim
COPY --from=build /built /built
"""
        }
    )
    repository.configure("""
name: cross
dockerfile: Dockerfile
platforms: [linux/arm64]
smoke:
  - file: {path: /built, content: {equals: x86_64 for arm64}}
  - run: [uname, -m]
    stdout: {equals: aarch64}
""")
    (outcome,) = (await build(repository.path)).outcomes
    assert outcome.failures == ()


async def test_an_image_from_scratch_is_of_its_platform_and_keeps_its_configuration(repository: Repository) -> None:
    """The engine by itself gives such images its own platform."""
    repository.write(
        {
            "Dockerfile": "FROM scratch\nCOPY hello.txt /hello.txt\nENV GREETING=hello\nUSER 10001:10001\n"
            'WORKDIR /srv\nEXPOSE 8000\nEXPOSE 53/udp\nHEALTHCHECK --interval=7s CMD ["/check", "me"]\n'
            'ENTRYPOINT ["/serve"]\nCMD ["--all"]\n'
        }
    )
    repository.configure(f"""
name: bare
dockerfile: Dockerfile
platforms: {BOTH}
smoke:
  - config:
      user: "10001:10001"
      entrypoint: [/serve]
      env: {{GREETING: hello}}
      ports: [8000, 53/udp]
      healthcheck: true
  - config: {{architecture: arm64}}
    platforms: [linux/arm64]
  - config: {{architecture: amd64}}
    platforms: [linux/amd64]
  - file: {{path: /hello.txt, content: {{equals: hello}}}}
""")
    report = await build(repository.path)
    assert [o.failures for o in report.outcomes] == [(), ()]


async def test_a_change_that_no_build_sees_makes_nothing_run_again(repository: Repository) -> None:
    """What is asked of a built container is answered from before, as long as what it was built from is the same."""
    repository.write({".dockerignore": "*\n!hello.txt\n", "other.txt": "one"})
    repository.configure(f"name: one\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\n{SMOKE}")

    async def moment() -> str:
        source = dag.host().directory(str(repository.path), no_cache=True)
        plan = plan_build(await read_config(source, None))
        built = await build_all(plan, Builder(source=source, parallel=1))
        assert built.report.ok
        return (
            await dag.container()
            .import_(built.images["one@linux/amd64"].archive)
            .with_exec(["date", "+%s%N"], use_entrypoint=False)
            .stdout()
        )

    first = await moment()
    repository.write({"other.txt": "two"})
    assert await moment() == first
    repository.write({"hello.txt": "changed"})
    assert await moment() != first


async def test_a_check_that_failed_runs_again(repository: Repository) -> None:
    """What passed is kept by the engine; what failed may have been the weather."""
    repository.write({"Dockerfile": "FROM python:3.13-slim\n"})
    repository.configure("""
name: app
dockerfile: Dockerfile
platforms: [linux/amd64]
smoke:
  - name: weather
    run: [sh, -c, 'cat /proc/sys/kernel/random/uuid; exit 3']
""")
    found = [(await build(repository.path)).outcomes[0].failures[0] for _ in range(2)]
    assert [failure.exit_code for failure in found] == [3, 3]
    assert found[0].stderr != found[1].stderr
