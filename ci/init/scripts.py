"""Follows a shell script as far as it is plain: which values its variables may have, and what it hands on.

It runs nothing. A branch whose condition is not known is taken and not taken: a variable may have several values then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product, zip_longest

from ci.init.holes import HOLE, hide, hole, show_again

_ASSIGNED = re.compile(r"(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)(\+?)=(.*)")
_HANDED_ON = re.compile(
    r"echo\s+(?:\"([^\"]*)\"|'([^']*)'|(\S+))\s*(?:>>|\|\s*tee\s+-a)\s*\"?\$\{?GITHUB_(OUTPUT|ENV)\}?"
)
_GROUP = re.compile(r"(?ms)^[ \t]*\{[ \t]*$(.*?)^[ \t]*\}[ \t]*>>[ \t]*\"?\$\{?(GITHUB_(?:OUTPUT|ENV))\}?\"?")
_CONDITION = re.compile(r"(?:if|elif)\s+(.*?)\s*(?:;\s*then)?$")
_COMPARED = re.compile(r"\[\[?\s+(\S+|\"[^\"]*\"|'[^']*')\s+(=|==|!=)\s+(\S+|\"[^\"]*\"|'[^']*')\s+\]\]?")
_EMPTY = re.compile(r"\[\[?\s+(-[zn])\s+(\S+|\"[^\"]*\")\s+\]\]?")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)([^{}]*)\})")
_LOWER = re.compile(
    r"\$\(echo\s+\"?([^\"|]*?)\"?\s*\|\s*"
    r"(?:awk '\{ *print tolower\(\$0\);? *\}'|tr '?\[?:?(?:upper:\]|A-Z)'? '?\[?:?(?:lower:\]|a-z)'?)\)"
)
_WORD = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\$\((?:[^()]|\([^()]*\))*\)|[^\s;&|])*")
_REPLACED = re.compile(r"(//?)((?:[^/\\*?\[]|\\.)+)/?([^/]*)")
_OPENED = re.compile(r"([A-Za-z_][\w-]*)<<(\w+)")
_WHERE_SET = re.compile(r"\$\{([A-Za-z_]\w*):?\+((?:[^{}]|\{[^{}]*\})*)\}")
_MOST = 24  # values of a variable that are kept
_MOST_LINES = 1000

Values = dict[str, tuple[str, ...]]


@dataclass(kw_only=True, slots=True)
class _Branch:
    """One if that is open: what was known before it, how its branches ended, and whether one of them is taken."""

    before: Values
    ends: list[Values] = field(default_factory=list)
    taken: bool = False  # a condition that holds was met: what follows is skipped
    skipped: bool = False
    otherwise: bool = False  # it has an else


def follow(script: str, environment: Mapping[str, str]) -> tuple[Values, Values, Values]:
    """Follow a script.

    Args:
        script: its text, in which GitHub's expressions are filled in.
        environment: its variables.

    Returns:
        What its variables may be at its end, and what it writes to GITHUB_OUTPUT and to GITHUB_ENV.

    """
    values: Values = {name: (value,) for name, value in environment.items()}
    handed: dict[str, Values] = {"OUTPUT": {}, "ENV": {}}
    branches: list[_Branch] = []
    opened = ("", "")  # an output of several lines: its name, and the word that ends it
    for line in _lines(script):
        word = line.split(maxsplit=1)[0]
        if word in ("if", "elif", "else", "fi", "case", "esac") or line.startswith("}"):
            values = _turn(word, line, values, branches)
        elif any(branch.skipped for branch in branches):
            continue
        elif found := _HANDED_ON.search(line):
            said = found[1] or found[2] or found[3]
            key, equals, text = said.partition("=")
            if begun := _OPENED.fullmatch(said):
                opened = (begun[1], begun[2])
            elif opened[0] and said == opened[1]:
                opened = ("", "")
            elif opened[0] or equals:
                into, key, text = handed[found[4]], opened[0] or key, said if opened[0] else text
                into[key] = _most((*into.get(key, ()), *expand(text, values)))
        elif found := _ASSIGNED.match(line):
            value = _WORD.match(found[3])
            text = value[0] if value else ""
            added = values.get(found[1], ("",)) if found[2] else ("",)
            values[found[1]] = _most(one + other for one in added for other in expand(text, values))
    return values, handed["OUTPUT"], handed["ENV"]


def _each(group: re.Match[str]) -> str:
    """Hand on each line of a group that is handed on as one."""
    lines = (line.strip() for line in group[1].splitlines())
    return "\n".join(f"{line} >> ${group[2]}" if line.startswith("echo ") else line for line in lines)


def _lines(script: str) -> Iterator[str]:
    joined = _GROUP.sub(_each, re.sub(r"\\\n\s*", " ", script))
    for text in joined.splitlines()[:_MOST_LINES]:
        line = text.strip()
        if line and not line.startswith("#"):
            yield from filter(
                None, (part.strip() for part in line.split("; then")) if line.startswith("if") else [line]
            )


def _turn(word: str, line: str, values: Values, branches: list[_Branch]) -> Values:
    """Enter, change or leave a branch; return what is known then."""
    if word in ("if", "case"):
        holds = _holds(line, values) if word == "if" else None
        inside = any(branch.skipped for branch in branches)
        branches.append(_Branch(before=values, skipped=inside or holds is False, taken=inside or bool(holds)))
        return dict(values)
    if not branches:
        return values
    branch = branches[-1]
    if word in ("elif", "else"):
        if not branch.skipped:
            branch.ends.append(values)
        holds = _holds(line, branch.before) if word == "elif" else True
        branch.skipped = branch.taken or holds is False
        branch.otherwise = branch.otherwise or (word == "else")
        branch.taken = branch.taken or (bool(holds) and word == "elif")
        return dict(branch.before)
    branches.pop()
    if not branch.skipped:
        branch.ends.append(values)
    whole = branch.otherwise or branch.taken
    return _merge([*branch.ends, *([] if whole and branch.ends else [branch.before])])


def _merge(states: Iterable[Values]) -> Values:
    given = [*states]
    names = dict.fromkeys(name for state in given for name in state)
    # In turn, so that each branch keeps some where there are too many.
    return {name: _most(_in_turn([state[name] for state in given if name in state])) for name in names}


def _in_turn(lists: Iterable[Iterable[str]]) -> Iterator[str]:
    for row in zip_longest(*lists):
        yield from (value for value in row if value is not None)


def _holds(line: str, values: Values) -> bool | None:
    """Tell whether a condition holds; None where nobody knows."""
    found = _CONDITION.match(line)
    text = found[1] if found else ""
    if compared := _COMPARED.fullmatch(text):
        left, right = expand(compared[1], values), expand(compared[3], values)
        if len(left) == len(right) == 1 and not _open(left[0] + right[0]):
            return (left == right) is (compared[2] != "!=")
    elif empty := _EMPTY.fullmatch(text):
        left = expand(empty[2], values)
        if len(left) == 1 and not _open(left[0]):
            return (not left[0]) is (empty[1] == "-z")
    return None


def _open(text: str) -> bool:
    return bool(HOLE.search(text) or "$" in text or "*" in text)


def expand(text: str, values: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return all that a word of a shell may become; what is not plain is a hole in it."""
    text = _LOWER.sub(lambda found: found[1].lower() if not _open(found[1]) else found[0], text)
    text = _WHERE_SET.sub(lambda found: found[2] if any(values.get(found[1], ("",))) else "", text)
    if (lowered := _lowered(text, values)) is not None:
        return (lowered,)
    parts: list[tuple[str, ...]] = []
    at = 0
    for each in _VARIABLE.finditer(text):
        parts += [(text[at : each.start()],), _variable(each, values)]
        at = each.end()
    parts.append((text[at:],))
    made = ("".join(choice) for choice, _ in zip(product(*parts), range(_MOST), strict=False))
    return _most(_commands(one.replace('"', "").replace("'", "")) for one in made)


