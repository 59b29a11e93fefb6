"""A configuration read strictly: its values, and every mistake where it stands."""

from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

import pytest

from ci.config.checks import PLATFORMS
from ci.config.parse import lines_of_images, parse_config, referenced_paths, referenced_texts
from ci.config.paths import PathKind
from ci.config.repository import parse_cache
from ci.core.checks import (
    ConfigCheck,
    FileCheck,
    GrpcCheck,
    HttpCheck,
    MetadataCheck,
    RunCheck,
    Service,
    SmokeCheck,
    TcpCheck,
    TextMatch,
)
from ci.core.errors import ConfigError, SelectionError
from ci.core.findings import Finding
from ci.core.model import Cache, CacheMode, Compression, Config, Image
from ci.core.supply import GENERATOR, ProvenanceMode

Problems = Callable[..., tuple[Finding, ...]]

FULL = """\
repository: ghcr.io/{owner}/{name}
source: https://github.com/acme/app
compression: gzip
cache: {mode: read, repository: "ghcr.io/{owner}/{name}-cache"}
images:
  - name: backend
    title: Backend
    description: |
      Answers requests.
    dockerfile: ./docker//Dockerfile
    context: docker/
    platforms: [linux/amd64, linux/arm64]
    build-args: {PYTHON: 3.10, FAST: on, EMPTY: "", DAY: 2024-99-99, BUILDKIT_SYNTAX: x, SOURCE_DATE_EPOCH: 1700000000}
    contexts:
      docker.io/library/alpine:latest: docker-image://alpine:3.22
      base: target:base
      libs: ./libs//protocol/
      all: .
    target: runtime
    secrets: [pip_token]
    ssh: [default, github.com]
    network: none
    extra-hosts: {db.internal: 10.0.0.5, Six: 1:2:3:4:5:6:7:8}
    shm-size: 64MB
    ulimits: [nofile=1024:2048, nproc=-1, core=0:-1]
    budget: 1.5GB
    services:
      db:
        image: postgres:17
        port: 5432
        env: {POSTGRES_PASSWORD: 1.0}
        command: [postgres, -c, fsync=off]
        platform: linux/arm64
        deadline: 2m
      Fixtures_1: {image: target:base, port: 80}
    smoke:
      - name: prints
        platforms: [linux/amd64]
        run: [python, -c, "print(1)", ""]
        exit: 3
        stdout: {equals: "", contains: a, excludes: [b, c], matches: "^d"}
        stderr: {contains: [x]}
        deadline: 500ms
      - run: ["true"]
      - http: {port: 8000, path: /health, status: 404, body: {contains: ok}, deadline: 2m}
      - name: all of http
        http:
          port: 8000
          redirects: follow
          headers: {Host: app.test, X-Count: 1}
          response-headers: {Location: {contains: /}, content-type: {matches: json}}
        env: {LEVEL: 1.0}
        services: [db]
      - http: {port: 1, redirects: 3}
      - tcp: {port: 8000, deadline: 1s}
      - grpc: {port: 50051}
      - grpc: {port: 50051, service: acme.v1.Orders, deadline: 1m}
        platforms: [linux/amd64]
      - {run: [b], env: {A: ""}, services: [Fixtures_1, db]}
      - {structure-test: ./tests//app.yaml, deadline: 1m, services: [db]}
      - file: {path: /app/x, mode: "4755", content: {contains: y}}
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
    platforms: [linux/amd64, linux/arm64]
    smoke: none
    smoke-reason: holds data only
    sbom: off
provenance: min
sbom: on
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


# Two images, of which the second has a repository of its own.
SECOND = SMALL.partition("images:\n")[2].replace("name: app", "name: other\n    repository: quay.io/acme/{name}")
TWO = SMALL.replace("ghcr.io/acme/{name}", "[ghcr.io/acme/all, docker.io/acme/all]") + SECOND


def small(old: str, new: str) -> str:
    """Change one place of the small configuration."""
    assert SMALL.count(old) == 1
    return SMALL.replace(old, new)


def image(line: str) -> str:
    """Give the small configuration's image one more line, the sixth of the file."""
    return small("    smoke:\n", f"    {line}\n    smoke:\n")


