"""The module through the real `dagger call`: what a user types, sees, and gets as exit status."""

import json
import re
from pathlib import Path

import pytest

from .conftest import ROOT, Call, Repository

pytestmark = pytest.mark.timeout(900)

SMOKE = "smoke: [{name: greets, run: [python, -c, \"print('hi')\"], stdout: {equals: hi}}]"
IMAGE = f"name: backend\ndockerfile: Dockerfile\nplatforms: [linux/amd64, linux/arm64]\n{SMOKE}"
NOISE = re.compile(r"Traceback|[A-Za-z0-9+/]{200,}")


def test_build_all_prints_the_report_and_exits_zero(repository: Repository, call: Call) -> None:
    repository.configure(IMAGE)
    done = call("build-all")
    assert done.code == 0, done.err
    assert "backend@linux/amd64" in done.out
    assert "backend@linux/arm64" in done.out
    assert "1/1" in done.out


def test_json_is_the_same_as_data(repository: Repository, call: Call) -> None:
    repository.configure(IMAGE)
    done = call("build-all", "--format", "json", "--platforms", "linux/amd64")
    data = json.loads(done.out)
    assert done.code == 0
    assert data["ok"] is True
    assert [v["variant"] for v in data["variants"]] == ["backend@linux/amd64"]


def test_plan_lists_without_building(repository: Repository, call: Call) -> None:
    repository.write({"Dockerfile": "FROM no-such-image:1\n"})
    repository.configure(IMAGE)
    done = call("plan")
    assert done.code == 0, done.err
    assert "backend@linux/arm64" in done.out


def test_a_broken_smoke_check_fails_and_says_what_was_expected_and_what_came(
    repository: Repository, call: Call
) -> None:
    repository.configure(IMAGE.replace("equals: hi", "equals: bye"))
    done = call("build-all")
    assert done.code != 0
    for part in ("backend@linux/arm64", "greets", "expected stdout to equal 'bye'", "got 'hi'"):
        assert part in done.err
    assert not NOISE.search(done.err)


def test_a_broken_dockerfile_fails_with_command_code_and_stderr(repository: Repository, call: Call) -> None:
    repository.write({"Dockerfile": "FROM python:3.13-slim\nRUN echo boom >&2; exit 3\n"})
    repository.configure(IMAGE)
    done = call("build-all", "--format", "json", flags=("--silent",))
    assert done.code != 0
    text = done.err[done.err.index("{") : done.err.rindex("}") + 1]
    data = json.loads(text)
    assert data["ok"] is False
    failure = data["variants"][0]["failures"][0]
    assert failure["exit_code"] == 3
    assert "boom" in failure["stderr"]


def test_every_mistake_of_the_configuration_is_shown_at_once(repository: Repository, call: Call) -> None:
    repository.configure(IMAGE.replace("linux/arm64", "linux/arm46").replace("dockerfile:", "dokcerfile:"))
    done = call("build-all")
    assert done.code != 0
    for part in ("deploy/images.yaml:", "dokcerfile", "'dockerfile'", "linux/arm46", "'linux/arm64'"):
        assert part in done.err
    assert not NOISE.search(done.err)


def test_a_selection_that_selects_nothing_fails(repository: Repository, call: Call) -> None:
    repository.configure(IMAGE)
    done = call("build-all", "--only", "bakend")
    assert done.code != 0
    assert "bakend" in done.err
    assert "'backend'" in done.err


def test_another_configuration_file_can_be_named(repository: Repository, call: Call) -> None:
    repository.configure(IMAGE)
    (repository.path / "deploy/images.yaml").rename(repository.path / "images.yml")
    assert call("plan").code != 0
    assert call("--config", "images.yml", "plan").code == 0


def test_build_secrets_reach_the_build_by_name_and_nothing_else(
    repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_TOKEN", "planted-value-91731")
    repository.write(
        {
            "Dockerfile": "FROM python:3.13-slim\n"
            "RUN --mount=type=secret,id=APP_TOKEN sha256sum /run/secrets/APP_TOKEN | grep ^1e02a09b5422e607\n"
        }
    )
    repository.configure(f"name: app\ndockerfile: Dockerfile\nplatforms: [linux/amd64]\nsecrets: [APP_TOKEN]\n{SMOKE}")
    missing = call("build-all")
    assert missing.code != 0
    assert "--secrets env:APP_TOKEN" in missing.err
    given = call("build-all", "--secrets", "env:APP_TOKEN", flags=("--progress=plain", "-vvv"))
    assert given.code == 0, given.err
    assert "planted-value-91731" not in given.out + given.err


def test_one_variant_of_the_reference_images(call: Call) -> None:
    done = call("build-all", "--only", "backend", "--platforms", "linux/arm64", "--format", "json", source=ROOT)
    assert done.code == 0, done.err
    assert [v["variant"] for v in json.loads(done.out)["variants"]] == ["backend@linux/arm64"]


def test_the_five_reference_variants(call: Call) -> None:
    done = call("build-all", "--format", "json", source=ROOT)
    assert done.code == 0, done.err
    data = json.loads(done.out)
    assert {v["variant"] for v in data["variants"]} == {
        "backend@linux/amd64",
        "backend@linux/arm64",
        "worker-cpu@linux/amd64",
        "worker-cpu@linux/arm64",
        "worker-gpu@linux/amd64",
    }
    assert all(v["smoke"]["passed"] == v["smoke"]["total"] > 0 for v in data["variants"])


def test_a_module_can_be_loaded_from_any_folder(tmp_path: Path, call: Call) -> None:
    done = call("--help", source=tmp_path)
    assert done.code == 0
    assert "build-all" in done.out
