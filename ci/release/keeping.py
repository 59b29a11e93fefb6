"""Says which releases a clean-up keeps, by the words of --keep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from ci.core.errors import DrydockError
from ci.core.model import Image
from ci.core.text import split_values

_COUNT = re.compile(r"[1-9][0-9]{0,5}")
_AGE = re.compile(r"([0-9]{1,5})([dw])")
_PATTERN = re.compile(r"[A-Za-z0-9_*?\[][A-Za-z0-9_.*?\[\]!-]{0,127}")
_CORE = re.compile(r"sha-[0-9a-f]{7}(?:-[A-Za-z0-9._-]+)?")
_STAMP = re.compile(r"sha-[0-9a-f]{7}-([0-9]{8}-[0-9]{4})")
_REBUILT = "-rebuilt"
_HELP = (
    "a number keeps so many of the newest releases (10), an age those that are younger (30d, 8w), anything else the "
    "tags that match it (sha-1234567, sha-*-v1*)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """What is kept besides what is named by anything but the tag of a commit; one reason is enough."""

    count: int = 0  # of the newest releases
    age: timedelta = timedelta(0)  # younger ones
    patterns: tuple[str, ...] = ()  # of tags


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A tag that a release has given a commit, and will not give again."""

    repository: str
    tag: str
    core: str  # without what the image puts around it: the same for all images of the release
    time: datetime | None  # when the release was made, or its commit; None where nothing says so


def parse_keep(given: Sequence[str]) -> Keep:
    """Read what is to be kept; of several numbers and ages the greatest counts.

    Args:
        given: the values, each of which may hold several with commas between them.

    Raises:
        DrydockError: nothing is given, or what nobody can read.

    """
    count, age, patterns = 0, timedelta(0), []
    for word in split_values(given):
        if _COUNT.fullmatch(word):
            count = max(count, int(word))
        elif found := _AGE.fullmatch(word):
            age = max(age, timedelta(**{"days" if found[2] == "d" else "weeks": int(found[1])}))
        elif not word.isdecimal() and _PATTERN.fullmatch(word):
            patterns.append(word)
        else:
            raise DrydockError(f"--keep {word!r} is not what a clean-up can keep: {_HELP}")
    if not (count or age or patterns):
        raise DrydockError(f"--keep says nothing: {_HELP}")
    return Keep(count=count, age=age, patterns=tuple(patterns))


def core_of(images: Sequence[Image], tag: str) -> str:
    """Return the part of a tag that marks a commit; empty where no release of these images gives such a tag.

    Of two images of a repository the one that puts more around its tags is asked first.
    """
    around = [(image.affixes.prefix, image.affixes.suffix) for image in images]
    for prefix, suffix in sorted(around, key=lambda pair: -len("".join(pair))):
        core = tag.removeprefix(prefix).removesuffix(suffix)
        if f"{prefix}{core}{suffix}" == tag and _CORE.fullmatch(core):
            return core
    return ""


def time_of(core: str, created: str) -> datetime | None:
    """Say when a release was made: by the time in its tag, else by that of its commit."""
    if stamped := _STAMP.fullmatch(core):
        try:
            return datetime.strptime(stamped[1], "%Y%m%d-%H%M").replace(tzinfo=UTC)
        except ValueError:
            return None
    try:
        time = datetime.fromisoformat(created)
    except ValueError:
        return None
    return time if time.tzinfo else None


def choose_kept(tags: Sequence[Named], keep: Keep, now: datetime) -> dict[tuple[str, str], str]:
    """Say of each tag why it is kept; empty where it need not be.

    A release is all images of a commit, in all repositories; -rebuilt, which moves, is counted with none.

    Args:
        tags: of all repositories.
        keep: what is to be kept.
        now: with its time zone.

    Returns:
        The reason, by repository and tag.

    """
    times: dict[str, datetime] = {}
    for one in tags:
        if one.time:
            times[one.core] = max(one.time, times.get(one.core, one.time))
    counted = [core for core in times if not core.endswith(_REBUILT)]
    newest = sorted(counted, key=lambda core: (times[core], core), reverse=True)[: keep.count]
    return {(one.repository, one.tag): _reason(one, keep, now, times, newest) for one in tags}


def _reason(one: Named, keep: Keep, now: datetime, times: Mapping[str, datetime], newest: Sequence[str]) -> str:
    if pattern := next((pattern for pattern in keep.patterns if fnmatchcase(one.tag, pattern)), ""):
        return f"--keep {pattern}"
    if one.core not in times:
        return "it does not say when it was made"
    if one.core in newest:
        return f"one of the {keep.count} newest releases"
    if keep.age and now - times[one.core] < keep.age:
        return f"younger than {keep.age.days} days"
    return ""


def unmatched(tags: Sequence[str], keep: Keep) -> list[str]:
    """List the patterns that match no tag at all: most likely a slip, which would have something deleted."""
    return [pattern for pattern in keep.patterns if not any(fnmatchcase(tag, pattern) for tag in tags)]
