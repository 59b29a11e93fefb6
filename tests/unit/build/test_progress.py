"""What BuildKit's progress tells of a build, and of one that failed."""

import json
import re
from base64 import b64encode
from pathlib import Path

import pytest

from ci.build.progress import Progress, failure_of_build, read_progress
from ci.build.report import Report, render_json, render_markdown, render_table
from ci.config.parse import parse_config
from ci.config.plan import plan_build
from ci.core.model import Failure, Outcome

SAMPLES = Path(__file__).parent / "progress"
FILE = "deploy/docker/Dockerfile.backend"
RUN = "sha256:2e47d52c5955cfe848cec6c2e7e7fc6c014191b8ee5fd28f32a7e32f3d17d8b3"  # in noisy.txt
CONFIG = """
repository: ghcr.io/acme/{name}
images:
  - {name: a, dockerfile: D, platforms: [linux/amd64], smoke: none, smoke-reason: holds data only}
"""
NOWHERE, STAGE = "docker.io/library/no-such-image:9.9", "docker.io/library/nosuch:latest"
SECRET = "s3cr3t-value"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text()


def progress(name: str) -> Progress:
    return read_progress(sample(name))


def failure(name: str) -> Failure:
    return failure_of_build(sample(name), FILE)


def log(text: str, vertex: str = RUN) -> str:
    data = b64encode(text.encode()).decode()
    return f'{{"logs":[{{"vertex":"{vertex}","stream":1,"data":"{data}","timestamp":"2026-01-01T00:00:00Z"}}]}}\n'


def with_logs(text: str, *logs: str) -> str:
    """Put logs before the first one of a sample."""
    before, found, after = text.partition('{"logs"')
    return before + "".join(logs) + found + after


def test_steps_that_ran_are_told_from_cached_ones() -> None:
    assert (progress("cold").ran, progress("cold").cached) == (6, 0)
    assert (progress("imported").ran, progress("imported").cached) == (0, 6)
    assert (progress("no-cache-registry").ran, progress("no-cache-registry").cached) == (4, 2)


def test_a_step_has_its_name_and_seconds_and_a_base_is_none() -> None:
    steps = progress("cold").steps
    assert [step.name for step in steps] == [
        "[one 2/2] RUN echo one && sleep 1 && echo 1 > /one",
        "[two 2/3] RUN echo two && echo 2 > /two",
        "[two 3/3] COPY Dockerfile /d",
        "[stage-2 2/4] COPY --from=one /one /one",
        "[stage-2 3/4] COPY --from=two /two /two",
        "[stage-2 4/4] RUN cat /one /two",
    ]
    assert steps[0].seconds == pytest.approx(1.108, abs=0.001)
    assert all(step.digest.startswith("sha256:") and step.ran and not step.cached for step in steps)
    names = [step.name for step in progress("cold").internal]
    assert names[:2] == [
        "[internal] load build definition from Dockerfile",
        "[internal] load metadata for docker.io/library/python:3.13-slim",
    ]
    assert names[-2:] == ["exporting to oci image format", "exporting cache to registry"]


def test_a_vertex_that_began_three_times_took_the_sum() -> None:
    [base] = [step for step in progress("cold").internal if "FROM" in step.name]
    assert base.seconds == pytest.approx(1.566, abs=0.003)


def test_what_the_cache_took_and_where_it_came_from() -> None:
    warm = progress("imported")
    assert warm.cache_sources == ("registry:5001/cache:x",)
    assert warm.cache_errors == ()
    assert warm.import_seconds == pytest.approx(0.22, abs=0.01), "the list, and the layers of the last step"
    assert warm.cache_export_seconds == pytest.approx(0.135, abs=0.001)
    assert warm.export_seconds == pytest.approx(0.527, abs=0.001)


def test_a_cache_that_cannot_be_reached_is_told_and_fails_nothing() -> None:
    build = progress("no-cache-registry")
    assert build.cache_sources == ()
    read, written = build.cache_errors
    assert read.startswith("failed to configure registry cache importer")
    assert written.startswith("error writing layer blob")


def test_a_step_that_only_cached_ones_needed_counts_as_cached() -> None:
    never = json.dumps({"vertexes": [{"digest": "sha256:0", "name": "[one 1/2] RUN true"}]})
    assert (read_progress(f"{never}\n").ran, read_progress(f"{never}\n").cached) == (0, 1)


def test_warnings_are_told_once() -> None:
    assert len(progress("warnings").warnings) == 6
    assert read_progress(sample("warnings") * 2).warnings == progress("warnings").warnings
    assert "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV" in "\n".join(
        progress("warnings").warnings
    )


@pytest.mark.parametrize("at", [1, 100, 500, 1500])
def test_a_beginning_that_is_cut_off_is_passed_over(at: int) -> None:
    assert read_progress(sample("cold")[at:]).steps == progress("cold").steps
    assert failure_of_build(f"[omitting {at} bytes]...{sample('parallel')[at:]}", FILE).exit_code == 3


