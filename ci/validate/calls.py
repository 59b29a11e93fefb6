"""Finds the calls of `dagger` in a workflow: in the commands of its steps, and in the inputs of Dagger's own action."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

ACTION, CHECKOUT = "dagger/dagger-for-github", "actions/checkout"
UNKNOWN = "\0"  # stands in a word for what only the run can know
_BREAK = "\1"  # stands for the end of a line that does not end the command
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_FROM_MATRIX = re.compile(r"\bmatrix\.([\w-]+)")
_BRACES = re.compile(r"\$\{[^{}]*\}")
_NAME = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?!$-])")
_BACKTICKS = re.compile(r"`[^`]*`", re.DOTALL)
_SEPARATORS = ";|&()<>\n"
# Flags of the CLI itself that take a value; all others of its own take none.
_VALUED = frozenset(
    "--mod -m --output -o --progress --workdir --interactive-command --lock --x-release --allow-llm --cloud "
    "--env-file".split()
)
_PLAIN = frozenset(
    "--json -j --no-mod -M --eager-runtime --auto-apply -y --debug -d --interactive -i --no-exit -E --quiet -q -qq "
    "-qqq --silent -s --verbose -v -vv -vvv --web -w --help -h".split()
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One `dagger call` as a workflow writes it."""

    line: int
    module: str  # "" where none is named
    words: tuple[str, ...]  # flags and the function, without the CLI's own flags


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """One step that checks out."""

    line: int
    inputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a matrix says of one platform."""

    line: int
    platform: str
    labels: tuple[str, ...]  # of the runner; none where it is not said there


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """The steps of one job, and where they run."""

    calls: tuple[Call, ...]
    checkouts: tuple[Checkout, ...]
    scripts: str  # the commands of all steps
    line: int = 1  # of what says where it runs
    labels: tuple[str, ...] = ()  # of its runner; none where only the run can know
    entries: tuple[Entry, ...] = ()  # of its matrix, those that name a platform


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """What was read in a workflow."""

    calls: tuple[Call, ...] = ()
    jobs: tuple[Job, ...] = ()
    fault: str = ""  # why it is no YAML
    fault_line: int = 1


def read_workflow(text: str) -> Workflow:
    """Find every `dagger call` in a workflow or in a composite action."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        calls = tuple(_steps(root)) if root else ()
        jobs = tuple(_jobs(root)) if root else ()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        return Workflow(fault=problem.problem or "it cannot be read", fault_line=mark.line + 1 if mark else 1)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return Workflow(fault="it cannot be read")
    return Workflow(calls=calls, jobs=jobs)


def _steps(root: yaml.Node) -> Iterator[Call]:
    """Go over all mappings that are a step, each once, however often an alias names it."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            yield from _step(_fields(node))
            waiting += reversed([value for _, value in node.value])


def _jobs(root: yaml.Node) -> Iterator[Job]:
    for job in _fields(_fields(root).get("jobs")).values():
        place = _fields(job).get("runs-on")
        steps = _fields(job).get("steps")
        nodes = steps.value if isinstance(steps, yaml.SequenceNode) else []
        fields = [_fields(node) for node in nodes]
        uses = [(each, _fields(each.get("with"))) for each in fields if _uses(each) == CHECKOUT]
        yield Job(
            calls=tuple(call for each in fields for call in _step(each)),
            checkouts=tuple(
                Checkout(
                    line=each["uses"].start_mark.line + 1,
                    inputs={key: value.value for key, value in given.items() if isinstance(value, yaml.ScalarNode)},
                )
                for each, given in uses
            ),
            scripts="\n".join(run.value for each in fields if isinstance(run := each.get("run"), yaml.ScalarNode)),
            line=(place or job).start_mark.line + 1,
            labels=_labels(place),
            entries=tuple(_entries(job, place)),
        )


def _entries(job: yaml.Node, place: yaml.Node | None) -> Iterator[Entry]:
    """List what the matrix of a job says of platforms, with the runner that the job takes from it."""
    matrix = _fields(_fields(_fields(job).get("strategy")).get("matrix"))
    taken = _FROM_MATRIX.search(place.value) if isinstance(place, yaml.ScalarNode) else None
    for node in _items(matrix.get("include")):
        fields = _fields(node)
        if isinstance(platform := fields.get("platform"), yaml.ScalarNode):
            labels = _labels(fields.get(taken[1])) if taken else ()
            yield Entry(line=node.start_mark.line + 1, platform=platform.value, labels=labels)
    for node in _items(matrix.get("platform")):
        if isinstance(node, yaml.ScalarNode):
            yield Entry(line=node.start_mark.line + 1, platform=node.value, labels=())


def _labels(node: yaml.Node | None) -> tuple[str, ...]:
    """Read the labels of a runner; none where a run decides, or where it is a group."""
    nodes = [node] if isinstance(node, yaml.ScalarNode) else _items(node)
    labels = tuple(each.value for each in nodes if isinstance(each, yaml.ScalarNode))
    return () if any("${{" in label for label in labels) else labels


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _fields(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """List the values of a mapping by their keys; none of anything else."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return {key.value: value for key, value in pairs if isinstance(key, yaml.ScalarNode)}


