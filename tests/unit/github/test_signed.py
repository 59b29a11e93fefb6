"""Whom to ask about what workflows have signed, by the source that a configuration names."""

import anyio
import pytest

from ci.config.parse import parse_config
from ci.github.attested import Attestations, attestations_of
from ci.release import Destination

IMAGES = "images: [{name: app, dockerfile: D, platforms: [linux/amd64], smoke: none, smoke-reason: none}]\n"
WORKFLOWS = "by: ['https://github.com/acme/app/.github/workflows/*']"


@pytest.mark.parametrize(
    ("source", "signed", "asked"),
    [
        ("https://github.com/acme/app", "true", "https://api.github.com"),
        ("https://acme.ghe.com/acme/app", "true", "https://api.acme.ghe.com"),
        ("https://git.acme.test/acme/app", "true", "https://git.acme.test/api/v3"),
        ("https://github.com/acme/app", f"{{{WORKFLOWS}}}", "https://api.github.com"),
        ("https://github.com/acme/app", "{by: [ada@acme.test], issuer: https://accounts.google.com}", ""),
        ("https://gitlab.com/acme/group/app", f"{{{WORKFLOWS}}}", ""),
        ("", f"{{{WORKFLOWS}}}", ""),
        ("https://github.com/acme/app", "{key: cosign.pub}", ""),
        ("https://github.com/acme/app", "false", ""),
    ],
)
def test_who_is_asked(source: str, signed: str, asked: str) -> None:
    head = f"repository: ghcr.io/acme/app\nrequire: {{sbom: true, signed: {signed}}}\n"
    config = parse_config(head + (f"source: {source}\n" if source else "") + IMAGES, file="images.yaml")
    for given in ("", "http://api.test"):
        store = anyio.run(attestations_of(config, api=given).store, config, Destination())
        assert (store.api if store else "") == (asked and (given or asked))
        assert store is None or (store.repository, f"{store.server}/{store.repository}") == ("acme/app", source)


def test_outside_of_github_nobody_is_asked() -> None:
    head = f"repository: ghcr.io/acme/app\nrequire: {{signed: {{{WORKFLOWS}}}}}\n"
    config = parse_config(head + IMAGES, file="images.yaml")
    assert anyio.run(Attestations().store, config, Destination()) is None
