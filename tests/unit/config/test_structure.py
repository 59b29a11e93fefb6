"""Files of container-structure-test: what each key becomes, and every mistake where it stands."""

import pytest

from ci.config.parse import parse_config
from ci.config.paths import PathKind
from ci.core.checks import FileCheck, MetadataCheck, RunCheck, Setting, SmokeCheck, TextMatch
from ci.core.errors import ConfigError
from ci.core.findings import Finding

CONFIG = """\
repository: ghcr.io/acme/{name}
images:
  - name: app
    dockerfile: Dockerfile
    platforms: [linux/amd64]
    services: {db: {image: postgres:17, port: 5432}}
    smoke:
      - {structure-test: tests/app.yaml, services: [db]}
"""
PATH = "tests/app.yaml"
KINDS = {"Dockerfile": PathKind.FILE, ".": PathKind.DIRECTORY, PATH: PathKind.FILE}


def read(text: str, config: str = CONFIG) -> tuple[SmokeCheck, ...]:
    return parse_config(config, file="images.yaml", kinds=KINDS, texts={PATH: text}).images[0].smoke


def mistakes(text: str, config: str = CONFIG) -> list[Finding]:
    with pytest.raises(ConfigError) as raised:
        read(text, config)
    return list(raised.value.findings)


def test_commands() -> None:
    assert read("""\
schemaVersion: '2.0.0'
globalEnvVars: [{key: A, value: "/a:$PATH"}]
containerRunOptions: {user: app, privileged: false, capabilities: []}
commandTests:
- name: all
  setup: [[a, b], [c]]
  teardown: [[d]]
  envVars: [{key: B, value: 1.10}]
  command: run
  args: [1, yes, "$A"]
  expectedOutput: [x$]
  excludedOutput: [y, z]
  expectedError: []
  excludedError: [e]
  exitCode: 191
- {name: little, command: ls, args:, setup: []}
""") == (
        SmokeCheck(
            name="tests/app.yaml: command all",
            check=RunCheck(
                argv=("run", "1", "yes", "$A"),
                exit_code=191,
                stdout=TextMatch(matches=(r"(?a)x\Z",), rejects=("(?a)y", "(?a)z")),
                stderr=TextMatch(rejects=("(?a)e",)),
                deadline=600,
                setup=(("a", "b"), ("c",)),
                user="app",
            ),
            env={"B": "1.10"},
            services=("db",),
            expands={"A": "/a:$PATH"},
        ),
        SmokeCheck(
            name="tests/app.yaml: command little",
            check=RunCheck(argv=("ls",), deadline=600, user="app"),
            services=("db",),
            expands={"A": "/a:$PATH"},
        ),
    )


def test_files() -> None:
    assert [
        (check.name, check.check, check.expands)
        for check in read("""\
schemaVersion: 2.0.0
fileExistenceTests:
- {name: all, path: a/$B, permissions: dtrwxrwxrwx, uid: 0, gid: 10001, isExecutableBy: other}
- {name: gone, path: /b, shouldExist: false, permissions: "-rw-r--r--", uid: 1}
fileContentTests:
- {name: text, path: "/c$D", expectedContents: [a], excludedContents: [b]}
""")
    ] == [
        (
            "tests/app.yaml: file content text",
            FileCheck(path="/c$D", content=TextMatch(matches=("(?a)a",), rejects=("(?a)b",))),
            None,
        ),
        (
            "tests/app.yaml: file existence all",
            FileCheck(path="/a/$B", permissions="dtrwxrwxrwx", uid=0, gid=10001, executable_by="other", follow=False),
            {},
        ),
        ("tests/app.yaml: file existence gone", FileCheck(path="/b", exists=False, follow=False), {}),
    ]


def test_metadata() -> None:
    (check,) = read("""\
schemaVersion: 2.0.0
metadataTest:
  envVars: [{key: A, value: b}, {key: C, value: "^d$", isRegex: true}]
  unboundEnvVars: [{key: E}, {key: F, value: g}]
  labels: [{key: a.b/c, value: "", isRegex: false}]
  entrypoint: []
  cmd: [a, 1]
  workdir: /srv
  user: 1000
  exposedPorts: [8080, "2345"]
  unexposedPorts: ["80"]
  volumes: [/a]
  unmountedVolumes: [/b]
""")
    assert check == SmokeCheck(
        name="tests/app.yaml: metadata",
        check=MetadataCheck(
            env=(Setting(name="A", value="b"), Setting(name="C", value=r"(?a)^d\Z", pattern=True)),
            env_unset=("E", "F"),
            labels=(Setting(name="a.b/c", value=""),),
            entrypoint=(),
            cmd=("a", "1"),
            workdir="/srv",
            user="1000",
            ports=("8080", "2345"),
            ports_unset=("80",),
            volumes=("/a",),
            volumes_unset=("/b",),
        ),
    )


