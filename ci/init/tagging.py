"""Turns what workflows and build files call an image into repositories, and into rules for its tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ci.core.names import TEMPLATE
from ci.init.holes import CLOSE, HOLE, OPEN, hide, show_again, shown, split
from ci.init.released import unique
from ci.tags import RuleError, parse_flavor, parse_rule, split_lines

# What metadata-action takes where a workflow says nothing.
USUAL = ("type=schedule", "type=ref,event=branch", "type=ref,event=tag")
_HUB = "docker.io/"
_LOCAL = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d+)?/")
_REGISTRY = re.compile(r"[^/]*[.:][^/]*/|localhost/")
_LITERAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SAME = re.compile(r",value=\$\{\{ *github\.(?:event\.release\.tag_name|ref_name) *\}\}")
_VERSIONED = re.compile(
    r"startsWith\(github\.ref, ?'refs/tags/v?'\)|github\.event_name == 'push'|github\.ref_type == 'tag'"
)
_SEMVER = "type=semver,pattern="

# What a hole of a tag stands for, by its text: the first that fits.
_KINDS = (
    (r"refs/heads", "branch"),
    (r"head_ref|pull_request|event\.number|refs/pull", "pr"),
    (r"%\.\*\}?%\.\*|cut -d ?['\"]?\.['\"]? ?-f ?-?1(?![,-])|^\$\{?MAJOR(?:_VERSION)?\}?$", "{{major}}"),
    (r"%\.\*|cut -d ?['\"]?\.['\"]? ?-f ?(?:-2|1[,-]2)", "{{major}}.{{minor}}"),
    (r"cut -d ?['\"]?\.['\"]? ?-f ?2|^\$\{?MINOR(?:_VERSION)?\}?$", "{{minor}}"),
    (r"(?i:ref_name|tag_name)\}?#v$|refs\\?/tags\\?/v|(?:in|out)puts\.version", "{{version}}"),
    (r"refs/tags|tag_name|git describe", "tag"),
    (r"(?i:ref_name)|refs/\*|^github\.ref$", "ref"),
    (r"date (?:-I|['\"]?\+%F|['\"]?\+%Y-%m-%d)['\"]?\)", "{{date 'YYYY-MM-DD'}}"),
    (r"date ['\"]?\+%Y%m%d['\"]?\)", "{{date 'YYYYMMDD'}}"),
    (r"rev-parse --short", "short"),
    (r"(?i:github[._]sha)|rev-parse", "sha"),
    (r"^\$[({]?(?:\w+_)?VERSION[)}]?$", "{{version}}"),
)
_EXACT = re.compile(f"{OPEN}github\\.(?:sha|ref_name|event\\.release\\.tag_name){CLOSE}")
_MOVING = re.compile(r"=(?:edge|dev|develop|development|nightly|main|master|testing|unstable|snapshot|next)(?:-|$)")
_TAGGED = "${{ github.ref_type == 'tag' && !contains(github.ref_name, '-') }}"
_BRANCH = "type=ref,event=branch"
_DIGITS = {
    "{{major}}": (r"v\d+", r"\.\d+\.\d+"),
    "{{major}}.{{minor}}": (r"v\d+\.\d+", r"\.\d+"),
}
_LATEST = "type=raw,value=latest"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was made of the tags of an image."""

    rules: tuple[str, ...] = ()
    flavor: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """One name of an image: its repository, and its tag, which may have holes."""

    repository: str
    tag: str = ""


def read_name(text: str) -> Named:
    """Take a reference apart, and give it the registry that it means."""
    bare, kept = hide(text.strip())
    head, slash, last = bare.partition("@")[0].rpartition("/")
    last, _, tag = last.partition(":")
    repository = show_again(head + slash + last, kept).removeprefix("index.")
    if not _REGISTRY.match(repository):
        repository = _HUB + repository
    return Named(repository=repository, tag=show_again(tag, kept))


def list_images(text: str) -> list[str]:
    """List the repositories that metadata-action is given: on lines or between commas, or as name=...,enable=..."""
    found: list[str] = []
    for line in (line for line in split(text, r"\n") if not line.strip().startswith("#")):
        parts = [part.strip() for part in split(line, ",") if part.strip()]
        keys = dict(part.split("=", 1) for part in parts if re.match("(?:name|enable)=", part))
        if keys.get("enable") != "false":
            found += [keys["name"]] if keys.get("name") else [part for part in parts if part not in keys]
    return found


