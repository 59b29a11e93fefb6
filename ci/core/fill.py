"""Fills the values of a run into the texts of images, and says what else the run is called by them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto

from ci.core.errors import DrydockError
from ci.core.model import Config, Image, Plan
from ci.core.values import STAND_IN, Values, fill, list_places

# What tells a word, where nothing is written for a run that is not told it.
_ASKED = {"created": "--created", "owner": "--owner", "ref": "--ref", "revision": "--revision", "short": "--revision"}
_OF_VERSION = frozenset(("version", "tag", "ref"))
_UNFIT = re.compile("[^A-Za-z0-9._-]+")
_LONGEST = 80  # characters that leave a tag room for more


class Missing(Enum):
    """What becomes of a word that a run is not told."""

    STAYS = auto()  # as it is written; a label that holds it is not expected anywhere
    STANDS_IN = auto()  # something is put in its place
    IS_REFUSED = auto()


def fill_plan(plan: Plan, values: Values, missing: Missing) -> Plan:
    """Fill the values of a run into the texts of a plan's images, as fill_images does, and mark its version."""
    config = fill_images(plan.config, values, missing)
    images = {image.name: image for image in config.images}
    return replace(
        plan,
        config=config,
        variants=tuple(replace(variant, image=images[variant.image.name]) for variant in plan.variants),
        mark=_mark(plan.config.images, values),
    )


def fill_images(config: Config, values: Values, missing: Missing) -> Config:
    """Fill the values of a run into the texts of all images.

    Args:
        config: as it was read.
        values: what is known of the run.
        missing: what becomes of a word that is not known, and has no default.

    Raises:
        DrydockError: one is refused.

    """
    told = {**STAND_IN, **values.words} if missing is Missing.STANDS_IN else values.words
    if missing is Missing.IS_REFUSED:
        _check_told(config.images, told)
    return replace(config, images=tuple(_filled(image, {**told, "name": image.name}) for image in config.images))


def version_mark(version: str) -> str:
    """Write a version so that it can be a part of a tag."""
    return _UNFIT.sub("-", version)[:_LONGEST]


def _mark(images: Sequence[Image], values: Values) -> str:
    """Say what marks a version that is built for itself: without it, the same commit is another image."""
    used = (word for image in images for _, text in _texts(image) for word in _words(text))
    version = values.version or values.words.get("tag", "")
    # Whoever is given .git sees the tag, and describes the same commit otherwise.
    held = any(image.git for image in images) or not _OF_VERSION.isdisjoint(used)
    return version_mark(version) if held else ""


def _texts(image: Image) -> Iterator[tuple[str, str]]:
    """List the texts of an image that may hold values, behind what each is called."""
    named = {"build-args": image.build_args, "labels": image.labels, "annotations": image.annotations}
    for key, texts in named.items():
        yield from ((f"{key}.{name}", text) for name, text in texts.items())
    for platform, texts in image.platform_args.items():
        yield from ((f"build-args.{name} of {platform}", text) for name, text in texts.items())


def _words(text: str) -> Iterator[str]:
    """List the words of a text, those of defaults included."""
    for place in list_places(text):
        if not place.twice:
            yield place.word
            yield from _words(place.default or "")


def _check_told(images: Sequence[Image], told: Mapping[str, str]) -> None:
    found = [
        (image.name, key, word)
        for image in images
        for key, text in _texts(image)
        for word in _left(text, {**told, "name": image.name})
    ]
    if found:
        name, key, word = found[0]
        options = " and ".join(dict.fromkeys(_ASKED[word] for _, _, word in found))
        raise DrydockError(
            f"{key} of the image {name!r} holds {{{word}}}, and this release is not told it; add {options}"
        )


def _left(text: str, told: Mapping[str, str]) -> Iterator[str]:
    """List the words of a text that are not told, and for which nothing is written."""
    for place in list_places(text):
        if place.word not in told and not place.twice:
            yield from (place.word,) if place.default is None else _left(place.default, told)


def _filled(image: Image, told: Mapping[str, str]) -> Image:
    each = image.platform_args.items()
    return replace(
        image,
        build_args={name: fill(text, told) for name, text in image.build_args.items()},
        platform_args={platform: {name: fill(text, told) for name, text in texts.items()} for platform, texts in each},
        labels=_marks(image.labels, told),
        annotations=_marks(image.annotations, told),
    )


def _marks(texts: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """Fill in labels or annotations, but those that hold a word which is not known."""
    return {name: fill(text, told) for name, text in texts.items() if not any(_left(text, told))}
