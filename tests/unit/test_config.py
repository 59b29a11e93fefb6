"""A configuration read strictly: its values, and every mistake where it stands."""

from textwrap import dedent

import pytest

from ci.checks import PLATFORMS
from ci.config import PathKind, parse_config, referenced_paths
from ci.errors import ConfigError, Problem
from ci.model import (
    Compression,
    Config,
    ConfigCheck,
    FileCheck,
    HttpCheck,
    Image,
    RunCheck,
    SmokeCheck,
    TextMatch,
)

FULL = """\
repository: ghcr.io/{owner}/{name}
source: https://github.com/acme/app
compression: gzip
images:
  - name: backend
    title: Backend
    description: |
      Answers requests.
    dockerfile: ./docker//Dockerfile
    context: docker/
    platforms: [linux/amd64, linux/arm64]
    build-args: {PYTHON: 3.10, FAST: on, EMPTY: "", DAY: 2024-99-99}
    target: runtime
    secrets: [pip_token]
    budget: 1.5GB
    smoke:
      - name: prints
        platforms: [linux/amd64]
        run: [python, -c, "print(1)", ""]
        exit: 3
        stdout: {equals: "", contains: a, excludes: [b, c], matches: "^d"}
        stderr: {contains: [x]}
        deadline: 500ms
      - run: ["true"]
      - http: {port: 8000, path: /health?x=1, status: 404, body: {contains: ok}, deadline: 2m}
      - file: {path: /app/x, mode: "0644", content: {contains: y}}
      - file: {path: /root/.cache, exists: false}
      - config:
          user: app
          entrypoint: [a, b]
          env: {LEVEL: 1.0}
          labels: {org.example/x y: z}
          ports: [8000, 53/udp]
          healthcheck: true
          architecture: amd64
        platforms: [linux/amd64]
  - name: base
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke: none
    smoke-reason: holds data only
"""

# What the tables below change one line of.
SMALL = """\
repository: ghcr.io/acme/{name}
images:
  - name: app
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke:
      - run: [app, --version]
"""


def problems(text: str, kinds: dict[str, PathKind] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="images.yaml", kinds=kinds)
    return caught.value.problems


def small(old: str, new: str) -> str:
    """Change one place of the small configuration."""
    assert SMALL.count(old) == 1
    return SMALL.replace(old, new)


def image(line: str) -> str:
    """Give the small configuration's image one more line, the sixth of the file."""
    return small("    smoke:\n", f"    {line}\n    smoke:\n")


def check(text: str) -> str:
    """Give the small configuration another check, on line 7."""
    return small("run: [app, --version]", text)


