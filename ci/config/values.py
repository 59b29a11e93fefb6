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
from ci.core.values import MEANING, SOMETIMES, STAND_IN, Missing, Place, Values, fill, list_places

VALUES_HELP = ", ".join(f"{{{word}:-TEXT}}" if word in SOMETIMES else f"{{{word}}}" for word in MEANING)
_WORKFLOW = re.compile(r"(?<!\\)\$\{\{[^{}]*\}\}")  # of GitHub
_TO_STAY = r"; \{ where the brace is to stay"
# What tells a word, where nothing is written for a run that is not told it.
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


def _check_told(images: Sequence[Image], told: Mapping[str, str]) -> None:
    found = [(image.name, key, word) for image in images for key, text in _texts(image) for word in _left(text, told)]
    if found:
        name, key, word = found[0]
        options = " and ".join(dict.fromkeys(_ASKED[word] for _, _, word in found))
        raise DrydockError(
            f"{key} of the image {name!r} holds {{{word}}}, and this release is not told it; add {options}"
        )


def _left(text: str, told: Mapping[str, str]) -> list[str]:
    """List the words of a text that are not told, and for which nothing is written."""
    return [word for word in _words(fill(text, told, rest=True)) if word in _ASKED]


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
    """Fill in labels or annotations; one that holds a word which is not known is not expected anywhere."""
    return {name: fill(text, told) for name, text in texts.items() if not _left(text, told)}
