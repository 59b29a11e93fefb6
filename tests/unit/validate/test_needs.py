"""What a Dockerfile needs and is not given."""

from collections.abc import Mapping

import pytest

from ci.core.model import Image
from ci.dockerfile import parse_dockerfile, read_stages
from ci.validate.context import read_context
from ci.validate.needs import check_needs
from ci.validate.tree import Tree


def found(
    dockerfile: str,
    *files: str,
    context: str = ".",
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
) -> list[tuple[str, int, str]]:
    image = Image(
        name="app",
        dockerfile="Dockerfile",
        context=context,
        platforms=("linux/amd64",),
        build_args=build_args or {},
        target=target,
    )
    parsed = parse_dockerfile(dockerfile)
    tree = Tree(files=dict.fromkeys(files, 1))
    scopes = read_stages(parsed, arguments=image.build_args)
    findings = check_needs(tree, parsed, scopes, read_context(tree, context, ""), image)
    return [(f.rule, f.line, f.remedy) for f in findings]


@pytest.mark.parametrize(
    "step",
    [
        "RUN groupadd -g $WWWGROUP sail",
        "RUN groupadd -g ${WWWGROUP} sail",
        "COPY target/${WWWGROUP}.jar app.jar",
        "ADD ${WWWGROUP}.tar /",
    ],
)
def test_an_argument_without_a_value_that_is_written_out(step: str) -> None:
    text = f"FROM a\nARG WWWGROUP\n{step}\n{step}\n"
    assert [(rule, line) for rule, line, _ in found(text)] == [("argument-empty", 3)]
    assert found(text, build_args={"WWWGROUP": "1000"}) == []
    assert found(text.replace("ARG WWWGROUP", "ARG WWWGROUP=1000")) == []
    assert found(f"ARG WWWGROUP=1000\n{text}") == []
    assert found(text.replace("ARG WWWGROUP", "ARG WWWGROUP\nENV WWWGROUP=x")) == []
    assert found(f"FROM a AS other\nARG WWWGROUP\n{step}\nFROM a AS app\n", target="app") == []


@pytest.mark.parametrize(
    "line",
    [
        "ARG X\nRUN echo ${X:-none}",
        "ARG X\nRUN echo ${X:+some}",
        'ARG X\nRUN if [ -n "$X" ]; then make $X; fi',
        "ARG X\nRUN X=1 && echo $X",
        "ARG X\nRUN echo \\$X",
        "ARG X\nRUN echo $XY",
        "ARG X\nENV X=$X",
        "ARG X\nLABEL x=$X",
        "ARG TARGETARCH\nRUN echo $TARGETARCH",
        "ARG REVISION\nRUN echo $REVISION",
        "ARG HTTP_PROXY\nRUN echo $HTTP_PROXY",
    ],
)
def test_an_argument_that_may_well_be_empty(line: str) -> None:
    assert found(f"FROM a\n{line}\n") == []


@pytest.mark.parametrize(
    ("steps", "files", "context", "remedy"),
    [
        ("WORKDIR /app\nCOPY . .\nRUN make app", ["Makefile", "docker/alpine/x"], "docker/alpine", "context: . for"),
        ("COPY . /\nRUN CGO_ENABLED=0 go build", ["src/go.mod", "src/docker/x"], "src/docker", "context: src for"),
        ("WORKDIR /app\nCOPY . /app\nRUN true && npm ci", ["package.json", "worker/x.ts"], "worker", "context: . for"),
        ("COPY . /src\nWORKDIR /src/util/tool\n", ["util/tool/a.cs", "util/b"], "util/tool", "context: . for"),
    ],
)
def test_a_context_that_lacks_what_is_run(steps: str, files: list[str], context: str, remedy: str) -> None:
    text = f"FROM a\n{steps}\n"
    [(rule, _, said)] = found(text, *files, context=context)
    assert rule == "context-lacks"
    assert remedy in said
    assert found(text, *files) == []  # from the root, all is there


@pytest.mark.parametrize(
    "steps",
    [
        "COPY . /app\nRUN make",  # where it runs, nothing was copied to
        "WORKDIR /app\nCOPY . .\nCOPY --from=b /Makefile .\nRUN make",
        "WORKDIR /app\nCOPY . .\nRUN cmake",
        "WORKDIR /app\nCOPY . .\nWORKDIR /app/build\nRUN true",  # a new folder
        "WORKDIR /app\nCOPY x .\nRUN make",
    ],
)
def test_a_context_that_may_be_right(steps: str) -> None:
    assert found(f"FROM a\n{steps}\n", "Makefile", "docker/x", context="docker") == []
