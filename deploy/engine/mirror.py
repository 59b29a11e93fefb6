"""The registry process that stands in for image registries: on the loopback for this host, on the bridge for builds.

Two processes serve one store. The one on the bridge only reads: what a build runs must not change what the next one
starts from.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import urllib.request
from pathlib import Path

from deploy.engine import processes
from deploy.engine.cache import Cache
from deploy.engine.commands import run
from deploy.engine.errors import EngineError
from deploy.engine.oci import INDEX

PORT = int(os.environ.get("DRYDOCK_MIRROR_PORT", "5000"))
MIRROR = f"127.0.0.1:{PORT}"
CIDR = os.environ.get("DRYDOCK_CIDR", "10.87.0.0/16")
NAMES = ("mirror", "bridge-mirror")  # of both processes


def bridge_mirror() -> str:
    """Say where the engine's containers reach the mirror: on the bridge, to which the engine gives the address .1."""
    try:
        network = ipaddress.IPv4Network(CIDR, strict=False)
    except ValueError as error:
        raise EngineError(f"DRYDOCK_CIDR is no IPv4 network: {error}.\n  Set it to one such as 10.87.0.0/16.") from None
    return f"{ipaddress.IPv4Address(network.network_address.packed[:3] + bytes([1]))}:{PORT}"


def start_mirror(cache: Cache, unpacked: Path) -> None:
    """Start the registry for this host, which the stand-ins are pushed to."""
    if processes.read_record("mirror"):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            raise EngineError(
                f"Port {PORT} on 127.0.0.1 is taken by another process.\n"
                f"  See which: ss -ltnp 'sport = :{PORT}'. Set DRYDOCK_MIRROR_PORT to a free one."
            ) from None
    _serve(cache, unpacked, "mirror", MIRROR, "delete: {enabled: true}")


def start_bridge_mirror(cache: Cache, unpacked: Path) -> None:
    """Start the registry for the engine's containers; the bridge has to be there."""
    _serve(cache, unpacked, "bridge-mirror", bridge_mirror(), "maintenance: {readonly: {enabled: true}}")


def _serve(cache: Cache, unpacked: Path, name: str, address: str, rights: str) -> None:
    config = cache.root / f"{name}.yml"
    config.write_text(
        "version: 0.1\n"
        "log: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {cache.root}/registry}}, {rights}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    log = cache.log(name)
    env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    processes.start(name, [unpacked / "usr/bin/docker-registry", "serve", config], log=log, key=address, env=env)
    processes.wait_until(lambda: _answers(address), name=name, limit=20, log=log)


def _answers(address: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/v2/", timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except OSError:
        return False


def annotation(repository: str, tag: str, name: str) -> str | None:
    """Read an annotation of an index in the mirror; None where the mirror, the tag or the annotation is not there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"http://{MIRROR}/v2/{repository}/manifests/{tag}", headers={"Accept": INDEX})
    try:
        with opener.open(request, timeout=10) as answer:
            found = json.load(answer).get("annotations", {}).get(name)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) else None


def push(cache: Cache, layout: Path, repository: str, tag: str) -> None:
    """Put an image layout into the mirror, where the engine looks before it asks an image registry."""
    source, target = f"oci:{layout}:{tag}", f"docker://{MIRROR}/{repository}:{tag}"
    run(
        ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", source, target],
        log=cache.log("mirror"),
        remedy="Run `python3 deploy/engine down`, then `up` again.",
        limit=900,
        env={**os.environ, "HTTP_PROXY": "", "http_proxy": ""},
    )
