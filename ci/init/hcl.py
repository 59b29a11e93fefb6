"""Reads HCL as bake files use it: a library makes a tree of the text, and what is plain in the tree is worked out here.

What only a run knows, such as a time or a variable without a value, becomes a hole in the text where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ci.init.hcl_functions import FUNCTIONS, PASSED_ON, are_equal, has_hole, written
from ci.init.holes import hole

_LEFT_OUT = frozenset(
    "NL_OR_COMMENT LPAR RPAR LSQB RSQB LBRACE RBRACE COMMA COLON EQ DOT DBLQUOTE QMARK INTERP_START FOR IN IF "
    "FOR_OBJECT_ARROW COLONS".split()
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_HEREDOC = re.compile(r"<<(-?)[\w.-]+\r?\n(.*?)[ \t]*[\w.-]+\r?\n", re.DOTALL)
_DEEPEST = 40  # calls and blocks within each other
_LONGEST = 200_000  # characters of a file, and of a text that is made of one
_MOST = 200_000  # expressions that are worked out; functions may call each other twice, and so on


class HclError(Exception):
    """The text is no HCL."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a text, and where it stands."""

    kind: str
    text: str
    line: int
    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A block: its type, its labels, and the expressions of its keys."""

    kind: str
    labels: tuple[str, ...]
    line: int
    keys: Mapping[str, Node]


@dataclass(kw_only=True, slots=True)
class Scope:
    """What names stand for where an expression is worked out."""

    values: Mapping[str, Any]
    functions: Mapping[str, Block] = field(default_factory=dict)
    deep: int = 0
    done: list[int] = field(default_factory=lambda: [0])  # how much was worked out, here and within

    def within(self, values: Mapping[str, Any]) -> Scope:
        """Return what names stand for inside a function or a loop."""
        if self.deep >= _DEEPEST:
            raise HclError("it calls itself")
        inner = {**self.values, **values}
        return Scope(values=inner, functions=self.functions, deep=self.deep + 1, done=self.done)


def read_blocks(text: str) -> list[Block]:
    """Read the blocks of a file; a key that stands outside of all is a block of its own without keys but itself.

    Raises:
        HclError: the text is no HCL.

    """
    # They take longer to import than all of init does to read a repository, and few repositories need them.
    import hcl2  # noqa: PLC0415
    from lark.exceptions import LarkError  # noqa: PLC0415

    if len(text) > _LONGEST:
        raise HclError("it is too long")
    try:
        body = _node(hcl2.parses_to_tree(text), text).parts[0]
    except (LarkError, RecursionError) as error:
        raise HclError(f"line {getattr(error, 'line', '?')} cannot be read") from error
    return [_block(part) for part in body.parts if part.kind == "block"] + [
        Block(kind="", labels=(), line=key.line, keys={key.parts[0].text: key.parts[-1]})
        for key in body.parts
        if key.kind == "attribute"
    ]


def _node(tree: Any, text: str) -> Node:  # noqa: ANN401  # a tree or a token of the library
    if not hasattr(tree, "data"):
        return Node(kind=str(tree.type), text=str(tree), line=int(tree.line or 1))
    tokens = [*tree.scan_values(lambda _: True)]
    first, last = (tokens[0], tokens[-1]) if tokens else (None, None)
    whole = text[first.start_pos : last.end_pos] if first and last else ""
    parts = (_node(child, text) for child in tree.children if str(getattr(child, "data", "")) != "new_line_or_comment")
    return Node(
        kind=str(tree.data),
        text=re.sub(r"\s+", " ", whole).strip(),
        line=int(first.line or 1) if first else 1,
        parts=tuple(part for part in parts if part.kind not in _LEFT_OUT),
    )


def _block(node: Node) -> Block:
    *names, body = node.parts
    labels = tuple(name.text.strip('"') for name in names[1:])
    keys = {key.parts[0].text: key.parts[-1] for key in body.parts if key.kind == "attribute"}
    return Block(kind=names[0].text, labels=labels, line=node.line, keys=keys)


def work_out(node: Node, scope: Scope) -> Any:  # noqa: ANN401  # whatever HCL can hold
    """Return the value of an expression; a text with holes stands for what only a run knows."""
    scope.done[0] += 1
    worker = _WORKERS.get(node.kind)
    try:
        value = worker(node, scope) if worker else hole(node.text)
    except RecursionError as error:
        raise HclError("it is nested too deeply") from error
    if scope.done[0] > _MOST or (isinstance(value, str | list) and len(value) > _LONGEST):
        raise HclError("it takes too long to work out")
    return value


def _part(node: Node, scope: Scope) -> Any:  # noqa: ANN401
    if node.kind == "STRING_CHARS":
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), node.text)
    if node.kind.startswith("ESCAPED"):
        return node.text[1:]
    return work_out(node, scope)


def _joined(parts: list[Any]) -> Any:  # noqa: ANN401
    """Join the parts of a text; one that is nothing but a value is that value."""
    return parts[0] if len(parts) == 1 else "".join(written(part) for part in parts)


def _heredoc(text: str, scope: Scope) -> str:
    found = _HEREDOC.fullmatch(text)
    body = found[2] if found else text
    if found and found[1]:
        indents = [len(line) - len(line.lstrip()) for line in body.splitlines() if line.strip()]
        body = "\n".join(line[min(indents, default=0) :] for line in body.splitlines())
    return re.sub(r"\$\{([^{}]*)\}", lambda f: written(scope.values.get(f[1].strip(), hole(f"${f[1].strip()}"))), body)


def _element(node: Node, scope: Scope) -> tuple[str, Any]:
    key, value = node.parts
    inner = key.parts[0]
    plain = inner.kind == "keyword" or (inner.parts and inner.parts[0].kind == "identifier")
    return inner.text if plain else written(work_out(key, scope)), work_out(value, scope)


def _operation(node: Node, scope: Scope) -> Any:  # noqa: ANN401
    if node.kind == "conditional":
        condition, *ways = node.parts
        holds = work_out(condition, scope)
        if isinstance(holds, bool):
            return work_out(ways[0 if holds else 1], scope)
        either = [work_out(way, scope) for way in ways]
        return either[0] if either[0] == either[1] else hole(node.text)
    if node.kind == "unary_op":
        sign, term = node.parts
        value = work_out(term, scope)
        if sign.kind == "NOT" and isinstance(value, bool):
            return not value
        return -value if sign.kind == "MINUS" and isinstance(value, int | float) else hole(node.text)
    left, (sign, right) = work_out(node.parts[0], scope), node.parts[1].parts
    return _compared(left, sign.text.strip(), work_out(right, scope), node.text)


def _compared(left: Any, sign: str, right: Any, text: str) -> Any:  # noqa: ANN401
    if sign in ("==", "!="):
        same = are_equal(left, right)
        return hole(text) if same is None else same is (sign == "==")
    if isinstance(left, bool) and isinstance(right, bool) and sign in ("&&", "||"):
        return left and right if sign == "&&" else left or right
    if (sign == "&&" and False in (left, right)) or (sign == "||" and True in (left, right)):
        return sign == "||"
    if isinstance(left, int | float) and isinstance(right, int | float):
        made = {"+": left + right, "-": left - right, "*": left * right, "<": left < right, ">": left > right}
        return {**made, "<=": left <= right, ">=": left >= right}.get(sign, hole(text))
    return hole(text)


def _call(node: Node, scope: Scope) -> Any:  # noqa: ANN401
    name = node.parts[0].text
    given = node.parts[-1].parts if len(node.parts) > 1 else ()
    values = [work_out(part, scope) for part in given if part.kind != "ELLIPSIS"]
    if given and given[-1].kind == "ELLIPSIS" and isinstance(values[-1], list):
        values = [*values[:-1], *values[-1]]
    if own := scope.functions.get(name):
        names = [part.text for part in own.keys["params"].parts[0].parts] if "params" in own.keys else []
        rest = {}
        if "variadic_params" in own.keys:
            rest = {own.keys["variadic_params"].parts[0].text: values[len(names) :]}
        inner = scope.within({**dict(zip(names, values, strict=False)), **rest})
        return work_out(own.keys["result"], inner) if "result" in own.keys else hole(node.text)
    if name not in FUNCTIONS or (has_hole(values) and name not in PASSED_ON):
        return hole(node.text)
    try:
        return FUNCTIONS[name](*values)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, re.error):
        return hole(node.text)


def _loop(node: Node, scope: Scope) -> Any:  # noqa: ANN401
    intro, *bodies = [part for part in node.parts if part.kind not in ("for_cond", "ELLIPSIS")]
    conditions = [part.parts[0] for part in node.parts if part.kind == "for_cond"]
    *names, over = intro.parts
    made = []
    for key, value in _pairs(work_out(over, scope)):
        inner = scope.within(dict(zip([name.text for name in names][::-1], (value, key), strict=False)))
        if all(work_out(condition, inner) is not False for condition in conditions):
            made.append([work_out(body, inner) for body in bodies])
    if node.kind == "for_tuple_expr":
        return [one[0] for one in made]
    return {written(key): value for key, value in made}


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:  # noqa: ANN401
    if isinstance(value, dict):
        return value.items()
    return enumerate(value if isinstance(value, list) else [value])


def _item(node: Node, scope: Scope) -> Any:  # noqa: ANN401
    held = work_out(node.parts[0], scope)
    last = node.parts[1]
    key = last.parts[-1].text if last.kind in ("get_attr", "short_index") else work_out(last.parts[0], scope)
    try:
        return held[int(key)] if isinstance(held, list) else held[key] if isinstance(held, dict) else hole(node.text)
    except (LookupError, ValueError, TypeError):
        return hole(node.text)


_WORKERS: Mapping[str, Callable[[Node, Scope], Any]] = {
    **dict.fromkeys(
        ("expr_term", "object_elem_key", "interpolation"), lambda node, scope: work_out(node.parts[0], scope)
    ),
    **dict.fromkeys(("conditional", "binary_op", "unary_op"), _operation),
    **dict.fromkeys(("for_tuple_expr", "for_object_expr"), _loop),
    **dict.fromkeys(("index_expr_term", "get_attr_expr_term"), _item),
    **dict.fromkeys(
        ("heredoc_template", "heredoc_template_trim"), lambda node, scope: _heredoc(node.parts[0].text, scope)
    ),
    "string": lambda node, scope: _joined([_part(part.parts[0], scope) for part in node.parts]),
    "tuple": lambda node, scope: [work_out(part, scope) for part in node.parts],
    "object": lambda node, scope: dict(_element(part, scope) for part in node.parts),
    "identifier": lambda node, scope: scope.values.get(node.text, hole(f"${node.text}")),
    "literal_value": lambda node, _: {"true": True, "false": False}.get(node.text),
    "int_lit": lambda node, _: int(node.text),
    "float_lit": lambda node, _: float(node.text),
    "function_call": _call,
}


def labelled(blocks: Iterable[Block], kind: str) -> Iterator[tuple[str, Block]]:
    """List the blocks of a type that have one label."""
    yield from ((block.labels[0], block) for block in blocks if block.kind == kind and len(block.labels) == 1)