def test_every_key_has_its_value() -> None:
    assert parse_config(FULL, file="images.yaml") == Config(
        repository="ghcr.io/{owner}/{name}",
        source="https://github.com/acme/app",
        compression=Compression.GZIP,
        images=(
            Image(
                name="backend",
                title="Backend",
                description="Answers requests.\n",
                dockerfile="docker/Dockerfile",
                context="docker",
                platforms=("linux/amd64", "linux/arm64"),
                build_args={"PYTHON": "3.10", "FAST": "on", "EMPTY": "", "DAY": "2024-99-99"},
                target="runtime",
                secrets=("pip_token",),
                budget=1_500_000_000,
                smoke=(
                    SmokeCheck(
                        name="prints",
                        platforms=("linux/amd64",),
                        check=RunCheck(
                            argv=("python", "-c", "print(1)", ""),
                            exit_code=3,
                            stdout=TextMatch(equals="", contains=("a",), excludes=("b", "c"), matches="^d"),
                            stderr=TextMatch(contains=("x",)),
                            deadline=0.5,
                        ),
                    ),
                    SmokeCheck(name="run 2", check=RunCheck(argv=("true",))),
                    SmokeCheck(
                        name="http 8000 /health?x=1",
                        check=HttpCheck(
                            port=8000,
                            path="/health?x=1",
                            status=404,
                            body=TextMatch(contains=("ok",)),
                            deadline=120,
                        ),
                    ),
                    SmokeCheck(
                        name="file /app/x",
                        check=FileCheck(path="/app/x", mode=0o644, content=TextMatch(contains=("y",))),
                    ),
                    SmokeCheck(name="file /root/.cache", check=FileCheck(path="/root/.cache", exists=False)),
                    SmokeCheck(
                        name="config",
                        platforms=("linux/amd64",),
                        check=ConfigCheck(
                            user="app",
                            entrypoint=("a", "b"),
                            env={"LEVEL": "1.0"},
                            labels={"org.example/x y": "z"},
                            ports=("8000/tcp", "53/udp"),
                            healthcheck=True,
                            architecture="amd64",
                        ),
                    ),
                ),
            ),
            Image(
                name="base",
                dockerfile="Dockerfile",
                context=".",
                platforms=("linux/amd64",),
                smoke_reason="holds data only",
            ),
        ),
    )


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines() -> None:
    text = dedent("""\
        repository: ghcr.io/Acme/{name}
        imagse: []
        images:
          - name: on
            dockerfile: ../Dockerfile
            platforms: [linux/amd64, linux/arm46]
            smoke: []
        compression: zst
    """)
    assert [(p.line, p.key, p.nearest) for p in problems(text)] == [
        (1, "repository", ""),
        (2, "imagse", "images"),
        (4, "images[0].name", ""),
        (5, "images[0].dockerfile", ""),
        (6, "images[0].platforms[1]", "linux/arm64"),
        (7, "images[0].smoke", ""),
        (8, "compression", "zstd"),
    ]


def test_a_problem_reads_as_one_line() -> None:
    [problem] = problems(small("linux/amd64", "linux/amd46"))
    assert str(problem) == (
        "images.yaml:5: images[0].platforms[0]: 'linux/amd46' is not known; "
        f"accepted: {', '.join(PLATFORMS)}; did you mean 'linux/amd64'?"
    )


# text, line, key, a part of the problem
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
    ("a: &a x\nb: &a y\n", 1, "duplicate anchor"),
    ("a: 1\nb: \x00\n", 2, "the character U+0000 is not allowed"),
    ("a: \ud800\n", 1, "the character U+D800 is not allowed"),
    ('a: 1\nb: "\\UFFFFFFFF"\n', 2, "a number is out of range"),
    ("a: 1\nb: !!python/object:os.x {}\n", 2, "the tag 'tag:yaml.org,2002:python/object:os.x'"),
    ("a: !mine 1\n", 1, "the tag '!mine'"),
    ("a: !!binary eA==\n", 1, "the tag 'tag:yaml.org,2002:binary'"),
    ("\n" + "[" * 51, 2, "nested too deeply; accepted: at most 50"),
    (
        "a: &a [x]\n" + "".join(f"{n}: &n{n} [*{f'n{n - 1}' if n else 'a'}]\n" for n in range(60)),
        49,
        "too deeply",
    ),
    ("- x\n" * 10_001, 10_000, "at most 10000 values"),
    ("a: " + "x" * (1 << 20), 1, "too long; accepted: at most 1048576 bytes"),
    ("é" * (1 << 19) + "é", 1, "too long"),
]


@pytest.mark.parametrize(("text", "line", "part"), WHOLE_FILE)
def test_a_file_that_is_no_configuration(text: str, line: int, part: str) -> None:
    first = problems(text)[0]
    assert (first.line, first.key) == (line, "")
    assert part in str(first)
    assert referenced_paths(text) == frozenset()


def test_aliases_that_explode_are_refused_before_they_do() -> None:
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    [problem] = problems(text)
    assert "the file holds too much" in problem.message
    assert problem.line == 13