def test_every_key_has_its_value() -> None:
    assert parse_config(FULL, file="images.yaml") == Config(
        repositories=("ghcr.io/{owner}/{name}",),
        source="https://github.com/acme/app",
        compression=Compression.GZIP,
        cache=Cache(mode=CacheMode.READ, repository="ghcr.io/{owner}/{name}-cache"),
        provenance=ProvenanceMode.MIN,
        images=(
            Image(
                name="backend",
                sbom=GENERATOR,
                title="Backend",
                description="Answers requests.\n",
                dockerfile="docker/Dockerfile",
                context="docker",
                platforms=("linux/amd64", "linux/arm64"),
                build_args={
                    "PYTHON": "3.10",
                    "FAST": "on",
                    "EMPTY": "",
                    "DAY": "2024-99-99",
                    "BUILDKIT_SYNTAX": "x",
                    "SOURCE_DATE_EPOCH": "1700000000",
                },
                contexts={
                    "alpine": "docker-image://alpine:3.22",
                    "base": "target:base",
                    "libs": "libs/protocol",
                    "all": ".",
                },
                target="runtime",
                secrets=("pip_token",),
                ssh=("default", "github.com"),
                network="none",
                extra_hosts={"db.internal": "10.0.0.5", "Six": "1:2:3:4:5:6:7:8"},
                shm_size=64_000_000,
                ulimits=("nofile=1024:2048", "nproc=-1", "core=0:-1"),
                budget=1_500_000_000,
                services=(
                    Service(
                        name="db",
                        image="postgres:17",
                        port=5432,
                        env={"POSTGRES_PASSWORD": "1.0"},
                        command=("postgres", "-c", "fsync=off"),
                        platform="linux/arm64",
                        deadline=120,
                    ),
                    Service(name="Fixtures_1", image="target:base", port=80),
                ),
                smoke=(
                    SmokeCheck(
                        name="prints",
                        platforms=("linux/amd64",),
                        check=RunCheck(
                            argv=("python", "-c", "print(1)", ""),
                            exit_code=3,
                            stdout=TextMatch(equals="", contains=("a",), excludes=("b", "c"), matches=("^d",)),
                            stderr=TextMatch(contains=("x",)),
                            deadline=0.5,
                        ),
                    ),
                    SmokeCheck(name="run 2", check=RunCheck(argv=("true",))),
                    SmokeCheck(
                        name="http 8000 /health",
                        check=HttpCheck(
                            port=8000,
                            path="/health",
                            status=404,
                            body=TextMatch(contains=("ok",)),
                            deadline=120,
                        ),
                        services=("db", "Fixtures_1"),
                    ),
                    SmokeCheck(
                        name="all of http",
                        check=HttpCheck(
                            port=8000,
                            redirects=10,
                            headers={"Host": "app.test", "X-Count": "1"},
                            response_headers={
                                "Location": TextMatch(contains=("/",)),
                                "content-type": TextMatch(matches=("json",)),
                            },
                        ),
                        env={"LEVEL": "1.0"},
                        services=("db",),
                    ),
                    SmokeCheck(name="http 1 /", check=HttpCheck(port=1, redirects=3), services=("db", "Fixtures_1")),
                    SmokeCheck(name="tcp 8000", check=TcpCheck(port=8000, deadline=1), services=("db", "Fixtures_1")),
                    SmokeCheck(name="grpc 50051", check=GrpcCheck(port=50051), services=("db", "Fixtures_1")),
                    SmokeCheck(
                        name="grpc 50051 acme.v1.Orders on linux/amd64",
                        check=GrpcCheck(port=50051, service="acme.v1.Orders", deadline=60),
                        platforms=("linux/amd64",),
                        services=("db", "Fixtures_1"),
                    ),
                    SmokeCheck(
                        name="run 3",
                        check=RunCheck(argv=("b",)),
                        env={"A": ""},
                        services=("Fixtures_1", "db"),
                    ),
                    SmokeCheck(name="tests/app.yaml", check=MetadataCheck()),  # nobody read it
                    SmokeCheck(
                        name="file /app/x",
                        check=FileCheck(path="/app/x", mode=0o4755, content=TextMatch(contains=("y",))),
                    ),
                    SmokeCheck(name="file /root/.cache", check=FileCheck(path="/root/.cache", exists=False)),
                    SmokeCheck(
                        name="config on linux/amd64",
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
                platforms=("linux/amd64", "linux/arm64"),
                smoke_reason="holds data only",
            ),
        ),
    )


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(problems: Problems) -> None:
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


def test_a_problem_reads_as_one_line(problems: Problems) -> None:
    [problem] = problems(small("linux/amd64", "linux/amd46"))
    assert str(problem) == (
        "images.yaml:5: images[0].platforms[0]: 'linux/amd46' is not known; "
        f"accepted: {', '.join(PLATFORMS)}; did you mean 'linux/amd64'?"
    )


# text, line, key, a part of the problem
ANYWHERE = [
    (small("repository: ghcr.io/acme/{name}\n", ""), 1, "repository", "the key is missing"),
    (small("ghcr.io/acme/{name}", "acme/{name}"), 1, "repository", "'acme/app' is not a registry"),
    (small("ghcr.io/acme/{name}", "ghcr.io/acme/{nam}"), 1, "repository", "did you mean '{name}'"),
    (small("ghcr.io/acme/{name}", "ghcr.io/acme/{name"), 1, "repository", "placeholder '{'"),
    (small("ghcr.io/acme/{name}", "ghcr.io/acme-/{name}"), 1, "repository", "lower case"),
    (small("ghcr.io/acme", "ghcr.io/" + "a" * 250), 1, "repository", "more than 255"),
    (small("ghcr.io/acme/{name}", "[a]"), 1, "repository[0]", "'a' is not a registry"),
    (small("ghcr.io/acme/{name}", ""), 1, "repository", "no value is given"),
    (f"source: ftp://x\n{SMALL}", 1, "source", "an http or https URL"),
    (f"source: https://user:pass@example.com/x\n{SMALL}", 1, "source", "an http or https URL"),
    (f"compression: zip\n{SMALL}", 1, "compression", "accepted: gzip, zstd; did you mean 'gzip'"),
    (f"compression: [zstd]\n{SMALL}", 1, "compression", "a list is given"),
    (f"cache: raed\n{SMALL}", 1, "cache", "or a mapping of mode and repository; did you mean 'read'"),
    (f"cache: false\n{SMALL}", 1, "cache", "false is not known; accepted: off, read, write"),
    (f"cache:\n{SMALL}", 1, "cache", "no value is not known"),
    (f"cache: [read]\n{SMALL}", 1, "cache", "a list is not known"),
    (f"cache: {{}}\n{SMALL}", 1, "cache", "the mapping is empty"),
    (f"cache: {{mod: read}}\n{SMALL}", 1, "cache.mod", "did you mean 'mode'"),
    (f"cache: {{mode: [read]}}\n{SMALL}", 1, "cache.mode", "a list is not known; accepted: off, read, write"),
    (f"cache: {{repository: acme/x}}\n{SMALL}", 1, "cache.repository", "'acme/x' is not a registry"),
    (f'cache: {{repository: "ghcr.io/{{x}}"}}\n{SMALL}', 1, "cache.repository", "the placeholder '{x}'"),
    (f"repository: ghcr.io/y/{{name}}\n{SMALL}", 2, "repository", "is given twice, first on line 1"),
    (f"? [a]\n: b\n{SMALL}", 1, "", "a list or a mapping is used as a key"),
    (f'"\\e[31m": b\n{SMALL}', 1, r"['\x1b[31m']", r"the key '\x1b[31m' is not known"),
    ("repository: ghcr.io/x\nimages: []\n", 2, "images", "the list is empty"),
    ("repository: ghcr.io/x\nimages: {}\n", 2, "images", "a mapping is given; accepted: a list"),
    ("repository: ghcr.io/x\nimages: [x]\n", 2, "images[0]", "accepted: a mapping"),
    ("repository: ghcr.io/x\nimages: [{}]\n", 2, "images[0]", "the mapping is empty"),
    (small("name: app", "title: app"), 3, "images[0].name", "the key is missing; accepted: lower-case"),
    (small("name: app", "name: App"), 3, "images[0].name", "'App' is not accepted"),
    (
        small("name: app", "name: 3.10"),
        3,
        "images[0].name",
        '3.10 as a number; accepted: text; quote it: "3.10"',
    ),
    (small("name: app", "name: 2024-01-01"), 3, "images[0].name", "as a date"),
    (small("name: app", "name: ="), 3, "images[0].name", "as a special sign"),
    (small("name: app", "name: ~"), 3, "images[0].name", "no value is given"),
    (small("name: app", f"name: {'a' * 129}"), 3, "images[0].name", "at most 128"),
    (small("name: app", 'name: "app\\n"'), 3, "images[0].name", r"'app\n' is not accepted"),
    (small("[linux/amd64]", "[]"), 5, "images[0].platforms", "the list is empty"),
    (small("[linux/amd64]", "linux/amd64"), 5, "images[0].platforms", "accepted: a list"),
    (small("[linux/amd64]", "[linux/amd64, linux/amd64]"), 5, "images[0].platforms[1]", "in the list twice"),
    (small("linux/amd64", "windows/amd64"), 5, "images[0].platforms[0]", "'windows/amd64' is not known"),
    (small("linux/amd64", "Linux/AMD64"), 5, "images[0].platforms[0]", "did you mean 'linux/amd64'"),
    (small("linux/amd64", "1"), 5, "images[0].platforms[0]", "as a whole number"),
]


@pytest.mark.parametrize(("text", "line", "key", "part"), ANYWHERE)
def test_one_mistake_is_one_problem_where_it_stands(
    text: str, line: int, key: str, part: str, problems: Problems
) -> None:
    [problem] = problems(text)
    assert (problem.line, problem.key) == (line, key)
    assert part in str(problem)
    assert problem.accepted


# a line of an image, the key within it, a part of the problem
IMAGES = [
    ("titel: x", "titel", "did you mean 'title'"),
    ('title: "a\\nb"', "title", "text on one line"),
    ('title: ""', "title", "'' is not accepted"),
    ('description: "a\\e[0m"', "description", "is not accepted"),
    ('description: " \\n"', "description", "is not accepted"),
    ("name: b", "name", "given twice, first on line 3"),
    ("build-args: {}", "build-args", "the mapping is empty"),
    ("build-args: [A=b]", "build-args", "a list is given"),
    ("build-args: {1A: b}", "build-args.1A", "letters, digits and underscores"),
    ("build-args: {A: }", "build-args.A", 'write "" for an empty one'),
    ("build-args: {A: [b]}", "build-args.A", "a list is given"),
    ('build-args: {A: "b\\0"}', "build-args.A", r"holds the character '\x00'"),
    ('build-args: {A: "\\ud800"}', "build-args.A", r"holds the character '\ud800'"),
    ("build-args: {A: b, A: c}", "build-args.A", "given twice"),
    ("target: a b", "target", "a stage of the Dockerfile"),
    ("secrets: []", "secrets", "the list is empty"),
    ("secrets: [a, a]", "secrets[1]", "in the list twice"),
    ("secrets: [a/b]", "secrets[0]", "letters, digits and . _ -"),
    (
        "build-args: {SOURCE_DATE_EPOCH: 1.5}",
        "build-args.SOURCE_DATE_EPOCH",
        "1.5 is not a time; accepted: a whole num",
    ),
    ("build-args: {SOURCE_DATE_EPOCH: now}", "build-args.SOURCE_DATE_EPOCH", "'now' is not a time"),
    ('build-args: {SOURCE_DATE_EPOCH: ""}', "build-args.SOURCE_DATE_EPOCH", "'' is not a time"),
    ("build-args: {SOURCE_DATE_EPOCH: -1}", "build-args.SOURCE_DATE_EPOCH", "-1 is not a time"),
    ("build-args: {SOURCE_DATE_EPOCH: 010}", "build-args.SOURCE_DATE_EPOCH", "010 is not a time"),
    ("build-args: {SOURCE_DATE_EPOCH: [1]}", "build-args.SOURCE_DATE_EPOCH", "a list is given"),
    ('build-args: {SOURCE_DATE_EPOCH: "1\\0"}', "build-args.SOURCE_DATE_EPOCH", "holds the character"),
    ("contexts: {}", "contexts", "the mapping is empty"),
    ("contexts: [a]", "contexts", "a list is given"),
    ("contexts: {Base: .}", "contexts.Base", "what a FROM or a --from in the Dockerfile names"),
    ("contexts: {'base::linux/amd64': .}", "contexts['base::linux/amd64']", "the name 'base::linux/amd64'"),
    ("contexts: {scratch: .}", "contexts.scratch", "'scratch' always means the same to BuildKit"),
    ("contexts: {docker.io/library/context: .}", "contexts.docker.io/library/context", "always means the same"),
    ("contexts: {a: ., 'a:latest': .}", "contexts['a:latest']", "'a:latest' is the name 'a' once more"),
    ("contexts: {a: }", "contexts.a", "no value is given"),
    ("contexts: {a: 1}", "contexts.a", 'quote it: "1"'),
    ("contexts: {a: [.]}", "contexts.a", "a list is given"),
    ('contexts: {a: "b\\0"}', "contexts.a", "holds the character"),
    ("contexts: {a: ../b}", "contexts.a", "'../b' leads upwards"),
    ("contexts: {a: /b}", "contexts.a", "'/b' is absolute"),
    ("contexts: {a: docker-image://Alpine}", "contexts.a", "names no image; accepted: a reference in lower case"),
    ("contexts: {a: 'docker-image://'}", "contexts.a", "names no image"),
    (
        "contexts: {a: 'docker-image:alpine'}",
        "contexts.a",
        "none of the contexts that there are; accepted: docker-image:/",
    ),
    ("contexts: {a: dockr-image://alpine}", "contexts.a", "did you mean 'docker-image://alpine'"),
    ("contexts: {a: 'targe:app'}", "contexts.a", "did you mean 'target:app'"),
    ("contexts: {a: oci-layout://x}", "contexts.a", "is a layout, and a build takes images from registries"),
    ("contexts: {a: https://x.test/y.git}", "contexts.a", "is an address, and what it holds may be another thing at"),
    ("contexts: {a: git@x.test:y/z}", "contexts.a", "is an address"),
    ("contexts: {a: github.com/y/z}", "contexts.a", "is an address"),
    ("contexts: {a: 'target:'}", "contexts.a", "'target:' names no image"),
    (
        "contexts: {a: target:ap}",
        "contexts.a",
        "no image 'ap'; accepted: target: and one of app; did you mean 'target:app'",
    ),
    ("contexts: {a: target:app}", "contexts.a", "in a circle: app needs app"),
    ("services: {}", "services", "the mapping is empty"),
    ("services: [a]", "services", "a list is given"),
    ("services: {a: {}}", "services.a", "the mapping is empty"),
    ("services: {a: {image: b}}", "services.a.port", "the key is missing; accepted: 1 to 65535"),
    ("services: {a: {port: 1}}", "services.a.image", "the key is missing; accepted: a reference, such as postgres:17"),
    ("services: {'a b': {image: b, port: 1}}", "services['a b']", "a host's name, such as db"),
    ("services: {image: {image: b, port: 1}}", "services.image", "but localhost and image"),
    ("services: {LocalHost: {image: b, port: 1}}", "services.LocalHost", "but localhost and image"),
    ("services: {a: {image: B, port: 1}}", "services.a.image", "'B' names no image; accepted: a reference"),
    ("services: {a: {image: target:A, port: 1}}", "services.a.image", "'target:A' names no image"),
    ("services: {a: {image: target:ap, port: 1}}", "services.a.image", "did you mean 'target:app'"),
    ("services: {a: {image: target:app, port: 1}}", "services.a.image", "in a circle: app needs app"),
    ("services: {a: {image: b, port: 0}}", "services.a.port", "from 1 to 65535"),
    ("services: {a: {image: b, port: 1, env: {A=: b}}}", "services.a.env['A=']", "a name without ="),
    ("services: {a: {image: b, port: 1, command: b}}", "services.a.command", "accepted: a list"),
    ("services: {a: {image: b, port: 1, platform: amd64}}", "services.a.platform", "accepted: linux/amd64"),
    ("services: {a: {image: b, port: 1, deadline: 0}}", "services.a.deadline", "more than 0"),
    ("services: {a: {image: b, port: 1, ports: 1}}", "services.a.ports", "did you mean 'port'"),
    ("ssh: []", "ssh", "the list is empty"),
    ("ssh: default", "ssh", "accepted: a list"),
    ("ssh: [default=/run/agent]", "ssh[0]", "letters, digits and . _ -"),
    ("ssh: [a, a]", "ssh[1]", "in the list twice"),
    ("network: hots", "network", "accepted: none, host; did you mean 'host'"),
    ("network: default", "network", "accepted: none, host"),
    ("network: no", "network", "as true or false"),
    ("extra-hosts: [a]", "extra-hosts", "a list is given"),
    ("extra-hosts: {'a b': 10.0.0.5}", "extra-hosts['a b']", "a host's name, such as db.internal"),
    ("extra-hosts: {a: 10.0.0}", "extra-hosts.a", "'10.0.0' is not an address; accepted: an IP address"),
    ("extra-hosts: {a: 10.0.0.256}", "extra-hosts.a", "'10.0.0.256' is not an address"),
    ("extra-hosts: {a: 'fe80::1%eth0'}", "extra-hosts.a", "is not an address"),
    ("extra-hosts: {a: 12}", "extra-hosts.a", "12 is not an address"),
    ("extra-hosts: {a: }", "extra-hosts.a", "no value is given"),
    ("extra-hosts: {a: host-gateway}", "extra-hosts.a", "is known to Docker's own daemon alone"),
    ("shm-size: 64m", "shm-size", "'64m' is not a size"),
    ("shm-size: 0", "shm-size", "0 is not a size"),
    ("ulimits: []", "ulimits", "the list is empty"),
    ("ulimits: {nofile: 1}", "ulimits", "a mapping is given"),
    ("ulimits: [nofile]", "ulimits[0]", "'nofile' is not a limit; accepted: SOFT or SOFT:HARD behind one of core="),
    ("ulimits: [nofiles=1:2]", "ulimits[0]", "did you mean 'nofile=1:2'"),
    ("ulimits: [nofile=1:2:3]", "ulimits[0]", "is not a limit"),
    ("ulimits: [nofile=2:1]", "ulimits[0]", "'nofile=2:1' has a soft limit above the hard one"),
    ("ulimits: [nofile=-1:1]", "ulimits[0]", "above the hard one"),
    ("ulimits: [nofile=1, nofile=2]", "ulimits[1]", "the limit nofile is given twice"),
    ("ulimits: [1]", "ulimits[0]", 'quote it: "1"'),
    ("budget: 300mb", "budget", "did you mean '300MB'"),
    ("budget: 0", "budget", "0 is not a size"),
    ("budget: 0MB", "budget", "is not a size"),
    ("budget: -1", "budget", "-1 is not a size"),
    ("budget: 0x10", "budget", "0x10 is not a size"),
    ("budget: 1.5", "budget", "1.5 is not a size"),
    ("budget: false", "budget", "false is not a size"),
    ("budget: 2026-01-01", "budget", "2026-01-01 is not a size"),
    ("budget: lots", "budget", "kB, MB, GB, KiB, MiB, GiB"),
    ("budget: [1]", "budget", "a list is given"),
    ("smoke-reason: x", "smoke-reason", "does not say smoke: none"),
]


@pytest.mark.parametrize(("line", "key", "part"), IMAGES)
def test_a_mistake_in_an_image(line: str, key: str, part: str, problems: Problems) -> None:
    [problem] = problems(image(line))
    assert (problem.line, problem.key) == (6, f"images[0].{key}")
    assert part in str(problem)
    assert problem.accepted


def test_the_names_of_images_differ(problems: Problems) -> None:
    second = SMALL.partition("images:\n")[2]
    [problem] = problems(SMALL + second)
    assert (problem.line, problem.key) == (8, "images[1].name")
    assert "two images are called 'app'" in problem.message


def test_several_repositories_for_all_images_and_for_one() -> None:
    config = parse_config(TWO, file="images.yaml")
    assert config.repositories == ("ghcr.io/acme/all", "docker.io/acme/all")
    first, second = config.images
    assert config.templates(first) == config.repositories
    assert config.templates(second) == second.repositories == ("quay.io/acme/{name}",)
    listed = parse_config(TWO.replace("quay.io/acme/{name}", "[quay.io/a, quay.io/b]"), file="images.yaml")
    assert listed.images[1].repositories == ("quay.io/a", "quay.io/b")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "part"),
    [
        ("docker.io/acme/all", '"docker.io/acme/{nam}"', 1, "repository[1]", "did you mean '{name}'"),
        ("docker.io/acme/all", "ghcr.io/acme/all", 1, "repository[1]", "is in the list twice"),
        ("[ghcr.io/acme/all, docker.io/acme/all]", "[]", 1, "repository", "the list is empty"),
        ("quay.io/acme/{name}", "quay.io/acme/{nam}", 9, "images[1].repository", "did you mean '{name}'"),
        ("quay.io/acme/{name}", "[quay.io/a, quay.io]", 9, "images[1].repository[1]", "'quay.io' is not a registry"),
        (
            "quay.io/acme/{name}",
            "docker.io/acme/all",
            9,
            "images[1].repository",
            "would both be docker.io/acme/all:sha-...",
        ),
        ("quay.io/acme/{name}", "[a.b/c, ghcr.io/acme/all]", 9, "images[1].repository", "or a repository of its own"),
    ],
)
def test_a_mistake_in_several_repositories(  # one mistake and where it is
    old: str, new: str, line: int, key: str, part: str, problems: Problems
) -> None:
    [problem] = problems(TWO.replace(old, new))
    assert (problem.line, problem.key) == (line, key)
    assert part in str(problem)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 7 * 86400),
        ("rebuild-after: 36h", 36 * 3600),
        ("rebuild-after: 14d", 14 * 86400),
        ("rebuild-after: never", None),
    ],
)
def test_how_long_an_image_may_be_reused(text: str, seconds: int | None) -> None:
    assert parse_config(f"{SMALL}{text}\n", file="images.yaml").rebuild_after == seconds


