"""What a release says of itself: each variant, what it was made of, what is in it, and what is attested of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ci.core.attestations import Package


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseFact:
    """An image that a variant was built from."""

    reference: str
    digest: str
    created: str = ""  # when it was made, as it says itself (RFC 3339); empty where its registry was not reached
    now: str | None = None  # the digest that its tag names now; None where nobody says so

    @property
    def moved(self) -> bool | None:
        """Whether the tag has moved since; None where that is not known."""
        return None if self.now is None else self.now != self.digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """What is in the registry about an image or a variant, by somebody who vouches for it; not verified here."""

    about: str  # the digest
    kind: str  # such as "https://slsa.dev/provenance/v1", or "signature"
    signers: tuple[str, ...] = ()  # who, by the certificate: an address of a workflow or an e-mail address


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """A package that has other versions than before."""

    name: str
    kind: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageDiff:
    """What came, went and changed between the SBOMs of two releases of a variant."""

    came: tuple[Package, ...] = ()
    went: tuple[Package, ...] = ()
    changed: tuple[PackageChange, ...] = ()
    problem: str = ""  # why they cannot be compared

    @property
    def empty(self) -> bool:
        """Whether both are the same."""
        return not (self.came or self.went or self.changed or self.problem)


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectedVariant:
    """One variant of a release."""

    variant: str
    digest: str = ""
    size: int = 0  # bytes, compressed
    layers: int = 0
    revision: str = ""  # the commit that it was built from
    created: str = ""  # when that commit was made, or the image (RFC 3339)
    builder: str = ""  # address of what ran the build, by its provenance; "" where that does not say
    bases: tuple[BaseFact, ...] = ()
    packages: tuple[Package, ...] | None = None  # None where there is no SBOM
    distribution: str = ""
    attested: tuple[str, ...] = ()  # "provenance (max)", "SBOM"
    diff: PackageDiff | None = None
    problems: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many packages there are of each kind; "other" of those without one."""
        found: dict[str, int] = {}
        for package in self.packages or ():
            kind = package.kind or "other"
            found[kind] = found.get(kind, 0) + 1
        return dict(sorted(found.items()))


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectedImage:
    """One image of a release, in one repository."""

    image: str
    repository: str
    tag: str
    digest: str = ""
    revision: str = ""
    version: str = ""
    created: str = ""
    variants: tuple[InspectedVariant, ...] = ()
    signatures: tuple[Signature, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspected:
    """A release."""

    tag: str
    before: str = ""  # the tag that it is compared with
    images: tuple[InspectedImage, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether all of it could be read."""
        read = [problem for image in self.images for problem in image.problems]
        read += [problem for image in self.images for variant in image.variants for problem in variant.problems]
        return bool(self.images) and not read


def compare_packages(before: Iterable[Package], after: Iterable[Package]) -> PackageDiff:
    """Say what came, went and changed its version; a package may be there in several versions."""
    old, new = _by_name(before), _by_name(after)
    return PackageDiff(
        came=tuple(_listed(new, [key for key in new if key not in old])),
        went=tuple(_listed(old, [key for key in old if key not in new])),
        changed=tuple(
            PackageChange(kind=key[0], name=key[1], before=old[key], after=new[key])
            for key in sorted(old.keys() & new.keys())
            if old[key] != new[key]
        ),
    )


def _by_name(packages: Iterable[Package]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], set[str]] = {}
    for package in packages:
        found.setdefault((package.kind, package.name), set()).add(package.version)
    return {key: tuple(sorted(versions)) for key, versions in found.items()}


def _listed(known: Mapping[tuple[str, str], tuple[str, ...]], keys: Iterable[tuple[str, str]]) -> list[Package]:
    return [
        Package(name=name, version=version, kind=kind) for kind, name in sorted(keys) for version in known[kind, name]
    ]
