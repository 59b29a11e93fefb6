"""One YAML document within limits, and merge keys."""

from collections.abc import Callable

import pytest

from ci.config.parse import parse_config, referenced_paths
from ci.config.yaml import read_tree
from ci.core.errors import ConfigError
from ci.core.findings import Finding

Problems = Callable[..., tuple[Finding, ...]]

# Each line takes the one before one level deeper.
ALIASES = "n0: &n0 [x]\n" + "".join(f"n{n}: &n{n} [*n{n - 1}]\n" for n in range(1, 60))

# text, line, a part of the problem
WHOLE_FILE = [
    ("", 1, "the file is empty"),
    ("# nothing\n", 1, "the file is empty"),
    ("---\n", 1, "the file is empty"),
    ("- a\n", 1, "a list is given; accepted: a mapping"),
    ("text\n", 1, "'text' is given; accepted: a mapping"),
    ("{}\n", 1, "the mapping is empty"),
    ("a: 1\n---\nb: 1\n", 2, "a second document"),
    ("a: 1\nb: [c\n", 3, "not YAML: while parsing a flow sequence, expected ',' or ']'"),
    ("a: 1\n\tb: 2\n", 2, "not YAML"),
    ("a: *b\n", 1, "found undefined alias"),
    ("a: &a [x]\nb: &a [*a]\n", 2, "the alias 'a' is inside"),
    ("a: &a x\nb: &a y\n", 2, "duplicate anchor"),
    ("a: 1\nb: \x00\n", 2, "the character U+0000 is not allowed"),
    ("a: \ud800\n", 1, "the character U+D800 is not allowed"),
    ('a: 1\nb: "\\UFFFFFFFF"\n', 2, "a number is out of range"),
    ("a: 1\nb: !!python/object:os.x {}\n", 2, "the tag 'tag:yaml.org,2002:python/object:os.x'"),
    ("a: !mine 1\n", 1, "the tag '!mine'"),
    ("a: !!binary eA==\n", 1, "the tag 'tag:yaml.org,2002:binary'"),
    ("\n" + "[" * 51, 2, "nested too deeply; accepted: at most 50"),
    (ALIASES, 50, "nested too deeply"),
    ("- x\n" * 10_001, 10_000, "at most 10000 values"),
    ("a: " + "x" * (1 << 20), 1, "too long; accepted: at most 1048576 bytes"),
    ("é" * (1 << 19) + "é", 1, "too long"),
]


@pytest.mark.parametrize(("text", "line", "part"), WHOLE_FILE)
def test_a_file_that_is_no_configuration(text: str, line: int, part: str, problems: Problems) -> None:
    first = problems(text)[0]
    assert (first.line, first.key) == (line, "")
    assert part in str(first)
    assert referenced_paths(text) == frozenset()


def test_aliases_that_explode_are_refused_before_they_do(problems: Problems) -> None:
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    [problem] = problems(text)
    assert "the file holds too much" in problem.message
    assert problem.line == 12


@pytest.mark.parametrize(("levels", "too_deep"), [(50, False), (51, True)])
def test_the_limit_on_nesting(levels: int, problems: Problems, *, too_deep: bool) -> None:
    text = f"a: {'[' * (levels - 1)}x{']' * (levels - 1)}"
    assert ("too deeply" in problems(text)[0].message) is too_deep


MERGED = """\
repository: ghcr.io/acme/{name}
images:
  - &first
    name: first
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    build-args: &args {A: 1, B: 2}
    smoke: none
    smoke-reason: x
  - <<: *first
    name: second
    build-args: {<<: [{B: 3, C: 4}, *args], A: 0}
"""


def test_merge_keys_bring_what_is_not_given() -> None:
    first, second = parse_config(MERGED, file="images.yaml").images
    assert (second.name, second.dockerfile, second.platforms) == ("second", "Dockerfile", first.platforms)
    assert first.build_args == {"A": "1", "B": "2"}
    assert second.build_args == {"A": "0", "B": "3", "C": "4"}
    assert referenced_paths(MERGED) == {"Dockerfile"}


@pytest.mark.parametrize(
    ("old", "new", "key", "part"),
    [
        ("<<: *first", "<<: text", "images[1].<<", "an alias of a mapping, or a list of them"),
        ("<<: [{B: 3, C: 4}, *args]", "<<: [x]", "images[1].build-args.<<", "an alias of a mapping"),
        ("<<: *first", "<<: *first\n    <<: *first", "images[1].<<", "given twice, first on line 10"),
    ],
)
def test_merge_keys_that_bring_nothing(old: str, new: str, key: str, part: str, problems: Problems) -> None:
    found = [p for p in problems(MERGED.replace(old, new)) if part in str(p)]
    assert [p.key.replace("['<<']", ".<<") for p in found] == [key]


def test_what_is_wrong_is_said_of_the_file_that_was_asked_for() -> None:
    for file in ("a.yaml", "b.yaml"):
        with pytest.raises(ConfigError) as caught:
            read_tree("a: [", file=file)
        assert [finding.file for finding in caught.value.findings] == [file]
        assert read_tree("a: 1", file=file).file == file