@pytest.mark.parametrize("value", ["7", "0d", "1.5d", "-1d", "7 days", "7D", "99999d", "''", "[7d]", "2024-01-01"])
def test_what_is_no_age_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="rebuild-after"):
        parse_config(f"{SMALL}rebuild-after: {value}\n", file="images.yaml")


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
def test_a_path_stays_in_the_source(key: str, path: str, fault: str, problems: Problems) -> None:
    text = small("dockerfile: Dockerfile", f"dockerfile: Dockerfile\n    context: {path}")
    if key == "dockerfile":
        text = small("dockerfile: Dockerfile", f"dockerfile: {path}")
    [problem] = problems(text)
    assert problem.key == f"images[0].{key}"
    assert fault in problem.message
    assert referenced_paths(text) == ({"Dockerfile"} if key == "context" else set())


def test_a_directory_is_no_dockerfile_even_where_nobody_looked(problems: Problems) -> None:
    [problem] = problems(small("dockerfile: Dockerfile", "dockerfile: ./"))
    assert problem.message == "'.' is a directory"


KINDS = {"Dockerfile": PathKind.FILE, "libs/protocol": PathKind.DIRECTORY, "tests/app.yaml": PathKind.FILE}


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
def test_a_path_is_what_it_has_to_be(
    dockerfile: PathKind, context: PathKind, messages: list[str], problems: Problems
) -> None:
    kinds = {**KINDS, "docker/Dockerfile": dockerfile, "docker": context}
    if not messages:
        assert parse_config(FULL, file="images.yaml", kinds=kinds)
        return
    assert [p.message for p in problems(FULL, kinds)] == messages


