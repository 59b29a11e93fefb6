"""Says which manifests of a repository something refers to, and in which order the others can go.

What is about a manifest (an attestation, a signature) goes with it and never before it; what an index names goes after
the last index that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ci.core.names import is_digest

# The tag of an index of what is about a manifest, where a registry has no list of that; and those of older signatures.
_ABOUT = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})(?:\..+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A manifest, as far as others depend on it."""

    digest: str
    children: tuple[str, ...] = ()  # manifests that an index names
    subject: str = ""  # the manifest that it is about
    blobs: Mapping[str, int] = field(default_factory=dict)  # bytes of each, by digest; its own size too
    created: str = ""  # of its annotations


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """What a repository has, as far as it can be found."""

    repository: str  # whole, such as "ghcr.io/acme/backend"
    tags: Mapping[str, str] = field(default_factory=dict)  # what each names
    nodes: Mapping[str, Node] = field(default_factory=dict)  # by digest
    missing: frozenset[str] = frozenset()  # named by something, and not there
    about: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what the registry lists about a manifest
    listed: Mapping[str, datetime] = field(default_factory=dict)  # all manifests, and when each was last changed

    def reach(self, roots: Iterable[str], *, subjects: bool) -> set[str]:
        """Collect what manifests name, and what is about any of it; with `subjects`, also what those are about."""
        referrers = self.referrers()
        found: set[str] = set()
        left = list(roots)
        while left:
            digest = left.pop()
            if digest in found:
                continue
            found.add(digest)
            left += referrers.get(digest, ())
            if node := self.nodes.get(digest):
                left += node.children
                left += [node.subject] if subjects and node.subject else []
        return found

    def referrers(self) -> dict[str, list[str]]:
        """List what is about each manifest, by the manifest, the registry or a tag."""
        found: dict[str, list[str]] = {digest: list(each) for digest, each in self.about.items()}
        for node in self.nodes.values():
            if node.subject:
                found.setdefault(node.subject, []).append(node.digest)
        for tag, digest in self.tags.items():
            if subject := subject_of_tag(tag):
                found.setdefault(subject, []).append(digest)
        return found


def subject_of_tag(tag: str) -> str:
    """Return the digest that a tag says it is about; empty for any other tag."""
    found = _ABOUT.fullmatch(tag)
    digest = f"{found[1]}:{found[2]}" if found else ""
    return digest if is_digest(digest) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What of a repository stays, and what goes, in order."""

    kept: frozenset[str] = frozenset()
    broken: tuple[str, ...] = ()  # what stays names something that is not there
    doomed: tuple[str, ...] = ()


def judge(holdings: Holdings, going: Collection[str], now: datetime, *, grace: timedelta) -> Judgement:
    """Decide what goes: what only the tags that go refer to, and, where all is listed, what nothing refers to.

    Args:
        holdings: of the repository.
        going: tags that no rule keeps. What one of them names stays all the same if a tag that stays names it.
        now: with its time zone.
        grace: how long a manifest that nothing refers to is left alone: a release may be about to name it.

    """
    about = {tag: subject for tag in holdings.tags if (subject := subject_of_tag(tag))}
    staying = {digest for tag, digest in holdings.tags.items() if tag not in going and tag not in about}
    staying |= {digest for digest, changed in holdings.listed.items() if now - changed < grace}
    kept = holdings.reach(staying, subjects=True)
    leaving = {holdings.tags[tag] for tag in going} | {*holdings.listed}
    lost = {holdings.tags[tag] for tag, subject in about.items() if subject in holdings.missing}
    doomed = holdings.reach(leaving | lost, subjects=False)
    # What is about something that no tag leads to: another run may be about to name it.
    unknown = {holdings.tags[tag] for tag, subject in about.items() if subject not in kept | doomed | holdings.missing}
    kept |= holdings.reach(unknown, subjects=True)
    doomed = (doomed - kept) & holdings.nodes.keys()
    named = ((digest, child) for digest in sorted(kept) for child in _needed(holdings, digest))
    return Judgement(
        kept=frozenset(kept & holdings.nodes.keys()),
        broken=tuple(f"{digest} names {child}, which is not there" for digest, child in named),
        doomed=tuple(_ordered(holdings, doomed)),
    )


def _needed(holdings: Holdings, digest: str) -> list[str]:
    node = holdings.nodes.get(digest)
    return [child for child in (node.children if node else ()) if child in holdings.missing]


def _ordered(holdings: Holdings, doomed: Collection[str]) -> Iterator[str]:
    """List manifests so that each comes after all on which it depends, and soon after the last of them.

    A tag can say that an index is about a manifest which that index names. Then what an index names counts.
    """
    referrers, nodes = holdings.referrers(), holdings.nodes
    done: set[str] = set()
    for edges in (lambda one: (*nodes[one].children, *referrers.get(one, ())), lambda one: nodes[one].children):
        left = [one for one in doomed if one not in done]
        after = {one: [other for other in dict.fromkeys(edges(one)) if other in left] for one in left}
        for one in _sorted(after, lambda one: (nodes[one].created, one)):
            done.add(one)
            yield one


def _sorted(after: Mapping[str, Sequence[str]], key: Callable[[str], tuple[str, str]]) -> Iterator[str]:
    """List what is not part of a circle, nor behind one."""
    waits = dict.fromkeys(after, 0)
    for one in (one for several in after.values() for one in several):
        waits[one] += 1
    ready = sorted((one for one in after if not waits[one]), key=key, reverse=True)
    while ready:
        one = ready.pop()
        yield one
        for other in reversed(after[one]):
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)


def freed(holdings: Holdings, judgement: Judgement) -> int:
    """Count the bytes that nothing of the repository needs any more; another repository may have them too."""
    needed = {blob for digest in judgement.kept for blob in holdings.nodes[digest].blobs}
    gone = {blob: size for digest in judgement.doomed for blob, size in holdings.nodes[digest].blobs.items()}
    return sum(size for blob, size in gone.items() if blob not in needed)
