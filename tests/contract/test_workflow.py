"""The workflow is thin, safe and true: it names no image, grants little, and calls what the module has."""

import inspect
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagger.mod import default_module

import ci.main
from ci.config.parse import parse_config
from ci.core.model import Plan
from ci.core.names import repository_of, sha_tag
from ci.core.runners import list_machines
from ci.release.request import parse_tags
from tests.support.workflow import (
    ATTEST,
    CHECKOUT,
    DAGGER,
    DOWNLOAD,
    FILE,
    ROOT,
    UPLOAD,
    action_of,
    arguments_of,
    dagger_steps,
    load,
)

TEXT = FILE.read_text()
WORKFLOW = load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
CONFIG = parse_config((ROOT / "deploy/images.yaml").read_text(), file="deploy/images.yaml", kinds=None)
MODULE = default_module().get_object(ci.main.Ci.__name__)


CALL = "github --event push --ref x --default-branch main --revision r --created c"


def parameters(function: str) -> dict[str, tuple[bool, bool]]:
    """List a function's flags: whether each takes a value, and whether it is needed."""
    return {
        f"--{parameter.name.replace('_', '-')}": (parameter.resolved_type is not bool, not parameter.is_optional)
        for parameter in (MODULE.functions[function] if function else MODULE.get_constructor()).parameters.values()
    }


def take(words: list[str], flags: dict[str, tuple[bool, bool]]) -> Iterator[str]:
    """Take the leading flags off a command line, and name them; whatever the module does not have is an error."""
    while words and words[0].startswith("-"):
        flag, _, value = words.pop(0).partition("=")
        assert flag in flags, f"{flag} is not one of {', '.join(flags)}"
        if flags[flag][0] and not value:
            assert words, f"{flag} has no value"
            words.pop(0)
        yield flag


def check_call(arguments: str) -> None:
    """Read `dagger call`'s arguments as the CLI would: the constructor's, a function and its own, then its result's."""
    words = shlex.split(arguments)
    list(take(words, parameters("")))
    name = words.pop(0).replace("-", "_")
    assert name in MODULE.functions, f"the module has no function {name}"
    flags = parameters(name)
    given = list(take(words, flags))
    assert len(given) == len(set(given)), given
    missing = {flag for flag, (_, needed) in flags.items() if needed} - set(given)
    assert not missing, f"{name} needs {missing}"
    if words:
        verb = words.pop(0)
        method = getattr(MODULE.functions[name].return_type, verb, None)
        assert inspect.iscoroutinefunction(method), f"what {name} returns cannot {verb}"
        own = {
            f"--{key.replace('_', '-')}": ("bool" not in str(p.annotation), p.default is p.empty)
            for key, p in inspect.signature(method).parameters.items()
            if key != "self"
        }
        missing = {flag for flag, (_, needed) in own.items() if needed} - set(take(words, own))
        assert not missing, f"{verb} needs {missing}"
    assert not words, words


@pytest.mark.parametrize("step", [step for _, step in dagger_steps(WORKFLOW)], ids=lambda step: str(step["name"]))
def test_every_call_parses_against_the_modules_functions(step: dict[str, Any]) -> None:
    assert set(step["with"]) == {"version", "args"}
    check_call(arguments_of(step))


