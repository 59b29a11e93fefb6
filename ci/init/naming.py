"""Gives images the names that steps list for them: words of a tag list, metadata-action's, and scripts'."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ci.init.holes import HOLE, hide, shown, split
from ci.init.released import Built, unique
from ci.init.tagging import Found, is_local, is_plain, known_tag, not_plain, read_name, rules_of

_TAGS = re.compile(r"tag(?!.*(?:suffix|prefix))[^.]*$")  # ends what stands for names
_MOST = 24  # names that are kept of one that a script makes


@dataclass(frozen=True, kw_only=True, slots=True)
class Meta:
    """What one metadata-action says."""

    images: tuple[str, ...]
    found: Found
    flavor: tuple[str, ...]
    tags: tuple[str, ...]  # as they are written, for a registry of the run itself
    target: str = "docker-metadata-action"  # of the bake file that it writes


def tagged(
    built: Built,
    names: Iterable[str],
    metas: Mapping[str, Meta],
    outputs: Mapping[str, tuple[str, ...]],
    condition: str,
    more: Iterable[str] = (),
) -> Built:
    """Give an image the names that its step lists.

    Args:
        built: the image.
        names: each a reference, or a hole that stands for several.
        metas: what metadata-action says, by its step's identity.
        outputs: what scripts hand on, by what stands for it, such as steps.x.outputs.y.
        condition: when the step runs.
        more: tags alone, that go to the repositories which stand elsewhere.

    """
    tags = [*more]
    chosen = False  # by a script, by what it knows of the run
    for name in names:
        held = HOLE.fullmatch(name.strip())
        step = held and re.fullmatch(r"steps\.([\w-]+)\.outputs\.tags", held[1])
        if step and step[1] in metas:
            built = from_meta(built, metas[step[1]])
            continue
        options = _options(name, outputs)
        chosen = chosen or len(options) > 1
        if len({_repositories(option) for option in options if not HOLE.fullmatch(option)}) > 1:
            said = f"{built.place}: a script chooses by the event where names go: here each goes to all repositories"
            built = replace(built, lost=unique((*built.lost, said)))
        for option in options:
            for one in split(option.strip(), r"[,\s]+"):
                if one and not HOLE.fullmatch(one) and not re.search("[/:]", hide(one)[0]):
                    tags.append(one)  # that goes to the repositories which stand elsewhere
                elif one and not HOLE.fullmatch(one):
                    made = read_name(one)
                    tags.append(made.tag)
                    built = replace(built, repositories=(*built.repositories, made.repository))
                    built = replace(built, local=(*built.local, one)) if is_local(made.repository) else built
                elif one and "pull_request" not in one:
                    said = f"{built.place}: the names {shown(one)} are made by a script"
                    built = replace(built, unnamed=(*built.unnamed, said))
    return ruled(built, rules_of(tags, built.place, "" if chosen else condition)) if tags else built


def _options(name: str, outputs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """List what a name may be, by what scripts hand on."""
    if held := HOLE.fullmatch(name.strip()):
        return outputs.get(held[1].lower(), (name,))
    found = next((hole for hole in HOLE.finditer(name) if hole[1].lower() in outputs), None)
    if not found:
        return (name,)
    options = (name.replace(found[0], option) for option in outputs[found[1].lower()] if found[0] not in option)
    return unique(one for option in options for one in _options(option, outputs))[:_MOST] or (name,)


def _repositories(option: str) -> frozenset[str]:
    return frozenset(read_name(one).repository for one in split(option, r"[,\s]+") if "/" in hide(one)[0])


def ruled(built: Built, found: Found) -> Built:
    """Give an image the rules that its tags became."""
    notes = (f"tags: a guess, read from the script that makes {found.guessed[0]}",) if found.guessed else ()
    return replace(
        built,
        rules=(*built.rules, *found.rules),
        flavor=(*built.flavor, *found.flavor),
        notes=unique((*built.notes, *notes)),
        unnamed=unique((*built.unnamed, *found.lost)),
    )


def from_meta(built: Built, meta: Meta) -> Built:
    """Give an image the names of a metadata-action."""
    local = tuple(f"{image}:{tag}" for image in meta.images if is_local(image) for tag in meta.tags)
    return replace(
        ruled(built, meta.found),
        repositories=(*built.repositories, *(read_name(image).repository for image in meta.images)),
        flavor=(*built.flavor, *meta.flavor),
        local=(*built.local, *local),
    )


def named(built: Built, metas: Iterable[Meta], outputs: Mapping[str, tuple[str, ...]], condition: str) -> Built:
    """Give an image that is pushed by its digest the names that later steps give it; sort out what is no name."""
    if not built.rules and not built.local:
        own = {read_name(repository).repository for repository in built.repositories}
        fitting = [m for m in metas if not own or own & {read_name(i).repository for i in m.images}]
        for meta in fitting[:1]:
            built = from_meta(built, meta)
        lists = [values for key, values in outputs.items() if _TAGS.search(key)]
        written = [value for options in lists for value in options]
        if not fitting and written:
            said = [one for value in written for one in split(value, ",")]
            tags = [one for one in said if HOLE.fullmatch(one) and known_tag(one)]
            when = "" if any(values[1:] for values in lists) else condition
            built = tagged(built, [one for one in said if one not in tags], {}, {}, when, more=tags)
    names = unique(read_name(repository).repository for repository in built.repositories)
    good = tuple(name for name in names if is_plain(name) and not is_local(name))
    bad = [name for name in names if not is_plain(name) and not is_local(name)]
    lost = [f"{built.place}: {not_plain(name)}" for name in bad]
    return replace(built, repositories=good, hidden=unique((*built.hidden, *bad)), lost=unique((*built.lost, *lost)))
