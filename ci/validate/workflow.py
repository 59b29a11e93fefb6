"""Checks the calls of this module in workflows against the functions and arguments that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from ci.core.errors import DrydockError
from ci.core.findings import Finding, error, warning
from ci.core.names import check_tag
from ci.core.text import nearest, show
from ci.validate.calls import UNKNOWN, Call, read_workflow
from ci.validate.surface import Function, Surface
from ci.validate.tree import Tree

NAME = "drydock"  # what an address of this module ends with
_NAMED = re.compile(rf"/{NAME}(?:\.git)?@")
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_ACTION = re.compile(r"(?:.*/)?action\.ya?ml")
_TAGS = ("tags", "tag", "from", "to")  # arguments that are tags


class Workflows(StrEnum):
    """Which workflows are looked at for their own sake."""

    OWN = "own"  # those that call this module: a release depends on them
    ALL = "all"


def is_workflow(file: str) -> bool:
    """Tell whether a file is a workflow or an action, and so nothing that an image is made of."""
    return bool(_WORKFLOW.fullmatch(file) or _ACTION.fullmatch(file))


def list_workflows(tree: Tree, surface: Surface, which: Workflows) -> tuple[str, ...]:
    """List the workflows to lint: those that call this module, or all of them."""
    files = sorted(path for path in tree.texts if _WORKFLOW.fullmatch(path))
    if which is Workflows.ALL:
        return tuple(files)
    return tuple(file for file in files if _calls(tree.text(file) or "", tree, surface))


def _calls(text: str, tree: Tree, surface: Surface) -> bool:
    """Tell whether a workflow calls this module, or would, if it were not for a mistake in it."""
    return bool(_NAMED.search(text)) or any(is_own(call, tree, surface) for call in read_workflow(text).calls)


def is_own(call: Call, tree: Tree, surface: Surface) -> bool:
    """Tell whether a call is one of this module, or would be."""
    if call.module in ("", ".", "./"):
        local = _local_module(tree)
        return local is None or (local == surface.module and "ci/main.py" in tree.files)
    return bool(re.search(rf"(?:^|/){NAME}(?:\.git)?(?:@|$)", call.module))


def check_workflows(tree: Tree, surface: Surface) -> Iterator[Finding]:
    """Find the calls of this module, in all workflows, that it would refuse."""
    for file in sorted(path for path in tree.texts if path.startswith(".github/") and is_workflow(path)):
        text = tree.text(file)
        if text is None:
            message = "the calls in it were not checked: it is no text"
            yield warning(file, 1, "workflow-unread", message, "Save it as UTF-8, at most 1 MiB.")
            continue
        workflow = read_workflow(text)
        if workflow.fault and NAME in text:
            # actionlint says what GitHub would refuse.
            message = f"the calls in it were not checked: not YAML: {workflow.fault}"
            remedy = "Mend the YAML at that line or the one before."
            yield warning(file, workflow.fault_line, "workflow-unread", message, remedy)
        for call in workflow.calls:
            yield from _check_call(call, file, tree, surface)


def _check_call(call: Call, file: str, tree: Tree, surface: Surface) -> Iterator[Finding]:
    if not is_own(call, tree, surface):
        return
    if call.module in ("", ".", "./") and _local_module(tree) is None:
        message = "the call names no module, and there is no dagger.json here"
        yield error(file, call.line, "call-module", message, "Name it: dagger -m ADDRESS call ...")
        return
    reader = _Reader(file=file, line=call.line, words=list(call.words), surface=surface, function=surface.constructor)
    yield from reader.check()


def _local_module(tree: Tree) -> str | None:
    """Read the name of the module at the root of the source; None where there is none at all."""
    if not any(path.rpartition("/")[2] == "dagger.json" or path.startswith(".dagger/") for path in tree.files):
        return None
    try:
        value = json.loads(tree.text("dagger.json") or "null")
    except ValueError:
        return ""
    return str(value.get("name", "")) if isinstance(value, dict) else ""


@dataclass(kw_only=True, slots=True)
class _Reader:
    """The words of one call while they are read."""

    file: str
    line: int
    words: list[str]
    surface: Surface
    function: Function
    given: set[str] = field(default_factory=set)
    unsure: bool = False  # a variable stood among the words, and may hold any number of them

    def check(self) -> Iterator[Finding]:
        """Read word by word, and find what the CLI would refuse."""
        while self.words:
            word = self.words.pop(0)
            if word.lstrip("-").startswith(UNKNOWN):
                self.unsure = True
            elif word.startswith("-"):
                yield from self._argument(word)
            elif self.function.name:
                if self.function.ends and not self.unsure:
                    message = f"{show(word)} follows {self.function.name}, which takes flags only"
                    remedy = "Quote it, or write the flag it is the value of."
                    yield self._error("call-word", message, remedy)
                break  # a function of what this one returns
            elif word in self.surface.functions:
                self.function = self.surface.functions[word]
            else:
                known = self.surface.functions
                close = nearest(word, known)
                remedy = f"Did you mean {close}?" if close else f"There are {', '.join(known)}."
                yield self._error("call-function", f"the module has no function {show(word)}", remedy)
                return
        missing = [p.name for p in self.function.parameters.values() if p.required and p.name not in self.given]
        if missing and not self.unsure:
            message = f"{self.function.name} is called without --{missing[0]}"
            yield self._error("call-required", message, f"Add --{missing[0]} VALUE.")

    def _argument(self, word: str) -> Iterator[Finding]:
        name, equals, value = word.lstrip("-").partition("=")
        parameter = self.function.parameters.get(name)
        more = bool(self.words) and not self.words[0].startswith("-")
        if not parameter:
            owner = self.function.name or "the module"
            close = nearest(name, self.function.parameters)
            remedy = f"Did you mean --{close}?" if close else f"See dagger call {self.function.name} --help."
            yield self._error("call-argument", f"{owner} has no argument --{name}", remedy)
            if more and not equals:
                self.words.pop(0)
            return
        self.given.add(name)
        if not equals and not parameter.flag:
            if not more:
                yield self._error("call-value", f"--{name} is given no value", f"Write --{name} VALUE.")
                return
            value = self.words.pop(0)
        if name in _TAGS:
            yield from self._tags(value)

    def _tags(self, value: str) -> Iterator[Finding]:
        for tag in filter(str.strip, value.split(",")):
            try:
                check_tag(tag.strip().replace(UNKNOWN, "x"))
            except DrydockError as problem:
                yield self._error("tag-illegal", str(problem), "Choose such a tag, for instance v1.2.3.")

    def _error(self, rule: str, message: str, remedy: str) -> Finding:
        return error(self.file, self.line, rule, message, remedy)
