"""The smoke checks of an image: every mistake where it stands."""

from collections.abc import Callable

import pytest

from ci.config.parse import parse_config
from ci.core.checks import RunCheck
from ci.core.findings import Finding

Problems = Callable[..., tuple[Finding, ...]]

HEAD = """\
repository: ghcr.io/acme/{name}
images:
  - name: app
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    smoke"""

# a check, the key within it, a part of the problem
CHECKS = [
    ("name: x", "", "no kind of check given; accepted: exactly one of run, http"),
    ("{run: [a], http: {port: 1}}", "", "run and http given"),
    ("{rnu: [a]}", "rnu", "did you mean 'run'"),
    ("[a]", "", "a list is given"),
    ("{run: [a], platforms: [linux/arm64]}", "platforms[0]", "accepted: linux/amd64"),
    ("{run: [a], platforms: []}", "platforms", "the list is empty"),
    ("{run: a}", "run", "accepted: a list"),
    ("{run: []}", "run", "the list is empty"),
    ('{run: [""]}', "run[0]", "accepted: a program"),
    ("{run: [a, 1]}", "run[1]", 'quote it: "1"'),
    ("{run: [true]}", "run[0]", 'quote it: "true"'),
    ('{run: [a, "\\0"]}', "run[1]", "text without it"),
    ("{run: [a], exit: 256}", "exit", "256 is given; accepted: a decimal whole number from 0 to 255"),
    ("{run: [a], exit: -1}", "exit", "-1 is given"),
    ('{run: [a], exit: "1"}', "exit", "'1' in quotes is given"),
    ("{run: [a], exit: 010}", "exit", "a decimal whole number"),
    (f"{{run: [a], exit: {'9' * 5000}}}", "exit", "a decimal whole number"),
    ("{run: [a], deadline: 0}", "deadline", "0 is not accepted"),
    ("{run: [a], deadline: 61m}", "deadline", "up to 60m"),
    ("{run: [a], deadline: 1:30}", "deadline", "1:30 is not accepted"),
    ("{run: [a], deadline: on}", "deadline", "on is not accepted"),
    ("{run: [a], deadline: 1h}", "deadline", "'1h' is not accepted"),
    ("{run: [a], deadline: {}}", "deadline", "a mapping is given"),
    ("{run: [a], stdout: {}}", "stdout", "the mapping is empty"),
    ("{run: [a], stdout: x}", "stdout", "accepted: a mapping"),
    ('{run: [a], stdout: {contains: ""}}', "stdout.contains", "not empty"),
    ('{run: [a], stdout: {excludes: [""]}}', "stdout.excludes[0]", "not empty"),
    ("{run: [a], stdout: {contains: []}}", "stdout.contains", "list is empty"),
    ("{run: [a], stdout: {equals: 1}}", "stdout.equals", 'quote it: "1"'),
    ("{run: [a], stderr: {matches: (}}", "stderr.matches", "'(' is no regular expression: missing )"),
    ("{run: [a], stderr: {matches: '[[a]'}}", "stderr.matches", "nested set"),
    ("{run: [a], stderr: {matches: 'a{99999999999}'}}", "stderr.matches", "too large"),
    ("{http: {path: /}}", "http.port", "the key is missing"),
    ("{http: {port: 0}}", "http.port", "from 1 to 65535"),
    ("{http: {port: 80, path: x}}", "http.path", "'x' is not accepted"),
    ("{http: {port: 80, path: /a b}}", "http.path", "a path of a URL"),
    ("{http: {port: 80, status: 99}}", "http.status", "from 200 to 599"),
    ("{http: {port: 80}, exit: 0}", "exit", "this is a http check"),
    ("{http: 80}", "http", "accepted: a mapping"),
    ("{http: {port: 80, redirects: true}}", "http.redirects", "true is given; accepted: follow, or how many, up to 20"),
    ("{http: {port: 80, redirects: folow}}", "http.redirects", "'folow' is given"),
    ("{http: {port: 80, redirects: 21}}", "http.redirects", "from 0 to 20"),
    ("{http: {port: 80, headers: {}}}", "http.headers", "the mapping is empty"),
    ("{http: {port: 80, headers: {a b: c}}}", "http.headers['a b']", "the name of a header"),
    ('{http: {port: 80, headers: {a: "b\\nc"}}}', "http.headers.a", "is no value of a header"),
    ("{http: {port: 80, headers: {a: é}}}", "http.headers.a", "visible ASCII"),
    ("{http: {port: 80, headers: {a: b, A: c}}}", "http.headers.A", "'A' is 'a' once more"),
    ("{http: {port: 80, headers: {a: }}}", "http.headers.a", "no value is given"),
    ("{http: {port: 80, response-headers: {a: b}}}", "http.response-headers.a", "accepted: a mapping"),
    ("{http: {port: 80, response-headers: {'': {equals: b}}}}", "http.response-headers['']", "the name of a header"),
    ("{http: {port: 80, response-headers: {a: {equals: b}, A: {equals: b}}}}", "http.response-headers.A", "once more"),
    ("{tcp: 80}", "tcp", "accepted: a mapping"),
    ("{tcp: {port: 80, path: /}}", "tcp.path", "is not known; accepted: port, deadline"),
    ("{tcp: {port: 80}, deadline: 3s}", "deadline", "it belongs to a run or structure-test check, and this is a tcp"),
    ("{grpc: {service: a}}", "grpc.port", "the key is missing"),
    ("{grpc: {port: 80, service: a b}}", "grpc.service", "a service, such as acme.v1.Orders"),
    ("{file: {path: /a}, env: {A: b}}", "env", "it belongs to a run or http or tcp or grpc check"),
    ("{run: [a], env: {}}", "env", "the mapping is empty"),
    ("{run: [a], services: [db]}", "services", "the image has no services"),
    ("{config: {user: a}, services: [db]}", "services", "it belongs to a run"),
    ("{structure-test: ../a.yaml}", "structure-test", "leads upwards"),
    ("{structure-test: a.yaml, env: {A: b}}", "env", "and this is a structure-test check"),
    ("{structure-test: [a.yaml]}", "structure-test", "a list is given"),
    ("{file: {path: app}}", "file.path", "an absolute path in the image"),
    ("{file: {exists: true}}", "file.path", "the key is missing"),
    ("{file: {path: /a, exists: yes}}", "file.exists", "yes is given; accepted: true, false"),
    ("{file: {path: /a, mode: 0644}}", "file.mode", 'quote it: "0644"'),
    ('{file: {path: /a, mode: "0888"}}', "file.mode", "quoted octal"),
    ('{file: {path: /a, exists: false, mode: "0644"}}', "file.mode", "must not exist"),
    ("{file: {path: /a, exists: false, content: {equals: x}}}", "file.content", "must not exist"),
    ("{config: {}}", "config", "the mapping is empty"),
    ("{config: {user: 1000}}", "config.user", 'quote it: "1000"'),
    ("{config: {entrypoint: []}}", "config.entrypoint", "the list is empty"),
    ('{config: {env: {"A=B": c}}}', "config.env['A=B']", "a name without ="),
    ("{config: {labels: {a: }}}", "config.labels.a", "no value is given"),
    ("{config: {ports: [0]}}", "config.ports[0]", "0 is not a port"),
    ("{config: {ports: [65536/udp]}}", "config.ports[0]", "is not a port"),
    ("{config: {ports: [80/http]}}", "config.ports[0]", "8000/tcp, 53/udp"),
    ("{config: {ports: [80, 80/tcp]}}", "config.ports[1]", "in the list twice"),
    ("{config: {healthcheck: 1}}", "config.healthcheck", "accepted: true, false"),
    ("{config: {architecture: amd46}}", "config.architecture", "did you mean 'amd64'"),
]


