"""What is wrong with a text, in one sentence for each condition."""

import ast
import inspect
import sys

import pytest

from ci.build import probe as ask
from ci.build.probe import Match, compare


@pytest.mark.parametrize(
    ("match", "problems"),
    [
        (Match(), []),
        (Match(equals="hello"), []),
        (Match(equals="bye"), ["expected body to equal 'bye', got 'hello'"]),
        (Match(contains=["ell", "o"]), []),
        (
            Match(contains=["x", "y"]),
            ["expected body to contain 'x', got 'hello'", "expected body to contain 'y', got 'hello'"],
        ),
        (Match(excludes=["ell"]), ["expected body not to contain 'ell', got 'hello'"]),
        (Match(matches=["^h.llo$"]), []),
        (Match(matches=["h", "^H"]), ["expected body to match '^H', got 'hello'"]),
        (Match(rejects=["H", "l+"]), ["expected body not to match 'l+', got 'hello'"]),
    ],
)
def test_a_text_is_held_against_every_condition(match: Match, problems: list[str]) -> None:
    assert compare("hello\n", match, "body") == problems


def test_a_long_text_is_shortened() -> None:
    (problem,) = compare("x" * 1000, Match(equals="y"), "body")
    assert len(problem) < 300


def test_the_program_needs_nothing_but_python() -> None:
    for node in ast.walk(ast.parse(inspect.getsource(ask))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names)
