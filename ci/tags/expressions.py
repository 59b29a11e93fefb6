"""Evaluates the part of GitHub's expressions that asks about the event: `${{ startsWith(github.ref, 'refs/tags/v') }}`.

Source: https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci.core.text import nearest
from ci.tags.errors import RuleError
from ci.tags.event import Event

Value = str | bool
Evaluate = Callable[[Event], Value]

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w.-]*)|(&&|\|\||==|!=|[!(),]))", re.ASCII)
_CONTEXT: dict[str, Evaluate] = {
    "github.ref": lambda event: event.ref,
    "github.ref_name": lambda event: event.branch or event.tag or event.ref.removeprefix("refs/pull/"),
    "github.ref_type": lambda event: "tag" if event.tag else "branch",
    "github.event_name": lambda event: event.name,
    "github.base_ref": lambda event: event.base if event.pull_request else "",
    "github.sha": lambda event: event.revision,
    "github.event.repository.default_branch": lambda event: event.default_branch,
    "github.event.release.tag_name": lambda event: event.tag if event.name == "release" else "",
    "github.event.release.prerelease": lambda event: event.prerelease,
    "true": lambda _: True,
    "false": lambda _: False,
}
_ELSEWHERE = ("env", "inputs", "job", "matrix", "needs", "secrets", "steps", "vars")  # known while a workflow runs
_MOST = 100  # words and signs
_NUMBERS = {"": False, "0": False, "1": True}  # what a text is when a truth value is held against it
# GitHub compares texts without regard to case.
_FUNCTIONS: dict[str, tuple[int, Callable[..., Value]]] = {
    "startswith": (2, lambda text, part: _text(text).lower().startswith(_text(part).lower())),
    "endswith": (2, lambda text, part: _text(text).lower().endswith(_text(part).lower())),
    "contains": (2, lambda text, part: _text(part).lower() in _text(text).lower()),
    "format": (0, lambda form, *parts: _format(_text(form), [_text(part) for part in parts])),
}
_NAMES = {"startswith": "startsWith", "endswith": "endsWith", "contains": "contains", "format": "format"}
_ACCEPTED = ", ".join((*(name for name in _CONTEXT if "." in name), *_NAMES.values(), "== != && || ! ( ) 'text'"))


@dataclass(frozen=True, kw_only=True, slots=True)
class GithubExpression:
    """An expression that depends on nothing but the event."""

    text: str
    evaluate: Evaluate

    def render(self, event: Event) -> str:
        """Write its value as GitHub puts it into a text."""
        return _text(self.evaluate(event))


def parse_expression(text: str) -> GithubExpression:
    """Read what stands between `${{` and `}}`.

    Raises:
        RuleError: it asks for something else than the event, or is no expression.

    """
    reader = _Reader(text=text, tokens=_split(text))
    if len(reader.tokens) > _MOST:
        raise _refused(text, f"it has more than {_MOST} words and signs")
    found = reader.either()
    if reader.tokens:
        raise _refused(text, f"nothing can follow at {reader.tokens[0]!r}")
    return GithubExpression(text=text, evaluate=found)


def _refused(text: str, why: str, *, close: str = "") -> RuleError:
    return RuleError(
        f"the expression ${{{{ {text.strip()} }}}} cannot be read here: {why}", accepted=_ACCEPTED, nearest=close
    )


def _split(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if not found:
            raise _refused(text, f"{text[at:].strip()[:20]!r} is no part of one")
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Takes an expression apart, from the operator that binds least."""

    text: str
    tokens: list[str]

    def either(self) -> Evaluate:
        """Read what stands around ||."""
        left = self.both()
        while self._next("||"):
            left = _or(left, self.both())
        return left

    def both(self) -> Evaluate:
        """Read what stands around &&."""
        left = self.comparison()
        while self._next("&&"):
            left = _and(left, self.comparison())
        return left

    def comparison(self) -> Evaluate:
        """Read what stands around == and !=."""
        left = self.negation()
        while self.tokens and self.tokens[0] in ("==", "!="):
            wanted = self.tokens.pop(0) == "=="
            left = _equal(left, self.negation(), wanted=wanted)
        return left

    def negation(self) -> Evaluate:
        """Read a value, or ! and a value."""
        if self._next("!"):
            return _not(self.negation())
        return self.value()

    def value(self) -> Evaluate:
        """Read a text, a word, a call, or what stands in parentheses."""
        if not self.tokens:
            raise _refused(self.text, "it ends too early")
        if self._next("("):
            inner = self.either()
            self._expect(")")
            return inner
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return _constant(token[1:-1].replace("''", "'"))
        if self._next("("):
            return self._call(token)
        if token.lower() not in _CONTEXT:
            why = "is the workflow's own: write its value" if token.partition(".")[0] in _ELSEWHERE else "is not known"
            raise _refused(self.text, f"{token} {why}", close=nearest(token, _CONTEXT))
        return _CONTEXT[token.lower()]

    def _call(self, name: str) -> Evaluate:
        if name.lower() not in _FUNCTIONS:
            raise _refused(self.text, f"the function {name!r} is not known", close=nearest(name, _NAMES.values()))
        arguments = [self.either()]
        while self._next(","):
            arguments.append(self.either())
        self._expect(")")
        count, function = _FUNCTIONS[name.lower()]
        if count and len(arguments) != count:
            raise _refused(self.text, f"{name} takes {count} values")
        return lambda event: function(*(argument(event) for argument in arguments))

    def _next(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._next(token):
            raise _refused(self.text, f"{token!r} is missing")


def _constant(text: str) -> Evaluate:
    return lambda _: text


def _or(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda event: left(event) or right(event)


def _and(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda event: right(event) if left(event) else left(event)


def _not(inner: Evaluate) -> Evaluate:
    return lambda event: not inner(event)


def _equal(left: Evaluate, right: Evaluate, *, wanted: bool) -> Evaluate:
    return lambda event: _same(left(event), right(event)) is wanted


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    left, right = (_NUMBERS.get(value) if isinstance(value, str) else value for value in (one, other))
    return left is not None and left == right


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _format(form: str, parts: Sequence[str]) -> str:
    """Fill {0}, {1} and so on; doubled braces stand for themselves."""

    def fill(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        number = int(found[1])
        return parts[number] if number < len(parts) else found[0]

    return re.sub(r"\{\{|\}\}|\{(\d+)\}", fill, form)
