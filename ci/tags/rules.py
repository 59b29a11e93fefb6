"""Reads rules for tags, each a line as docker/metadata-action has it: `type=semver,pattern={{major}}.{{minor}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ci.core.text import nearest
from ci.tags.errors import RuleError
from ci.tags.expressions import GithubExpression, parse_expression
from ci.tags.patterns import Pattern, parse_pattern
from ci.tags.templates import DATES, GLOBALS, HOLE, NOTHING, Template, parse_template
from ci.tags.versions import PEP440_WORDS, SEMVER_WORDS

# Of each type: its priority, what it has to say, and what else it may say with what stands for it.
_TYPES: dict[str, tuple[int, tuple[str, ...], dict[str, str]]] = {
    "schedule": (1000, (), {"pattern": "nightly"}),
    "semver": (900, ("pattern",), {"value": "", "match": ""}),
    "pep440": (900, ("pattern",), {"value": "", "match": ""}),
    "match": (800, ("pattern",), {"group": "0", "value": ""}),
    "edge": (700, (), {"branch": ""}),
    "ref": (600, ("event",), {}),
    "raw": (200, ("value",), {}),
    "sha": (100, (), {"format": "short"}),
}
_COMMON = ("enable", "priority", "prefix", "suffix")
_WORDS = {"semver": SEMVER_WORDS, "pep440": PEP440_WORDS, "schedule": DATES}  # of their patterns
_CHOICES = {("ref", "event"): ("branch", "tag", "pr"), ("sha", "format"): ("short", "long")}
_PREFIXES = {"sha": "sha-", "pr": "pr-"}  # where none is given
_FIELD = re.compile(r'"((?:[^"]|"")*)"|([^",]*)')
_GITHUB = re.compile(r"\$\{\{(.*?)\}\}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_TEMPLATES = ("enable", "prefix", "suffix", "value")
_AUTO = Template(parts=("auto",))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule: of what kind it is, and what it says."""

    text: str  # as it was given
    kind: str
    priority: float
    templates: Mapping[str, Template] = field(default_factory=dict)  # of what an event may change
    pattern: Pattern | None = None  # of match; of semver and pep440, what is taken out of the value
    group: int = 0
    choice: str = ""  # the event of ref, or the format of sha


@dataclass(frozen=True, kw_only=True, slots=True)
class Flavor:
    """What holds for all rules."""

    latest: Template = _AUTO  # auto, true or false
    prefix: Template = NOTHING
    suffix: Template = NOTHING
    prefix_latest: bool = False
    suffix_latest: bool = False