def test_each_job_calls_what_it_is_for() -> None:
    assert [name for name, _ in dagger_steps(WORKFLOW)] == ["check", "stage", "release", "release"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--sauce . github", "--sauce is not one of"),
        ("--source . githbu", "no function githbu"),
        ("github --event push", "github needs"),
        ("github --event push --event push", "--event"),
        (f"{CALL} --wipe", "--wipe is not one of"),
        (f"{CALL} import --path x", "cannot import"),
        (f"{CALL} export --path x --wype", "--wype is not one of"),
        (f"{CALL} export --wipe", "export needs"),
        (f"{CALL} export --path x y", "y"),
        ("plan extra", "cannot extra"),
        ("plan --revision", "--revision has no value"),
    ],
)
def test_a_call_that_does_not_fit_the_module_is_noticed(arguments: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_call(arguments)


def test_it_calls_the_version_that_the_tests_run() -> None:
    (tested,) = re.findall(r'^VERSION = "(.+)"', (ROOT / "deploy/engine/places.py").read_text(), re.MULTILINE)
    assert WORKFLOW["env"] == {"DAGGER_VERSION": tested}
    assert {step["with"]["version"] for _, step in dagger_steps(WORKFLOW)} == {"${{ env.DAGGER_VERSION }}"}


def test_the_triggers() -> None:
    assert WORKFLOW["on"] == {
        "pull_request": None,
        "merge_group": None,
        "push": {"branches": ["main", "master"], "tags": ["v*"]},
        "workflow_dispatch": None,
    }


def test_permissions_are_the_least_for_each_job() -> None:
    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "check": {"contents": "read"},
        "stage": {"contents": "read", "packages": "write"},
        "release": {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"},
    }


def test_a_pull_request_and_a_merge_queue_reach_no_secret_and_no_write_token() -> None:
    assert JOBS["check"]["if"] == "github.event_name == 'pull_request' || github.event_name == 'merge_group'"
    never = "github.event_name != 'pull_request' && github.event_name != 'merge_group'"
    assert JOBS["stage"]["if"] == never
    assert JOBS["release"]["if"] == f"${{{{ !cancelled() && {never} }}}}"
    for word in ("pull_request_target", "workflow_run", "secrets.", "head_ref", "secrets: inherit"):
        assert word not in TEXT
    assert "token" not in str(JOBS["check"]).lower()
    for job in JOBS.values():
        first = job["steps"][0]
        assert action_of(first) == CHECKOUT
        assert first["with"] == {"persist-credentials": False}  # of the event's own commit, whatever it is


def test_expressions_are_few_and_none_becomes_part_of_a_script() -> None:
    assert set(re.findall(r"\$\{\{ (.*?) \}\}", TEXT)) == {
        "github.event_name == 'pull_request' && github.ref || github.run_id",
        "github.event_name == 'pull_request'",
        "github.event.repository.default_branch",
        "github.event.base_ref",
        "github.event.release.prerelease",
        "github.event.repository.private",
        "github.token",
        "env.DAGGER_VERSION",
        "matrix.platform",
        "matrix.name",
        "matrix.runner",
        JOBS["release"]["if"][len("${{ ") : -len(" }}")],
    }
    for job in JOBS.values():
        for step in job["steps"]:
            given = {name: value for name, value in step.get("with", {}).items() if name not in ("version", "name")}
            assert "${{" not in str(step.get("run", "")) + str(given)


def test_every_action_is_pinned_to_a_commit_and_names_its_version() -> None:
    uses = re.findall(r"^ *(?:- )?uses: (.*)$", TEXT, re.MULTILINE)
    assert len(uses) == sum("uses" in step for job in JOBS.values() for step in job["steps"])
    for line in uses:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    assert len(set(uses)) == len({line.partition("@")[0] for line in uses})  # one version of each


def test_a_release_is_never_cancelled_and_every_job_ends() -> None:
    concurrency = WORKFLOW["concurrency"]
    assert concurrency["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    # A group of its own: one that waits in a group is cancelled by the next that joins it.
    assert "|| github.run_id }}" in concurrency["group"]
    for job in JOBS.values():
        assert "concurrency" not in job
        assert 0 < job["timeout-minutes"] <= 240
        assert "self-hosted" not in str(job)


@pytest.mark.parametrize("job", ["check", "stage"])
def test_each_platform_of_the_configuration_has_a_job_on_its_own_runner(job: str) -> None:
    strategy = JOBS[job]["strategy"]
    assert JOBS[job]["runs-on"] == "${{ matrix.runner }}"
    assert strategy["fail-fast"] is False
    assert strategy["matrix"]["include"] == [
        {"name": machine.name, "platform": machine.platform, "runner": machine.labels[0]}
        for machine in list_machines(CONFIG)
    ]


def test_a_job_that_failed_can_be_run_again_alone() -> None:
    """What each keeps has a name of its own, which a second attempt takes over, and is kept before the job fails."""
    steps = JOBS["stage"]["steps"]
    (upload,) = (step for step in steps if action_of(step) == UPLOAD)
    assert upload["with"] == {
        "name": "staged-${{ matrix.name }}",
        "path": "staged",
        "if-no-files-found": "error",
        "overwrite": True,
    }
    assert steps.index(upload) < steps.index(next(step for step in steps if "exit-code" in step.get("run", "")))
    (download,) = (step for step in JOBS["release"]["steps"] if action_of(step) == DOWNLOAD)
    assert download["with"] == {"pattern": "staged-*", "path": "staged"}
    assert JOBS["release"]["needs"] == "stage"


def test_what_is_attested_has_no_tag_yet_and_is_not_taken_on_trust() -> None:
    names = [step["name"] for step in JOBS["release"]["steps"]]
    (attest,) = (step for step in JOBS["release"]["steps"] if action_of(step) == ATTEST)
    at = names.index(attest["name"])
    before, after = JOBS["release"]["steps"][at - 1], JOBS["release"]["steps"][at + 1]
    assert " --prepare " in arguments_of(before)
    assert attest["with"] == {"subject-checksums": "prepared/checksums.txt"}
    assert attest["if"] == "hashFiles('prepared/checksums.txt') != ''"
    assert attest["continue-on-error"] is True
    assert " --prepare " not in arguments_of(after)
    assert ' --github-repository "$GITHUB_REPOSITORY" ' in arguments_of(after)


def test_what_is_released_says_which_run_has_built_it() -> None:
    """The address of the attempt: each is another run of the job. A check is released nowhere, and needs none."""
    run = "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID/attempts/$GITHUB_RUN_ATTEMPT"
    assert [name for name, step in dagger_steps(WORKFLOW) if f'--builder-id "{run}"' in arguments_of(step)] == ["stage"]


def test_the_yaml_decides_nothing() -> None:
    """Checkout, calls, and what shows their outcome; the calls of the jobs differ in login and phase alone."""
    shown = [[action_of(step) or step["run"] for step in job["steps"]] for job in JOBS.values()]
    room = JOBS["check"]["steps"][1]["run"]
    assert room.splitlines()[0] == "sudo rm -rf /usr/local/lib/android /usr/share/dotnet /opt/ghc"
    policy = json.loads(room.split("'")[1])["gc"]["policies"][0]
    assert policy == {"all": True, "reservedSpace": "5GB", "maxUsedSpace": "75%", "minFreeSpace": "2GB"}
    report = 'tee -a "$GITHUB_STEP_SUMMARY" < drydock/summary.md\nexit "$(cat drydock/exit-code)"\n'
    assert shown == [
        [CHECKOUT, room, DAGGER, report],
        [CHECKOUT, room, DAGGER, UPLOAD, report.replace("drydock/", "staged/")],
        [CHECKOUT, DOWNLOAD, DAGGER, ATTEST, DAGGER, UPLOAD, report],
    ]
    login, github = ' --username "$GITHUB_ACTOR" --password env:GITHUB_TOKEN', r" --(private|github-\w+|builder-id) \S+"
    calls = [re.sub(github, "", arguments_of(step).replace(login, "")) for _, step in dagger_steps(WORKFLOW)]
    stage, finish = ' --stage --platforms "$PLATFORM"', " --staged staged"
    assert all(phase in call for phase, call in zip((stage, stage, f"{finish} --prepare", finish), calls, strict=True))
    plain = {
        re.sub(rf"{re.escape(stage)}|{finish}( --prepare)?| export --path \w+ --wipe$", "", call) for call in calls
    }
    assert len(plain) == 1
    decisions = without_comments().replace(JOBS["check"]["if"], "").replace("&& github.ref || github.run_id", "")
    for word in ("||", "if [", "fromJSON", "needs."):
        assert word not in decisions


def test_images_platforms_and_dockerfiles_are_the_configurations() -> None:
    text = re.sub(r"(?m)^ +- \{name: .*\}$", "", without_comments())  # the matrices, which the test above holds to it
    platforms = {part for image in CONFIG.images for name in image.platforms for part in (name, name.partition("/")[2])}
    names = {image.name for image in CONFIG.images} | {image.dockerfile for image in CONFIG.images}
    for word in platforms | names | {"Dockerfile", "ghcr.io", "sha-", "latest"}:
        assert not re.search(rf"(?<![\w.]){re.escape(word)}", text), word


def without_comments() -> str:
    return re.sub(r"(?m)(^| )#.*$", "", TEXT)


def test_the_original_requirement_holds_through_the_configuration() -> None:
    plan = Plan(config=CONFIG, variants=(), revision="b40998e" + "0" * 33)
    assert {
        image.name: (image.dockerfile, image.platforms, repository_of(CONFIG.templates(image)[0], image, owner="Acme"))
        for image in CONFIG.images
    } == {
        "backend": ("deploy/docker/Dockerfile.backend", ("linux/amd64", "linux/arm64"), "ghcr.io/acme/backend"),
        "worker-cpu": (
            "deploy/docker/Dockerfile.worker-cpu",
            ("linux/amd64", "linux/arm64"),
            "ghcr.io/acme/worker-cpu",
        ),
        "worker-gpu": ("deploy/docker/Dockerfile.worker-gpu", ("linux/amd64",), "ghcr.io/acme/worker-gpu"),
    }
    assert plan.revision is not None
    assert (sha_tag(plan.revision), *parse_tags((), latest=True)) == ("sha-b40998e", "latest")
    assert all((ROOT / image.dockerfile).is_file() for image in CONFIG.images)


@pytest.mark.parametrize("persona", ["pedantic", "auditor"])
def test_zizmor_finds_nothing(persona: str, tmp_path: Path) -> None:
    zizmor = shutil.which("zizmor")
    assert zizmor, "no zizmor on PATH; run the tests by `make test`"
    done = subprocess.run(
        [zizmor, "--offline", "--no-progress", "--persona", persona, str(FILE)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout + done.stderr
