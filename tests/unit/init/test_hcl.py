"""What is plain in HCL is worked out; what is not is a hole that has its text."""

from __future__ import annotations

from typing import Any

import pytest

from ci.init.bake import read_bake
from ci.init.hcl import HclError, Scope, labelled, read_blocks, work_out
from ci.init.holes import HOLE, shown

FUNCTIONS = """
function "end" {
  params = [text]
  result = text == "" ? "" : "-${text}"
}
function "all" {
  params = [first]
  variadic_params = rest
  result = concat([first], rest)
}
function "again" {
  params = []
  result = again()
}
"""


def value(expression: str, **known: str) -> Any:  # noqa: ANN401  # whatever HCL can hold
    functions = dict(labelled(read_blocks(FUNCTIONS), "function"))
    (block,) = read_blocks(f"it = {expression}\n")
    return work_out(block.keys["it"], Scope(values=known, functions=functions))


@pytest.mark.parametrize(
    ("expression", "made"),
    [
        ('"a"', "a"),
        (r'"a\"b\\c"', 'a"b\\c'),
        ('"$${A}"', "${A}"),
        ("null", None),
        ("true", True),
        ("3", 3),
        ("1 + 2 * 3", 7),
        ("-1 < 2 && !false", True),
        ('["a", "b",]', ["a", "b"]),
        ('{a = 1, "b-c" = 2, (A) = 3}', {"a": 1, "b-c": 2, "x": 3}),
        ('"${A}"', "x"),
        ('"r/${upper(A)}:${A}"', "r/X:x"),
        ('A == "x" ? "yes" : "no"', "yes"),
        ('A == "" ? "" : UNKNOWN', "$UNKNOWN"),
        ('end("")', ""),
        ('end("slim")', "-slim"),
        ('all("a", "b", "c")', ["a", "b", "c"]),
        ('all(["a", "b"]...)', ["a", "b"]),
        ('[for one in ["a", "b"] : "${one}!" if one != "b"]', ["a!"]),
        ('{for key, one in {a = 1} : "${key}${one}" => one}', {"a1": 1}),
        ('["a", "b"][1]', "b"),
        ('{a = {b = "c"}}.a["b"]', "c"),
        ('flatten([["a"], [["b"]]])', ["a", "b"]),
        ('join("/", compact(split(",", "a,,b")))', "a/b"),
        ('format("%s-%d", "a", 1)', "a-1"),
        ('formatlist("%s:%s", ["a", "b"], "c")', ["a:c", "b:c"]),
        ('replace("linux/arm", "/", "-")', "linux-arm"),
        ('regex_replace("v1.2", "^v([0-9]+).*", "$1")', "1"),
        ('coalesce("", null, "a")', "a"),
        ("merge({a = 1}, {b = 2})", {"a": 1, "b": 2}),
        ('lookup({a = 1}, "b", 2)', 2),
        ('element(["a", "b"], 3)', "b"),
        ('substr("abcdef", 1, 2)', "bc"),
        ("<<EOT\nhello ${A}\nEOT\n", "hello x\n"),
    ],
)
def test_what_is_plain_is_worked_out(expression: str, made: object) -> None:
    found = value(expression, A="x")
    assert (shown(found) if isinstance(found, str) else found) == made


@pytest.mark.parametrize(
    "expression",
    [
        "timestamp()",
        "UNKNOWN",
        'UNKNOWN == "a"',
        'UNKNOWN ? "a" : "b"',
        'replace(UNKNOWN, "a", "b")',
        'element(["a"], "b")',
        "{}.a",
        "length(1)",
    ],
)
def test_what_only_a_run_knows_is_a_hole(expression: str) -> None:
    assert HOLE.fullmatch(value(expression))


@pytest.mark.parametrize(
    ("expression", "made"),
    [
        ('"a:${lower(TAG)}"', "a:$TAG"),
        ('join(",", [for one in split(",", TAGS) : "app:${one}"])', "app:$TAGS"),
        ('concat(UNKNOWN, ["a"])', ["$UNKNOWN", "a"]),
        ('formatlist("app:%s", [TAG])', ["app:$TAG"]),
    ],
)
def test_a_hole_is_passed_on(expression: str, made: object) -> None:
    found = value(expression)
    assert (shown(found) if isinstance(found, str) else [shown(one) for one in found]) == made


@pytest.mark.parametrize("text", ["a = ", "{", "a" * 200_001, 'target "a" {'])
def test_what_is_no_hcl_is_refused(text: str) -> None:
    with pytest.raises(HclError):
        read_blocks(text)


def test_a_function_that_calls_itself_is_refused() -> None:
    with pytest.raises(HclError, match="calls itself"):
        value("again()")


TWICE = "\n".join(
    f'function "f{n}" {{\n  params = [x]\n  result = concat(f{n - 1}(x), f{n - 1}(x))\n}}' for n in range(1, 39)
)


@pytest.mark.parametrize(
    "text",
    [
        'function "f0" {\n  params = [x]\n  result = [x]\n}\n' + TWICE + "\na = f38(1)\n",
        "a = " + "[" * 5000 + "]" * 5000 + "\n",
        "a = " + " + ".join(["1"] * 5000) + "\n",
    ],
)
def test_what_grows_without_end_is_refused(text: str) -> None:
    (lost,) = read_bake({"docker-bake.hcl": text}, {}).lost
    assert lost.startswith("docker-bake.hcl: ")


def test_blocks_know_their_lines() -> None:
    blocks = read_blocks('# first\nvariable "A" {}\n\ntarget "b" {\n  tags = []\n}\n')
    assert [(block.kind, block.labels, block.line, [*block.keys]) for block in blocks] == [
        ("variable", ("A",), 2, []),
        ("target", ("b",), 4, ["tags"]),
    ]
