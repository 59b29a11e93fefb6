"""What BuildKit says of a build, as values: its steps and what they took, or why it failed.

`buildctl build --progress rawjson` writes a JSON object a line to stderr: vertexes, which are steps in BuildKit's
words, as often as their state changes, and what they print, in base64 and with the digest of their vertex. An error
is in no object but that of its vertex. The place in the Dockerfile and the sentence come as text behind the last
object; `core/buildkit.py` reads them.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from ci.build.excerpt import TURN
from ci.core.buildkit import place_of, sentence_of
from ci.core.model import BuildSteps, Failure
from ci.core.text import clean, last_lines

Locate = Callable[[str, int | None], int | None]

_MAX_NAME = 200  # characters of a step's name, which is a whole RUN
_MAX_REASON = 1000
_MAX_COMMAND = 2000
_NEVER = datetime.max.replace(tzinfo=UTC)
_MIN_SECRET_LINE = 8  # characters; what is shorter is found in any text

# `[stage 3/7] RUN ...`, with the platform before the stage where there are several. What comes before the first slash
# of a name such as `[internal] load build context` has no number.
_STEP = re.compile(r"\[(?:[^\]]* )?\d+/\d+\] (?P<instruction>\w+)")
_LOG = re.compile(
    r'"vertex":"(?P<vertex>sha256:[0-9a-f]{64})","stream":(?P<stream>[12]),"data":"(?P<data>[A-Za-z0-9+/]*={0,2})"'
)
_OUTPUT = re.compile(r"^output of (sha256:[0-9a-f]{64})\n", re.MULTILINE)  # in what EXCERPT leaves
_TURN = re.compile(f"\n?{TURN}")  # the one may have ended in the middle of a line
_IMPORT = "importing cache manifest from "
_EXPORT_CACHE = "exporting cache"
_EXPORT = "exporting to "

_PROCESS = re.compile(r'process "(?P<command>(?:[^"\\]|\\.)*)"')
_EXIT = re.compile(r"did not complete successfully: exit code: (?P<code>\d+)(?P<more>.*)", re.DOTALL)
_REFERENCE = re.compile(r" of ref \w+::\w+")  # names a mount of this session
_GO_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)")
_GO_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One vertex of a build: a step of the Dockerfile, or one that BuildKit adds."""

    name: str  # as BuildKit has it: "[stage 3/7] RUN make"
    digest: str
    cached: bool = False
    ran: bool = False  # to its end
    seconds: float = 0.0  # that it ran, or that its layers were fetched
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What a build did; the steps are in the order in which they began."""

    steps: tuple[Step, ...] = ()  # of the Dockerfile, but FROM
    internal: tuple[Step, ...] = ()  # all others: bases, contexts, cache, export
    warnings: tuple[str, ...] = ()

    @property
    def ran(self) -> int:
        """How many steps of the Dockerfile ran."""
        return sum(step.ran for step in self.steps)

    @property
    def cached(self) -> int:
        """How many steps of a build that succeeded did not run: BuildKit leaves out what only cached steps need."""
        return len(self.steps) - self.ran

    @property
    def cache_sources(self) -> tuple[str, ...]:
        """The references that a cache was read from."""
        return tuple(step.name.removeprefix(_IMPORT) for step in self._named(_IMPORT) if not step.error)

    @property
    def cache_errors(self) -> tuple[str, ...]:
        """Why a cache was not read or not written, in BuildKit's words; none of it fails a build."""
        return tuple(step.error for step in self._named(_IMPORT, _EXPORT_CACHE) if step.error)

    @property
    def import_seconds(self) -> float:
        """Seconds for reading the lists of caches and for fetching the layers of cached steps."""
        return _seconds(self._named(_IMPORT)) + _seconds(step for step in self.steps if step.cached)

    @property
    def cache_export_seconds(self) -> float:
        """Seconds for writing the cache."""
        return _seconds(self._named(_EXPORT_CACHE))

    @property
    def export_seconds(self) -> float:
        """Seconds for writing the image."""
        return _seconds(self._named(_EXPORT))

    @property
    def summary(self) -> BuildSteps:
        """What a report says of it."""
        return BuildSteps(
            total=len(self.steps),
            cached=self.cached,
            sources=self.cache_sources,
            import_seconds=self.import_seconds,
            export_seconds=self.cache_export_seconds,
            problems=self.cache_errors,
        )

    def _named(self, *starts: str) -> tuple[Step, ...]:
        return tuple(step for step in self.internal if step.name.startswith(starts))


