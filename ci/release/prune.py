"""Deletes what nothing refers to which stays: reads every manifest first, and looks again before each one that goes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ci.core.engine import step
from ci.core.errors import DrydockError
from ci.core.model import Image
from ci.registry import Packages, RegistryClient, Version
from ci.release.holdings import Holdings, Judgement, freed, judge
from ci.release.keeping import Keep, Named, choose_kept, core_of, time_of, unmatched
from ci.release.pruned import Cleaning, Doomed, Pruned
from ci.release.registries import Registries
from ci.release.request import Target
from ci.release.survey import UnreadError, extend, read_tags, survey

GRACE = timedelta(days=1)  # what nobody names yet, a release that runs may be about to name
_LISTS_TAGS_ONLY = (
    "A registry lists tags only: what was untagged before, such as the index of a release that was replaced, is not "
    "found. Its own garbage collection, where it has one, frees the space of what was deleted."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Repository:
    """A repository, and who can be asked about it."""

    client: RegistryClient
    images: tuple[Image, ...]
    holdings: Holdings
    packages: Packages | None = None  # where the registry itself deletes nothing
    versions: Mapping[str, Version] | None = None  # by digest

    @property
    def name(self) -> str:
        """The repository as its registry knows it."""
        return self.holdings.repository.partition("/")[2]

    def named(self) -> list[Named]:
        """List the tags that mark commits."""
        cores = {tag: core for tag in self.holdings.tags if (core := core_of(self.images, tag))}
        nodes = self.holdings.nodes
        return [
            Named(
                repository=self.holdings.repository,
                tag=tag,
                core=core,
                time=time_of(core, nodes[self.holdings.tags[tag]].created),
            )
            for tag, core in cores.items()
        ]


async def prune(
    registries: Registries,
    targets: Sequence[Target],
    keep: Keep,
    *,
    packages: Mapping[str, Packages],
    delete: bool,
    now: datetime,
) -> Cleaning:
    """Say what can go from the repositories of all images, and delete it where that is asked for.

    Args:
        registries: that the targets are in.
        targets: all images; several may share a repository.
        keep: which releases stay, besides what anything else names.
        packages: GitHub's API, by the host of the registries that delete by it alone.
        delete: whether to delete; nothing is, as long as there is a problem anywhere.
        now: with its time zone.

    """
    start = time.monotonic()
    read, problems = await _read_all(registries, targets, packages)
    named = [one for repository in read for one in repository.named()]
    reasons = choose_kept(named, keep, now)
    judged: list[tuple[_Repository, Judgement, Pruned]] = []
    for repository in read:
        going = {one.tag for one in named if one.repository == repository.holdings.repository}
        going = {tag for tag in going if not reasons[repository.holdings.repository, tag]}
        judgement = judge(repository.holdings, going, now, grace=GRACE)
        problems += [f"{repository.holdings.repository}: {text}" for text in judgement.broken]
        judged.append((repository, judgement, _describe(repository, judgement, reasons)))
    all_tags = [tag for repository in read for tag in repository.holdings.tags]
    problems += [f"--keep {pattern} matches no tag of any image" for pattern in unmatched(all_tags, keep)]
    done = tuple(one for _, _, one in judged)
    if delete and not problems:
        done, problems = await _delete_all(judged)
    return Cleaning(
        dry=not delete,
        repositories=done,
        problems=tuple(problems),
        notes=() if all(repository.packages for repository in read) else (_LISTS_TAGS_ONLY,),
        seconds=time.monotonic() - start,
    )


async def _read_all(
    registries: Registries, targets: Sequence[Target], packages: Mapping[str, Packages]
) -> tuple[list[_Repository], list[str]]:
    shared: dict[str, list[Target]] = {}
    for target in targets:
        shared.setdefault(target.repository, []).append(target)
    read: list[_Repository] = []
    problems: list[str] = []
    for repository, several in shared.items():
        client, api = registries.of(several[0]), packages.get(several[0].host)
        try:
            with step(f"read {repository}"):
                versions = {one.digest: one for one in await api.list(several[0].name)} if api else None
                listed = {digest: one.updated for digest, one in (versions or {}).items()}
                holdings = await survey(client, repository, listed=listed)
        except UnreadError as error:
            problems += [f"{repository}: {problem}" for problem in error.problems]
            continue
        except DrydockError as error:
            problems.append(f"{repository}: {error}")
            continue
        if api:
            problems += _unlisted(holdings, versions or {})
        images = tuple(target.image for target in several)
        read.append(_Repository(client=client, images=images, holdings=holdings, packages=api, versions=versions))
    return read, problems


def _unlisted(holdings: Holdings, versions: Mapping[str, Version]) -> list[str]:
    """Say where GitHub and its registry do not agree: then one of the two answers is old."""
    wrong = [
        tag for tag, digest in holdings.tags.items() if tag not in (versions[digest].tags if digest in versions else ())
    ]
    gone = [digest for digest in versions if digest in holdings.missing]
    told = [f"{holdings.repository}:{tag} is at the registry, and not in GitHub's list of versions" for tag in wrong]
    return told + [f"{holdings.repository}@{digest} is a version at GitHub, and not at the registry" for digest in gone]


def _describe(repository: _Repository, judgement: Judgement, reasons: Mapping[tuple[str, str], str]) -> Pruned:
    holdings = repository.holdings
    own = [tag for name, tag in reasons if name == holdings.repository]
    kept = [
        (tag, reasons[holdings.repository, tag] or "another tag, or what stays, names it")
        for tag in own
        if holdings.tags[tag] in judgement.kept
    ]
    return Pruned(
        repository=holdings.repository,
        kept=tuple(sorted(kept)),
        others=len(holdings.tags) - len(own),
        manifests=len(judgement.kept),
        doomed=tuple(
            Doomed(
                digest=digest,
                tags=tuple(sorted(tag for tag, named in holdings.tags.items() if named == digest)),
                made=holdings.nodes[digest].created,
            )
            for digest in judgement.doomed
        ),
        freed=freed(holdings, judgement),
    )


async def _delete_all(
    judged: Sequence[tuple[_Repository, Judgement, Pruned]],
) -> tuple[tuple[Pruned, ...], list[str]]:
    """Delete what goes, one after the other; the first that fails ends it, for all repositories."""
    problems: list[str] = []
    done: list[Pruned] = []
    for repository, _, pruned in judged:
        gone: list[Doomed] = []
        with step(f"prune {repository.holdings.repository}"):
            for one in pruned.doomed:
                if problems:
                    gone.append(one)
                    continue
                try:
                    note = await _still_needed(repository, one)
                    if not note:
                        await _delete(repository, one)
                    gone.append(replace(one, deleted=not note, note=note))
                except DrydockError as error:
                    problems.append(f"{repository.holdings.repository}@{one.digest}: {error}")
                    gone.append(replace(one, note="it may be gone or not"))
        done.append(replace(pruned, doomed=tuple(gone)))
    return tuple(done), problems


async def _still_needed(repository: _Repository, one: Doomed) -> str:
    """Read all tags again, and say which of them has come to need a manifest since they were read first."""
    before = repository.holdings
    tags = await read_tags(repository.client, repository.name)
    moved = {tag: digest for tag, digest in tags.items() if before.tags.get(tag) != digest}
    if not moved:
        return ""
    now = await extend(repository.client, replace(before, tags={**before.tags, **tags}), moved.values())
    for tag, digest in moved.items():
        if one.digest in now.reach([digest], subjects=True):
            return f"{tag} was given meanwhile, and needs it"
    return ""


async def _delete(repository: _Repository, one: Doomed) -> None:
    """Delete one manifest, and the tags that name it.

    Some registries delete its tags with a manifest, some keep them, and some delete no tags.
    """
    client, name = repository.client, repository.name
    if repository.packages and repository.versions is not None:
        version = repository.versions.get(one.digest)
        if version is None:
            raise DrydockError("GitHub's list of versions does not have it")
        tags = await repository.packages.tags(name, version)
        if tags is None:
            return
        if foreign := sorted({*tags} - {*one.tags}):
            raise DrydockError(f"GitHub says that {', '.join(foreign)} names it too, and would delete that with it")
        await repository.packages.delete(name, version)
        return
    for tag in one.tags:
        if await client.resolve(name, tag) == one.digest:
            await client.delete_tag(name, tag)
    if not await client.delete_manifest(name, one.digest):
        raise DrydockError(
            "the registry deletes no manifests; Debian's and CNCF's are told to by storage.delete.enabled, others "
            "have a retention of their own"
        )
    left = [tag for tag in one.tags if await client.resolve(name, tag) == one.digest]
    if left:
        raise DrydockError(f"the registry says that it deleted it, and {', '.join(left)} still names it")
