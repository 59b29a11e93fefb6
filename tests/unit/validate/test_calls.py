"""Calls of `dagger` in the shell of workflows: which there are, and on which line."""

import pytest

from ci.validate.calls import UNKNOWN, find_calls, read_workflow

U = UNKNOWN


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("dagger call plan --live", ("plan", "--live")),
        ("FOO=1 timeout 5 /usr/bin/dagger call plan", ("plan",)),
        ("dagger --progress plain -vv call --json plan -o out.txt", ("plan",)),
        ("if ! dagger call plan; then exit 1; fi", ("plan",)),
        ("x=$(pwd) && (dagger call plan) | tee plan.txt", ("plan",)),
        ("dagger call plan > out.txt 2>&1", ("plan",)),
        ("dagger call plan 2>/dev/null --live", ("plan", "--live")),
        ('dagger call publish --created "$(git log -1 --format="%cI")"', ("publish", "--created", U)),
        ("dagger call publish --tags ${{ github.ref_name }}-x", ("publish", "--tags", f"{U}-x")),
        ("dagger call publish --tags `git describe` --latest", ("publish", "--tags", U, "--latest")),
        ("dagger call plan # dagger call other", ("plan",)),
        ("dagger call plan --owner ''", ("plan", "--owner", "")),
        ("dagger call plan --only 'a b' --owner \"c d\"", ("plan", "--only", "a b", "--owner", "c d")),
    ],
)
def test_the_words_of_a_call(script: str, words: tuple[str, ...]) -> None:
    (call,) = find_calls(script, 1)
    assert call.words == words


@pytest.mark.parametrize(
    "script", ["dagger version", "dagger check validate", "echo call", "# dagger call plan", "dagger -c 'call'", "'"]
)
def test_what_is_no_call(script: str) -> None:
    assert find_calls(script, 1) == ()


def test_the_module_and_the_lines() -> None:
    calls = find_calls(
        "# first\n\ndagger -m a call plan\ndagger \\\n  call --mod=b \\\n  plan\n\necho 'x\ny'\ndagger call plan\n", 10
    )
    assert [(c.line, c.module) for c in calls] == [(12, "a"), (13, "b"), (19, "")]


def test_the_inputs_of_daggers_own_action() -> None:
    workflow = read_workflow(
        """\
jobs:
  a:
    steps:
      - uses: dagger/dagger-for-github@v8
        with: {module: github.com/a/b, call: plan --live}
      - uses: Dagger/dagger-for-github@v8
        with:
          dagger-flags: --progress plain -m c
          args: >-
            --source .
            plan
      - {uses: dagger/dagger-for-github@v8, with: {verb: version, args: plan}}
      - {uses: dagger/dagger-for-github@v8}
      - {uses: other/action@v1, with: {args: plan}}
"""
    )
    assert [(c.line, c.module, c.words) for c in workflow.calls] == [
        (5, "github.com/a/b", ("plan", "--live")),
        (10, "c", ("--source", ".", "plan")),
    ]


@pytest.mark.parametrize("text", ["", "a: [", "- &a [*a]\n", "\x00", "x: !!python/object:os.system {}", "[" * 5000])
def test_no_text_breaks_the_reader(text: str) -> None:
    assert read_workflow(text).calls == ()
