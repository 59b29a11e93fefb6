"""Turns platforms and build arguments, as build files write them, into those of a configuration."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ci.config import PLATFORMS
from ci.init.holes import HOLE, shown
from ci.init.released import unique

_ALIASES = {
    "linux/arm64/v8": "linux/arm64",
    "linux/arm": "linux/arm/v7",
    "linux/amd64/v1": "linux/amd64",
    "linux/i386": "linux/386",
}
_TAGGED = r"(?:github\.event_name == 'release'|github\.ref_type == 'tag'|startsWith\(github\.ref, 'refs/tags/v?'\))"
# What an expression stands for among the values of a run.
_WORDS = (
    (r"github\.sha|GITHUB_SHA|\$\(?(?:shell )?git rev-parse (?:--verify )?HEAD\)?", "{revision}"),
    (r"github\.repository_owner", "{owner}"),
    (r"github\.ref_type == 'tag' && github\.ref_name \|\| '([\w.-]+)'", r"{tag:-\1}"),
    (
        rf"{_TAGGED} && (?:github\.event\.release\.tag_name|github\.ref_name) \|\| github\.sha",
        "{tag:-{revision}}",
    ),
    (r"github\.ref_name|GITHUB_REF_NAME", "{ref}"),
    (r"github\.event\.release\.tag_name", "{tag:-{ref}}"),
    (r"(?:\$\()?(?:shell )?git rev-parse --short HEAD\)?|github\.sha\[:7\]", "{short}"),
    (r"\$\((?:shell )?git describe[^)]*\)", "{tag:-{short}}"),
    (r"[^ ]*refs\\?/tags\\?/v[^ ]*", "{version:-{ref}}"),
    (r"\$\((?:shell )?date\b[^()]*\)", "{created}"),
    (r"\$\((?:shell )?git log -1 --format=%cI\)|\$\(date .*git log -1 --format=%ct.*\)", "{created}"),
)
# What an argument wants whose value only a script knows, by its own name.
_WANTED = (
    (r"(?i)(?:^|_)(?:version|release)(?:_|$)", "{version:-{ref}}"),
    (r"(?i)(?:^|_)(?:(?:build|commit|git)_?(?:date|time)|created)(?:_|$)", "{created}"),
    (r"(?i)(?:^|_)(?:commit|revision|sha|vcs_ref|git_ref)(?:_|$)|git_?sha", "{revision}"),
)
# Of what an image is made of, and not of the image.
_TOOL = re.compile(
    r"(?i)(?:alpine|base|bun|debian|deno|distro|dotnet|go|golang|gradle|java|jdk|maven|node|nodejs|npm|php|pnpm|python|"
    r"ruby|rust|swift|ubuntu|yarn)_?version"
)
# A value that another step of the run has made, not one that a tool is asked for.
_HANDED = re.compile(r"steps\.|needs\.|env\.|inputs\.|\ue000\$[({]?\w+[)}]?\ue001")
_BRACE = re.compile(r"(?<![$\\])\{(?=[A-Za-z_][\w.-]*(?::-|\}))")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """What was taken over of the arguments of a build."""

    values: Mapping[str, str]
    notes: tuple[str, ...] = ()
    open: Mapping[str, str] = field(default_factory=dict)  # those that a script makes, and where it does
    lost: tuple[str, ...] = ()


def list_platforms(text: str, place: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read platforms, between commas or on lines of their own; name those that are not built here."""
    if HOLE.search(text):
        return (), (f"{place}: the platforms {shown(text)} are made by a script",)
    given = [word.lower() for word in re.split(r"[,\s]+", text) if word]
    named = unique(_ALIASES.get(word, word) for word in given)
    lost = tuple(f"{place}: the platform {name} is none that Drydock builds" for name in named if name not in PLATFORMS)
    return tuple(name for name in named if name in PLATFORMS), lost


def list_arguments(text: str, place: str, metas: Collection[str], handed: Mapping[str, str] | None = None) -> Arguments:
    """Read arguments, one on each line.

    Args:
        text: as build-push-action takes it.
        place: where it stands.
        metas: what outputs of metadata-action begin with, such as "steps.meta.".
        handed: what outputs of scripts stand for among the values of a run.

    """
    values: dict[str, str] = {}
    notes: list[str] = []
    unknown: dict[str, str] = {}
    lost: list[str] = []
    for line in (line.strip() for line in text.splitlines()):
        name, equals, value = line.partition("=")
        if HOLE.fullmatch(line):
            lost.append(f"{place}: the build arguments {shown(line)} are made by a script")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            continue
        if name == "SOURCE_DATE_EPOCH" and HOLE.search(value):
            lost.append(f"{place}: SOURCE_DATE_EPOCH: a release gives its images the commit's time by itself")
            continue
        filled = _filled(value.strip("\"'"), metas, handed or {})
        own = () if _TOOL.fullmatch(name) else _WANTED
        wanted = next((word for pattern, word in own if re.search(pattern, name)), "")
        if not HOLE.search(filled):
            values[name] = filled
        elif wanted and HOLE.fullmatch(filled) and _HANDED.search(filled):
            values[name] = wanted
            notes.append(f"a guess: {name} is {shown(value)} there")
        else:
            unknown[name] = f"{place}: the build argument {name}={shown(value)} is made by a script"
    return Arguments(values=values, notes=tuple(notes), open=unknown, lost=tuple(lost))


def _filled(text: str, metas: Collection[str], handed: Mapping[str, str]) -> str:
    def word(found: re.Match[str]) -> str:
        inner = found[1].strip()
        if any(inner == f"{meta}outputs.version" for meta in metas):
            return "{version:-{ref}}"
        if inner.lower() in handed:
            return handed[inner.lower()]
        for pattern, value in _WORDS:
            if same := re.fullmatch(pattern, inner):
                return same.expand(value)
        return found[0]

    parts = re.split(f"({HOLE.pattern.replace('(', '(?:', 1)})", text)
    return "".join(HOLE.sub(word, part) if n % 2 else _BRACE.sub(r"\\{", part) for n, part in enumerate(parts))
