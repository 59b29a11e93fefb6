"""Reads texts that may hold values of the run, such as {version}, and fills them in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ci.config.cursor import Cursor
from ci.config.matrix import unquoted_word
from ci.core.errors import DrydockError
from ci.core.model import Config, Image
from ci.core.text import nearest, show
from ci.core.values import MEANING, SOMETIMES, STAND_IN, Place, Values, fill, list_places

VALUES_HELP = ", ".join(f"{{{word}:-TEXT}}" if word in SOMETIMES else f"{{{word}}}" for word in MEANING)
_WORKFLOW = re.compile(r"(?<!\\)\$\{\{[^{}]*\}\}")  # of GitHub
_TO_STAY = r"; \{ where the brace is to stay"
_ASKED = {"created": "--created", "owner": "--owner", "ref": "--ref", "revision": "--revision", "short": "--revision"}


def read_template(cursor: Cursor) -> str:
    """Read a text as it is written, and look at the values of the run in it."""
    if word := unquoted_word(cursor.node, MEANING):
        cursor.report(f"YAML reads {{{word}}} as a mapping", accepted=f'quotes around it: "{{{word}}}"')
        return ""
    text = cursor.raw()
    for expression in _WORKFLOW.findall(text):
        cursor.report(f"{show(expression)} means something in a workflow alone", accepted=VALUES_HELP + _TO_STAY)
    for place in list_places(text):
        _check(cursor, place)
    return text


def _check(cursor: Cursor, place: Place, *, inner: bool = False) -> None:
    word = place.word
    if place.twice:
        # Two braces are a template's, whatever it may be; but not with words that are known here.
        if word in MEANING:
            cursor.report(f"{show(place.written)} has two pairs of braces", accepted=f"one: {{{word}}}{_TO_STAY}")
        return
    if word not in MEANING:
        close = nearest(word, MEANING)
        cursor.report(
            f"{show(place.written)} stands for nothing",
            accepted=VALUES_HELP + _TO_STAY,
            nearest=close and f"{{{close}}}",
        )
    elif word in SOMETIMES and (place.default is None or inner):
        cursor.report(
            f"{show(place.written)} is empty in a run without a {word}, such as a pull request's",
            accepted=f"what to take then: {{{word}:-dev}}, {{{word}:-{{ref}}}}, or {{{word}:-}} for nothing",
        )
    for inside in list_places(place.default or ""):
        _check(cursor, inside, inner=True)


def _texts(image: Image) -> Iterator[tuple[str, str]]:
    """List the texts of an image that may hold values, behind what each is called."""
    named = {"build-args": image.build_args, "labels": image.labels, "annotations": image.annotations}
    for key, texts in named.items():
        yield from ((f"{key}.{name}", text) for name, text in texts.items())
    for platform, texts in image.platform_args.items():
        yield from ((f"build-args.{name} of {platform}", text) for name, text in texts.items())


def words_of(images: Sequence[Image]) -> frozenset[str]:
    """List the words that the texts of some images hold."""
    return frozenset(word for image in images for _, text in _texts(image) for word in _words(text))


def _words(text: str) -> Iterator[str]:
    """List the words of a text, those of defaults included."""
    for place in list_places(text):
        if not place.twice:
            yield place.word
            yield from _words(place.default or "")


def fill_images(config: Config, values: Values, *, released: bool) -> Config:
    """Fill the values of a run into the texts of all images.

    Args:
        config: as it was read.
        values: what is known of the run.
        released: whether what is built is released, so that nothing may stand in for what is not known.

    Raises:
        DrydockError: a release is not told what a text holds.

    """
    known = values.words if released else {**STAND_IN, **values.words}
    if released:
        _check_told(config.images, known)
    return replace(config, images=tuple(_filled(image, {**known, "name": image.name}) for image in config.images))


def _check_told(images: Sequence[Image], known: Mapping[str, str]) -> None:
    missing = [
        (image.name, key, word)
        for image in images
        for key, text in _texts(image)
        for word in _words(fill(text, {**known, "name": image.name}, rest=True))
        if word in _ASKED
    ]
    if missing:
        name, key, word = missing[0]
        options = " and ".join(dict.fromkeys(_ASKED[word] for _, _, word in missing))
        raise DrydockError(
            f"{key} of the image {name!r} holds {{{word}}}, and this release is not told it; add {options}"
        )


def _filled(image: Image, known: Mapping[str, str]) -> Image:
    return replace(
        image,
        build_args={name: fill(text, known) for name, text in image.build_args.items()},
        platform_args={
            platform: {name: fill(text, known) for name, text in texts.items()}
            for platform, texts in image.platform_args.items()
        },
        labels={name: fill(text, known) for name, text in image.labels.items()},
        annotations={name: fill(text, known) for name, text in image.annotations.items()},
    )
