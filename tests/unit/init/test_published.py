"""Repositories that a workflow keeps in secrets and variables are looked for where people are told to pull from."""

from __future__ import annotations

import pytest
import yaml

from ci.init.gather import gather
from ci.init.released import Built

FILE = ".github/workflows/release.yml"


def one(images: str, readme: str = "", compose: str = "") -> Built:
    meta = {"id": "meta", "uses": "docker/metadata-action@v5", "with": {"images": images}}
    build = {
        "uses": "docker/build-push-action@v6",
        "with": {"push": True, "tags": "${{ steps.meta.outputs.tags }}"},
    }
    text = yaml.safe_dump({"on": "push", "jobs": {"build": {"steps": [meta, build]}}}, sort_keys=False, width=1000)
    files = {FILE: text, "README.md": readme, "compose.yaml": compose}
    (image,) = gather(files, {"Dockerfile"}, "app").images
    return image


@pytest.mark.parametrize(
    ("readme", "found"),
    [
        ("docker pull acme/app:latest", "docker.io/acme/app"),
        ("See https://hub.docker.com/r/acme/app/.", "docker.io/acme/app"),
        ("[x](https://quay.io/repository/acme/app)", "quay.io/acme/app"),
        ("`ghcr.io/acme/app`", "ghcr.io/acme/app"),
        ("https://github.com/acme/app/pkgs/container/app", "ghcr.io/acme/app"),
    ],
)
def test_a_readme_says_what_is_pulled(readme: str, found: str) -> None:
    image = one("${{ vars.REPO }}", readme)
    assert image.repositories == (found,)
    assert f"repository: a guess, {found} is what the README pulls from" in image.notes
    assert not image.lost


def test_compose_files_say_what_is_pulled() -> None:
    image = one(
        "${{ vars.REPO }}", compose="services: {app: {image: ghcr.io/acme/app:1}}\n".replace("{image", "\n  {image")
    )
    image = one("${{ vars.REPO }}", compose="services:\n  app:\n    image: ghcr.io/acme/app:1\n")
    assert image.repositories == ("ghcr.io/acme/app",)


def test_a_secret_is_called_after_its_registry() -> None:
    readme = "docker pull acme/app, quay.io/acme/app, ghcr.io/acme/app"
    image = one("${{ secrets.DOCKERHUB_REPO }}\n${{ vars.QUAY_REPO }}", readme)
    assert image.repositories == ("docker.io/acme/app", "quay.io/acme/app")


def test_what_is_plain_of_a_name_has_to_fit() -> None:
    readme = "docker pull other/app and docker pull acme/server"
    assert one("${{ secrets.USER }}/server", readme).repositories == ()
    assert one("${{ secrets.USER }}/app", readme).repositories == ("docker.io/other/app",)
    assert one("quay.io/${{ secrets.USER }}/app", readme).repositories == ()


def test_what_is_not_found_stays_named() -> None:
    image = one("${{ secrets.USER }}/app")
    assert image.lost == (f"{FILE}:9: the repository ${{{{ secrets.USER }}}}/app is not plain",)