def split_lines(text: str) -> tuple[str, ...]:
    """List the rules of a text, one on each line; empty lines, and those that begin with #, are none."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def parse_rule(text: str) -> Rule:
    """Read one rule.

    Raises:
        RuleError: says what is wrong with it, and what is accepted.

    """
    line, holes = _take_expressions(text.strip())
    given: dict[str, str] = {}
    for item in _split(line):
        key, equals, value = item.partition("=") if not item.startswith("=") else (item, "", "")
        given[key.strip().lower() if equals else "value"] = (value if equals else item).strip()
    kind = given.pop("type", "raw")
    if kind not in _TYPES:
        raise _wrong(text, f"the type {kind!r} is not known", tuple(_TYPES), kind)
    priority, required, optional = _TYPES[kind]
    known = (*required, *optional, *_COMMON)
    for key in given:
        if key not in known:
            raise _wrong(text, f"{key!r} is nothing that type={kind} knows", known, key)
    for key in required:
        if key not in given:
            raise _wrong(text, f"{key}= is missing", (f"type={kind} with {key}=",))
    for key, value in given.items():
        if HOLE.search(value) and key not in _TEMPLATES and (kind, key) != ("edge", "branch"):
            raise _wrong(text, f"{key}= takes no ${{{{ ... }}}}", (f"one in {', '.join(_TEMPLATES)}",))
    return _rule(text, kind, {**optional, **given}, holes, priority)


def _rule(text: str, kind: str, given: Mapping[str, str], holes: Mapping[int, GithubExpression], usual: int) -> Rule:
    choice = next((given[key] for of, key in _CHOICES if of == kind), "")
    for (of, key), options in _CHOICES.items():
        if of == kind and given[key] not in options:
            raise _wrong(text, f"{key}={given[key]} is not known", options, given[key])
    priority = given.get("priority", str(usual))
    if not _NUMBER.fullmatch(priority):
        raise _wrong(text, f"priority={priority} is no number", ("a number such as 100",))
    if not given.get("group", "0").isdecimal():
        raise _wrong(text, f"group={given['group']} is no number", ("the number of a group, from 0",))
    templates = {key: _template(text, value, GLOBALS, holes) for key, value in given.items() if key in _TEMPLATES}
    if kind in _WORDS:
        templates["pattern"] = _template(text, given["pattern"], _WORDS[kind], holes)
    if kind == "edge":
        templates["branch"] = _template(text, given["branch"], (), holes)
    if "prefix" not in templates and (prefix := _PREFIXES.get(kind) or _PREFIXES.get(choice)):
        templates["prefix"] = Template(parts=(prefix,))
    enable = templates.get("enable", Template(parts=("true",))).fixed
    if enable not in (None, "true", "false"):
        raise _wrong(text, f"enable={enable} is given", ("true", "false", "{{is_default_branch}}", "${{ ... }}"))
    pattern = _pattern(text, kind, given)
    group = int(given.get("group", "0"))
    if pattern and not pattern.everywhere and group > pattern.groups:
        raise _wrong(text, f"{pattern.text!r} has no group {group}", (f"0 to {pattern.groups}",))
    return Rule(
        text=text.strip(),
        kind=kind,
        priority=float(priority),
        templates=templates,
        pattern=pattern,
        group=group,
        choice=choice,
    )


def _pattern(text: str, kind: str, given: Mapping[str, str]) -> Pattern | None:
    source = given["pattern"] if kind == "match" else given.get("match", "")
    if not source:
        return None
    try:
        pattern = parse_pattern(source, delimited=kind == "match")
    except RuleError as error:
        raise _named(text, error) from None
    if kind != "match" and not pattern.groups:
        raise _wrong(text, f"match={source} has no group", (r"one that holds the version, such as v(\d+\.\d+\.\d+)$",))
    return pattern


def parse_flavor(lines: Sequence[str]) -> Flavor:
    """Read what holds for all rules: `latest=auto`, `prefix=x-`, `suffix=-y,onlatest=true`; a later line wins.

    Raises:
        RuleError: says what is wrong with it, and what is accepted.

    """
    found: dict[str, Template] = {}
    on_latest = {"prefix": False, "suffix": False}
    known = ("latest", "prefix", "suffix", "onlatest")
    for text in lines:
        line, holes = _take_expressions(text.strip())
        affix = ""
        for item in _split(line):
            key, equals, value = (part.strip() for part in item.partition("="))
            key = key.lower()
            if not equals or key not in known:
                raise _wrong(text, f"{key!r} is not known", tuple(f"{word}=" for word in known), key)
            if key == "onlatest":
                if value not in ("true", "false") or not affix:
                    raise _wrong(
                        text, "onlatest= cannot be read", ("prefix=...,onlatest=true", "suffix=...,onlatest=true")
                    )
                on_latest[affix] = value == "true"
                continue
            found[key] = _template(text, value, GLOBALS if key != "latest" else ("is_default_branch",), holes)
            affix = key if key != "latest" else ""
    latest = found.get("latest", _AUTO)
    if latest.fixed not in (None, "auto", "true", "false"):
        raise _wrong(f"latest={latest.fixed}", "it is not known", ("latest=auto", "latest=true", "latest=false"))
    return Flavor(
        latest=latest,
        prefix=found.get("prefix", NOTHING),
        suffix=found.get("suffix", NOTHING),
        prefix_latest=on_latest["prefix"],
        suffix_latest=on_latest["suffix"],
    )


def _take_expressions(text: str) -> tuple[str, dict[int, GithubExpression]]:
    """Put a hole in the place of every GitHub expression, since it may hold commas and quotes."""
    holes: dict[int, GithubExpression] = {}

    def take(found: re.Match[str]) -> str:
        try:
            holes[len(holes)] = parse_expression(found[1])
        except RuleError as error:
            raise _named(text, error) from None
        return f"\ue000{len(holes) - 1}\ue001"

    line = _GITHUB.sub(take, HOLE.sub("", text))
    if "${{" in line:
        raise _wrong(text, "${{ is opened and not closed", ("${{ ... }}",))
    return line, holes


def _split(line: str) -> list[str]:
    """Split a line at its commas; a field in quotes keeps those it has, and "" in it is a quote."""
    fields: list[str] = []
    at = 0
    while True:
        found = _FIELD.match(line, at)
        if not found or (found.end() < len(line) and line[found.end()] != ","):
            raise _wrong(line, "a quote stands inside of a field", ('quotes around all of it: "value=a,b"',))
        fields.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        if found.end() == len(line):
            return fields
        at = found.end() + 1


def _template(text: str, value: str, accepted: Sequence[str], holes: Mapping[int, GithubExpression]) -> Template:
    try:
        return parse_template(value, accepted, holes)
    except RuleError as error:
        raise _named(text, error) from None


def _named(text: str, error: RuleError) -> RuleError:
    return RuleError(f"the rule {text!r}: {error.message}", accepted=error.accepted, nearest=error.nearest)


def _wrong(text: str, why: str, accepted: Sequence[str], given: str = "") -> RuleError:
    close = nearest(given, accepted) if given else ""
    return _named(text, RuleError(why, accepted=", ".join(accepted), nearest=close))
