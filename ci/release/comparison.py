"""Compares two builds of a variant: what their documents say, and layer by layer what is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import Any  # configurations of images

import anyio.to_thread

from ci.core.engine import gather
from ci.core.oci import Descriptor, Manifest
from ci.release.differences import compare_documents
from ci.release.layers import compare_layers
from ci.release.reproduced import LayerDifference
from ci.release.uploads import Locate

# What follows from the layers, which are compared themselves.
_OF_MANIFEST, _OF_CONFIG = frozenset(("layers", "config")), frozenset(("rootfs",))
# What BuildKit writes where the history of a base has fewer entries than the base has layers (exporter/containerimage).
_OF_CACHE = "buildkit.exporter.image.v0"
_FILLED_UP = (
    "The history of a base names fewer layers than it has. BuildKit fills it up with what it called the steps when it "
    "first ran them, so that such an image depends on what was built before it."
)
_EARLIER = (
    "Only times differ, and those of the release are earlier: it took this step from a cache, of a build before its "
    'commit was made. With build-args: {SOURCE_DATE_EPOCH: "0"} the time of a build decides nothing.'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of two builds: its manifest, and where its blobs are."""

    manifest: Manifest
    locate: Locate


async def compare_builds(released: Side, built: Side) -> tuple[tuple[str, ...], tuple[LayerDifference, ...]]:
    """Say what the documents of two builds do not have in common, and which of their layers differ in what.

    Raises:
        DrydockError: something of them cannot be read.

    """
    one, other = released.manifest, built.manifest
    before, now = [json.loads(await _bytes(side.locate, side.manifest.image.config)) for side in (released, built)]
    documents = [
        *compare_documents(json.loads(one.body), json.loads(other.body), leave=_OF_MANIFEST),
        *compare_documents(before, now, leave=_OF_CONFIG),
    ]
    if _filled_up(now) and any(line.startswith("history[") for line in documents):
        documents.append(_FILLED_UP)
    steps, count = _steps(now), len(one.image.layers)
    pairs = enumerate(zip_longest(one.image.layers, other.image.layers), start=1)
    changed = {number: pair for number, pair in pairs if _digest(pair[0]) != _digest(pair[1])}
    # One at a time: a layer may have gigabytes.
    layers, failed = await gather(changed, partial(_layer, released.locate, built.locate), limit=1)
    found: list[LayerDifference] = []
    for number, pair in changed.items():
        layer = layers.get(number) or LayerDifference(released=_digest(pair[0]), built=_digest(pair[1]))
        made_by = steps[number - 1] if number <= len(steps) else ""
        note = str(failed[number]) if number in failed else layer.note
        found.append(replace(layer, number=number, layers=count, step=made_by, note=note))
    return tuple(documents), tuple(found)


def _filled_up(config: Mapping[str, Any]) -> bool:
    return any(each.get("comment") == _OF_CACHE for each in config.get("history") or ())


def _steps(config: Mapping[str, Any]) -> list[str]:
    """List what made each layer; "" where a history that was filled up does not say which is whose."""
    history = [each for each in config.get("history") or () if not each.get("empty_layer")]
    known = not _filled_up(config)
    return [str(each.get("created_by", "")) if known or each.get("comment") == _OF_CACHE else "" for each in history]


def _digest(layer: Descriptor | None) -> str:
    return layer.digest if layer else ""


async def _layer(old: Locate, new: Locate, pair: Sequence[Descriptor | None]) -> LayerDifference:
    released, built = pair
    known = LayerDifference(released=_digest(released), built=_digest(built))
    if released is None or built is None:
        return known
    one, other = (*await old(released), released.size), (*await new(built), built.size)
    files = await anyio.to_thread.run_sync(compare_layers, released.media_type, one, other)
    return replace(known, files=files, note=_EARLIER if files.only_earlier else "")


async def _bytes(locate: Locate, blob: Descriptor) -> bytes:
    file, start = await locate(blob)
    with file.open("rb") as stream:  # a small local file
        stream.seek(start)
        return stream.read(blob.size)