def test_a_missing_dockerfile_names_the_nearest_that_is_there(problems: Problems) -> None:
    kinds = {**KINDS, "docker/Dockerfile": PathKind.MISSING, "docker": PathKind.DIRECTORY}
    [problem] = problems(FULL, kinds)
    assert (problem.line, problem.nearest) == (10, "Dockerfile")


def test_the_paths_a_text_names() -> None:
    assert referenced_paths(FULL) == {
        "docker/Dockerfile",
        "docker",
        "Dockerfile",
        "libs/protocol",
        ".",
        "tests/app.yaml",
    }
    without = FULL.replace("./docker//Dockerfile", "/etc").replace("all: .", "all: ..")
    assert referenced_paths(without) == {"docker", "Dockerfile", "libs/protocol", "tests/app.yaml"}
    assert referenced_texts(FULL) == {"tests/app.yaml"}
    assert referenced_paths("images: [x, {dockerfile: [y]}, {dockerfile: z}]") == {"z"}
    assert referenced_paths("images: x") == frozenset()


def images(*described: str) -> str:
    """Write a configuration of images, each of them: its name, its platforms and its contexts."""
    lines = ["repository: ghcr.io/acme/{name}", "images:"]
    for text in described:
        name, platforms, contexts = text.split("|")
        lines.append(f"  - {{name: {name}, dockerfile: D, platforms: [{platforms}], smoke: none, smoke-reason: x,")
        lines.append(f"     contexts: {{{contexts}}}}}")
    return "\n".join(lines)