def _lowered(text: str, values: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return what a command makes of one text by writing it in lower case; None for any other word."""
    filled = _VARIABLE.sub(lambda f: only[0] if len(only := values.get(f[1] or f[2], ())) == 1 else f[0], text)
    found = _LOWER.fullmatch(filled.strip('"'))
    return found[1].lower() if found and not HOLE.search(found[1]) and "$" not in found[1] else None


def _commands(text: str) -> str:
    """Make a hole of each command whose output stands in a text; what only mends a plain text leaves it."""
    bare, kept = hide(text)
    bare = re.sub(r"\$\(echo ([\w.()-]+) \| sed [^()|]*\)", r"\1", bare)
    made = re.sub(r"\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", lambda found: hole(show_again(found[0], kept)), bare)
    return show_again(made, kept)


def _variable(found: re.Match[str], values: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return what a variable may be, after what its braces do to it."""
    name, change = found[1] or found[2], found[3] or ""
    known = values.get(name, (hole(f"${name}"),))
    if not change:
        return known
    if change.startswith((":-", "-")):
        usual = change.lstrip(":-")
        return tuple(value or usual for value in known) if name in values else (usual,)
    return _most(_changed(value, change) for value in known)


def _changed(value: str, change: str) -> str:
    """Do to a value what stands behind its name in braces; what is not plain is a hole."""
    if change == ",,":
        return _lower(value)
    if (found := _REPLACED.fullmatch(change)) and not HOLE.search(value):
        return value.replace(found[2], found[3], -1 if found[1] == "//" else 1)
    if change == "%.*" and not _open(value):
        return value.rpartition(".")[0] or value
    if change.startswith("#") and not re.search(r"[*?\[]", change):
        part = change.lstrip("#")
        return hole(f"{value}#{part}") if HOLE.search(value) else value.removeprefix(part)
    return hole(f"${{{value}{change}}}")


def _lower(text: str) -> str:
    """Write a text in lower case, but what stands in a hole, which is no text yet."""
    bare, kept = hide(text)
    return show_again(bare.lower(), kept)


def _most(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))[:_MOST]
