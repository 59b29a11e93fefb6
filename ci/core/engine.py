"""What all rooms ask of the engine: bounded parallel work, named and timed steps, and errors that a user can read."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio
import dagger
from dagger.mod._exceptions import FunctionError
from opentelemetry import trace

from ci.core.buildkit import IMAGE, MISSING_BASE
from ci.core.errors import BuildError, DrydockError
from ci.core.model import Failure, Stage
from ci.core.sdk import share_converters
from ci.core.text import last_lines
from ci.core.timeline import Row

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K")

# Holds what Drydock itself runs beside an image or over a source. Any Python will do.
PYTHON = "python:3.13-slim"
# Installs pinned packages there; the requirements follow.
PIP = (
    "python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --require-hashes --no-deps "
    "--only-binary=:all: -r"
).split()

_tracer = trace.get_tracer("drydock")

# Dagger prints an error as "<class>: <text>", a class of the builtins without its module; it logs no traceback
# for a FunctionError.
_Shown = type("drydock", (FunctionError,), {"__module__": "builtins", "__doc__": "An error as the CLI shows it."})

# What the engine says to itself: object identifiers in base64, digests of calls, identifiers of traces.
_NOISE = re.compile(
    r"(failed to load container from converted ID: )?load \w+@[A-Za-z0-9+/_-]{16,}={0,2}: "
    r"|load xxh3:[0-9a-f]+: |inputs: |\s*\[traceparent:[0-9a-f-]+\]|[A-Za-z0-9+/_-]{120,}={0,2}"
)
_MAX_REASON = 600
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}  # of machines, by the kernel's


@contextmanager
def readable() -> Iterator[None]:
    """Let an error leave a function as one text, without traceback, groups or encoded identifiers."""
    share_converters()  # here begins every function
    try:
        yield
    except (DrydockError, dagger.DaggerError, ExceptionGroup) as error:
        text = explain(error)
        if text is None:
            raise
        raise _Shown(text) from None


def explain(error: BaseException) -> str | None:
    """Say what an error means to a user, in one text; None where it is a defect of this module."""
    cause = first_error(error)
    if isinstance(cause, DrydockError):
        return str(cause)
    if isinstance(cause, dagger.DaggerError):
        return f"the engine refused: {_sentence(cause)}"
    return None


def with_variables(container: dagger.Container, variables: Mapping[str, str]) -> dagger.Container:
    """Give a container variables, in their order."""
    for name, value in variables.items():
        container = container.with_env_variable(name, value)
    return container


async def missing_base(reference: str) -> str:
    """Say what an engine has to say of a base image that it does not find; nothing on most engines.

    One whose images come from a mirror has a stand-in of BuildKit's image, with the sentence in a label.
    """
    sentence = await _stand_in_says()
    name = reference.removeprefix("docker.io/").removeprefix("library/")  # as a FROM has it
    return f". {sentence.replace('{reference}', name)}" if sentence else ""


async def as_served(reference: str) -> str:
    """Write a reference as this engine finds it: where a stand-in has its name, the digest is not the genuine one's."""
    return reference.partition("@")[0] if await _stand_in_says() else reference


async def _stand_in_says() -> str | None:
    try:
        return await dagger.dag.container().from_(IMAGE).label(MISSING_BASE)
    except dagger.DaggerError:
        return None


def failure_of(error: BaseException, step: str) -> Failure:
    """Say what failed: the command, its exit code and its last lines where there was one."""
    error = first_error(error)
    if isinstance(error, BuildError):
        return error.failure
    if isinstance(error, dagger.ExecError):
        return Failure(
            step=step,
            reason=f"the command failed with exit code {error.exit_code}",
            command=shlex.join(error.command),
            exit_code=error.exit_code,
            stderr=last_lines(error.stderr or error.stdout),
        )
    return Failure(step=step, reason=_sentence(error))


def _sentence(error: BaseException) -> str:
    text = _NOISE.sub("", str(error)).strip() or type(error).__name__
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]} ..."


