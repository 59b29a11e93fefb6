"""Real registries, a token server as ghcr.io has one, and a server that answers whatever it is told."""

import base64
import glob
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

USER = "ada"
PASSWORD = "planted-pass-7f3a9c"
# PASSWORD by bcrypt, the only scheme the registry accepts.
_HTPASSWD = "$2b$04$nawVnp.PkXbZalDNMmyim.S7CA7QijHo0LxjkBuCs3i5UzIoqam.W"
_STARTING = 15.0  # seconds


def registry_binary() -> Path | None:
    """Find the registry's program: on PATH, or where bringing up the engine unpacked it."""
    if found := shutil.which("docker-registry"):
        return Path(found)
    xdg = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = os.environ.get("DRYDOCK_CACHE") or f"{xdg}/drydock"
    paths = glob.glob(f"{glob.escape(cache)}/engine-*/unpacked-*/usr/bin/docker-registry")  # noqa: PTH207
    return max((Path(p) for p in paths), key=lambda p: p.stat().st_mtime, default=None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Certificate:
    """A key and a certificate for 127.0.0.1 and other addresses that is its own authority."""

    key: Path
    certificate: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def make_certificate(folder: Path, *addresses: str) -> Certificate:
    made = Certificate(folder / "key.pem", folder / "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=drydock.test"]
    more = "".join(f",IP:{address}" for address in addresses)
    names = ["-addext", f"subjectAltName=IP:127.0.0.1,DNS:localhost{more}"]
    files = ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True, timeout=60)
    return made


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry process that runs."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    address: str = "127.0.0.1"

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    def copy(self, source: str, target: str) -> None:
        """Give all repositories below a prefix to another one: they are links to blobs that all repositories share."""
        repositories = self.log.parent / "data/docker/registry/v2/repositories"
        shutil.copytree(repositories / source, repositories / target)


@contextmanager
def run_registry(
    folder: Path,
    *,
    htpasswd: bool = False,
    token: "TokenServer | None" = None,
    tls: Certificate | None = None,
    deletes: bool = True,
    relative: bool = False,
    host: str = "127.0.0.1",
    program: Path | None = None,
) -> Iterator[Registry]:
    """Run a registry that keeps its data in a folder, and stop it by its process.

    Args:
        folder: for configuration, log and data; created.
        htpasswd: whether USER has to log in with PASSWORD.
        token: the server whose tokens are asked for.
        tls: makes it speak HTTPS.
        deletes: whether it allows deletes.
        relative: whether it names places for uploads without itself, as ghcr.io does.
        host: the address it listens on.
        program: another than Debian's.

    """
    binary = program or registry_binary()
    assert binary, "no docker-registry; `make test` installs one with the engine"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": deletes}},
    }
    http: dict[str, object] = {"addr": f"{host}:{port}", "secret": "for-tests", "relativeurls": relative}
    if tls:
        http["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    config["http"] = http
    if htpasswd:
        users = folder / "htpasswd"
        users.write_text(f"{USER}:{_HTPASSWD}\n")
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
    if token:
        config["auth"] = {"token": token.for_registry()}
    file = folder / "config.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([str(binary), "serve", str(file)], stdout=out, stderr=out)
    try:
        wait_for(port, process, log, host)
        yield Registry(port=port, process=process, log=log, address=host)
    finally:
        process.kill()
        process.wait(_STARTING)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path, host: str = "127.0.0.1") -> None:
    """Wait until a process listens on a port."""
    end = time.monotonic() + _STARTING
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as a stub received it."""

    method: str
    path: str  # with the query
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a stub answers; a Content-Length is added unless there is one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Stub:
    """An HTTP server on 127.0.0.1 that answers what a function says, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Request], Reply], *, tls: Certificate | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {k.lower(): v for k, v in self.headers.items()}
                request = Request(method=self.command, path=self.path, headers=headers, body=body)
                stub.requests.append(request)
                reply = stub.answer(request)
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Say nothing: clients hang up on purpose."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.scheme = "https"
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_STARTING)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"


class TokenServer(Stub):
    """Gives out tokens that a registry accepts, by the Docker token specification.

    What it gives out can be changed at any time: `grant` filters the actions, `life` is how long a token lives,
    `field` names what holds it, `broken` replaces the answer.
    """

    def __init__(self, certificate: Certificate, *, anonymous: tuple[str, ...] = ()) -> None:
        super().__init__(self._token)
        self._certificate = certificate
        self.anonymous = anonymous  # actions without logging in
        self.grant: tuple[str, ...] = ("pull", "push", "delete")
        self.life = 300
        self.says_life = True
        self.field = "token"
        self.known: set[str] | None = None  # repositories of which one may be told that they are there, as on Quay
        self.broken: Reply | None = None
        self.tokens: list[str] = []

    def for_registry(self) -> dict[str, str]:
        return {
            "realm": f"{self.url}/token",
            "service": "registry.test",
            "issuer": "tokens.test",
            "rootcertbundle": str(self._certificate.certificate),
        }

    def _token(self, request: Request) -> Reply:
        if self.broken:
            return self.broken
        if request.method == "POST":  # OAuth2, which clients try first; they go on with GET after this answer
            return Reply(status=405)
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        sent = request.headers.get("authorization")
        if sent not in {None, expected}:
            return Reply(status=401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}')
        allowed = self.grant if sent else self.anonymous
        access = []
        for scope in request.query.get("scope", []):
            kind, name, actions = scope.split(":")
            granted = [a for a in actions.split(",") if a in allowed]
            if self.known is not None and name not in self.known and "push" not in granted:
                granted = []
            access.append({"type": kind, "name": name, "actions": granted})
        token = self._sign(access)
        self.tokens.append(token)
        answer = {self.field: token, **({"expires_in": self.life} if self.says_life else {})}
        return Reply(headers={"Content-Type": "application/json"}, body=json.dumps(answer).encode())

    def _sign(self, access: Sequence[Mapping[str, object]]) -> str:
        now = int(time.time())
        chain = "".join(self._certificate.certificate.read_text().strip().split("\n")[1:-1])
        claims = {
            "iss": "tokens.test",
            "sub": USER,
            "aud": "registry.test",
            "jti": f"{now}-{len(self.tokens)}",
            "exp": now + self.life,
            "nbf": now - 10,
            "iat": now,
            "access": access,
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": [chain]}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", str(self._certificate.key)]
        done = subprocess.run(command, input=signed.encode(), capture_output=True, check=True, timeout=30)
        return f"{signed}.{_base64url(done.stdout)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
