"""A stand-in for GitHub's API of attestations: bundles in the documented shape, made by hand, and signed by nobody."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self  # a JSON document

PROVENANCE = "https://slsa.dev/provenance/v1"
ISSUER = "https://token.actions.githubusercontent.com"
_FULCIO = bytes.fromhex("2b0601040183bf3001")


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width, "big") + content


def certificate(*, issuer: str, repository: str) -> bytes:
    """Make what stands of a certificate where its extensions are looked for."""
    texts = {8: issuer, 12: repository, 13: "0" * 40}
    listed = [
        der(0x30, der(0x06, b"\x55\x1d\x0f") + der(0x01, b"\xff") + der(0x04, b"\x03\x02\x07\x80")),
        *(
            der(0x30, der(0x06, _FULCIO + bytes((number,))) + der(0x04, der(0x0C, text.encode())))
            for number, text in texts.items()
        ),
    ]
    version, serial = der(0xA0, der(0x02, b"\x02")), der(0x02, b"\x01")
    signed = der(0x30, version + serial + der(0x30, b"") + der(0xA3, der(0x30, b"".join(listed))))
    return der(0x30, signed + der(0x30, b"") + der(0x03, b"\x00"))


def bundle(
    *digests: str,
    repository: str = "https://github.com/acme/shop",
    issuer: str = ISSUER,
    predicate: str = PROVENANCE,
) -> dict[str, Any]:
    """Make a bundle of version 0.3 about some digests."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "ghcr.io/acme/app", "digest": {digest.partition(":")[0]: digest.partition(":")[2]}}
            for digest in digests
        ],
        "predicateType": predicate,
        "predicate": {},
    }
    raw = base64.b64encode(certificate(issuer=issuer, repository=repository)).decode()
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"certificate": {"rawBytes": raw}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(json.dumps(statement).encode()).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": "", "keyid": ""}],
        },
    }


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
        self.bundles.append(bundle(*digests, repository=repository))

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