ANYWHERE = [
    # the root
    (small("repository: ghcr.io/acme/{name}\n", ""), 1, "repository", "the key is missing"),
    (small("ghcr.io/acme/{name}", "acme/{name}"), 1, "repository", "'acme/app' is not a registry"),
    (small("ghcr.io/acme/{name}", "ghcr.io/acme/{nam}"), 1, "repository", "did you mean '{name}'"),
    (small("ghcr.io/acme/{name}", "ghcr.io/acme/{name"), 1, "repository", "placeholder '{'"),
    (small("ghcr.io/acme/{name}", "ghcr.io/acme-/{name}"), 1, "repository", "lower case"),
    (small("ghcr.io/acme", "ghcr.io/" + "a" * 250), 1, "repository", "more than 255"),
    (small("ghcr.io/acme/{name}", "[a]"), 1, "repository", "a list is given; accepted: text"),
    (small("ghcr.io/acme/{name}", ""), 1, "repository", "no value is given"),
    (f"source: ftp://x\n{SMALL}", 1, "source", "an http or https URL"),
    (f"source: https://user:pass@example.com/x\n{SMALL}", 1, "source", "an http or https URL"),
    (f"compression: zip\n{SMALL}", 1, "compression", "accepted: gzip, zstd; did you mean 'gzip'"),
    (f"compression: [zstd]\n{SMALL}", 1, "compression", "a list is given"),
    (f"repository: x\n{SMALL}", 2, "repository", "is given twice, first on line 1"),
    (f"? [a]\n: b\n{SMALL}", 1, "", "a list or a mapping is used as a key"),
    (f'"\\e[31m": b\n{SMALL}', 1, r"['\x1b[31m']", r"the key '\x1b[31m' is not known"),
    ("repository: ghcr.io/x\nimages: []\n", 2, "images", "the list is empty"),
    ("repository: ghcr.io/x\nimages: {}\n", 2, "images", "a mapping is given; accepted: a list"),
    ("repository: ghcr.io/x\nimages: [x]\n", 2, "images[0]", "accepted: a mapping"),
    ("repository: ghcr.io/x\nimages: [{}]\n", 2, "images[0]", "the mapping is empty"),
    # an image
    (small("name: app", "title: app"), 3, "images[0].name", "the key is missing; accepted: lower-case"),
    (small("name: app", "name: App"), 3, "images[0].name", "'App' is not accepted"),
    (small("name: app", "name: 3.10"), 3, "images[0].name", 'YAML reads 3.10 as a number; accepted: text; quote it: "3.10"'),
    (small("name: app", "name: 2024-01-01"), 3, "images[0].name", "as a date"),
    (small("name: app", "name: ="), 3, "images[0].name", "as a special sign"),
    (small("name: app", "name: ~"), 3, "images[0].name", "no value is given"),
    (small("name: app", f"name: {'a' * 129}"), 3, "images[0].name", "at most 128"),
    (small("name: app", 'name: "app\\n"'), 3, "images[0].name", r"'app\n' is not accepted"),
    (image("titel: x"), 6, "images[0].titel", "did you mean 'title'"),
    (image('title: "a\\nb"'), 6, "images[0].title", "text on one line"),
    (image('title: ""'), 6, "images[0].title", "'' is not accepted"),
    (image('description: "a\\e[0m"'), 6, "images[0].description", "is not accepted"),
    (image('description: " \\n"'), 6, "images[0].description", "is not accepted"),
    (image("name: b"), 6, "images[0].name", "given twice, first on line 3"),
    (small("[linux/amd64]", "[]"), 5, "images[0].platforms", "the list is empty"),
    (small("[linux/amd64]", "linux/amd64"), 5, "images[0].platforms", "accepted: a list"),
    (small("[linux/amd64]", "[linux/amd64, linux/amd64]"), 5, "images[0].platforms[1]", "in the list twice"),
    (small("linux/amd64", "windows/amd64"), 5, "images[0].platforms[0]", "'windows/amd64' is not known"),
    (small("linux/amd64", "Linux/AMD64"), 5, "images[0].platforms[0]", "did you mean 'linux/amd64'"),
    (small("linux/amd64", "1"), 5, "images[0].platforms[0]", "as a whole number"),
    (image("build-args: {}"), 6, "images[0].build-args", "the mapping is empty"),
    (image("build-args: [A=b]"), 6, "images[0].build-args", "a list is given"),
    (image("build-args: {1A: b}"), 6, "images[0].build-args.1A", "letters, digits and underscores"),
    (image("build-args: {A: }"), 6, "images[0].build-args.A", 'write "" for an empty one'),
    (image("build-args: {A: [b]}"), 6, "images[0].build-args.A", "a list is given"),
    (image('build-args: {A: "b\\0"}'), 6, "images[0].build-args.A", r"holds the character '\x00'"),
    (image('build-args: {A: "\\ud800"}'), 6, "images[0].build-args.A", r"holds the character '\ud800'"),
    (image("build-args: {A: b, A: c}"), 6, "images[0].build-args.A", "given twice"),
    (image("target: a b"), 6, "images[0].target", "a stage of the Dockerfile"),
    (image("secrets: []"), 6, "images[0].secrets", "the list is empty"),
    (image("secrets: [a, a]"), 6, "images[0].secrets[1]", "in the list twice"),
    (image("secrets: [a/b]"), 6, "images[0].secrets[0]", "letters, digits and . _ -"),
    (image("budget: 300mb"), 6, "images[0].budget", "did you mean '300MB'"),
    (image("budget: 0"), 6, "images[0].budget", "0 is not a size"),
    (image("budget: 0MB"), 6, "images[0].budget", "is not a size"),
    (image("budget: -1"), 6, "images[0].budget", "-1 is not a size"),
    (image("budget: 0x10"), 6, "images[0].budget", "0x10 is not a size"),
    (image("budget: 1.5"), 6, "images[0].budget", "1.5 is not a size"),
    (image("budget: lots"), 6, "images[0].budget", "kB, MB, GB, KiB, MiB, GiB"),
    (image("budget: [1]"), 6, "images[0].budget", "a list is given"),
    # smoke
    (image("smoke-reason: x"), 6, "images[0].smoke-reason", "does not say smoke: none"),
    (small("smoke:\n      - run: [app, --version]", "smoke: none"), 6, "images[0].smoke", "gives no reason"),
    (small("smoke:\n      - run: [app, --version]", "smoke: non"), 6, "images[0].smoke", "did you mean 'none'"),
    (small("smoke:\n      - run: [app, --version]", "smoke: []"), 6, "images[0].smoke", "list is empty"),
    (small("smoke:\n      - run: [app, --version]", "smoke:"), 6, "images[0].smoke", "no value is given"),
    (small("smoke:\n      - run: [app, --version]", "smoke: false"), 6, "images[0].smoke", "false is given"),
    (check("name: x"), 7, "images[0].smoke[0]", "no kind of check given; accepted: exactly one of run, http"),
    (check("{run: [a], http: {port: 1}}"), 7, "images[0].smoke[0]", "run and http given"),
    (check("{rnu: [a]}"), 7, "images[0].smoke[0].rnu", "did you mean 'run'"),
    (check("[a]"), 7, "images[0].smoke[0]", "a list is given"),
    (check("{run: [a]}\n      - {name: run 1, run: [a]}"), 8, "images[0].smoke[1].name", "'run 1'"),
    (check("{run: [a], platforms: [linux/arm64]}"), 7, "images[0].smoke[0].platforms[0]", "accepted: linux/amd64"),
    (check("{run: [a], platforms: []}"), 7, "images[0].smoke[0].platforms", "the list is empty"),
    (check("{run: a}"), 7, "images[0].smoke[0].run", "accepted: a list"),
    (check("{run: []}"), 7, "images[0].smoke[0].run", "the list is empty"),
    (check('{run: [""]}'), 7, "images[0].smoke[0].run[0]", "accepted: a program"),
    (check("{run: [a, 1]}"), 7, "images[0].smoke[0].run[1]", 'quote it: "1"'),
    (check("{run: [true]}"), 7, "images[0].smoke[0].run[0]", 'quote it: "true"'),
    (check('{run: [a, "\\0"]}'), 7, "images[0].smoke[0].run[1]", "text without it"),
    (check("{run: [a], exit: 256}"), 7, "images[0].smoke[0].exit", "256 is given; accepted: a decimal whole number from 0 to 255"),
    (check("{run: [a], exit: -1}"), 7, "images[0].smoke[0].exit", "-1 is given"),
    (check('{run: [a], exit: "1"}'), 7, "images[0].smoke[0].exit", "'1' in quotes is given"),
    (check("{run: [a], exit: 010}"), 7, "images[0].smoke[0].exit", "a decimal whole number"),
    (check(f"{{run: [a], exit: {'9' * 5000}}}"), 7, "images[0].smoke[0].exit", "a decimal whole number"),
    (check("{run: [a], deadline: 0}"), 7, "images[0].smoke[0].deadline", "0 is not accepted"),
    (check("{run: [a], deadline: 61m}"), 7, "images[0].smoke[0].deadline", "up to 60m"),
    (check("{run: [a], deadline: 1:30}"), 7, "images[0].smoke[0].deadline", "1:30 is not accepted"),
    (check("{run: [a], deadline: 1h}"), 7, "images[0].smoke[0].deadline", "'1h' is not accepted"),
    (check("{run: [a], deadline: {}}"), 7, "images[0].smoke[0].deadline", "a mapping is given"),
    (check("{run: [a], stdout: {}}"), 7, "images[0].smoke[0].stdout", "the mapping is empty"),
    (check("{run: [a], stdout: x}"), 7, "images[0].smoke[0].stdout", "accepted: a mapping"),
    (check('{run: [a], stdout: {contains: ""}}'), 7, "images[0].smoke[0].stdout.contains", "not empty"),
    (check('{run: [a], stdout: {excludes: [""]}}'), 7, "images[0].smoke[0].stdout.excludes[0]", "not empty"),
    (check("{run: [a], stdout: {contains: []}}"), 7, "images[0].smoke[0].stdout.contains", "list is empty"),
    (check("{run: [a], stdout: {equals: 1}}"), 7, "images[0].smoke[0].stdout.equals", 'quote it: "1"'),
    (check("{run: [a], stderr: {matches: (}}"), 7, "images[0].smoke[0].stderr.matches", "'(' is no regular expression: missing )"),
    (check("{run: [a], stderr: {matches: '[[a]'}}"), 7, "images[0].smoke[0].stderr.matches", "nested set"),
    (check("{run: [a], stderr: {matches: 'a{99999999999}'}}"), 7, "images[0].smoke[0].stderr.matches", "too large"),
    (check("{http: {path: /}}"), 7, "images[0].smoke[0].http.port", "the key is missing"),
    (check("{http: {port: 0}}"), 7, "images[0].smoke[0].http.port", "from 1 to 65535"),
    (check("{http: {port: 80, path: x}}"), 7, "images[0].smoke[0].http.path", "'x' is not accepted"),
    (check("{http: {port: 80, path: /a b}}"), 7, "images[0].smoke[0].http.path", "a path of a URL"),
    (check("{http: {port: 80, status: 99}}"), 7, "images[0].smoke[0].http.status", "from 200 to 599"),
    (check("{http: {port: 80}, exit: 0}"), 7, "images[0].smoke[0].exit", "this is a http check"),
    (check("{http: 80}"), 7, "images[0].smoke[0].http", "accepted: a mapping"),
    (check("{file: {path: app}}"), 7, "images[0].smoke[0].file.path", "an absolute path in the image"),
    (check("{file: {exists: true}}"), 7, "images[0].smoke[0].file.path", "the key is missing"),
    (check("{file: {path: /a, exists: yes}}"), 7, "images[0].smoke[0].file.exists", "yes is given; accepted: true, false"),
    (check("{file: {path: /a, mode: 0644}}"), 7, "images[0].smoke[0].file.mode", 'quote it: "0644"'),
    (check('{file: {path: /a, mode: "0888"}}'), 7, "images[0].smoke[0].file.mode", "quoted octal"),
    (check('{file: {path: /a, exists: false, mode: "0644"}}'), 7, "images[0].smoke[0].file.mode", "must not exist"),
    (check("{file: {path: /a, exists: false, content: {equals: x}}}"), 7, "images[0].smoke[0].file.content", "must not exist"),
    (check("{config: {}}"), 7, "images[0].smoke[0].config", "the mapping is empty"),
    (check("{config: {user: 1000}}"), 7, "images[0].smoke[0].config.user", 'quote it: "1000"'),
    (check("{config: {entrypoint: []}}"), 7, "images[0].smoke[0].config.entrypoint", "the list is empty"),
    (check('{config: {env: {"A=B": c}}}'), 7, "images[0].smoke[0].config.env['A=B']", "a name without ="),
    (check("{config: {labels: {a: }}}"), 7, "images[0].smoke[0].config.labels.a", "no value is given"),
    (check("{config: {ports: [0]}}"), 7, "images[0].smoke[0].config.ports[0]", "0 is not a port"),
    (check("{config: {ports: [65536/udp]}}"), 7, "images[0].smoke[0].config.ports[0]", "is not a port"),
    (check("{config: {ports: [80/http]}}"), 7, "images[0].smoke[0].config.ports[0]", "8000/tcp, 53/udp"),
    (check("{config: {ports: [80, 80/tcp]}}"), 7, "images[0].smoke[0].config.ports[1]", "in the list twice"),
    (check("{config: {healthcheck: 1}}"), 7, "images[0].smoke[0].config.healthcheck", "accepted: true, false"),
    (check("{config: {architecture: amd46}}"), 7, "images[0].smoke[0].config.architecture", "did you mean 'amd64'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "part"), ANYWHERE)
def test_one_mistake_is_one_problem_where_it_stands(text: str, line: int, key: str, part: str) -> None:
    [problem] = problems(text)
    assert (problem.line, problem.key) == (line, key)
    assert part in str(problem)
    assert problem.accepted


def test_the_names_of_images_differ() -> None:
    second = SMALL.partition("images:\n")[2]
    [problem] = problems(SMALL + second)
    assert (problem.line, problem.key) == (8, "images[1].name")
    assert "two images are called 'app'" in problem.message


def test_several_images_need_the_name_in_the_repository() -> None:
    second = SMALL.partition("images:\n")[2].replace("name: app", "name: other")
    text = SMALL.replace("/{name}", "/all")
    assert parse_config(text, file="images.yaml").repository == "ghcr.io/acme/all"
    [problem] = problems(text + second)
    assert (problem.key, problem.accepted) == ("repository", "a template that holds {name}")


def test_every_platform_needs_a_check() -> None:
    text = small("[linux/amd64]", "[linux/amd64, linux/arm64]")
    assert parse_config(text, file="images.yaml")
    [problem] = problems(text.replace("--version]", "--version]\n        platforms: [linux/amd64]"))
    assert (problem.line, problem.key) == (6, "images[0].smoke")
    assert "no check runs on linux/arm64" in problem.message


@pytest.mark.parametrize(
    ("budget", "size"),
    [
        ("1", 1),
        ("300000000", 300_000_000),
        ("1kB", 1000),
        ("1.1 MB", 1_100_000),
        ("2GB", 2_000_000_000),
        ("1KiB", 1024),
        ("0.5MiB", 524_288),
        ('"1 GiB"', 1 << 30),
    ],
)
def test_sizes(budget: str, size: int) -> None:
    assert parse_config(image(f"budget: {budget}"), file="images.yaml").images[0].budget == size


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [("60", 60), ("0.5", 0.5), ("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("60m", 3600), ('"5"', 5)],
)
def test_deadlines(deadline: str, seconds: float) -> None:
    text = check(f"{{run: [a], deadline: {deadline}}}")
    found = parse_config(text, file="images.yaml").images[0].smoke[0].check
    assert isinstance(found, RunCheck)
    assert found.deadline == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/etc/passwd", "is absolute"),
        ("../x", "leads upwards"),
        ("a/../b", "leads upwards"),
        ("..", "leads upwards"),
        ("a\\b", "holds a backslash"),
        ('"a\\0b"', "holds the character"),
        ('"a\\tb"', "is not accepted"),
        ('""', "is not accepted"),
        ("3", "as a whole number"),
        ("[a]", "a list is given"),
    ],
)
@pytest.mark.parametrize("key", ["dockerfile", "context"])
def test_a_path_stays_in_the_source(key: str, path: str, fault: str) -> None:
    text = small("dockerfile: Dockerfile", f"dockerfile: Dockerfile\n    context: {path}")
    if key == "dockerfile":
        text = small("dockerfile: Dockerfile", f"dockerfile: {path}")
    [problem] = problems(text)
    assert problem.key == f"images[0].{key}"
    assert fault in problem.message
    assert referenced_paths(text) == ({"Dockerfile"} if key == "context" else set())


def test_a_directory_is_no_dockerfile_even_where_nobody_looked() -> None:
    [problem] = problems(small("dockerfile: Dockerfile", "dockerfile: ./"))
    assert problem.message == "'.' is a directory"


@pytest.mark.parametrize(
    ("dockerfile", "context", "messages"),
    [
        (PathKind.FILE, PathKind.DIRECTORY, []),
        (PathKind.MISSING, PathKind.DIRECTORY, ["'docker/Dockerfile' does not exist"]),
        (PathKind.DIRECTORY, PathKind.DIRECTORY, ["'docker/Dockerfile' is a directory"]),
        (
            PathKind.OUTSIDE,
            PathKind.DIRECTORY,
            ["'docker/Dockerfile' is a link that leads out of the source"],
        ),
        (PathKind.FILE, PathKind.MISSING, ["'docker' does not exist"]),
        (PathKind.FILE, PathKind.FILE, ["'docker' is a file"]),
        (PathKind.FILE, PathKind.OUTSIDE, ["'docker' is a link that leads out of the source"]),
    ],
)
def test_a_path_is_what_it_has_to_be(dockerfile: PathKind, context: PathKind, messages: list[str]) -> None:
    kinds = {"docker/Dockerfile": dockerfile, "docker": context, "Dockerfile": PathKind.FILE}
    if not messages:
        assert parse_config(FULL, file="images.yaml", kinds=kinds)
        return
    assert [p.message for p in problems(FULL, kinds)] == messages


def test_a_missing_dockerfile_names_the_nearest_that_is_there() -> None:
    kinds = {"docker/Dockerfile": PathKind.MISSING, "docker": PathKind.DIRECTORY, "Dockerfile": PathKind.FILE}
    [problem] = problems(FULL, kinds)
    assert (problem.line, problem.nearest) == (9, "Dockerfile")


def test_the_paths_a_text_names() -> None:
    assert referenced_paths(FULL) == {"docker/Dockerfile", "docker", "Dockerfile"}
    assert referenced_paths(FULL.replace("./docker//Dockerfile", "/etc")) == {"docker", "Dockerfile"}
    assert referenced_paths("images: [x, {dockerfile: [y]}, {dockerfile: z}]") == {"z"}
    assert referenced_paths("images: x") == frozenset()


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
def test_merge_keys_that_bring_nothing(old: str, new: str, key: str, part: str) -> None:
    found = [p for p in problems(MERGED.replace(old, new)) if part in str(p)]
    assert [p.key.replace("['<<']", ".<<") for p in found] == [key]
