"""A stand-in for GitHub's API of attestations, which has what the tests' own Sigstore has signed."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self  # a JSON document

from tests.support.sigstore import AUTHORITY


def pack(data: bytes) -> bytes:
    """Pack a text as Snappy does that finds nothing to repeat."""
    size = bytes(((len(data) & 0x7F) | 0x80, (len(data) >> 7 & 0x7F) | 0x80, len(data) >> 14))
    return size + bytes((61 << 2,)) + (len(data) - 1).to_bytes(2, "little") + data


Answer = tuple[int, Any]  # a status, and a document or bytes


@dataclass
class Api:
    """GitHub's API on a port of this host, which knows the attestations that it is told of."""

    bundles: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[str, int], Answer | None] = lambda _path, _count: None  # in place of what is known
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, and what authorizes
    port: int = 0

    def attest(self, digests: Iterable[str], repository: str = "https://github.com/acme/shop") -> None:
        """Store an attestation of some digests, as the attesting action does."""
        self.bundles.append(AUTHORITY.bundle(*digests, repository=repository))

    def __enter__(self) -> Self:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                count = sum(path == earlier for earlier, _ in api.asked)
                api.asked.append((path, self.headers.get("Authorization", "")))
                status, document = api.answer(path, count) or api.known(path)
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                kind = "application/x-snappy" if isinstance(document, bytes) else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def known(self, path: str) -> Answer:
        """List the attestations of the digest that a path ends with."""
        digest = path.rpartition("/")[2]
        found = [{"bundle": one, "repository_id": 1, "bundle_url": ""} for one in self.bundles if _about(one, digest)]
        return (200, {"attestations": found}) if found else (404, {"message": "Not Found", "status": "404"})


def _about(one: dict[str, Any], digest: str) -> bool:
    statement = json.loads(base64.b64decode(one["dsseEnvelope"]["payload"]))
    return any(digest.partition(":")[2] in subject["digest"].values() for subject in statement["subject"])
