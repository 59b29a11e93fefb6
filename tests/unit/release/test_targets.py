"""What a release is made of: each image with each of its repositories, and the order in which tags move."""

import pytest

from ci.core.errors import DrydockError
from ci.core.model import Config, Image, Plan, Variant
from ci.release.destination import Destination
from ci.release.request import rank_tags, tags_for

APP, WORKER = (
    Image(name=name, dockerfile="D", context=".", platforms=("linux/amd64",), repositories=own)
    for name, own in (("app", ()), ("worker", ("quay.io/acme/worker",)))
)


def plan(*images: Image, repositories: tuple[str, ...] = ("ghcr.io/{owner}/{name}", "docker.io/acme/{name}")) -> Plan:
    return Plan(
        config=Config(repositories=repositories, images=images),
        variants=tuple(Variant(image=image, platform="linux/amd64") for image in images),
        revision="0123456789",
    )


def test_a_target_is_an_image_and_a_repository() -> None:
    both = plan(APP, WORKER)
    targets = Destination(owner="Acme").targets(both, tags=tags_for(both, ("v1", "latest")))
    assert [(t.repository, t.name, t.own, t.tags) for t in targets] == [
        ("ghcr.io/acme/app", "acme/app", "sha-0123456", ("v1", "latest")),
        ("docker.io/acme/app", "acme/app", "sha-0123456", ("v1", "latest")),
        ("quay.io/acme/worker", "acme/worker", "sha-0123456", ("v1", "latest")),
    ]
    given = Destination(repositories=("localhost:5000/{name}",)).targets(both)
    assert [target.repository for target in given] == ["localhost:5000/app", "localhost:5000/worker"]


def test_tags_move_tag_by_tag_and_latest_last_even_where_one_image_has_more() -> None:
    both = plan(APP, WORKER)
    tags = {"app": ("1.2.3", "1.2", "latest"), "worker": ("1.2", "latest")}
    targets = Destination(owner="acme").targets(both, tags=tags)
    assert [(rank, target.repository.partition("/")[0], tag) for rank, target, tag in rank_tags(targets)] == [
        (2, "ghcr.io", "1.2.3"),
        (2, "docker.io", "1.2.3"),
        (1, "ghcr.io", "1.2"),
        (1, "docker.io", "1.2"),
        (1, "quay.io", "1.2"),
        (0, "ghcr.io", "latest"),
        (0, "docker.io", "latest"),
        (0, "quay.io", "latest"),
    ]


def test_a_tag_that_would_name_two_images_is_refused() -> None:
    shared = plan(APP, Image(name="other", dockerfile="D", context=".", platforms=("linux/amd64",)))
    with pytest.raises(DrydockError, match=r"ghcr.io/all:sha-0123456 would name two images, app and other"):
        Destination(repositories=("ghcr.io/all",)).targets(shared)