def test_a_failing_run_is_told_with_its_own_output_whatever_else_ran() -> None:
    command = 'echo "token is s3cr3t-value";     for i in 1 2 3 4 5; do echo "bad says $i"; sleep 0.3; done;     '
    found = failure("parallel")
    assert found.step.startswith('build: [bad 2/2] RUN echo "token is s3cr3t-value"; for i in 1 2 3')
    assert found.reason == f"{FILE}:4: the command failed with exit code 3"
    assert found.command == f'/bin/sh -c {command}echo "why it failed" >&2;     exit 3'
    assert found.exit_code == 3
    says = "\n".join(f"bad says {n}" for n in range(1, 6))
    assert found.stderr == f"token is s3cr3t-value\n{says}\nwhy it failed"


def test_a_heredoc_is_told_as_it_was_written() -> None:
    found = failure("heredoc")
    assert found.step == "build: [2/2] RUN <<EOF (echo one...)"
    assert (found.reason, found.exit_code) == (f"{FILE}:2: the command failed with exit code 9", 9)
    assert (found.command, found.stderr) == ("/bin/sh -c echo one\nfalse\necho two\nexit 9", "one\ntwo")


@pytest.mark.parametrize(
    ("name", "step", "reason"),
    [
        ("parse-error", "build", f"{FILE}:2: dockerfile parse error on line 2: ENV requires at least one argument"),
        (
            "unknown-flag",
            "build",
            f"{FILE}:2: dockerfile parse error on line 2: unknown flag: --chmodd (did you mean chmod?)",
        ),
        (
            "missing-source",
            "build: [3/3] COPY Dockerfile missing.txt /x/",
            f'{FILE}:3: failed to compute cache key: failed to calculate checksum: "/missing.txt": not found',
        ),
        (
            "unknown-base",
            "build",
            f"{FILE}:3: no-such-image:9.9: failed to resolve source metadata for {NOWHERE}: {NOWHERE}: not found",
        ),
        (
            "missing-secret",
            "build: [stage-0 2/2] RUN --mount=type=secret,id=token,required=true cat /run/secrets/token",
            f"{FILE}:2: secret token: not found",
        ),
        (
            "unknown-stage",
            "build",
            f"nosuch: failed to resolve source metadata for {STAGE}: {STAGE}: not found",
        ),
    ],
)
def test_a_refusal_is_told_in_the_words_of_buildkit(name: str, step: str, reason: str) -> None:
    assert failure(name) == Failure(step=step, reason=reason)


@pytest.mark.parametrize(
    "text", ["", "\n\n", "[omitting 9 bytes]...", "{", '{"vertexes":[]}', "sh: buildctl: not found"]
)
def test_whatever_stands_there_a_reason_is_given(text: str) -> None:
    found = failure_of_build(text, FILE)
    assert found.step == "build"
    assert found.reason in {"BuildKit gave no reason", text}


def test_a_daemon_that_is_not_there_is_told() -> None:
    found = failure_of_build("error: failed to list workers: Unavailable: connection error\n", FILE)
    assert found.reason == "failed to list workers: Unavailable: connection error"


def test_secrets_are_hidden_wherever_they_are() -> None:
    found = failure_of_build(sample("parallel"), FILE, [f"{SECRET}\n"])
    assert SECRET not in repr(found)
    assert (found.stderr or "").startswith("token is ***\n")
    assert "token is ***" in (found.command or "")
    assert SECRET not in repr(read_progress(sample("parallel"), [SECRET]))


def test_lines_of_a_key_are_hidden_when_only_some_were_printed() -> None:
    key = "-----BEGIN KEY-----\nfirst-line-of-it\nsecond-line-of-it\n-----END KEY-----\n"
    text = with_logs(sample("noisy"), log("second-line-of-it\r\n-----END KEY-----\r\nafter\r\n"))
    assert (failure_of_build(text, FILE, [key]).stderr or "").startswith("***\n***\nafter\n")


def test_no_secret_hides_nothing() -> None:
    assert failure_of_build(sample("parallel"), FILE, ["", "\n"]) == failure("parallel")


def test_a_report_of_noise_is_short_and_fit_for_any_page() -> None:
    text = with_logs(sample("noisy"), log("x" * 8_000_000), log("\x1b[31mred\x1b[0m\n" * 100_000))
    long = text.replace("RUN python /noisy.py", f"RUN {'python /noisy.py;' * 10_000}")
    found = failure_of_build(long.replace("-c python /noisy.py", f"-c {'python /noisy.py;' * 10_000}"), FILE)
    assert found.reason == f"{FILE}:3: the command failed with exit code 3"
    assert (found.stderr or "").splitlines()[-5:] == [
        "x" * 29,
        "red caf\ufffd \ufffd\ufffd",
        "50%",
        "100%",
        "the last line says why: disk full",
    ]
    plan = plan_build(parse_config(CONFIG, file="images.yaml"))
    [variant] = plan.variants
    report = Report(plan=plan, outcomes=(Outcome(variant=variant, build_seconds=1, failures=(found,)),), seconds=1)
    for page in (render_table(report), render_markdown(report), render_json(report)):
        assert len(page.encode()) < 50_000
        assert not re.search("[\x1b\u202e]", page)
