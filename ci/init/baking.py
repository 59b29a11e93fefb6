"""Reads what a step builds by bake: bake-action, or docker buildx bake in a script or a Makefile."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ci.init.bake import Asked, Baked, bake_target, choose, read_bake, usual_files
from ci.init.holes import HOLE, hide, show_again, shown
from ci.init.naming import Meta, from_meta, tagged
from ci.init.released import Built, unique

PUSHES = re.compile(r"(?:^|,)(?:push=(?!false)|type=registry)")
_FROM_TARGET = "target:"  # as a context names another target
_COMMAND = re.compile(r"(?:^|[\s;&|@-])(docker\s+(?:buildx\s+)?bake\s.*)")
_VALUED = frozenset("-f --file --set --metadata-file --progress --builder --var --allow --provenance --sbom".split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A call of bake."""

    place: str
    files: tuple[str, ...] = ()  # none: those that bake takes by itself
    targets: tuple[str, ...] = ()  # none: the default ones
    settings: tuple[str, ...] = ()
    push: bool = False
    provenance: str = ""
    sbom: str = ""


def bake_images(
    recipe: Recipe,
    texts: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    metas: Mapping[str, Meta],
    outputs: Mapping[str, tuple[str, ...]],
    condition: str,
) -> tuple[list[Built], list[str]]:
    """List the images that a call of bake builds and pushes; return also what could not be read.

    Args:
        recipe: the call.
        texts: of all bake files of the source.
        environment: variables, by names in lower case.
        metas: what metadata-action says, by its step's identity.
        outputs: what scripts hand on.
        condition: when the step runs.

    """
    files = recipe.files or tuple(usual_files(texts))
    lost = [f"{recipe.place}: {_not_read(shown(file))}" for file in files if file not in texts]
    lost += [] if files else [f"{recipe.place}: bake is called, and there is no docker-bake.hcl"]
    bake = read_bake({file: texts[file] for file in files if file in texts}, environment)
    lost += [*bake.lost, *(f"{recipe.place}: {shown(s)} is set by a script" for s in recipe.settings if "=" not in s)]
    if any(HOLE.search(target) for target in recipe.targets):
        return [], [*lost, f"{recipe.place}: the targets {shown(' '.join(recipe.targets))} are named by a script"]
    asked = Asked(provenance=recipe.provenance, sbom=recipe.sbom, environment=environment)
    made: list[Built] = []
    built_on: list[str] = []
    for name in choose(bake, recipe.targets):
        baked = bake_target(bake, name, recipe.settings, asked)
        if recipe.push or any(PUSHES.search(output) for output in baked.outputs):
            made.append(_named(baked, "tags" in bake.targets[name].values, metas, outputs, condition))
            built_on += _others(baked.built)
    while built_on:
        name = built_on.pop()
        local = _local(name)
        if name in bake.targets and not any(local in image.local for image in made):
            base = bake_target(bake, name, recipe.settings).built
            made.append(replace(base, local=(local,)))
            built_on += _others(base)
    if not made and not recipe.push and not any("=" not in setting for setting in recipe.settings):
        return [], []  # it only builds: nothing of it is released
    return [replace(image, contexts=_contexts(image)) for image in made], lost


def _not_read(file: str) -> str:
    if file.endswith((".yml", ".yaml")):
        return f"bake builds the services of {file}, which are not read here"
    return f"the bake file {file} is not there"


def _local(name: str) -> str:
    return f"bake/{name}"


def _others(built: Built) -> list[str]:
    values = built.contexts.values()
    return [value.removeprefix(_FROM_TARGET) for value in values if value.startswith(_FROM_TARGET)]


def _contexts(built: Built) -> dict[str, str]:
    return {
        key: _local(value.removeprefix(_FROM_TARGET)) if value.startswith(_FROM_TARGET) else value
        for key, value in built.contexts.items()
    }


def _named(
    baked: Baked, own: bool, metas: Mapping[str, Meta], outputs: Mapping[str, tuple[str, ...]], condition: str
) -> Built:
    """Give a target its names: metadata-action's, where it inherits them, or those of the file."""
    fitting = [meta for meta in metas.values() if meta.target in (baked.built.name, *baked.parents)]
    if fitting and not own:
        return from_meta(baked.built, fitting[-1])
    return tagged(baked.built, baked.tags, metas, outputs, condition)


def of_action(given: Mapping[str, str], place: str) -> Recipe:
    """Read the inputs of bake-action."""
    folder = given.get("workdir", "") or "."
    if (source := given.get("source", "")) and "://" not in source and not HOLE.search(source):
        folder = source
    files = [line for line in re.split(r"[,\n]", given.get("files", "")) if line.strip()]
    # What metadata-action writes has no text here: it is known by its step.
    written = [file.strip() for file in files if not HOLE.search(file)]
    paths = tuple(posixpath.normpath(posixpath.join(folder, file.removeprefix("cwd://"))) for file in written)
    return Recipe(
        place=place,
        files=paths,
        targets=tuple(re.split(r"[,\s]+", given.get("targets", "").strip())) if given.get("targets") else (),
        settings=tuple(line.strip() for line in given.get("set", "").splitlines() if line.strip()),
        push=given.get("push", "") not in ("", "false"),
        provenance=given.get("provenance", ""),
        sbom=given.get("sbom", ""),
    )


def bake_commands(script: str) -> Iterable[str]:
    """List the commands of a script that call bake."""
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        bare, kept = hide(line)
        for part in re.split(r"&&|\|\||;", bare):
            if (found := _COMMAND.search(part)) and not part.lstrip("@- ").startswith(("#", "echo")):
                yield show_again(found[1], kept)


def of_command(command: str, place: str) -> Recipe | None:
    """Read a command; None where its words cannot be told apart, or where it only prints."""
    bare, kept = hide(command)
    try:
        words = [show_again(word, kept) for word in shlex.split(bare)]
    except ValueError:
        return None
    flags, rest = _flags(words[words.index("bake") + 1 :])
    if "--print" in flags or "--list" in flags:
        return None
    files = [*flags.get("-f", []), *flags.get("--file", [])]
    return Recipe(
        place=place,
        files=unique(posixpath.normpath(file) for file in files),
        targets=tuple(rest),
        settings=tuple(flags.get("--set", [])),
        push="--push" in flags,
        provenance=flags.get("--provenance", [""])[-1],
        sbom=flags.get("--sbom", [""])[-1],
    )


def _flags(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    flags: dict[str, list[str]] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            rest.append(word)
        elif name in _VALUED:
            flags.setdefault(name, []).append(value if equals else next(left, ""))
        else:
            flags.setdefault(name, []).append(value)
    return flags, rest