def _uses(fields: Mapping[str, yaml.Node]) -> str:
    uses = fields.get("uses")
    return uses.value.partition("@")[0].lower() if isinstance(uses, yaml.ScalarNode) else ""


def _step(fields: Mapping[str, yaml.Node]) -> Iterator[Call]:
    run = fields.get("run")
    if isinstance(run, yaml.ScalarNode):
        yield from find_calls(run.value, _first_line(run))
    if _uses(fields) == ACTION:
        given = _fields(fields.get("with"))
        inputs = {key: value for key, value in given.items() if isinstance(value, yaml.ScalarNode)}
        text = inputs.get("args") or inputs.get("call")
        verb = inputs["verb"].value.strip() if "verb" in inputs else "call"
        if text and verb == "call":
            flags = inputs["dagger-flags"].value if "dagger-flags" in inputs else ""
            module = inputs["module"].value.strip() if "module" in inputs else ""
            front = f"dagger {' '.join(flags.split())} call "
            for call in find_calls(front + " ".join(text.value.split()), _first_line(text)):
                yield Call(line=call.line, module=call.module or module, words=call.words)


def _first_line(node: yaml.ScalarNode) -> int:
    line: int = node.start_mark.line + 1
    return line + 1 if node.style in ("|", ">") else line


def find_calls(script: str, first: int) -> tuple[Call, ...]:
    """Find every `dagger call` in a shell script whose first line has the number `first`."""
    masked = _masked(script)
    calls: list[Call] = []
    for number, command in _commands(masked):
        # What stands before, such as a variable's assignment, sudo or timeout, is passed over.
        start = next((n for n, word in enumerate(command) if word.rpartition("/")[2] == "dagger"), None)
        if start is not None and (call := _call(command[start + 1 :], first + number)):
            calls.append(call)
    return tuple(calls)


def _call(words: list[str], line: int) -> Call | None:
    """Part the words behind `dagger` into the CLI's own flags and what is for the module."""
    module = ""
    rest: list[str] = []
    verb = False
    at = 0
    while at < len(words):
        word = words[at]
        name, equals, value = word.partition("=")
        at += 1
        if name in _VALUED:
            if not equals and at < len(words):
                value = words[at]
                at += 1
            module = value if name in ("-m", "--mod") else module
        elif name in _PLAIN:
            continue
        elif not verb:
            if word != "call":
                return None  # another command of the CLI, or nothing that can be told
            verb = True
        else:
            rest.append(word)
    return Call(line=line, module=module, words=tuple(rest)) if verb else None


def _masked(script: str) -> str:
    """Replace what only the run can know, so that what is left are plain words and quotes."""
    text = script.replace(UNKNOWN, " ").replace(_BREAK, " ")
    text = _BACKTICKS.sub(_unknown, _EXPRESSION.sub(_unknown, text))
    text = _NAME.sub(_unknown, _BRACES.sub(_unknown, _substitutions(text)))
    return text.replace("\\\n", f" {_BREAK} ")


def _unknown(found: re.Match[str]) -> str:
    return UNKNOWN + _BREAK * found[0].count("\n")


def _substitutions(text: str) -> str:
    """Replace each $(command), also one inside another."""
    parts: list[str] = []
    at = 0
    while (start := text.find("$(", at)) >= 0:
        depth, end = 1, start + 2
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        parts += [text[at:start], UNKNOWN, _BREAK * text.count("\n", start, end)]
        at = end
    return "".join(parts) + text[at:]


def _commands(text: str) -> Iterator[tuple[int, list[str]]]:
    """Part a script into its simple commands: the number of lines before each, and its words."""
    reader = shlex.shlex(text, posix=True, punctuation_chars=_SEPARATORS)
    reader.whitespace = " \t\r"
    reader.whitespace_split = True
    reader.commenters = ""  # shlex would take the end of the line along
    command: list[str] = []
    line = seen = 0
    comment = redirected = False
    for word in _tokens(reader):
        seen += word.count("\n") + word.count(_BREAK)
        if word and set(word) <= set(_SEPARATORS):
            redirected = "<" in word or ">" in word
            if redirected and command and command[-1].isdecimal():
                command.pop()  # of 2>&1
            elif not redirected:
                if command:
                    yield line, command
                command = []
                comment = comment and "\n" not in word
            continue
        bare = word.replace(_BREAK, "")
        comment = comment or bare.startswith("#")
        if (bare or not word) and not comment and not redirected:
            line = line if command else seen
            command.append(bare)
        redirected = redirected and not bare
    if command:
        yield line, command


def _tokens(reader: shlex.shlex) -> Iterator[str]:
    """Give the words one by one, up to a quote that is not closed."""
    try:
        while (word := reader.get_token()) is not None:
            yield word
    except ValueError:
        return