def first_error(error: BaseException) -> BaseException:
    """Return the first error inside nested groups, which the engine's client wraps around its own."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show a step, such as "backend@linux/arm64 smoke", for as long as it lasts."""
    with _tracer.start_as_current_span(name):
        yield


@dataclass(slots=True)
class Remark:
    """What is said of a stage once it is over."""

    detail: str = ""
    ok: bool = True


class Stopwatch:
    """Notes what is done for each variant and image of a run, and when."""

    def __init__(self) -> None:
        """Begin now."""
        self.began = time.time()
        self._start = time.monotonic()  # lasts are measured by it: clocks are set
        self._stages: dict[str, list[Stage]] = {}

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self._start

    @contextmanager
    def step(self, label: str, name: str, *, title: str = "") -> Iterator[Remark]:
        """Show a step for as long as it lasts, and note when that was; one that raises has failed.

        Args:
            label: what it is done for: a variant, or a word for several.
            name: of the stage.
            title: how it is shown; label and name otherwise.

        """
        start, remark = self.seconds, Remark()
        try:
            with step(title or f"{label} {name}"):
                yield remark
        except BaseException:
            remark.ok = False
            raise
        finally:
            self._add(label, name, start, remark)

    def so_far(self, label: str, name: str) -> None:
        """Note all that was done until now as one stage."""
        self._add(label, name, 0.0, Remark())

    def stages(self, label: str) -> tuple[Stage, ...]:
        """List what was done under a label, by when it was over."""
        return tuple(self._stages.get(label, ()))

    def lasted(self, label: str, name: str) -> float:
        """Return how many seconds the stages of a name took together."""
        return sum(stage.seconds for stage in self.stages(label) if stage.name == name)

    def rows(self) -> tuple[Row, ...]:
        """List what was done, by when the first of each label was over."""
        return tuple(Row(label=label, stages=tuple(stages)) for label, stages in self._stages.items())

    def _add(self, label: str, name: str, start: float, remark: Remark) -> None:
        stage = Stage(
            name=name,
            began=self.began + start,
            seconds=self.seconds - start,
            detail=remark.detail,
            ok=remark.ok,
        )
        self._stages.setdefault(label, []).append(stage)


def engine_platform() -> str:
    """Return the platform of the engine, such as "linux/amd64": a function runs in one of its containers."""
    machine = os.uname().machine
    return f"linux/{_GO_NAMES.get(machine, machine)}"


async def fan_out(items: Sequence[T], work: Callable[[T], Awaitable[R]], *, limit: int) -> tuple[R, ...]:
    """Work on all items, at most `limit` at a time; return the results in the order of the items.

    `work` reports failure by what it returns: an exception would cancel its neighbours.
    """
    limiter = anyio.CapacityLimiter(limit)
    results: dict[int, R] = {}

    async def one(index: int, item: T) -> None:
        async with limiter:
            results[index] = await work(item)

    async with anyio.create_task_group() as group:
        for index, item in enumerate(items):
            group.start_soon(one, index, item)
    return tuple(results[index] for index in range(len(items)))


async def gather(
    items: Mapping[K, T], work: Callable[[T], Awaitable[R]], *, limit: int
) -> tuple[dict[K, R], dict[K, DrydockError]]:
    """Work on all items, at most `limit` at a time; return what came of each, and what went wrong with the others.

    Args:
        items: by the names that the results will have.
        work: reports failure by raising a DrydockError; any other exception ends all of it.
        limit: how many at a time.

    """
    results: dict[K, R] = {}
    errors: dict[K, DrydockError] = {}

    async def one(name: K) -> None:
        try:
            results[name] = await work(items[name])
        except DrydockError as error:
            errors[name] = error

    await fan_out(tuple(items), one, limit=limit)
    return (
        {name: results[name] for name in items if name in results},
        {name: errors[name] for name in items if name in errors},
    )
