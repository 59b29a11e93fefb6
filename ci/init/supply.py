"""Reads what a build attests of an image: what BuildKit's inputs, flags and bake's lists say of provenance and SBOM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci.core.names import REFERENCE
from ci.core.supply import GENERATOR, ProvenanceMode
from ci.init.holes import HOLE, shown

MAX, MIN, OFF = ProvenanceMode.MAX.value, ProvenanceMode.MIN.value, ProvenanceMode.OFF.value
ON = "on"
NO_DEFAULT = "buildx_no_default_attestations"  # a variable of the environment: only what is asked for is attested
_TRUE, _FALSE = frozenset(("1", "t", "true")), frozenset(("0", "f", "false"))
_USUAL = GENERATOR.partition(":")[0]
_MOST = {"provenance": MAX, "sbom": ON}
_KNOWN = {"provenance": ("type", "disabled", "mode", "version"), "sbom": ("type", "disabled", "generator")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """What is said of an image's attestations; "" where nothing is."""

    provenance: str = ""
    sbom: str = ""  # on, off, or an image
    lost: tuple[str, ...] = ()

    def over(self, other: Supply) -> Supply:
        """Put this in the place of another, as far as it says something."""
        return Supply(
            provenance=self.provenance or other.provenance,
            sbom=self.sbom or other.sbom,
            lost=(*other.lost, *self.lost),
        )


def read_supply(
    attests: Iterable[str], provenance: str, sbom: str, place: str, environment: Mapping[str, str] | None = None
) -> Supply:
    """Read what one build says.

    Args:
        attests: as --attest takes them, such as type=sbom,generator=IMAGE.
        provenance: as --provenance takes it: true, false, or attributes such as mode=max.
        sbom: as --sbom takes it.
        place: of the build.
        environment: its variables, by names in lower case.

    """
    given = [line.strip() for line in attests if line.strip()]
    given += [_long("provenance", provenance)] if provenance else []
    given += [_long("sbom", sbom)] if sbom else []
    made = Supply()
    for line in given:
        made = _read(line, place).over(made)
    if not made.provenance and (environment or {}).get(NO_DEFAULT, "").lower() in _TRUE:
        made = Supply(provenance=OFF).over(made)
    return made


def _long(kind: str, text: str) -> str:
    """Write the value of a short flag as --attest takes it."""
    word = text.strip().lower()
    if word in _TRUE:
        return f"type={kind}"
    return f"type={kind},disabled=true" if word in _FALSE else f"type={kind},{text.strip()}"


def _read(line: str, place: str) -> Supply:
    keys = dict(_pair(part) for part in line.replace('"', "").split(","))
    kind = keys.get("type", "")
    if kind not in _KNOWN:
        return Supply(lost=(f"{place}: the attestation {shown(line)} is none that a release writes",))
    if HOLE.search(line) or "$" in line:
        said = shown(line.removeprefix(f"type={kind},"))
        return Supply(lost=(f"{place}: {kind}: {said} is decided by the run: here it is {_MOST[kind]} for all",))
    unread = [f"{key}={value}" for key, value in keys.items() if key not in _KNOWN[kind]]
    lost = (f"{place}: {kind}: {', '.join(unread)} has no key here",) if unread else ()
    off = "disabled" in keys and keys["disabled"].lower() not in _FALSE
    if kind == "provenance":
        # Without a mode, BuildKit writes all that it knows.
        mode = OFF if off else MIN if keys.get("mode") == MIN else MAX
        return Supply(provenance=mode, lost=lost)
    generator = keys.get("generator", "")
    if off or not generator or _is_usual(generator):
        return Supply(sbom=OFF if off else ON, lost=lost)
    if not REFERENCE.fullmatch(generator) or not any(sign in generator for sign in "/:@"):
        return Supply(sbom=ON, lost=(*lost, f"{place}: the SBOM generator {generator} is no reference of an image"))
    return Supply(sbom=generator, lost=lost)


def _pair(part: str) -> tuple[str, str]:
    key, _, value = part.partition("=")
    return key.strip().lower(), value.strip()


def _is_usual(generator: str) -> bool:
    """Tell whether an image is the one that lists packages by default, of whatever version: that one is kept new."""
    name = generator.partition("@")[0]
    last = name.rpartition("/")[2]
    return name.removesuffix(last).removeprefix("docker.io/") + last.partition(":")[0] == _USUAL


def join_supply(one: Supply, other: Supply, place: str) -> Supply:
    """Join what two builds of one image say: of two values, the one that says more."""
    lost = list(one.lost)
    lost += [line for line in other.lost if line not in lost]
    values = []
    for kind, order in (("provenance", (OFF, MIN, MAX)), ("sbom", (OFF, ON))):
        first, second = (getattr(which, kind) for which in (one, other))
        said = [value for value in (first, second) if value]
        best = max(said, key=lambda value: order.index(value) if value in order else len(order), default="")
        if len({*said}) > 1:
            lost.append(f"{place}: {kind}: {' in one place, in another '.join(said)}: here it is {best}")
        values.append(best)
    return Supply(provenance=values[0], sbom=values[1], lost=tuple(lost))


def for_all(supplies: Sequence[tuple[str, Supply]]) -> tuple[str, tuple[str, ...]]:
    """Find the provenance that holds for a whole file: what all of its images have; name what only some have.

    Args:
        supplies: of the images that are released, each with the place where it is built.

    """
    said = {supply.provenance for _, supply in supplies}
    if len(said) == 1:
        mode = said.pop()
        return ("" if mode == MAX else mode), ()
    few = [(place, supply.provenance) for place, supply in supplies if supply.provenance in (MIN, OFF)]
    where = "provenance: is said for all images of a file, and is max for what is built in other places"
    return "", tuple(f"{place}: provenance: {mode} there; {where}" for place, mode in few)


def sbom_of(supply: Supply, provenance: str) -> str:
    """Say which SBOM an image has to be given in a configuration; "" for the usual one.

    Whoever takes provenance off, and asks for no SBOM, wants an index of nothing but images: an SBOM is such an
    attestation too, and brings a little provenance along.

    Args:
        supply: of the image.
        provenance: of the whole file.

    """
    if not supply.sbom and provenance == OFF:
        return OFF
    return "" if supply.sbom == ON else supply.sbom
