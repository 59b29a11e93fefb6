"""What is followed of a shell script and of a Makefile, and what becomes of the tags that they make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.init.gather import gather
from ci.init.holes import fill, hole, shown, split
from ci.init.makefiles import made_by, read_makefile
from ci.init.scripts import follow
from ci.init.tagging import plain_condition, read_name, rules_of, run_value
from ci.init.values import list_arguments

PIECES = st.lists(
    st.sampled_from(
        [
            *('if [ -z "$A" ]; then\n', "elif [[ $B == x* ]]; then\n", "else\n", "fi\n", 'A=$(cat <<< "${B%.*}")\n'),
            *('echo "t=${A,,}" >> $GITHUB_OUTPUT\n', "B=${{ matrix.x }}\n", "${", "$(", ")", '"', "'", "\\\n", "\t"),
            *(
                "a: b\n",
                "\tdocker build -t a/b:$(V) .\n",
                "ifdef X\n",
                "endif\n",
                "V = $(shell x\n",
                "}}",
                "- x: {y: [z]}\n",
            ),
        ]
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ('A="x"\necho "o=$A" >> $GITHUB_OUTPUT', ("x",)),
        ('echo o=1 | tee -a "$GITHUB_OUTPUT"', ("1",)),
        ('A=1\nif [ "$A" = "1" ]; then\nA=2\nelse\nA=3\nfi\necho "o=$A" >> $GITHUB_OUTPUT', ("2",)),
        ('if [ -n "$X" ]; then\nA=2\nelse\nA=3\nfi\necho "o=$A" >> $GITHUB_OUTPUT', ("2", "3")),
        ('A=1\nif test x; then\nA=2\nfi\necho "o=$A" >> $GITHUB_OUTPUT', ("2", "1")),
        ('A=v1.2.3\necho "o=${A#v} " >> $GITHUB_OUTPUT', ("1.2.3 ",)),
        ('A=Web\necho "o=${A,,}" >> $GITHUB_OUTPUT', ("web",)),
        ('A=$(echo "Web" | awk \'{print tolower($0)}\')\necho "o=$A" >> $GITHUB_OUTPUT', ("web",)),
        ('A=edge\nA="$(echo "${A}" | sed -r s#/+#-#g)"\necho "o=${A%.*}" >> $GITHUB_OUTPUT', ("edge",)),
        ('echo "o=$UNKNOWN" >> $GITHUB_OUTPUT', (hole("$UNKNOWN"),)),
    ],
)
def test_what_a_script_hands_on(script: str, options: tuple[str, ...]) -> None:
    assert follow(script, {})[1] == {"o": options}


@given(PIECES)
def test_no_text_is_too_odd(text: str) -> None:
    follow(text, {"A": "1"})
    files = {"Makefile": text, "compose.yml": text, "docker-bake.json": text, ".github/workflows/a.yml": text}
    assert not gather(files, set(), "app").images


@pytest.mark.parametrize(
    ("tag", "rules"),
    [
        ("1.2", ("type=raw,value=1.2",)),
        (hole("github.ref_name"), ("type=ref,event=branch", "type=ref,event=tag")),
        (hole("github.sha"), ("type=sha,format=long,prefix=",)),
        (
            f"dev-{hole('$(git rev-parse --short HEAD)')}",
            ("type=sha,format=short,prefix=dev-,enable={{is_default_branch}}",),
        ),
        (f"v{hole('$(VERSION)')}-slim", ("type=semver,pattern=v{{version}},suffix=-slim",)),
        (hole("${$GITHUB_REF#refs/tags/%.*}"), (r"type=match,pattern=^(v\d+\.\d+)\.\d+$,group=1",)),
        (f"pr-{hole('github.event.number')}", ()),
        ("(devel)", ()),
    ],
)
def test_a_tag_becomes_a_rule(tag: str, rules: tuple[str, ...]) -> None:
    found = rules_of([tag], "here", "")
    assert (found.rules, found.lost) == (rules, ())


def test_names_beside_a_version_move_with_it_or_with_the_default_branch() -> None:
    tags = [hole("github.ref_name#v"), "latest", "stable", "edge", hole("github.ref_name")]
    assert rules_of(tags, "here", "").rules == (
        "type=semver,pattern={{version}}",
        "type=raw,value=stable,enable=${{ github.ref_type == 'tag' && !contains(github.ref_name, '-') }}",
        "type=raw,value=edge,enable={{is_default_branch}}",
        "type=ref,event=branch,enable={{is_not_default_branch}}",
    )
    assert rules_of([hole("steps.x.outputs.y")], "here", "").lost == (
        "here: the tag '${{ steps.x.outputs.y }}' is made by a script",
    )


@pytest.mark.parametrize(
    ("options", "value"),
    [
        (("edge", hole("$GITHUB_REF#refs/tags/")), "{tag:-edge}"),
        ((hole("github.ref_name#v"), ""), "{version:-{ref}}"),
        (("a", "b"), ""),
    ],
)
def test_what_a_script_hands_on_is_a_value_of_the_run(options: tuple[str, ...], value: str) -> None:
    assert run_value(options) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${{ github.ref_type == 'tag' && github.ref_name || 'edge' }}", "{tag:-edge}"),
        ("${{ github.repository_owner }}/x", "{owner}/x"),
        ("${FOO} {bar}", r"${FOO} \{bar}"),
    ],
)
def test_arguments(written: str, value: str) -> None:
    assert list_arguments(f"A={fill(written, {})}", "here", ()).values == {"A": value}


def test_an_argument_that_only_a_tool_knows_is_named() -> None:
    found = list_arguments(f"GO_VERSION={hole('$(shell go version)')}", "here", ())
    assert not found.values
    said = "here: the build argument GO_VERSION=$(shell go version) is made by a script"
    assert found.open == {"GO_VERSION": said}


@pytest.mark.parametrize(
    ("name", "repository", "tag"),
    [
        ("app:1", "docker.io/app", "1"),
        ("acme/app", "docker.io/acme/app", ""),
        ("index.docker.io/acme/app:x", "docker.io/acme/app", "x"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b", "c"),
        (f"ghcr.io/a/b:{hole('x/y:z')}", "ghcr.io/a/b", hole("x/y:z")),
        (f"ghcr.io/a/b:1@sha256:{'0' * 64}", "ghcr.io/a/b", "1"),
    ],
)
def test_names_are_taken_apart(name: str, repository: str, tag: str) -> None:
    assert (read_name(name).repository, read_name(name).tag) == (repository, tag)


def test_conditions_keep_what_they_say_of_the_event() -> None:
    assert plain_condition("${{ github.ref == 'a' && vars.X != '' && github.event_name != 'pull_request' }}") == (
        "github.ref == 'a'"
    )
    assert not plain_condition("always() || github.ref == 'a'")


def test_expressions_are_filled_as_far_as_they_are_plain() -> None:
    known = {"env.a": "1", "matrix.b": "2"}
    assert fill("${{ env.A }}-${{ matrix.none || matrix.b }}-${{ inputs.x }}-${{ 'it''s' }}", known) == "1-2--it's"
    assert shown(fill("x ${{ steps.a.outputs.b }}", known)) == "x ${{ steps.a.outputs.b }}"
    assert split(f"a,{hole('b, c')},d", ",") == ["a", hole("b, c"), "d"]


def test_a_makefile_is_read_by_its_first_branches() -> None:
    text = (
        "ifdef P\nX := $(P)\nelse\n  X := /host\nendif\n"
        "all: image\nimage:\n\t@docker build -t a/b --build-arg X=$(X) .\n"
    )
    makefiles = {"Makefile": read_makefile(text, "Makefile")}
    assert [*made_by(makefiles, ["all"])] == [("docker build -t a/b --build-arg X=/host .", "Makefile:8")]
    assert not [*made_by(makefiles, ["other"])]