def _seconds(steps: Iterable[Step]) -> float:
    return sum(step.seconds for step in steps)


@dataclass(slots=True)
class _Vertex:
    """What has been read of a vertex so far."""

    name: str = ""
    cached: bool = False
    error: str = ""
    runs: dict[datetime, datetime | None] = field(default_factory=dict)  # from, to: BuildKit enters some repeatedly


def read_progress(text: str | bytes, redact: Sequence[str] = ()) -> Progress:
    """Read what a build did from the progress that buildctl wrote.

    Args:
        text: the lines of `--progress rawjson`; what is no whole line is passed over.
        redact: secrets, which become *** wherever they are.

    """
    objects, _ = _split(_decode(text))
    show = _Redactor(redact)
    steps = [_step(digest, vertex, show) for digest, vertex in _by_start(_vertexes(objects))]
    return Progress(
        steps=tuple(step for step in steps if _is_of_dockerfile(step)),
        internal=tuple(step for step in steps if not _is_of_dockerfile(step)),
        warnings=tuple(dict.fromkeys(_warnings(objects, show))),
    )


def failure_of_build(
    text: str | bytes, dockerfile: str, redact: Sequence[str] = (), *, locate: Locate = lambda _, named: named
) -> Failure:
    """Say why a build failed.

    Args:
        text: what buildctl wrote to stderr with `--progress rawjson`, which may lack its beginning, or what EXCERPT
            leaves of it.
        dockerfile: path of the Dockerfile, as the user knows it; BuildKit names the file without its folder.
        redact: secrets, which become *** wherever they are.
        locate: finds the line of the Dockerfile, from BuildKit's sentence and the line that it names.

    """
    head, *rest = _OUTPUT.split(_decode(text))
    objects, words = _split(head)
    show = _Redactor(redact)
    sentence = sentence_of(words)
    digest, vertex = _culprit(_vertexes(objects), sentence)
    exited = _EXIT.search(sentence)
    process = _PROCESS.search(sentence) if exited else None
    reason = f"the command failed with exit code {exited['code']}{exited['more']}" if exited else sentence
    place = f"{dockerfile}:{line}: " if (line := locate(sentence, place_of(words))) else ""
    output = dict(zip(rest[::2], rest[1::2], strict=True)).get(digest) or _output(head, digest)
    output = _TURN.sub("\n", output)
    return Failure(
        step=f"build: {show.line(vertex.name, _MAX_NAME)}" if _STEP.match(vertex.name) else "build",
        reason=place + show.line(_REFERENCE.sub("", reason) or "BuildKit gave no reason", _MAX_REASON),
        command=show.text(_go_text(process["command"]), _MAX_COMMAND) if process else None,
        exit_code=int(exited["code"]) if exited else None,
        stderr=last_lines(show.hide(output)) or None,
    )


def _decode(text: str | bytes) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def _split(text: str) -> tuple[list[dict[str, Any]], str]:
    """Part BuildKit's objects from the text behind the last of them."""
    objects, rest = [], 0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.startswith("{"):
            continue
        try:
            objects.append(json.loads(line))
        except ValueError:
            continue
        rest = number
    return objects, "\n".join(lines[rest:])


