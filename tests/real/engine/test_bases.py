"""Stand-ins have what the genuine images have, on both platforms.

python:3.13-slim is always there, and debian:trixie-slim is made here. DRYDOCK_BASES names more, with spaces between
them, such as "node:22-slim postgres:17"; each takes a minute or two.
"""

import os
import re

import dagger
import pytest
from dagger import dag

from deploy.engine.cache import Cache
from deploy.engine.catalogue import recipe
from deploy.engine.debian import host_certificates
from deploy.engine.foreign import NAMED
from deploy.engine.recipe import COUNTERPARTS, NO_COUNTERPART, genuine_packages

from .conftest import engine

BASES = ["python:3.13-slim", "debian:trixie-slim", *os.environ.get("DRYDOCK_BASES", "").split()]
PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
CHECKS = {
    "accounts can be made": "groupadd --system app && useradd --system --gid app --no-create-home app && id -un app",
    "they can be used": "useradd other && su other --shell /bin/sh --command 'id -un'",
    "passwords are private": "stat --format '%a %U:%G' /etc/shadow",
    "set-uid programs are": "stat --format %a /usr/bin/passwd",
    "alternatives lead somewhere": "find /etc/alternatives -xtype l ! -path '*.gz' ! -path '*.1.*'",
    "packages are configured": "dpkg --audit",
    "the linker finds libraries": "ldconfig -p | grep -c 'libc.so.6 '",
    "awk is there": "echo 2 | awk '{print $1 + 1}'",
}
ANSWERS = ["app", "other", "640 root:shadow", "4755", "", "", "1", "3"]
# What each is for, by name; the answer is looked for in what is printed.
PURPOSES = {
    "python": {
        "python -c 'import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)'": "True",
        "python -c 'import bz2, ctypes, curses, lzma, readline, sqlite3, uuid, zlib'": "",
        "python -m site | grep -- -packages": r"/usr/local/lib/python3\.\d+/site-packages",
        "pip --version": r"from /usr/local/lib/python3\.\d+/site-packages/pip",
        "python -m venv --without-pip /tmp/v && /tmp/v/bin/python -c 'import sys; print(sys.prefix)'": "^/tmp/v$",
        "which python3 pip3": r"/usr/local/bin/python3\n/usr/local/bin/pip3",
        "python -c 'import tty, xml.etree.ElementTree as e; print(e.fromstring(\"<a>1</a>\").text)'": "^1$",
        "python -c 'import ctypes, sys; ctypes.CDLL(\"libpython%d.%d.so.1.0\" % sys.version_info[:2])'": "",
        "ls /usr/local/lib/libpython3.*.so": r"^/usr/local/lib/libpython3\.\d+\.so$",
    },
    "node": {
        "docker-entrypoint.sh -e 'console.log(process.version)'": r"^v\d+",
        "npm --version && npx --version": r"^\d+\.\d+",
        "id node": r"uid=1000\(node\) gid=1000\(node\)",
        "stat --format '%U %n' /home/node": "node /home/node",
    },
    "golang": {
        "go version && go env GOPATH GOROOT GOTOOLCHAIN": r"go1\.[\s\S]*\n/go\n/usr/local/go\nlocal",
        "echo 'package main; import \"C\"; func main() { println(1) }' > /tmp/m.go && go run /tmp/m.go 2>&1": "1",
    },
    "nginx": {"nginx -t 2>&1": "test is successful", "id nginx": r"uid=101\(nginx\) gid=101\(nginx\)"},
    "postgres": {
        "postgres --version && psql --version": "PostgreSQL",
        "id postgres": r"uid=999\(postgres\)",
        "locale -a": "en_US.utf8",
    },
    "redis": {"redis-server --version && redis-cli --version": "redis", "id redis": r"uid=999\(redis\)"},
}


@pytest.fixture(scope="module", params=BASES)
def made(request: pytest.FixtureRequest) -> str:
    """Make a base, or find that it is there."""
    reference: str = request.param
    done = engine("base", reference, timeout=900)
    assert done.returncode == 0, done.stderr
    return reference


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_stand_in_has_the_packages_of_the_genuine_image(made: str, platform: str) -> None:
    container = dag.container(platform=dagger.Platform(platform)).from_(made)
    out = await container.with_exec(["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n"]).stdout()
    installed = {line.split()[0] for line in out.splitlines() if line.endswith(" installed")}
    genuine = genuine_packages(recipe(Cache.from_environment(), made).genuine)
    wanted = {COUNTERPARTS.get(name, name) for name in genuine} - NO_COUNTERPART
    if platform == "linux/arm64":
        # Lists are of amd64. Some libraries are for that architecture alone.
        wanted = {name.replace(*NAMED) for name in wanted} - {"libquadmath0"}
    assert not wanted - installed
    assert "not that image" in (await container.label("dev.drydock.stand-in") or "")


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_stand_in_is_as_usable_as_the_genuine_image(made: str, platform: str) -> None:
    purposes = PURPOSES.get(made.partition(":")[0], {})
    lines = "\n".join(f'echo "=$({check})"' for check in CHECKS.values())
    lines += "\nuname -m\n" + "\n".join(f'printf "%s\\0" "$({check})"' for check in purposes)
    container = dag.container(platform=dagger.Platform(platform)).from_(made)
    out = await container.with_new_file("/checks", f"set -e\n{lines}\n").with_exec(["sh", "/checks"]).stdout()
    *answers, machine = out.splitlines()[: len(CHECKS) + 1]
    assert dict(zip(CHECKS, (answer.removeprefix("=") for answer in answers), strict=True)) == dict(
        zip(CHECKS, ANSWERS, strict=True)
    )
    assert machine == PLATFORMS[platform]
    said = out.split(f"{machine}\n", 1)[1].split("\0")
    for (check, expected), printed in zip(purposes.items(), said, strict=False):
        assert re.search(expected or r"^$", printed), (check, printed)


@pytest.mark.usefixtures("session")
async def test_programs_trust_what_this_machine_trusts(made: str) -> None:
    container = dag.container().from_(made)
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        value = await container.env_variable(name)
        assert value == ("/etc/ssl/certs/ca-certificates.crt" if host_certificates() else None)


def test_what_cannot_be_made_is_said_at_once() -> None:
    done = engine("base", "debian:trixie-slim", "node:22-alpine", timeout=10)
    assert done.returncode == 1
    assert "There is no stand-in of node:22-alpine" in done.stderr
    assert "trixie-slim" not in done.stderr, "nothing is made before all of them are known"