def test_the_images_that_an_image_is_built_on() -> None:
    text = images(
        "a|linux/amd64|x: target:c, y: ., z: target:b", "b|linux/amd64|x: target:c, y: target:c", "c|linux/amd64|x: ."
    )
    assert [one.built_on for one in parse_config(text, file="images.yaml").images] == [("c", "b"), ("c",), ()]


def test_an_image_is_not_built_on_one_that_lacks_a_platform(problems: Problems) -> None:
    text = images("a|linux/amd64, linux/arm64, linux/386|b: target:b", "b|linux/arm64|x: .")
    [problem] = problems(text)
    assert (problem.line, problem.key) == (4, "images[0].contexts.b")
    assert problem.message == "the image 'b' is not built for linux/amd64, linux/386"
    assert problem.accepted == "an image for all platforms of a"


def test_a_circle_is_told_of_once_where_it_begins(problems: Problems) -> None:
    on = [
        "a|linux/amd64|x: target:b",
        "b|linux/amd64|x: .,y: target:c",
        "c|linux/amd64|x: target:b",
        "d|linux/amd64|x: target:d",
    ]
    assert [(p.line, p.key, p.message) for p in problems(images(*on))] == [
        (6, "images[1].contexts.y", "images need each other in a circle: b needs c needs b"),
        (10, "images[3].contexts.x", "images need each other in a circle: d needs d"),
    ]


