"""What smoke checks can do, on the real engine: one repository of several images, built once."""

from __future__ import annotations

import pytest
import pytest_asyncio

from ci.build.pipeline import Built
from ci.build.report import render_json, render_markdown, render_table
from ci.core.model import Failure

from .building import build
from .conftest import Repository

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(600)]

# A server that shows what it was sent, and asks what is beside it.
SERVER = """\
import http.server, os, time, urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        if self.path == "/moved":
            return self.answer(302, "", Location="/moved/again")
        if self.path == "/moved/again":
            return self.answer(301, "", Location=f"http://{self.headers['Host']}/")
        if self.path == "/away":
            return self.answer(302, "", Location="https://example.com/")
        if self.path == "/round":
            return self.answer(302, "", Location="/round")
        if self.path == "/once":
            Handler.asked += 1
            return self.answer(404, "") if Handler.asked == 1 else time.sleep(60)
        if self.path == "/sent":
            return self.answer(200, str(self.headers), **{"Content-Type": "text/plain", "X-Answer": "42"})
        if self.path == "/peer":
            return self.answer(200, urllib.request.urlopen(os.environ["PEER"]).read().decode())
        self.answer(200, os.environ.get("GREETING", "no greeting"))

    def answer(self, status, text, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

if os.environ.get("PEER"):
    print(urllib.request.urlopen(os.environ["PEER"]).read().decode(), flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
"""
HEALTH = """\
from concurrent.futures import ThreadPoolExecutor
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

server = grpc.server(ThreadPoolExecutor())
servicer = health.HealthServicer()
servicer.set("acme.Orders", health_pb2.HealthCheckResponse.SERVING)
servicer.set("acme.Bills", health_pb2.HealthCheckResponse.NOT_SERVING)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port("0.0.0.0:50051")
server.start()
server.wait_for_termination()
"""
FILES = {
    "server.py": SERVER,
    "health.py": HEALTH,
    # Nobody listens on 9999, and no check is about it.
    "Dockerfile": "FROM python:3.13-slim\nCOPY server.py /\nEXPOSE 8000 9999 53/udp 9899/sctp\nUSER 10001:10001\n"
    'ENTRYPOINT ["python", "/server.py"]\n',
    "Dockerfile.grpc": "FROM python:3.13-slim\nRUN pip install --quiet grpcio-health-checking\nCOPY health.py /\n"
    'ENTRYPOINT ["python", "/health.py"]\n',
    "Dockerfile.files": "FROM python:3.13-slim\nRUN install -m 4755 /bin/true /usr/local/bin/helper "
    "&& install -d -m 1777 /drop && install -d -m 2750 -o 7 -g 8 /shared "
    "&& ln -s /usr/local/bin/helper /link && ln -s /nowhere /dangling && printf 'one\\ntwo\\n' > /text\n"
    'ENV WHO=world REGEX=release-2.1.7\nVOLUME /data\nWORKDIR /srv\nEXPOSE 8080/udp\nCMD ["echo", "hello"]\n'
    'LABEL built=2026-01-02 empty=""\n',
    "tests/good.yaml": """\
schemaVersion: "2.0.0"
globalEnvVars:
  - {key: ROOT, value: "/opt/$WHO"}
  - {key: PATH, value: "/opt/bin:$PATH"}
commandTests:
  - name: path
    command: sh
    args: ["-c", "echo $PATH"]
    expectedOutput: ["^/opt/bin:.*/usr/bin.*\\n$"]
    excludedOutput: ["world$"]
  - name: after a setup
    setup:
      - [sh, -c, "mkdir -p /opt/world && echo made > /opt/world/file; exit 3"]
      - [sh, -c, "echo more >> /opt/world/file"]
    teardown: [[rm, -rf, /]]
    command: cat
    args: ["$ROOT/file"]
    envVars: [{key: UNUSED, value: "1"}]
    expectedOutput: ["(?m)^made$", "more\\n$"]
  - name: fails as it should
    command: sh
    args: ["-c", "echo out; echo err >&2; exit 3"]
    expectedError: ["err"]
    excludedError: ["out"]
    exitCode: 3
  - name: fails as it should
    command: id
    args: [-u]
    expectedOutput: ["^0\\n$"]
fileExistenceTests:
  - {name: root, path: /, uid: 0, gid: 0}
  - {name: setuid, path: /usr/local/bin/helper, permissions: urwxr-xr-x, isExecutableBy: any}
  - {name: sticky, path: /drop, permissions: dtrwxrwxrwx}
  - {name: setgid, path: /shared, permissions: dgrwxr-x---, uid: 7, gid: 8, isExecutableBy: group}
  - {name: a link is itself, path: /link, permissions: Lrwxrwxrwx}
  - {name: a link to nowhere is there, path: /dangling}
  - {name: by a variable, path: /usr/local/bin/$HELPER, shouldExist: true}
  - {name: nothing, path: /etc/dummy, shouldExist: false}
fileContentTests:
  - name: text
    path: /text
    expectedContents: ["one\\ntwo", "(?m)^two$"]
    excludedContents: ["two$", "three"]
metadataTest:
  envVars: [{key: WHO, value: world}, {key: REGEX, value: '[a-z]+-2\\.1\\.*', isRegex: true}]
  unboundEnvVars: [{key: NOTHING}]
  labels: [{key: built, value: '^\\d{4}-\\d{2}-\\d{2}$', isRegex: true}, {key: empty, value: ""}]
  exposedPorts: ["8080"]
  unexposedPorts: ["80"]
  volumes: [/data]
  unmountedVolumes: [/root]
  entrypoint: []
  cmd: [echo, hello]
  workdir: /srv
""".replace("$HELPER", "helper"),
    "tests/bad.yaml": """\
schemaVersion: 2.0.0
commandTests:
  - {name: the end is the end, command: echo, args: [foo], expectedOutput: ["foo$"]}
fileExistenceTests:
  - {name: permissions, path: /usr/local/bin/helper, permissions: "-rwxr-xr-x"}
  - {name: owner, path: /shared, uid: 0, gid: 0, isExecutableBy: other}
fileContentTests:
  - {name: a folder, path: /srv}
  - {name: no file, path: /nowhere}
metadataTest:
  user: nobody
  cmd: []
  exposedPorts: ["8080/udp"]
  unmountedVolumes: [/data]
  unboundEnvVars: [{key: WHO}]
""",
}
SERVICES = """\
services:
  first:
    image: python:3.13-slim
    port: 7000
    env: {PORT: "7000", GREETING: "to the first"}
    command:
      - python
      - -c
      - |
        import http.server as h
        print("first starts", flush=True)
        h.test(h.SimpleHTTPRequestHandler, port=7000)
  peer:
    image: target:peer
    port: 8000
    env: {PEER: "http://first:7000/", GREETING: from the peer}
"""
GOOD = f"""
name: web
dockerfile: Dockerfile
platforms: [linux/amd64, linux/arm64]
{SERVICES.strip()}
smoke:
  - http: {{port: 8000, body: {{equals: no greeting}}}}
  - http: {{port: 8000}}
    name: with a greeting
    env: {{GREETING: hello}}
  - http: {{port: 8000, path: /moved, status: 302, response-headers: {{location: {{equals: /moved/again}}}}}}
  - http: {{port: 8000, path: /moved, redirects: follow, body: {{equals: no greeting}}}}
    name: followed
  - http: {{port: 8000, path: /moved, redirects: 1, status: 301}}
    name: followed once
  - http:
      port: 8000
      path: /sent
      headers: {{Host: app.test, X-Forwarded-Proto: https, Accept: text/plain}}
      body: {{contains: ["Host: app.test", "X-Forwarded-Proto: https", "Accept: text/plain"], excludes: "localhost"}}
      response-headers: {{x-answer: {{equals: "42"}}, Content-Type: {{matches: ^text/}}}}
  - name: reaches what is beside it
    http: {{port: 8000, path: /peer, body: {{equals: from the peer}}}}
    env: {{PEER: "http://peer:8000/"}}
  - name: reaches one alone
    run: [python, -c, "import urllib.request as u; print(u.urlopen('http://first:7000/').status)"]
    services: [first]
    stdout: {{equals: "200"}}
  - name: reaches none
    run: [python, -c, "import socket; socket.create_connection(('first', 7000))"]
    exit: 1
    stderr: {{contains: gaierror}}
  - tcp: {{port: 8000}}
"""
PEER = "name: peer\ndockerfile: Dockerfile\nplatforms: [linux/amd64, linux/arm64]\nsmoke: [{tcp: {port: 8000}}]"
GRPC = """
name: grpc
dockerfile: Dockerfile.grpc
platforms: [linux/amd64]
smoke:
  - grpc: {port: 50051}
  - grpc: {port: 50051, service: acme.Orders}
  - {name: not serving, grpc: {port: 50051, service: acme.Bills, deadline: 2s}}
  - {name: unknown, grpc: {port: 50051, service: acme.Nothing, deadline: 2s}}
"""
FILE = """
name: files
dockerfile: Dockerfile.files
platforms: [linux/amd64, linux/arm64]
smoke:
  - run: [stat, -c, '%a', /usr/local/bin/helper]
    stdout: {equals: "4755"}
  - {name: setuid, file: {path: /usr/local/bin/helper, mode: "4755"}}
  - {name: sticky, file: {path: /drop, mode: "1777"}}
  - {name: setgid, file: {path: /shared, mode: "2750"}}
  - {name: followed, file: {path: /link, mode: "4755"}}
  - {name: leads nowhere, file: {path: /dangling, exists: false}}
  - {name: killed, run: [sh, -c, 'echo out; kill -9 $$'], exit: 137, stdout: {equals: out}}
  - {name: code 128, run: [sh, -c, exit 128], exit: 128}
  - {name: code 191, run: [sh, -c, 'echo why >&2; exit 191'], exit: 191, stderr: {equals: why}}
  - {name: code 255, run: [sh, -c, exit 255], exit: 255}
  - {name: variables, run: [sh, -c, 'echo "$ADDED $WHO"'], env: {ADDED: 1.10}, stdout: {equals: 1.10 world}}
  - structure-test: tests/good.yaml
"""
BAD = f"""
name: bad
dockerfile: Dockerfile
platforms: [linux/amd64]
{SERVICES.strip()}
smoke:
  - {{name: away, http: {{port: 8000, path: /away, redirects: follow, deadline: 3s}}}}
  - {{name: round, http: {{port: 8000, path: /round, redirects: 3, deadline: 3s}}}}
  - {{name: moved, http: {{port: 8000, path: /moved, deadline: 3s}}}}
  - {{name: once, http: {{port: 8000, path: /once, deadline: 3s}}}}
  - {{name: header, http: {{port: 8000, response-headers: {{X-No: {{equals: a}}}}, deadline: 3s}}}}
  - {{name: closed, tcp: {{port: 8001, deadline: 4s}}}}
  - {{name: ends, http: {{port: 8000, deadline: 5s}}, env: {{PORT: none}}}}
  - {{name: command, run: [sh, -c, exit 4], services: [first]}}
"""
BESIDE = """
name: beside
dockerfile: Dockerfile
platforms: [linux/amd64]
services:
  first:
    image: python:3.13-slim
    port: 7000
    command: [python, -c, "import sys; print('no password', file=sys.stderr); sys.exit(5)"]
smoke:
  - {name: http, http: {port: 8000, deadline: 5s}}
  - {name: run, run: [echo, hello], services: [first]}
"""
SILENT = """
name: silent
dockerfile: Dockerfile
platforms: [linux/amd64]
services:
  slow:
    image: python:3.13-slim
    port: 7000
    deadline: 2s
    command: [python, -c, "import time; print('still thinking', flush=True); time.sleep(99)"]
smoke:
  - {name: http, http: {port: 8000, deadline: 2s}}
"""
STRUCTURE = """
name: structure
dockerfile: Dockerfile.files
platforms: [linux/amd64]
smoke: [{structure-test: tests/bad.yaml, name: bad}, {name: mode, file: {path: /usr/local/bin/helper, mode: "0755"}}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def built(tmp_path_factory: pytest.TempPathFactory, session: None) -> Built:  # noqa: ARG001
    repository = Repository(tmp_path_factory.mktemp("checks"))
    repository.write(FILES)
    repository.configure(PEER, GOOD, GRPC, FILE, BAD, BESIDE, SILENT, STRUCTURE)
    return await build(repository.path)


def failed(built: Built, variant: str) -> dict[str, Failure]:
    (outcome,) = (each for each in built.report.outcomes if str(each.variant) == variant)
    return {failure.step.removeprefix("smoke: "): failure for failure in outcome.failures}


@pytest.mark.parametrize(
    "variant", [f"{name}@linux/{arch}" for name in ("web", "files") for arch in ("amd64", "arm64")]
)
async def test_what_is_right_passes(built: Built, variant: str) -> None:
    assert failed(built, variant) == {}


async def test_each_test_of_a_file_is_a_check(built: Built) -> None:
    (outcome,) = (each for each in built.report.outcomes if str(each.variant) == "files@linux/amd64")
    assert outcome.smoke_total == 11 + 4 + 8 + 1 + 1
    names = [check.name for check in outcome.variant.checks]
    assert "tests/good.yaml: command fails as it should (2)" in names
    assert "tests/good.yaml: metadata" in names


async def test_grpc_is_asked_by_port_and_service(built: Built) -> None:
    reasons = {name: failure.reason for name, failure in failed(built, "grpc@linux/amd64").items()}
    assert reasons == {
        "not serving": "health of acme.Bills on port 50051 by gRPC: expected SERVING, got NOT_SERVING within 2 s",
        "unknown": "health of acme.Nothing on port 50051 by gRPC: expected SERVING, got NOT_FOUND within 2 s",
    }


async def test_what_is_wrong_is_said_with_what_ran_beside_it(built: Built) -> None:
    found = failed(built, "bad@linux/amd64")
    reasons = {name: failure.reason for name, failure in found.items()}
    assert "redirects to 'https://example.com/', which is not the image over plain HTTP" in reasons["away"]
    assert "expected status 200, got 302, a redirect to '/round'," in reasons["round"]
    assert "expected status 200, got 302, a redirect to '/moved/again'," in reasons["moved"]
    # What the deadline cut short says less than the answer before it.
    assert reasons["once"] == "GET http://localhost:8000/once: expected status 200, got 404 '' within 3 s"
    assert "expected a header X-No, got none" in reasons["header"]
    assert reasons["closed"] == "nothing listened on port 8001 within 4 s"
    assert reasons["ends"] == "the image ended with exit code 1 instead of serving"
    assert "ValueError" in (found["ends"].stderr or "")
    assert reasons["command"] == "expected exit code 0, got 4"
    for name in ("away", "closed", "command"):
        assert "first starts" in found[name].logs["first"]
    assert "</html>" in found["away"].logs["peer"]  # what it got from the first
    assert "peer" not in found["command"].logs


async def test_a_service_that_ends_says_so(built: Built) -> None:
    found = failed(built, "beside@linux/amd64")
    reason = "its service first (python:3.13-slim) ended with exit code 5 instead of listening on port 7000"
    for name in ("http", "run"):
        assert found[name].reason == reason
        assert found[name].logs == {"first": "no password"}
    for render in (render_table, render_markdown, render_json):
        assert "no password" in render(built.report)


async def test_a_service_that_does_not_listen_says_so(built: Built) -> None:
    (failure,) = failed(built, "silent@linux/amd64").values()
    assert failure.reason == "its service slow (python:3.13-slim): nothing listened on port 7000 within 2 s"
    assert failure.logs == {"slow": "still thinking"}


async def test_a_structure_test_fails_where_it_fails_elsewhere(built: Built) -> None:
    reasons = {name: failure.reason for name, failure in failed(built, "structure@linux/amd64").items()}
    helper = "expected /usr/local/bin/helper to have"
    assert reasons == {
        "bad: command the end is the end": r"expected stdout to match '(?a)foo\\Z', got 'foo'",
        "bad: file content a folder": "/srv could not be looked at: it is no file that can be read",
        "bad: file content no file": "expected /nowhere to exist, and it does not",
        "bad: file existence permissions": f"{helper} permissions -rwxr-xr-x, it has urwxr-xr-x",
        "bad: file existence owner": "expected /shared to be executable by other, it has mode 2750; "
        "expected /shared to have uid 0, it has 7; expected /shared to have gid 0, it has 8",
        "bad: metadata": "expected no env WHO, got 'world'; expected cmd [], got ['echo', 'hello']; expected user "
        "'nobody', got ''; expected exposed port 8080/udp, got 8080; expected no volume /data, got /data",
        "mode": f"{helper} mode 0755, it has 4755",
    }