def is_local(repository: str) -> bool:
    """Tell whether a repository is on a registry of the run itself."""
    return bool(_LOCAL.match(repository))


def is_plain(repository: str) -> bool:
    """Tell whether a repository can stand in a configuration."""
    return "/" in repository and bool(TEMPLATE.fullmatch(repository))


def not_plain(repository: str) -> str:
    """Say that a repository cannot stand in a configuration."""
    return f"the repository {shown(repository)} is not plain"


def take_rules(text: str, place: str, condition: str, events: str) -> Found:
    """Take over the rules of a metadata-action; name those that cannot be read here.

    Args:
        text: the rules, a line each.
        place: where they stand.
        condition: when the step runs; "" for always, or where nobody knows.
        events: what starts the workflow, for rules that each event fits.

    """
    rules: list[str] = []
    lost: list[str] = []
    for line in split_lines(text):
        rule = _SAME.sub("", shown(line))
        if re.search(r"event=pr\b|github\.event_name == 'pull_request'|enable=false(?:,|$)", rule):
            continue  # a pull request is checked, and releases nothing
        always = "type=" not in rule or "type=raw" in rule or "type=sha" in rule
        when = (condition or events) if always else _beyond(condition) if "semver" in rule else condition
        if "event=branch" in rule and "refs/tags/" in condition and "||" not in condition:
            continue  # it never happens
        options = [f"{rule},enable=${{{{ {when} }}}}"] if when and "enable=" not in rule else []
        found = next(filter(_read, [*options, rule]), "")
        if found:
            rules.append(found)
        else:
            lost.append(f"{place}: the rule {rule!r} asks for what only that workflow knows")
    return Found(rules=unique(rules), lost=tuple(lost))


def _beyond(condition: str) -> str:
    """Drop what a rule for versions asks for by itself."""
    if "||" in condition:
        return condition
    return " && ".join(part for part in condition.split(" && ") if not _VERSIONED.fullmatch(part))


def joined(*conditions: str) -> str:
    """Write that all of several conditions hold."""
    given = [condition for condition in conditions if condition]
    return " && ".join(f"({c})" if "||" in c and len(given) > 1 else c for c in given)


def plain_condition(text: str) -> str:
    """Keep what a condition says of the event, and drop what it says of anything else."""
    inner = text.strip().removeprefix("${{").removesuffix("}}").strip()
    parts = [inner] if "||" in inner else [part.strip() for part in inner.split("&&")]
    kept = [part for part in parts if "pull_request" not in part and "github." in part]
    return " && ".join(part for part in kept if _read(f"type=raw,value=x,enable=${{{{ {part} }}}}"))


def take_flavor(text: str, place: str) -> tuple[list[str], list[str]]:
    """Take over what holds for all rules."""
    lines = [shown(line) for line in split_lines(text)]
    good: list[str] = []
    for line in lines:
        try:
            parse_flavor([line])
        except RuleError:
            continue
        good.append(line)
    return good, [f"{place}: flavor {line!r} cannot be read" for line in lines if line not in good]


def _read(rule: str) -> bool:
    try:
        parse_rule(rule)
    except RuleError:
        return False
    return True


def rules_of(tags: Iterable[str], place: str, condition: str) -> Found:
    """Make rules of tags that are written out.

    Args:
        tags: each may have holes.
        place: where they stand.
        condition: when a literal one is given; "" for always.

    """
    rules: list[str] = []
    guesses: dict[str, str] = {}
    lost: list[str] = []
    for tag in unique(tags):
        found = _rules(tag, condition)
        if found is None:
            lost.append(f"{place}: the tag {shown(tag)!r} is made by a script")
            continue
        rules += found
        if HOLE.search(tag) and found and not _EXACT.fullmatch(tag):
            guesses.setdefault(found[0], shown(tag))
    versions = any(rule.startswith((_SEMVER, "type=match,")) for rule in rules)
    whole = any("{{version}}" in rule for rule in rules)
    latest = [rule for rule in rules if rule.partition(",enable")[0] == _LATEST]
    if versions:
        # What metadata-action does by itself: latest is the highest version, and no pre-release.
        drop = {*latest} if whole else set()
        kept = (rule for rule in rules if rule not in drop and not (whole and rule.startswith("type=ref,event=tag")))
        rules = [_moved(rule) for rule in kept]
    else:
        tagged = any(rule.startswith("type=ref,event=tag") for rule in rules)
        rules = [_moved(r) if (tagged or _MOVING.search(r)) and "enable=" not in r else r for r in rules]
    if any(rule.startswith("type=raw,") and "{{is_default_branch}}" in rule for rule in rules):
        # The default branch has a name of its own.
        rules = [f"{r},enable={{{{is_not_default_branch}}}}" if r.startswith(_BRANCH) else r for r in rules]
    if any(rule.startswith(_SEMVER) and "{{major}}" in rule for rule in guesses):
        lost.append(
            f"{place}: whether its script lets a pre-release move 1.2, 1 and latest is not known: here none does"
        )
    flavor = ("latest=false",) if rules and (not latest or (versions and not whole)) else ()
    return Found(
        rules=unique(rules),
        flavor=flavor,
        guessed=tuple(tag for rule, tag in guesses.items() if _bare(rule) in map(_bare, rules)),
        lost=tuple(lost),
    )