def test_a_long_row_of_images_is_no_circle() -> None:
    row = [f"i{n}|linux/amd64|x: target:i{n + 1}" for n in range(300)]
    assert len(parse_config(images(*row, "i300|linux/amd64|x: ."), file="images.yaml").images) == 301


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (PathKind.DIRECTORY, ""),
        (PathKind.FILE, "is a file"),
        (PathKind.MISSING, "does not exist"),
        (PathKind.OUTSIDE, "is a link that leads out of the source"),
    ],
)
def test_a_context_is_a_folder_of_the_source(kind: PathKind, fault: str, problems: Problems) -> None:
    kinds = {**KINDS, "docker/Dockerfile": PathKind.FILE, "docker": PathKind.DIRECTORY, "libs/protocol": kind}
    if not fault:
        assert parse_config(FULL, file="images.yaml", kinds=kinds)
        return
    [problem] = problems(FULL, kinds)
    assert (problem.line, problem.key) == (17, "images[0].contexts.libs")
    assert problem.message == f"'libs/protocol' {fault}"


def test_the_lines_of_an_image() -> None:
    lines = lines_of_images(FULL)[0]
    assert (lines["contexts"], lines["contexts.alpine"], lines["contexts.all"], lines["ssh"]) == (14, 15, 18, 21)