@pytest.mark.parametrize(("check", "key", "part"), CHECKS)
def test_a_mistake_in_a_check(check: str, key: str, part: str, problems: Problems) -> None:
    [problem] = problems(f"{HEAD}:\n      - {check}\n")
    dot = "." if key else ""
    assert (problem.line, problem.key) == (7, f"images[0].smoke[0]{dot}{key}")
    assert part in str(problem)
    assert problem.accepted


@pytest.mark.parametrize(
    ("smoke", "part"),
    [
        (": none", "gives no reason"),
        (": non", "did you mean 'none'"),
        (": []", "the list is empty"),
        (":", "no value is given"),
        (": false", "false is given"),
        (": {run: [a]}", "a mapping is given; accepted: a list of checks, or none together with"),
    ],
)
def test_a_mistake_in_smoke(smoke: str, part: str, problems: Problems) -> None:
    [problem] = problems(HEAD + smoke)
    assert (problem.line, problem.key) == (6, "images[0].smoke")
    assert part in str(problem)
    assert problem.accepted


def test_the_names_of_checks_differ(problems: Problems) -> None:
    [problem] = problems(f"{HEAD}:\n      - run: [a]\n      - {{name: run 1, run: [b]}}\n")
    assert (problem.line, problem.key) == (8, "images[0].smoke[1].name")
    assert "two checks are called 'run 1'" in problem.message


def test_a_check_without_a_name_is_called_by_what_it_does() -> None:
    only = "platforms: [linux/amd64]"
    text = f"{HEAD}: [{{run: [a]}}, {{file: {{path: /a}}}}, {{run: [b]}}, {{file: {{path: /a}}, {only}}}]"
    smoke = parse_config(text, file="images.yaml").images[0].smoke
    assert [check.name for check in smoke] == ["run 1", "file /a", "run 2", "file /a on linux/amd64"]


def test_every_platform_needs_a_check(problems: Problems) -> None:
    head = HEAD.replace("[linux/amd64]", "[linux/amd64, linux/arm64]")
    assert parse_config(f"{head}: [{{run: [a]}}]", file="images.yaml")
    [problem] = problems(f"{head}: [{{run: [a], platforms: [linux/amd64]}}]")
    assert (problem.line, problem.key) == (6, "images[0].smoke")
    assert "no check runs on linux/arm64" in problem.message


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [("60", 60), ("0.5", 0.5), ("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("60m", 3600), ('"5"', 5)],
)
def test_deadlines(deadline: str, seconds: float) -> None:
    text = f"{HEAD}: [{{run: [a], deadline: {deadline}}}]"
    found = parse_config(text, file="images.yaml").images[0].smoke[0].check
    assert isinstance(found, RunCheck)
    assert found.deadline == pytest.approx(seconds)
