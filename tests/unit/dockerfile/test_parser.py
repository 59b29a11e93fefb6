"""Dockerfiles as BuildKit reads them, and .dockerignore as BuildKit applies it."""

from textwrap import dedent

import pytest

from ci.dockerfile.ignore import parse_ignore
from ci.dockerfile.parser import assignments, expand, parse_dockerfile


def read(text: str) -> list[tuple[int, str, str]]:
    return [(i.line, i.keyword, i.arguments) for i in parse_dockerfile(dedent(text)).instructions]


def test_stages_bases_platforms_and_names() -> None:
    dockerfile = parse_dockerfile(
        "arg TAG=1\nFROM --platform=$BUILDPLATFORM go:${TAG} AS Build\nRUN x\nfrom scratch\nCOPY --from=build /a /b\n"
    )
    assert [(s.line, s.base, s.name, s.platform) for s in dockerfile.stages] == [
        (2, "go:${TAG}", "build", "$BUILDPLATFORM"),
        (4, "scratch", "", ""),
    ]
    assert [i.keyword for i in dockerfile.arguments] == ["ARG"]
    assert dockerfile.stages[1].instructions[0].flag("from") == "build"
    assert not dockerfile.faults


def test_continued_lines_skip_comments_and_empty_lines_and_count_from_their_first() -> None:
    text = """\
    FROM scratch

    # a comment
    RUN one \\
        # between
        \t

        && two \\
        && three
    USER 1
    """
    assert [(line, keyword, " ".join(arguments.split())) for line, keyword, arguments in read(text)] == [
        (4, "RUN", "one && two && three"),
        (10, "USER", "1"),
    ]


def test_the_escape_directive_makes_backslashes_plain() -> None:
    text = "# syntax=docker/dockerfile:1\n# escape=`\nFROM scratch\nCOPY a `\n  c:\\\nUSER 1\n"
    assert [(line, keyword) for line, keyword, _ in read(text)] == [(4, "COPY"), (6, "USER")]
    assert [i.line for i in parse_dockerfile("\n# escape=`\nFROM a\nRUN a `\n").instructions] == [4]


def test_a_doubled_escape_continues_nothing() -> None:
    assert [keyword for _, keyword, _ in read("FROM scratch\nRUN a \\\\\nUSER 1\n")] == ["RUN", "USER"]


@pytest.mark.parametrize(
    "opening", ["RUN <<EOF", "RUN <<-EOF", 'RUN <<"EOF"', "RUN cat <<'EOF' > /x", "COPY <<EOF /x", "RUN 3<<EOF"]
)
def test_a_heredoc_is_no_instruction(opening: str) -> None:
    dockerfile = parse_dockerfile(f"FROM scratch\n{opening}\nFROM nothing\n# text\nEOF\nUSER 1\n")
    assert [i.keyword for i in dockerfile.instructions] == [opening.split(maxsplit=1)[0], "USER"]
    assert dockerfile.instructions[0].heredocs == ("EOF",)
    assert not dockerfile.faults


def test_several_heredocs_follow_one_another_and_tabs_are_stripped_where_asked() -> None:
    dockerfile = parse_dockerfile("FROM a\nRUN <<-A cat <<B\n\tA\nFROM\nB\nUSER 1\n")
    assert [i.keyword for i in dockerfile.instructions] == ["RUN", "USER"]


@pytest.mark.parametrize("line", ['RUN echo "a <<EOF b"', "RUN echo $((1<<2))", "RUN cat <<<text", "CMD cat <<EOF"])
def test_what_only_looks_like_a_heredoc(line: str) -> None:
    dockerfile = parse_dockerfile(f"FROM scratch\n{line}\nUSER 1\n")
    assert len(dockerfile.instructions) == 2
    assert not dockerfile.faults


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    assert read("\ufeffFROM scratch\r\nRUN a \\\r\n b\r\n") == [(2, "RUN", "a  b")]


def test_assignments_of_arg_and_env() -> None:
    made = parse_dockerfile("FROM a\nARG A B=1 C='x y'\nENV D=1 E=\"2 3\"\nENV F one two\n").instructions
    assert [assignments(i) for i in made] == [
        {"A": None, "B": "1", "C": "x y"},
        {"D": "1", "E": "2 3"},
        {"F": "one two"},
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A/${A}", "1/1"),
        ("${NO:-b}${A:-b}", "b1"),
        ("${A:+c}${NO:+c}", "c"),
        ("$NO", ""),
        ("${NO-b}${A-b}${EMPTY-b}${EMPTY:-c}", "b1c"),
        ("${NO+b}${A+b}${EMPTY+c}${EMPTY:+d}", "bc"),
        ("${A?no}${A:?no}${EMPTY?no}", "11"),
        ("${EMPTY:?no}", None),
        ("${NO?no}", None),
        (r"\$A", "$A"),
        ('"$A"/b', "1/b"),
        ("$UNKNOWN", None),
        ("${A%%x}", None),
        ("${NO:-$A}", None),
    ],
)
def test_variables(text: str, expected: str | None) -> None:
    assert expand(text, {"A": "1", "EMPTY": "", "UNKNOWN": None}) == expected


def test_a_variable_that_nobody_set_may_be_unknown() -> None:
    assert expand("$NO", {}, missing=None) is None


@pytest.mark.parametrize(
    ("ignore", "out", "kept"),
    [
        ("*.md", ["a.md"], ["docs/a.md", "amd"]),
        ("**/*.md", ["a.md", "docs/x/a.md"], ["a.mdx"]),
        ("docs", ["docs", "docs/a/b"], ["docs2", "x/docs"]),
        ("/docs/", ["docs/a"], ["x/docs"]),
        ("*\n!app", ["x", "x/y"], ["app", "app/a"]),
        ("*\n!app/keep\n", ["app/a"], ["app/keep", "app/keep/a"]),
        ("app\n!app/*.py\napp/b.py", ["app/x", "app/b.py"], ["app/a.py"]),
        ("a?c/[x-z]", ["abc/x"], ["abc/a", "ac/x"]),
        ("a[^b]c", ["axc"], ["abc", "a/c"]),
        ("docs/**", ["docs/a", "docs/a/b"], ["docs2/a"]),
        ("**/node_modules", ["node_modules/a", "x/node_modules/a"], ["node_modules2"]),
        (r"a\*b", ["a*b"], ["axb"]),
        ("# comment\n\n./a/../b\n", ["b"], ["a", "# comment"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_what_a_dockerignore_leaves_out(ignore: str, out: list[str], kept: list[str]) -> None:
    file = parse_ignore(ignore)
    assert not file.faults
    assert [path for path in out if not file.excluded_by(path)] == []
    assert [path for path in kept if file.excluded_by(path)] == []


def test_the_pattern_that_leaves_out_is_named() -> None:
    found = parse_ignore("# first\n*.txt\n*\n!b.txt\n").excluded_by("a.txt")
    assert found is not None
    assert (found.line, found.text) == (3, "*")
