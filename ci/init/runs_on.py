"""Says which runners a configuration has to name, so that images are built where they are built today."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from ci.core.model import Runners
from ci.core.runners import HOSTED, LABEL, Machine
from ci.init.holes import HOLE, shown
from ci.init.released import Built, unique
from ci.init.run import Run
from ci.init.workflows import Job

# GitHub's own: each does as well as any other, whatever its version.
_USUAL = re.compile(r"ubuntu-(?:latest|slim|\d\d\.\d\d)(-arm)?")

_ARM = re.compile(r"(?i)(?:^|[-_.])(?:arm|arm64|aarch64)(?:$|[-_.])")
_AMD64, _ARM64 = "linux/amd64", "linux/arm64"

Labels = tuple[str, ...]


def list_runners(runs: Sequence[tuple[Job, Run]]) -> tuple[Runners, list[str]]:
    """List the runners that are not what a platform is built on by default; name those that cannot be told."""
    lost: list[str] = []
    seen: dict[str, dict[Labels, str]] = {}  # by platform, "" where none is said; each with its place
    for job, run in runs:
        if not run.built or not job.runner:
            continue
        place = f"{job.file}:{job.line}"
        labels = _labels(job.runner)
        if not labels:
            said = "runners: names one, and without, each platform has GitHub's own"
            lost.append(f"{place}: builds on {shown(job.runner)}: {said}")
            continue
        for platform in unique(platform for built in run.built for platform in built.platforms or ("",)):
            seen.setdefault(platform, {}).setdefault(_own(labels, platform), place)
    every = {labels for each in seen.values() for labels in each}
    if len(every) == 1 and (only := next(iter(every))) and ("" in seen or len(seen) > 1):
        return Runners(shared=only), lost
    named = {platform: next(iter(each)) for platform, each in seen.items() if len(each) == 1 and platform}
    for platform, each in seen.items():
        for labels, place in each.items():
            if labels and (len(each) > 1 or not platform):
                lost.append(_unsure(platform, labels, place))
    return Runners(named={platform: labels for platform, labels in named.items() if labels}), lost


def _unsure(platform: str, labels: Labels, place: str) -> str:
    on = Machine(platform=platform, labels=labels).runs_on
    if not platform:
        return f"{place}: builds on {on}, for platforms that are not known: runners: {on} takes it for all"
    said = f"{place}: builds {platform} on {on}, and another job elsewhere"
    return f"{said}: runners: {{{platform}: {on}}} takes it for all"


def fill_platforms(runs: Sequence[tuple[Job, Run]]) -> None:
    """Give builds that name no platform that of their runner, where their job runs on arm64 too."""
    native = [_native(job.runner) for job, _ in runs]
    told = {(job.file, job.name) for (job, _), platform in zip(runs, native, strict=True) if platform == _ARM64}
    for (job, run), platform in zip(runs, native, strict=True):
        if platform and (job.file, job.name) in told:
            run.built = [replace(built, platforms=(platform,)) if _unsaid(built) else built for built in run.built]


def _unsaid(built: Built) -> bool:
    """Tell whether a build names no platform, not even one that could not be read."""
    return not built.platforms and "the platform" not in " ".join(built.lost)


def _native(runner: str) -> str:
    """Find the platform of a runner by its labels; "" where only a run knows them."""
    labels = _labels(runner)
    if not labels:
        return ""
    return _ARM64 if any(map(_ARM.search, labels)) else _AMD64


def is_usual(labels: Sequence[str]) -> bool:
    """Tell whether labels are of a runner that GitHub has for everybody; none are too."""
    return not labels or (len(labels) == 1 and _USUAL.fullmatch(labels[0]) is not None)


def _labels(text: str) -> Labels:
    """Read the labels of a runner; none where only a run knows them, or where they are none."""
    if HOLE.search(text):
        return ()
    words: object = text.split()
    if text.lstrip().startswith(("[", '"')):
        try:
            words = json.loads(text)
        except ValueError:
            return ()
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, list) or not all(isinstance(word, str) and LABEL.fullmatch(word) for word in words):
        return ()
    return unique(words)


def _own(labels: Labels, platform: str) -> Labels:
    """Return labels that have to be said; none for what is the default anyway, or as good."""
    usual = _USUAL.fullmatch(labels[0]) if len(labels) == 1 else None
    native_for_more = usual and usual[1] and platform and platform not in HOSTED
    return () if usual and not native_for_more else labels