def _bare(rule: str) -> str:
    return rule.partition(",enable=")[0]


def _rules(tag: str, condition: str) -> list[str] | None:
    """Return the rules for one tag; none where it needs none, None where nobody can tell."""
    enable = f",enable=${{{{ {condition} }}}}" if condition else ""
    holes = HOLE.findall(tag)
    if not holes:
        # A text that is no tag names nothing.
        return [f"type=raw,value={tag}{enable}"] if _LITERAL.fullmatch(tag) else []
    kinds = [_kind(text) for text in holes]
    if "pr" in kinds:
        return []
    parts = iter(kinds)
    shape = HOLE.sub(lambda _: f"{OPEN}{next(parts)}{CLOSE}", tag)
    before, _, rest = shape.partition(OPEN)
    middle, _, after = rest.rpartition(CLOSE)
    if not all(kinds) or not re.fullmatch(r"[A-Za-z0-9._-]*", before + after):
        return None
    return _ruled(re.sub(f"[{OPEN}{CLOSE}]", "", middle), before, f",suffix={after}" if after else "", enable, holes[0])


def _ruled(pattern: str, before: str, suffix: str, enable: str, first: str) -> list[str] | None:
    """Write the rules of one pattern, by what stands around it."""
    prefix = f",prefix={before}" if before else ""
    if pattern.startswith("{{date"):
        return [f"type=raw,value={before}{pattern}{suffix.removeprefix(',suffix=')}{enable}"]
    if "{{" in pattern:
        # A git tag keeps its v, where nothing takes it away.
        v = "v" if before == "v" or re.search("refs/tags/(?!v)|tag_name(?!#v)", first) else ""
        if v and (digits := _DIGITS.get(pattern)):
            # A rule for versions would name a pre-release in full, and without its v.
            return [f"type=match,pattern=^({digits[0]}){digits[1]}$,group=1{prefix if before != 'v' else ''}{suffix}"]
        return [f"{_SEMVER}{v}{pattern}{prefix if before != 'v' else ''}{suffix}"]
    if pattern in ("sha", "short"):
        form = "long" if pattern == "sha" else "short"
        return [f"type=sha,format={form},prefix={before}{suffix}{enable}"]
    events = {"tag": ["tag"], "branch": ["branch"], "ref": ["branch", "tag"]}.get(pattern, [])
    return [f"type=ref,event={event}{prefix}{suffix}" for event in events] or None


def _moved(rule: str) -> str:
    """Say of a literal tag that stands beside versions when it moves: with the default branch, or with a version."""
    plain = rule.partition(",enable=")[0]
    if rule.startswith("type=sha,") and _MOVING.search(rule):
        return f"{plain},enable={{{{is_default_branch}}}}"
    if not rule.startswith("type=raw,value="):
        return rule
    return f"{plain},enable={{{{is_default_branch}}}}" if _MOVING.search(plain) else f"{plain},enable={_TAGGED}"


def run_value(options: Iterable[str]) -> str:
    """Return the value of the run that a script hands on, by all that it may be; "" where nobody can tell."""
    given = [*options]
    kinds = {_kind(found) for option in given for found in HOLE.findall(option)}
    literal = next((option for option in given if _LITERAL.fullmatch(option) and _MOVING.search(f"={option}")), "{ref}")
    word = "version" if "{{version}}" in kinds else "tag" if "tag" in kinds else ""
    return f"{{{word}:-{literal}}}" if word else ""


def known_tag(tag: str) -> bool:
    """Tell whether it is known what all that only a run knows of a tag stands for."""
    return all(map(_kind, HOLE.findall(tag)))


def _kind(text: str) -> str:
    return next((kind for pattern, kind in _KINDS if re.search(pattern, text)), "")