def _vertexes(objects: Iterable[Mapping[str, Any]]) -> dict[str, _Vertex]:
    vertexes: dict[str, _Vertex] = {}
    for each in (each for status in objects for each in status.get("vertexes", ())):
        vertex = vertexes.setdefault(each["digest"], _Vertex())
        vertex.name = each.get("name", "") or vertex.name
        vertex.cached = vertex.cached or each.get("cached", False)
        vertex.error = each.get("error", "")
        if started := each.get("started"):
            completed = each.get("completed")
            vertex.runs[datetime.fromisoformat(started)] = completed and datetime.fromisoformat(completed)
    return vertexes


def _by_start(vertexes: Mapping[str, _Vertex]) -> list[tuple[str, _Vertex]]:
    """Put vertexes in the order in which they began; what never did comes last."""
    return sorted(vertexes.items(), key=lambda item: min(item[1].runs, default=_NEVER))


def _is_of_dockerfile(step: Step) -> bool:
    """Tell what the Dockerfile has BuildKit do; a base is looked up, not run."""
    found = _STEP.match(step.name)
    return found is not None and found["instruction"].upper() != "FROM"


def _step(digest: str, vertex: _Vertex, show: _Redactor) -> Step:
    ended = {start: end for start, end in vertex.runs.items() if end}
    return Step(
        name=show.line(vertex.name, _MAX_NAME),
        digest=digest,
        cached=vertex.cached,
        ran=bool(ended) and not vertex.cached and not vertex.error,
        seconds=sum((end - start).total_seconds() for start, end in ended.items()),
        error=show.line(vertex.error, _MAX_REASON),
    )


def _warnings(objects: Iterable[Mapping[str, Any]], show: _Redactor) -> Iterator[str]:
    for each in (each for status in objects for each in status.get("warnings", ())):
        yield show.line(b64decode(each.get("short", "")).decode(errors="replace"), _MAX_REASON)


def _culprit(vertexes: Mapping[str, _Vertex], sentence: str) -> tuple[str, _Vertex]:
    """Find the vertex that the sentence is about: it ends with its error, where it is not shortened."""
    failed = [item for item in vertexes.items() if item[1].error and "context canceled" not in item[1].error]
    about = [item for item in failed if sentence.endswith(item[1].error.strip())]
    steps = [item for item in failed if _STEP.match(item[1].name)]
    return next(iter(about or steps), ("", _Vertex()))


def _output(text: str, digest: str) -> str:
    """Join what a vertex printed, on both streams, in the order in which it came."""
    logs = (found for found in _LOG.finditer(text) if found["vertex"] == digest)
    turns = groupby(logs, key=itemgetter("stream"))
    parts = (b"".join(b64decode(log["data"]) for log in turn) for _, turn in turns)
    return TURN.encode().join(parts).decode(errors="replace")


def _go_text(quoted: str) -> str:
    """Undo what Go's %q does to a command."""

    def plain(found: re.Match[str]) -> str:
        letter = found[1]
        return chr(int(letter[1:], 16)) if len(letter) > 1 else _GO_LETTERS.get(letter, letter)

    return _GO_ESCAPE.sub(plain, quoted)


class _Redactor:
    """Makes texts fit to be shown, without secrets."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Hide each secret, and each line of one: only a part of a key may have been printed."""
        lines = {line.strip() for secret in secrets for line in secret.splitlines()}
        parts = {secret.strip() for secret in secrets} | {line for line in lines if len(line) >= _MIN_SECRET_LINE}
        longest_first = sorted(parts - {""}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def hide(self, text: str) -> str:
        """Put *** in place of each secret."""
        return self._secrets.sub("***", text) if self._secrets else text

    def text(self, text: str, limit: int) -> str:
        """Hide secrets and what a terminal would obey, and cut what is longer than `limit` characters."""
        text = clean(self.hide(text)).strip()
        return text if len(text) <= limit else f"{text[:limit]}..."

    def line(self, text: str, limit: int) -> str:
        """Do the same, and set it on one line."""
        return self.text(" ".join(self.hide(text).split()), limit)
