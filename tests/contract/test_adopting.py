"""The repository that docs/adopting.md walks through: what init writes for such a workflow is what the page shows."""

import re
from pathlib import Path

from ci.config.parse import parse_config
from ci.config.plan import plan_build
from ci.init.gather import gather
from ci.init.proposal import propose
from ci.init.proposal_yaml import render_proposal
from ci.tags import Event, names_of, rules_for

PAGE = (Path(__file__).resolve().parents[2] / "docs/adopting.md").read_text()
WALK = PAGE.partition("## One repository, before and after\n")[2].partition("\n## ")[0]
FILE = ".github/workflows/docker-publish.yml"
# The inputs of the workflow that the page names, and the instructions of the Dockerfile that tell of its image.
WORKFLOW = """
on:
  push: {tags: ["v*", "[0-9]+.[0-9]+.[0-9]+"]}
  workflow_dispatch:
env: {REGISTRY: ghcr.io, IMAGE_NAME: "${{ github.repository }}"}
jobs:
  release:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/login-action@v4
        with: {registry: "${{ env.REGISTRY }}", username: me, password: "${{ secrets.GITHUB_TOKEN }}"}
      - id: meta
        uses: docker/metadata-action@v6
        with:
          images: ${{ env.REGISTRY }}/${{ env.IMAGE_NAME }}
          tags: |
            type=semver,pattern={{version}}
            type=semver,pattern={{major}}.{{minor}}
            type=semver,pattern={{major}}
            type=raw,value=latest,enable={{is_default_branch}}
      - uses: docker/build-push-action@v7
        with:
          context: .
          file: docker/Dockerfile
          platforms: linux/amd64,linux/arm64
          push: true
          tags: ${{ steps.meta.outputs.tags }}
"""
DOCKERFILE = """
FROM python:3.14-slim
LABEL org.opencontainers.image.source=https://github.com/benoitc/gunicorn
COPY pyproject.toml ./
USER gunicorn
EXPOSE 8000
ENTRYPOINT ["docker-entrypoint.sh"]
"""


def block(kind: str) -> str:
    return WALK.partition(f"```{kind}\n")[2].partition("```")[0]


def test_init_writes_what_the_page_shows() -> None:
    files = {"docker/Dockerfile": DOCKERFILE}
    released = gather({FILE: WORKFLOW}, set(files), "gunicorn")
    text = render_proposal(propose(files, {*files, "pyproject.toml"}, released=released), schema="", file="x")
    written = text[text.index("\nrepository:") :].strip()
    assert re.sub(rf"({FILE}):\d+", r"\1", written) == re.sub(rf"({FILE}):\d+", r"\1", block("yaml images").strip())
    assert "guess" not in written


def test_each_event_gives_the_names_that_the_page_lists() -> None:
    config = plan_build(parse_config(block("yaml images"), file="example")).config
    (image,) = config.images
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in WALK.splitlines() if line.startswith("|")]
    events = {
        "tag 26.1.0": Event(name="push", ref="refs/tags/26.1.0", revision="65ac1a3" + "0" * 33),
        "by hand, on the default branch": Event(
            name="workflow_dispatch", ref="refs/heads/master", revision="65ac1a3" + "0" * 33, default_branch="master"
        ),
    }
    for name, before, _ in rows[2:]:
        if name in events:
            rules, flavor = rules_for(config, image)
            assert {*names_of(rules, flavor, events[name]).tags} == {*re.findall("`([^`]+)`", before)}