def test_json_is_read_too() -> None:
    (check,) = read('{"schemaVersion": "2.0.0", "commandTests": [{"name": "a", "command": "b"}]}')
    assert check.name == "tests/app.yaml: command a"


def test_two_tests_may_have_one_name_and_the_file_another() -> None:
    test = "{name: same, command: a}"
    config = CONFIG.replace("services: [db]", "name: mine, deadline: 5s, platforms: [linux/amd64]")
    checks = read(f"schemaVersion: 2.0.0\ncommandTests: [{test}, {test}, {test}]\n", config)
    assert [check.name for check in checks] == [
        "mine: command same on linux/amd64",
        "mine: command same on linux/amd64 (2)",
        "mine: command same on linux/amd64 (3)",
    ]
    assert {check.platforms for check in checks} == {("linux/amd64",)}
    assert {check.check.deadline for check in checks if isinstance(check.check, RunCheck)} == {5}


# what follows the schema's version, the line and the key of the mistake, a part of it
WRONG = [
    ("", (1, "", "the file has no test; accepted: at least one of commandTests")),
    ("commandTests: []", (1, "", "the file has no test")),
    ("commandTest: []", (2, "commandTest", "did you mean 'commandTests'")),
    ("licenseTests: [{debian: true}]", (2, "licenseTests", "tests of licences are not supported")),
    ("commandTests: [{name: a}]", (2, "commandTests[0].command", "the key is missing")),
    ("commandTests: [{command: a}]", (2, "commandTests[0].name", "the key is missing")),
    ("commandTests: [{name: a, command: [a]}]", (2, "commandTests[0].command", "a list is given")),
    ("commandTests: [{name: a, command: b, setup: [[]]}]", (2, "commandTests[0].setup[0]", "the list is empty")),
    ("commandTests: [{name: a, command: b, exitCode: 256}]", (2, "commandTests[0].exitCode", "from 0 to 255")),
    (
        "commandTests: [{name: a, command: b, expectedOutput: ['(?=a)']}]",
        (2, "commandTests[0].expectedOutput[0]", "'(?=a)' is no pattern that can be used: Go has no group"),
    ),
    ("fileExistenceTests: [{name: a, path: ''}]", (2, "fileExistenceTests[0].path", "not empty")),
    (
        "fileExistenceTests: [{name: a, path: /b, permissions: -rwsr-xr-x}]",
        (2, "fileExistenceTests[0].permissions", "u, g and t before the nine are setuid, setgid and sticky"),
    ),
    (
        "fileExistenceTests: [{name: a, path: /b, isExecutableBy: user}]",
        (2, "fileExistenceTests[0].isExecutableBy", "accepted: owner, group, other, any"),
    ),
    ("metadataTest: {envVars: [{key: a}]}", (2, "metadataTest.envVars[0].value", "the key is missing")),
    ("metadataTest: {env: []}", (2, "metadataTest.env", "is not known")),
    (
        "containerRunOptions: {privileged: true}\ncommandTests: [{name: a, command: b}]",
        (2, "containerRunOptions.privileged", "privileged is not supported"),
    ),
    (
        "containerRunOptions: {envVars: [A]}\ncommandTests: [{name: a, command: b}]",
        (2, "containerRunOptions.envVars", "envVars is not supported"),
    ),
    ("a: [", (3, "", "not YAML")),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_mistake_in_a_file_of_tests(text: str, expected: tuple[int, str, str]) -> None:
    (problem,) = mistakes(f"schemaVersion: 2.0.0\n{text}\n")
    line, key, part = expected
    assert (problem.file, problem.line, problem.key) == (PATH, line, key)
    assert part in str(problem)


def test_another_schema_is_refused() -> None:
    (problem,) = mistakes("schemaVersion: 1.0.0\ncommandTests: [{name: a, command: b}]\n")
    assert "the schema '1.0.0' is not supported; accepted: \"2.0.0\"" in str(problem)


def test_a_file_that_two_images_name_is_wrong_once_and_after_the_configuration() -> None:
    second = CONFIG.partition("images:\n")[2].replace("name: app", "name: other").replace("postgres:17", "B")
    problems = mistakes("schemaVersion: 2.0.0\na: b\n", CONFIG + second)
    assert [(problem.file, problem.line) for problem in problems] == [("images.yaml", 12), (PATH, 2)]


def test_a_file_that_is_not_there_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(CONFIG, file="images.yaml", kinds={**KINDS, PATH: PathKind.MISSING}, texts={})
    (problem,) = raised.value.findings
    assert problem.key == "images[0].smoke[0].structure-test"
    assert problem.message == "'tests/app.yaml' does not exist"
