"""Says which names the rules give an image on an event, as docker/metadata-action would."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ci.core.model import Config, Image
from ci.core.names import LATEST
from ci.tags.errors import RuleError
from ci.tags.event import Event
from ci.tags.rules import Flavor, Rule, parse_flavor, parse_rule
from ci.tags.templates import NOTHING
from ci.tags.versions import Parsed, parse_pep440, parse_semver

# What stands for `tags:` where a configuration has none: the default branch is latest, and v1.2.3 is v1.2.3.
DEFAULT_TAGS = ("type=raw,value=latest,enable={{is_default_branch}}", r"type=match,pattern=^v(\d.*)$,group=1,prefix=v")
DEFAULT_FLAVOR = ("latest=false",)

_ILLEGAL = re.compile("[^a-zA-Z0-9._-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What an event names an image."""

    tags: tuple[str, ...] = ()  # the one of the highest priority first, latest last
    version: str | None = None  # of the software, by the first rule that names a version: without v, and a + is kept
    notes: tuple[str, ...] = ()  # why a rule gives no name, where one could expect it


@dataclass(kw_only=True, slots=True)
class _Found:
    """What the rules have given so far."""

    tags: list[str] = field(default_factory=list)
    latest: bool | None = None  # the first rule that gives a name decides
    version: str | None = None
    notes: list[str] = field(default_factory=list)


def rules_for(config: Config, image: Image) -> tuple[tuple[Rule, ...], Flavor]:
    """Read the rules that name an image, and its flavor.

    Raises:
        RuleError: one cannot be read.

    """
    given = image.tags if image.tags is not None else config.tags
    usual = () if given is not None else DEFAULT_FLAVOR
    rules = tuple(parse_rule(rule) for rule in (DEFAULT_TAGS if given is None else given))
    return rules, parse_flavor((*usual, *config.flavor, *image.flavor))


def names_of(rules: Sequence[Rule], flavor: Flavor, event: Event) -> Names:
    """Name an image.

    Args:
        rules: of its configuration.
        flavor: what holds for all of them.
        event: what is known of the run.

    Raises:
        RuleError: an expression gives what is not accepted where it stands.

    """
    wanted = flavor.latest.render(event)
    if wanted not in ("auto", "true", "false"):
        raise RuleError(f"the flavor's latest= comes to {wanted!r}", accepted="auto, true, false")
    found = _Found()
    for rule in sorted(rules, key=lambda rule: -rule.priority):
        if not _enabled(rule, event):
            continue
        given = _KINDS[rule.kind](rule, event, found.notes)
        if given is None:
            continue
        text = _affix(rule, flavor, event, given.text)
        if not text:
            continue
        tag = _ILLEGAL.sub("-", text)
        if not found.tags:
            found.latest = given.latest if wanted == "auto" else wanted == "true"
        found.version = found.version or given.version or None
        if tag not in found.tags:
            found.tags.append(tag)
    if found.latest:
        prefix = flavor.prefix.render(event) if flavor.prefix_latest else ""
        suffix = flavor.suffix.render(event) if flavor.suffix_latest else ""
        latest = _ILLEGAL.sub("-", f"{prefix}{LATEST}{suffix}")
        found.tags = [*(tag for tag in found.tags if tag != latest), latest]
    return Names(tags=tuple(found.tags), version=found.version, notes=tuple(dict.fromkeys(found.notes)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """What one rule gives: the name without its affixes, and what it means for `latest` and for the version."""

    text: str
    latest: bool = False
    version: str = ""  # of the software


def _enabled(rule: Rule, event: Event) -> bool:
    enable = rule.templates["enable"].render(event) if "enable" in rule.templates else "true"
    if enable not in ("true", "false"):
        raise RuleError(f"the rule {rule.text!r}: enable= comes to {enable!r}", accepted="true, false")
    return enable == "true"


def _affix(rule: Rule, flavor: Flavor, event: Event, text: str) -> str:
    prefix = rule.templates.get("prefix", flavor.prefix).render(event)
    suffix = rule.templates.get("suffix", flavor.suffix).render(event)
    return f"{prefix}{text}{suffix}"


def _schedule(rule: Rule, event: Event, _: list[str]) -> _Given | None:
    return _Given(text=rule.templates["pattern"].render(event)) if event.name == "schedule" else None


def _version(read: Callable[[str], Parsed | None], what: str) -> Callable[[Rule, Event, list[str]], _Given | None]:
    def give(rule: Rule, event: Event, notes: list[str]) -> _Given | None:
        value = _value(rule, event)
        if value is None:
            return None
        if rule.pattern:
            if found := rule.pattern.find(value):
                value = found[1] or ""
            else:
                notes.append(f"{rule.text}: match does not match {value!r}")
        value = value.replace("/", "-")
        parsed = read(value)
        if parsed is None:
            notes.append(f"{rule.text}: {value!r} is no version by {what}")
            return None
        pattern = rule.templates["pattern"]
        if parsed.unstable and not pattern.asks_only_for("raw"):
            # Of a pre-release, 1.2 and 1 are not given: it is named whole.
            return _Given(text=parsed.words["version"], version=_bare(value))
        text = pattern.render(event, parsed.words)
        return _Given(text=text, latest=not parsed.unstable, version=_bare(value))

    return give


def _match(rule: Rule, event: Event, notes: list[str]) -> _Given | None:
    value = _value(rule, event)
    if value is None or rule.pattern is None:
        return None
    found = rule.pattern.find(value)
    if found is None:
        notes.append(f"{rule.text}: the pattern does not match {value!r}")
        return None
    text = found[rule.group] if rule.group < len(found) else None
    if text is None:
        notes.append(f"{rule.text}: there is no group {rule.group} in {value!r}")
        return None
    return _Given(text=text, latest=True, version=_bare(text))


def _ref(rule: Rule, event: Event, _: list[str]) -> _Given | None:
    texts = {"branch": event.branch, "tag": event.tag, "pr": event.pull_request}
    text = texts[rule.choice]
    is_tag = rule.choice == "tag"
    return _Given(text=text, latest=is_tag, version=_bare(text) if is_tag else "") if text else None


def _edge(rule: Rule, event: Event, _: list[str]) -> _Given | None:
    branch = rule.templates["branch"].render(event) or event.default_branch
    return _Given(text="edge") if event.branch and event.branch == branch else None


def _raw(rule: Rule, event: Event, _: list[str]) -> _Given | None:
    return _Given(text=rule.templates["value"].render(event))


def _sha(rule: Rule, event: Event, _: list[str]) -> _Given | None:
    text = event.revision if rule.choice == "long" else event.short
    return _Given(text=text) if text else None


def _bare(version: str) -> str:
    return re.sub(r"^v(?=\d)", "", version)


def _value(rule: Rule, event: Event) -> str | None:
    """Return what a version is read from: the rule's value, or else the git tag."""
    value = rule.templates["value"]
    return event.tag or None if value == NOTHING else value.render(event)


_KINDS: Mapping[str, Callable[[Rule, Event, list[str]], _Given | None]] = {
    "schedule": _schedule,
    "semver": _version(parse_semver, "Semantic Versioning"),
    "pep440": _version(parse_pep440, "PEP 440"),
    "match": _match,
    "edge": _edge,
    "ref": _ref,
    "raw": _raw,
    "sha": _sha,
}
