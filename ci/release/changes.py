"""Says what a release has changed in the packages of its images, since what its tags named before."""

from __future__ import annotations

from collections.abc import Sequence

from ci.core.engine import gather
from ci.core.names import LATEST, REVISION, image_tag, origin_of
from ci.registry import RegistryClient
from ci.release.inspected import compare_packages
from ci.release.outcome import Change, PackageChanges, TagOutcome
from ci.release.registries import Registries
from ci.release.released import attested_of
from ci.release.request import Target

_AT_A_TIME = 4


async def read_changes(
    registries: Registries, targets: Sequence[Target], tags: Sequence[TagOutcome]
) -> tuple[PackageChanges, ...]:
    """Compare the SBOMs of what a tag of each image names with those of what it named before.

    It is `latest`, or the first other that was moved; where there is no SBOM, nothing is said. Nothing of it can fail
    a release, which is made by now.

    Args:
        registries: that the targets are in.
        targets: of the release; of each image the first repository counts.
        tags: what became of all of them.

    """
    moved: dict[str, tuple[Target, TagOutcome]] = {}
    for target in targets:
        own = [tag for tag in tags if tag.repository == target.repository and tag.tag in target.tags]
        latest = image_tag(target.image, LATEST)
        for tag in sorted(own, key=lambda tag: tag.tag != latest):
            if tag.change is Change.MOVED:
                moved.setdefault(target.image.name, (target, tag))
    read, _ = await gather(moved, lambda one: _read(registries.of(one[0]), *one), limit=_AT_A_TIME)
    return tuple(change for changes in read.values() for change in changes)


async def _read(client: RegistryClient, target: Target, tag: TagOutcome) -> list[PackageChanges]:
    assert tag.before  # noqa: S101  # it was moved
    assert tag.after  # noqa: S101
    old = await client.get_manifest(target.name, tag.before)
    new = await client.get_manifest(target.name, tag.after)
    if not (old.is_index and new.is_index):
        return []
    since = origin_of(old.annotations.get(REVISION, ""))
    found: list[PackageChanges] = []
    for entry in new.entries:
        before = next((other for other in old.entries if other.platform == entry.platform), None)
        if before is None:
            continue
        name = f"{target.image.name}@{entry.platform}"
        one = (await attested_of(client, target.name, old, before)).sbom
        other = (await attested_of(client, target.name, new, entry)).sbom
        if one and other:
            diff = compare_packages(one.packages, other.packages)
            found.append(PackageChanges(variant=name, since=since, diff=diff))
    return found
