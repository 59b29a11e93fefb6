"""Checks what a checkout may leave out of what the images are built from: history, submodules, files of Git LFS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ci.core.findings import Finding, error, warning
from ci.core.model import Image
from ci.core.text import show
from ci.dockerfile import GIT, Scope, is_tracked, list_taken, meets, read_attributes, relative_to
from ci.validate.calls import Call, Checkout, Job, read_workflow
from ci.validate.context import Context
from ci.validate.surface import Surface
from ci.validate.taken import asks_for_git, count_submodules, fetch_submodule
from ci.validate.tree import Tree
from ci.validate.workflow import Workflows, is_own, list_workflows

_BUILDING = ("build-all", "publish", "github")  # functions that build
_SHOWN = 5  # pointers that are listed one by one
# Inputs of actions/checkout: what brings each, and what another step would say to bring it.
_INPUTS = {
    "submodules": ("submodules: true", ("true", "recursive"), "submodule"),
    "lfs": ("lfs: true", ("true",), "lfs"),
    "fetch-depth": ("fetch-depth: 0", ("0",), "fetch"),
}


@dataclass(kw_only=True, slots=True)
class Needs:
    """What the images need of a checkout besides the files of the commit: each with an image that needs it."""

    history: list[str] = field(default_factory=list)
    submodules: dict[str, str] = field(default_factory=dict)  # by path, in the order of .gitmodules
    tracked: dict[str, str] = field(default_factory=dict)  # by path: files that Git LFS keeps

    def add(self, tree: Tree, image: Image, context: Context, scopes: Sequence[Scope]) -> None:
        """Add what one image needs."""
        if image.git and (context.ignore.brings_back(GIT) or not context.ignore.excluded_by(GIT)):
            self.history.append(image.name)
        for path, _ in _submodules(tree, context, scopes):
            self.submodules.setdefault(path, image.name)
        if rules := read_attributes(tree.attributes):
            for path, _ in _sent(context, scopes):
                if is_tracked(whole := context.in_source(path), rules):
                    self.tracked.setdefault(whole, image.name)


def check_left_out(
    tree: Tree, image: Image, context: Context, scopes: Sequence[Scope], *, config: str
) -> Iterator[Finding]:
    """Find .git, submodules that hold nothing, and pointers of Git LFS among what an image's Dockerfile takes.

    Args:
        tree: what the source holds.
        image: what the configuration says.
        context: the build context of the image.
        scopes: the stages of the image's Dockerfile.
        config: the path of the configuration.

    """
    file = image.dockerfile
    if context.path == ".":
        yield from _history(context, image, scopes, config)
    hollow: dict[int, list[str]] = {}
    for path, line in _submodules(tree, context, scopes):
        if tree.is_empty(path):
            hollow.setdefault(line, []).append(path)
    for line, paths in hollow.items():
        message = f"{count_submodules(paths)} empty here, and {image.name} is built with what should be there"
        yield warning(file, line, "submodule-empty", message, fetch_submodule(*paths))
    pointers = set(tree.pointers)
    sent = _sent(context, scopes) if pointers else ()
    found = [(path, line) for path, line in sent if context.in_source(path) in pointers]
    for path, line in found[:_SHOWN]:
        message = f"{show(path)} is a pointer of Git LFS, and {image.name} would hold that in the place of the file"
        remedy = "Type git lfs pull; in a workflow, add lfs: true to the checkout."
        yield warning(file, line, "lfs-pointer", message, remedy)


def _history(context: Context, image: Image, scopes: Sequence[Scope], config: str) -> Iterator[Finding]:
    """Hold what the ignore file and the Dockerfile say of .git against what the configuration does."""
    by, asking = context.ignore.excluded_by(GIT), context.ignore.brings_back(GIT)
    give = f"Say git: true in {config}, and add --git {GIT} to the calls that build"
    if image.git and by and not asking:
        message = f"{image.name} says git: true, and {by.text!r} keeps {GIT} from the build"
        yield warning(context.ignore_file, by.line, "git-ignored", message, f"Add !{GIT} below that line.")
    elif asking and not image.git:
        message = f"{asking.text!r} asks for {GIT}, and the build of {image.name} is given none"
        yield warning(context.ignore_file, asking.line, "git-unasked", message, f"{give}; or delete the line.")
    for line, source in list_taken(scopes):
        if asks_for_git(source, context.path, image):
            message = f"{show(source)} is taken, and the build of {image.name} is given no {GIT}"
            yield error(image.dockerfile, line, "git-unasked", message, f"{give}.")


def check_checkouts(tree: Tree, surface: Surface, needs: Needs, *, config: str) -> Iterator[Finding]:
    """Find jobs that build the images without what they need.

    Args:
        tree: what the source holds.
        surface: the functions and arguments that calls may name.
        needs: of all images.
        config: the path of the configuration; a call that names another one is passed over.

    """
    for file in list_workflows(tree, surface, Workflows.OWN):
        for job in read_workflow(tree.text(file) or "").jobs:
            calls = [
                call for call in job.calls if is_own(call, tree, surface) and set(call.words).intersection(_BUILDING)
            ]
            mine = [call for call in calls if names_config(call, config)]
            for call in mine:
                if needs.history and not _names(call.words, "--git"):
                    message = f"{', '.join(needs.history)} is built with {GIT}, and the call does not give it"
                    yield error(file, call.line, "call-git", message, f"Add --git {GIT} behind --source.")
            if mine:
                yield from _check_job(file, job, needs)


def _check_job(file: str, job: Job, needs: Needs) -> Iterator[Finding]:
    if needs.history:
        message = (
            f"the checkout is shallow, and {needs.history[0]} is built with {GIT}: git describe finds no tag there"
        )
        yield from _lacking(file, job, "fetch-depth", "checkout-shallow", message)
    if needs.submodules:
        message = f"{count_submodules(needs.submodules)} empty after this checkout, and images are built with that"
        yield from _lacking(file, job, "submodules", "checkout-submodules", message)
    for path, name in list(needs.tracked.items())[:1]:
        message = f"the checkout brings pointers of Git LFS alone, and {name} is built with {show(path)}"
        yield from _lacking(file, job, "lfs", "checkout-lfs", message)


def _lacking(file: str, job: Job, key: str, rule: str, message: str) -> Iterator[Finding]:
    """Find the checkouts of a job that lack an input, where no other step does what it would."""
    line, accepted, word = _INPUTS[key]
    if re.search(rf"\bgit\s.*\b{word}\b", job.scripts):
        return
    for checkout in job.checkouts:
        given = checkout.inputs.get(key, "")
        if _is_plain(checkout) and given not in accepted and "${{" not in given:
            yield warning(file, checkout.line, rule, message, f"Add {line} to the inputs of the checkout.")


def _is_plain(checkout: Checkout) -> bool:
    """Tell whether it is the repository itself that is checked out, where the build finds it."""
    return not {"repository", "path"}.intersection(checkout.inputs)


def names_config(call: Call, config: str) -> bool:
    """Tell whether a call is about the configuration at a path: it names that, or none."""
    return _names(call.words, "--config", default=config).endswith(config)


def _names(words: Sequence[str], flag: str, *, default: str = "") -> str:
    """Read the value of a flag."""
    for number, word in enumerate(words):
        if word == flag:
            return words[number + 1] if number + 1 < len(words) else flag
        if word.startswith(f"{flag}="):
            return word.removeprefix(f"{flag}=")
    return default


def _submodules(tree: Tree, context: Context, scopes: Sequence[Scope]) -> Iterator[tuple[str, int]]:
    """List the submodules that a Dockerfile takes, or takes something of, each behind the line of the first COPY."""
    taken = list_taken(scopes)
    for path in tree.submodules:
        inside = relative_to(context.path, path)
        if inside and not context.ignore.excluded_by(inside):
            line = next((line for line, source in taken if meets(source, inside)), 0)
            if line:
                yield path, line


def _sent(context: Context, scopes: Sequence[Scope]) -> Iterator[tuple[str, int]]:
    """List the files of a context that a Dockerfile takes, each behind the line of the first COPY."""
    taken = list_taken(scopes)
    for path in sorted(context.files):
        if path in context.sent:
            line = next((line for line, source in taken if meets(source, path)), 0)
            if line:
                yield path, line