CACHE = Cache(mode=CacheMode.READ, repository="ghcr.io/acme/{name}-cache")


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("", Cache(mode=CacheMode.WRITE)),
        ("cache: off", Cache(mode=CacheMode.OFF)),
        ('cache: "off"', Cache(mode=CacheMode.OFF)),
        ("cache: read", Cache(mode=CacheMode.READ)),
        ("cache: {mode: off}", Cache(mode=CacheMode.OFF)),
        ("cache: {repository: 'ghcr.io/acme/{name}-cache'}", replace(CACHE, mode=CacheMode.WRITE)),
        ("cache: {mode: read, repository: 'ghcr.io/acme/{name}-cache'}", CACHE),
    ],
)
def test_what_is_done_with_the_cache(text: str, cache: Cache) -> None:
    assert parse_config(f"{SMALL}{text}\n", file="images.yaml").cache == cache


@pytest.mark.parametrize(
    ("text", "base", "cache"),
    [
        ("off", CACHE, replace(CACHE, mode=CacheMode.OFF)),
        ("read", Cache(), Cache(mode=CacheMode.READ)),
        ("write", CACHE, replace(CACHE, mode=CacheMode.WRITE)),
        ("localhost:5000/{owner}/{name}", CACHE, replace(CACHE, repository="localhost:5000/{owner}/{name}")),
        ("ghcr.io/a/b", Cache(mode=CacheMode.OFF), Cache(mode=CacheMode.WRITE, repository="ghcr.io/a/b")),
    ],
)
def test_the_cache_of_the_command_line(text: str, base: Cache, cache: Cache) -> None:
    assert parse_cache(text, base) == cache


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("raed", "--cache 'raed' is not one of off, read, write, nor a registry and a repository in lower case"),
        ("raed", "did you mean 'read'?"),
        ("", "--cache ''"),
        ("OFF", "did you mean 'off'?"),
        ("acme/app", "'acme/app'"),
        ("ghcr.io/acme/app:cache", "'ghcr.io/acme/app:cache'"),
        ("ghcr.io/Acme/{name}", "such as ghcr.io/acme/{name}"),
        ("ghcr.io/" + "a" * 250, "is not one of off, read, write"),
    ],
)
def test_a_cache_that_is_none_says_what_is(text: str, hint: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parse_cache(text, Cache())
    assert hint in str(caught.value)
