"""Holds what `init` proposes, with nothing edited, against what 16 public repositories release today.

Check out each repository into a folder under the name that `tests/unit/github/owners` has for it, and:

    python tests/yardstick/strangers.py FOLDER [NAME...]

It prints a line for each repository: right, where every image is there with its Dockerfile, target, context and
platforms, and every event gives the names and arguments that it gives today; named, where the list of what was not
taken over has a line for it; or else wrong. Behind each stands what differs.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ci.config import list_repositories, parse_config, plan_build  # ci is importable from here on
from ci.core.errors import DrydockError
from ci.core.model import Plan
from ci.github.preview import preview_event
from ci.init.adopt import WORKFLOW, read_proposal, render
from ci.init.templates import adapt_workflow
from ci.tags import Event
from tests.unit.github.test_owners import FOLDER, OWN, OWNERS, ROOT, THEIRS, Case, cases, expected, read

MODULE = "github.com/drydock/drydock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A checkout on this machine, as init reads it."""

    root: Path

    async def paths(self) -> list[str]:
        """List all files and folders but those that init does not list."""
        found = []
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if not {".git", "node_modules"} & set(name.split("/")[:-1]):
                found.append(f"{name}/" if path.is_dir() and not path.is_symlink() else name)
        return found

    async def texts(self, paths: Sequence[str]) -> dict[str, str]:
        """Read files as far as they are texts."""
        found = {}
        for path in paths:
            try:
                found[path] = (self.root / path).read_text()
            except (OSError, UnicodeDecodeError):
                continue
        return found

    async def links(self, paths: Sequence[str]) -> list[str]:
        """List the links."""
        return [path for path in paths if (self.root / path).is_symlink()]


def proposed(root: Path) -> tuple[str, dict[str, Any]]:
    """Return the configuration that init writes for a checkout, and what starts the workflow that it writes."""
    proposal = anyio.run(read_proposal, Folder(root=root))
    workflow = adapt_workflow((ROOT / WORKFLOW).read_text(), MODULE, proposal.inputs, proposal.triggers)
    return render(proposal, MODULE), yaml.load(workflow, yaml.BaseLoader)["on"]  # noqa: S506  # texts alone


def starts(event: Event, on: Mapping[str, Any]) -> bool:
    """Tell whether an event starts a workflow."""
    if event.name != "push" or "push" not in on:
        return event.name in on
    kind, _, name = event.ref.removeprefix("refs/").partition("/")
    patterns = on["push"].get({"heads": "branches", "tags": "tags"}[kind], [])
    return any(re.fullmatch(_expression(pattern), name) for pattern in patterns)


def _expression(pattern: str) -> str:
    """Write GitHub's pattern of a name as a regular expression."""
    words = {"**": ".*", "*": "[^/]*", "?": "?", "+": "+", ".": r"\."}
    return re.sub(r"\*\*|[*?+.]", lambda found: words[found[0]], pattern)


def differences(owner: str, text: str, on: Mapping[str, Any]) -> Iterator[str]:
    """List what a proposed configuration does otherwise than the owner does today."""
    plan = plan_build(parse_config(text, file="proposed"))
    images = plan.config.images
    theirs = {name: (file, target, frozenset(p)) for name, (file, target, p) in read(owner)["builds"].items()}
    ours = {i.name: (i.dockerfile, i.target or "", frozenset(i.platforms)) for i in images}
    left = dict(ours)
    same: dict[str, str] = {}  # our image's name by theirs
    for name, build in theirs.items():
        # The same by its name, or whichever is built the same.
        fitting = [n for n, other in left.items() if other == build]
        close = [n for n, other in left.items() if other[:2] == build[:2]]
        if found := next((n for n in (name, *fitting, *close) if n in fitting or n in close), None):
            same[name] = found
            if left.pop(found) != build:
                yield f"{name}: platforms {' '.join(sorted(ours[found][2]))}, not {' '.join(sorted(build[2]))}"
        else:
            yield f"{name}: no image of {build[0]} {build[1]}"
    yield from (f"{name}: {ours[name][0]} is no image that they release" for name in left)
    yield from (f"{i.name}: the context {i.context}" for i in images if i.context != ".")
    for case in cases(owner):
        yield from (f"{case.event.name} {case.event.ref}: {line}" for line in _event(case, plan, same, on))


def _event(case: Case, plan: Plan, same: Mapping[str, str], on: Mapping[str, Any]) -> Iterator[str]:
    wanted = expected(case)
    if not starts(case.event, on):
        yield from [f"not {_few(wanted.names)}: nothing starts"] if wanted.names else []
        return
    owner = (FOLDER / f"{case.owner}{THEIRS}").read_text().removeprefix("# ").partition("/")[0].lower()
    try:
        made = preview_event(case.event, plan, list_repositories(plan, (), owner), owner=owner)
    except DrydockError as error:
        yield str(error).partition("\n")[0]
        return
    names = {f"{where}:{tag}" for _, where, tags in made.names for tag in tags if not OWN.fullmatch(tag)}
    if less := wanted.names - names:
        yield f"not {_few(less)}"
    if more := names - wanted.names:
        yield f"also {_few(more)}"
    images = {image.name: image for image in made.plan.config.images}
    for place, asked in wanted.arguments.items():
        name, _, platform = place.partition("@")
        image = images.get(same.get(name, ""))
        told = image.arguments(platform) if image else {}
        for key, value in asked.items():
            if told.get(key) != value:
                yield f"{place}: argument {key} is {told.get(key)!r}, not {value!r}"


def _few(names: set[str] | frozenset[str]) -> str:
    given = sorted(names)
    return " ".join(given[:4]) + (f" and {len(given) - 4} more" if given[4:] else "")


def main(folder: Path, wanted: Sequence[str]) -> None:
    """Print the table, and what differs."""
    for owner in wanted or OWNERS:
        root = folder / owner.removesuffix("-edge")
        if not root.is_dir():
            print(f"{owner}: no checkout")
            continue
        text, on = proposed(root)
        (folder / f"{root.name}.images.yaml").write_text(text)
        found = [*dict.fromkeys(differences(owner, text, on))]
        lost = text.partition("# What was not taken over")[2].partition("# Dockerfiles that were")[0].splitlines()[1:]
        verdict = "right" if not found else f"{len(found)} differ, {len(lost)} named"
        print(f"{owner}: {verdict}", *(f"  {line}" for line in found), *(f"  {line}" for line in lost), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
