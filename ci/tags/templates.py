"""Fills `{{…}}` expressions, as Handlebars does, and GitHub's `${{ … }}`, with what is known of an event."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ci.core.text import nearest
from ci.tags.dates import format_date, read_zone
from ci.tags.errors import RuleError
from ci.tags.event import Event
from ci.tags.expressions import GithubExpression

DATES = ("date", "commit_date")
GLOBALS = ("branch", "tag", "sha", "base_ref", "is_default_branch", "is_not_default_branch", *DATES)
# Stands in a line for a GitHub expression, which may hold a comma: its number between two private characters.
HOLE = re.compile("\ue000(\\d+)\ue001")

_EXPRESSION = re.compile(r"\{\{\{(?P<bare>[^{}]*)\}\}\}|\{\{(?P<amp>&?)(?P<body>[^{}]*)\}\}")
_WORDS = re.compile(
    r"\s*(?P<name>[A-Za-z_]\w*)"
    r"""(?:\s+(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<word>[^\s'"=]+(?!=))))?"""
    r"""(?:\s+tz=(?:'(?P<tz>[^']*)'|"(?P<zone>[^"]*)"))?\s*""",
    re.ASCII,
)
# Handlebars writes these for HTML; what is no letter, digit, dot, dash or underscore becomes a dash later.
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "`": "&#x60;", "=": "&#x3D;"}
_ESCAPED = re.compile("[&<>\"'`=]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """One `{{…}}`."""

    name: str
    form: str | None = None  # of a date; None: as ISO 8601 has it
    zone: str = "UTC"
    bare: bool = False  # three braces: nothing is escaped

    def render(self, event: Event, words: Mapping[str, str]) -> str:
        """Write its value; `words` are those of a version."""
        value = words[self.name] if self.name in words else self._global(event)
        return value if self.bare else _ESCAPED.sub(lambda found: _ESCAPES[found[0]], value)

    def _global(self, event: Event) -> str:
        if self.name in DATES:
            time = event.committed if self.name == "commit_date" and event.committed else event.now
            return format_date(time, self.form, self.zone)
        values = {
            "branch": event.branch,
            "tag": event.tag,
            "sha": event.short,
            "base_ref": event.base,
            "is_default_branch": str(event.on_default_branch).lower(),
            "is_not_default_branch": str(not event.on_default_branch).lower(),
        }
        return values[self.name]


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A text with expressions in it."""

    parts: tuple[str | Expression | GithubExpression, ...] = ()

    @property
    def fixed(self) -> str | None:
        """The text, where no event changes it."""
        texts = [part for part in self.parts if isinstance(part, str)]
        return "".join(texts) if len(texts) == len(self.parts) else None

    def asks_only_for(self, name: str) -> bool:
        """Tell whether it is one expression of that name, and nothing else."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Expression) and self.parts[0].name == name

    def render(self, event: Event, words: Mapping[str, str] | None = None) -> str:
        """Fill in what is known."""
        return "".join(
            part
            if isinstance(part, str)
            else part.render(event)
            if isinstance(part, GithubExpression)
            else part.render(event, words or {})
            for part in self.parts
        )


NOTHING = Template()


def parse_template(text: str, accepted: Collection[str], holes: Mapping[int, GithubExpression]) -> Template:
    """Read a text with expressions.

    Args:
        text: with a hole for each GitHub expression.
        accepted: the names there may be between the braces; none where braces stand for themselves.
        holes: the GitHub expressions.

    Raises:
        RuleError: an expression cannot be read.

    """
    parts: list[str | Expression | GithubExpression] = []
    at = 0
    for found in _EXPRESSION.finditer(text) if accepted else ():
        parts += _fill(text[at : found.start()], holes)
        body = found["bare"] if found["body"] is None else found["body"]
        parts.append(_expression(found[0], body, accepted, bare=found["body"] is None or bool(found["amp"])))
        at = found.end()
    parts += _fill(text[at:], holes)
    if accepted and any(isinstance(part, str) and "{{" in part for part in parts):
        raise RuleError(f"{text!r} opens braces that nothing closes", accepted=_help(accepted))
    return Template(parts=tuple(part for part in parts if part != ""))


def _fill(text: str, holes: Mapping[int, GithubExpression]) -> list[str | Expression | GithubExpression]:
    pieces = HOLE.split(text)  # text and numbers by turns
    return [holes[int(piece)] if n % 2 else piece for n, piece in enumerate(pieces)]


def _expression(shown: str, body: str, accepted: Collection[str], *, bare: bool) -> Expression:
    found = _WORDS.fullmatch(body)
    if not found:
        raise RuleError(f"{shown} is not known", accepted=_help(accepted))
    name = found["name"]
    if name not in accepted:
        raise RuleError(f"{shown} is not known here", accepted=_help(accepted), nearest=nearest(name, accepted))
    form = found["single"] if found["single"] is not None else found["double"]
    zone = found["tz"] if found["tz"] is not None else found["zone"]
    if name not in DATES:
        if body.strip() != name:
            raise RuleError(f"{shown} takes nothing behind {name}", accepted=f"{{{{{name}}}}}")
        return Expression(name=name, bare=bare)
    if form is None and found["word"] is None:
        raise RuleError(f"{shown} has no format", accepted=f"{{{{{name} 'YYYYMMDD'}}}}")
    # Handlebars takes a word without quotes for a variable, of which there is none: the time is then written whole.
    read_zone(zone or "UTC")
    return Expression(name=name, form=form, zone=zone or "UTC", bare=bare)


def _help(accepted: Collection[str]) -> str:
    return ", ".join(f"{{{{{name} 'YYYYMMDD'}}}}" if name in DATES else f"{{{{{name}}}}}" for name in accepted)
