"""The stand-in of python:3.13-slim has what the genuine image has, on both platforms."""

import dagger
import pytest
from dagger import dag

from deploy.engine.debian import host_certificates

CHECKS = {
    "accounts can be made": "groupadd --system app && useradd --system --gid app --no-create-home app && id -un app",
    "they can be used": "useradd other && su other --shell /bin/sh --command 'id -un'",
    "passwords are private": "stat --format '%a %U:%G' /etc/shadow",
    "set-uid programs are": "stat --format %a /usr/bin/passwd",
    "alternatives lead somewhere": "find /etc/alternatives -xtype l ! -path '*.gz'",
    "packages are configured": "dpkg --audit",
    "awk is there": "echo 2 | awk '{print $1 + 1}'",
    "Python finds the bundle": "python -c 'import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)'",
}
ANSWERS = ["app", "other", "640 root:shadow", "4755", "", "", "3", "True"]


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
async def test_the_base_image_is_as_usable_as_the_genuine_one(platform: str) -> None:
    container = dag.container(platform=dagger.Platform(platform)).from_("python:3.13-slim")
    lines = "\n".join(f'echo "=$({check})"' for check in CHECKS.values())
    out = await container.with_new_file("/checks", f"set -e\n{lines}\nuname -m\n").with_exec(["sh", "/checks"]).stdout()
    *answers, machine = out.splitlines()
    assert dict(zip(CHECKS, (answer.removeprefix("=") for answer in answers), strict=True)) == dict(
        zip(CHECKS, ANSWERS, strict=True)
    )
    assert machine == {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[platform]


@pytest.mark.usefixtures("session")
async def test_programs_trust_what_this_machine_trusts() -> None:
    container = dag.container().from_("python:3.13-slim")
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        value = await container.env_variable(name)
        assert value == ("/etc/ssl/certs/ca-certificates.crt" if host_certificates() else None)
