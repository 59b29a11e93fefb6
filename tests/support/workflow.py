"""Reads the workflow, and runs a job of it here as GitHub's runner and its actions would, as far as a shell goes."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # a YAML document

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".github/workflows/images.yml"
DAGGER, ATTEST, CHECKOUT = "dagger/dagger-for-github", "actions/attest", "actions/checkout"
UPLOAD, DOWNLOAD = "actions/upload-artifact", "actions/download-artifact"

Step = dict[str, Any]

_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
_HASHED = re.compile(r"hashFiles\('([^']+)'\) != ''")
_SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]  # what `shell: bash` means
_LIMIT = 300  # seconds of a step


def load(text: str) -> dict[str, Any]:
    """Read a workflow; YAML 1.1 takes the key `on` for a truth."""
    workflow: dict[Any, Any] = yaml.safe_load(text)
    if True in workflow:
        workflow["on"] = workflow.pop(True)
    return workflow


def action_of(step: Step) -> str:
    """Name the action of a step, without its version; nothing for a run line."""
    return str(step.get("uses", "")).partition("@")[0]


def arguments_of(step: Step) -> str:
    """Write a step's arguments as dagger-for-github 8.4.1 does before bash reads them as a part of its command line.

    Its action.yml puts them between single quotes once, and joins the lines.
    """
    text = str(step["with"]["args"])
    assert "'" not in text, "a single quote ends the text that the action makes of its arguments"
    return text.replace("\\\n", " ").replace("\n", " ")


def dagger_steps(workflow: Mapping[str, Any]) -> Iterator[tuple[str, Step]]:
    """List the steps that call Dagger, with their job's name."""
    for name, job in workflow["jobs"].items():
        for step in job["steps"]:
            if action_of(step) == DAGGER:
                yield name, step


@dataclass(frozen=True, kw_only=True)
class StepResult:
    name: str
    code: int
    log: str


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What became of a job: its steps up to the first that failed, and what they left behind."""

    steps: tuple[StepResult, ...]
    attested: tuple[str, ...]  # the lines of the file that the attesting action was given
    checksums: tuple[str, ...]  # those of the file that the last call left
    summary: str

    @property
    def ok(self) -> bool:
        return all(step.code == 0 for step in self.steps)

    @property
    def log(self) -> str:
        return "\n".join(f"{step.name}: exit {step.code}\n{step.log}" for step in self.steps)


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A stand-in for GitHub's runner, at work in one checkout."""

    checkout: Path
    summary: Path
    artifacts: Path  # what jobs keep for each other: a folder for each name
    variables: Mapping[str, str]  # GITHUB_… of the run
    context: Mapping[str, str]  # what expressions name
    options: str = ""  # more options of the module, for a registry on this host
    attest: Callable[[Sequence[str]], None] = lambda _lines: None  # what the attesting action does
    left_out: Collection[str] = ()  # names of steps, to save time

    def run(self, job: Mapping[str, Any]) -> JobResult:
        """Run a job's steps until one fails."""
        results: list[StepResult] = []
        attested: tuple[str, ...] = ()
        for step in job["steps"]:
            if step["name"] in self.left_out or not self._wanted(step.get("if")):
                continue
            if action_of(step) == ATTEST:
                attested = tuple((self.checkout / step["with"]["subject-checksums"]).read_text().splitlines())
                self.attest(attested)
            if action_of(step) in (CHECKOUT, ATTEST, UPLOAD, DOWNLOAD):
                self._carry(step)
                continue
            result = self._step(step)
            results.append(result)
            if result.code:
                break
        text = self.summary.read_text() if self.summary.exists() else ""
        left = self.checkout / "drydock/checksums.txt"
        checksums = tuple(left.read_text().splitlines()) if left.exists() else ()
        return JobResult(steps=tuple(results), attested=attested, checksums=checksums, summary=text)

    def wants(self, job: Mapping[str, Any]) -> bool:
        """Tell whether the condition of a job holds."""
        return self._wanted(job.get("if"))

    def _wanted(self, condition: str | None) -> bool:
        if condition is None:
            return True
        if whole := _EXPRESSION.fullmatch(condition):
            condition = whole[1].removeprefix("!cancelled() && ")
        if hashed := _HASHED.fullmatch(condition):
            return (self.checkout / hashed[1]).is_file()
        for operator, holds in ((" || ", any), (" && ", all)):
            if operator in condition:
                return holds(self._wanted(part) for part in condition.split(operator))
        compared = re.fullmatch(r"([a-z_.]+) (==|!=) '([^']*)'", condition)
        assert compared, f"a condition that this runner does not know: {condition}"
        return (self.context[compared[1]] == compared[3]) is (compared[2] == "==")

    def _carry(self, step: Step) -> None:
        """Keep a folder under a name, or fetch all folders whose names a pattern matches."""
        given = {name: self._filled(str(value)) for name, value in step.get("with", {}).items()}
        if action_of(step) == UPLOAD:
            target = self.artifacts / given["name"]
            assert given["overwrite"] == "True" or not target.exists(), f"{target} is there"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(self.checkout / given["path"], target)
        elif action_of(step) == CHECKOUT:  # nothing is there but what git knows
            subprocess.run(["git", "clean", "-ffdxq"], cwd=self.checkout, check=True, timeout=_LIMIT)
        elif action_of(step) == DOWNLOAD:
            for folder in sorted(self.artifacts.glob(given["pattern"])):
                shutil.copytree(folder, self.checkout / given["path"] / folder.name, dirs_exist_ok=True)

    def _step(self, step: Step) -> StepResult:
        script = self._dagger(step) if action_of(step) == DAGGER else str(step["run"])
        assert "${{" not in script, "a value of an event would become a part of a script"
        done = subprocess.run(
            [*_SHELL, script],
            cwd=self.checkout,
            env={**os.environ, **self.variables, **self._env(step), "GITHUB_STEP_SUMMARY": str(self.summary)},
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return StepResult(name=step["name"], code=done.returncode, log=done.stdout + done.stderr)

    def _env(self, step: Step) -> dict[str, str]:
        return {name: self._filled(str(value)) for name, value in step.get("env", {}).items()}

    def _filled(self, text: str) -> str:
        return _EXPRESSION.sub(lambda found: self.context[found[1]], text)

    def _dagger(self, step: Step) -> str:
        arguments = arguments_of(step)
        head, export, path = arguments.rpartition(" export ")
        assert export, arguments
        return f"dagger --progress plain call -m {ROOT} {self.options} {head} export {path}"
