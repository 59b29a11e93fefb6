"""Reads the commands of Makefiles that build images, as far as they are plain: it runs nothing, not even make."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ci.init.holes import HOLE, hide, hole, show_again
from ci.init.released import Built
from ci.init.supply import read_supply
from ci.init.tagging import is_plain, read_name
from ci.init.values import list_arguments, list_platforms

FILES = ("Makefile", "GNUmakefile", "makefile")
_VARIABLE = re.compile(r"^ *(?:export\s+|override\s+)?([\w.-]+)\s*(\?|:{1,3}|\+)?=\s*(.*)$")
_RULE = re.compile(r"^([^\s#:=][^:=#]*?)\s*::?(?!=)\s*([^#]*)$")
# ifeq (one,other), ifeq "one" "other"
_TEXTS = re.compile(r"""\s\(([^,]*),(.*)\)\s*(?:#.*)?$|\s["']([^"']*)["']\s+["']([^"']*)["']""")
_FUNCTION = re.compile(r"\$[({][\w-]+\s")
_COMMAND = re.compile(r"(?:^|[\s;&|@-])((?:docker|podman)\s+(?:buildx\s+|image\s+)?build\s.*)")
_DROPPED = re.compile(r"(?:foreach|if|addprefix|call|filter|eval|info)\b")
_DEEPEST = 8
# Flags of docker build that take no value.
_BARE = frozenset("--pull --push --load --no-cache -q --quiet --rm --force-rm --squash --compress --debug -D".split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Makefile:
    """What a Makefile says."""

    file: str
    variables: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recipes: Mapping[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)


def read_makefile(text: str, file: str) -> Makefile:
    """Read variables and rules; what depends on a condition is read as if it held."""
    variables: dict[str, str] = {}
    needs: dict[str, tuple[str, ...]] = {}
    recipes: dict[str, tuple[tuple[int, str], ...]] = {}
    targets: list[str] = []
    for number, line in _read(text, variables):
        if line.startswith("\t"):
            for target in targets:
                recipes[target] = (*recipes.get(target, ()), (number, line.strip()))
        elif found := _VARIABLE.match(line):
            _set(variables, found[1], found[2] or "", found[3])
        elif found := _RULE.match(line):
            targets = found[1].split()
            for target in targets:
                needs[target] = (*needs.get(target, ()), *found[2].split())
        elif line.strip():
            targets = []
    return Makefile(file=file, variables=variables, needs=needs, recipes=recipes)


def _set(variables: dict[str, str], name: str, how: str, value: str) -> None:
    if how == "+":
        variables[name] = f"{variables.get(name, '')} {value}".strip()
    elif how != "?" or name not in variables:
        variables[name] = re.sub(r"\s+#.*", "", value).strip()


def _read(text: str, variables: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """List the lines that count; of a condition that only make can tell, the first branch is read."""
    branches: list[bool] = []
    for number, line in _lines(text):
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        if word in ("ifdef", "ifndef"):
            branches.append((line.split()[-1] in variables) == (word == "ifdef"))
        elif word in ("ifeq", "ifneq"):
            equal = _equal(line, variables)
            branches.append(equal is None or equal == (word == "ifeq"))
        elif word == "else" and branches:
            branches[-1] = not branches[-1]
        elif word == "endif" and branches:
            branches.pop()
        elif all(branches):
            yield number, line


def _equal(condition: str, variables: Mapping[str, str]) -> bool | None:
    """Say whether the two texts of a condition are equal; None where one of them is not known here."""
    if _FUNCTION.search(condition) or not (found := _TEXTS.search(condition)):
        return None
    texts = [text for text in found.groups() if text is not None]
    one, other = (_filled(text, variables).strip() for text in texts)
    return None if HOLE.search(one + other) else one == other


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start, joined = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        start = start or number
        joined += line[:-1] + " " if line.endswith("\\") else line
        if not line.endswith("\\"):
            yield start, joined
            start, joined = 0, ""


def made_by(makefiles: Mapping[str, Makefile], targets: Iterable[str]) -> Iterator[tuple[str, str]]:
    """List the commands that build images when targets are made, each with its place; all commands without targets."""
    for makefile in makefiles.values():
        wanted = list(targets) or [*makefile.recipes]
        seen: set[str] = set()
        while wanted:
            target = wanted.pop(0)
            if target in seen:
                continue
            seen.add(target)
            wanted += makefile.needs.get(target, ())
            for number, line in makefile.recipes.get(target, ()):
                for command in build_commands(_filled(line, makefile.variables)):
                    yield command, f"{makefile.file}:{number}"


def _filled(text: str, variables: Mapping[str, str], deep: int = 0) -> str:
    """Fill in the variables of a line; what a shell or a function of make would say becomes a hole, or nothing."""
    made = ""
    at = 0
    while (found := re.search(r"\$(?:\$|[({])", text[at:])) and deep < _DEEPEST:
        start = at + found.start()
        made += text[at:start]
        if found[0] == "$$":
            made += "$"
            at = start + 2
            continue
        end = _closed(text, start + 1)
        inner = text[start + 2 : end - 1]
        if re.fullmatch(r"[\w.-]+", inner):
            made += _filled(variables[inner], variables, deep + 1) if inner in variables else hole(f"$({inner})")
        elif inner.startswith("shell "):
            made += hole(f"$({_filled(inner, variables, deep + 1)})")
        elif not _DROPPED.match(inner):
            made += hole(f"$({inner})")
        at = end
    return made + text[at:]


def _closed(text: str, start: int) -> int:
    opening = text[start]
    closing = {"(": ")", "{": "}"}[opening]
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == opening) - (text[at] == closing)
        if not depth:
            return at + 1
    return len(text)


def build_commands(script: str) -> Iterator[str]:
    """List the commands of a script that build an image."""
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        # What stands in a hole may hold what divides commands.
        bare, kept = hide(line)
        for part in re.split(r"&&|\|\||;", bare):
            if (found := _COMMAND.search(part)) and not part.lstrip("@- ").startswith(("#", "echo")):
                yield show_again(found[1], kept)


def read_command(
    command: str, place: str, environment: Mapping[str, str] | None = None
) -> tuple[Built | None, list[str]]:
    """Read a docker build; return the image with its names, or nothing where it is not plain or is not pushed.

    Args:
        command: from docker on.
        place: where it stands.
        environment: variables, by names in lower case.

    """
    bare, kept = hide(command)
    try:
        words = [show_again(word, kept) for word in shlex.split(bare)]
    except ValueError:
        return None, []
    words = words[words.index("build") + 1 :]
    flags, rest = _flags(words)
    names = [name for key in ("-t", "--tag") for name in flags.get(key, []) if "/" in name]
    # A variable beside it holds options, or nothing.
    folder = next((word for word in rest if not (HOLE.search(word) or "$" in word)), rest[-1] if rest else "")
    if not names or not folder or HOLE.search(folder) or "$" in folder or folder == "-":
        return None, []
    file = (flags.get("-f", []) + flags.get("--file", []))[:1]
    path = posixpath.normpath(file[0] if file else posixpath.join(folder, "Dockerfile"))
    if HOLE.search(path) or "$" in path:
        return None, []
    platforms, strange = list_platforms(",".join(flags.get("--platform", [])), place)
    arguments = list_arguments("\n".join(_shell_holes(a) for a in flags.get("--build-arg", [])), place, ())
    repositories = dict.fromkeys(read_name(name).repository for name in names)
    good = [name for name in repositories if is_plain(name)]
    built = Built(
        place=place,
        dockerfile=path,
        context=posixpath.normpath(folder),
        target=next(iter(flags.get("--target", [])), None),
        platforms=platforms,
        build_args=arguments.values,
        repositories=tuple(good),
        notes=arguments.notes,
        open_args=arguments.open,
        supply=read_supply(
            flags.get("--attest", []),
            flags.get("--provenance", [""])[-1],
            flags.get("--sbom", [""])[-1],
            place,
            environment,
        ),
        lost=(*strange, *arguments.lost),
    )
    return built, names


def _shell_holes(text: str) -> str:
    bare, kept = hide(text)
    return show_again(re.sub(r"\$\{?\w+\}?", lambda found: hole(found[0]), bare), kept)


def _flags(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    flags: dict[str, list[str]] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            rest.append(word)
        elif name in _BARE:
            continue
        elif equals:
            flags.setdefault(name, []).append(value)
        else:
            flags.setdefault(word, []).append(next(left, ""))
    return flags, [word for word in rest if word and word not in (">", "2>&1")]
