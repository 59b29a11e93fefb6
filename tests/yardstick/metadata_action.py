"""Holds the rules for tags against the test cases of docker/metadata-action, which are read from a checkout of it.

    git clone https://github.com/docker/metadata-action
    python tests/yardstick/metadata_action.py metadata-action

It prints how many cases agree, every one that differs, and why others do not apply; it fails where one differs.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ci.github.events import ACCEPTED  # ci is importable from here on
from ci.tags import Event, RuleError, names_of, parse_flavor, parse_rule
from ci.tags.rules import Flavor

NOW = datetime(2020, 1, 10, 0, 30, tzinfo=UTC)  # the time that their tests stop the clock at
# What stands for it where a workflow says nothing; theirs, not Drydock's.
THEIR_DEFAULT = ["type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr"]

TOKEN = re.compile(
    r"""\s+|//[^\n]*|/\*.*?\*/|(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<word>[\w$.]+)|(?P<sign>[][{}(),:])""",
    re.DOTALL,
)
TABLE = re.compile(r"describe\('([^']+)'.*?test\.each\((\[.*?\n  \])\)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t"}
PRIORITIES = {
    "schedule": "1000",
    "semver": "900",
    "pep440": "900",
    "match": "800",
    "edge": "700",
    "ref": "600",
    "raw": "200",
    "sha": "100",
}
# What differs because it was decided so.
ON_PURPOSE = {
    "tag/tag18": "a group that the pattern does not have is refused when the rule is read, and not passed over later"
}


class Literal:
    """Reads a literal of TypeScript: lists, objects, texts, and `as Type` behind them."""

    def __init__(self, source: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(source):
            found = TOKEN.match(source, at)
            if not found:
                raise ValueError(f"cannot read {source[at : at + 60]!r}")
            if found.lastgroup:
                self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()

    def take(self) -> str:
        return self.tokens.pop(0)[1]

    def value(self) -> Any:  # noqa: ANN401  # whatever the literal holds
        kind, token = self.tokens.pop(0)
        found: Any
        if kind == "text":
            found = re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), token[1:-1], flags=re.DOTALL)
        elif token == "[":
            found = list(self.items("]"))
        elif token == "{":
            found = {}
            while self.tokens[0][1] != "}":
                key = self.tokens.pop(0)
                name = key[1] if key[0] == "word" else key[1][1:-1]
                self.take()  # the colon
                found[name] = self.value()
                self.comma()
            self.take()
        elif token == "DefaultPriorities":
            [kind] = self.items("]", opened=True)
            found = PRIORITIES[kind]
        else:
            named = token.partition(".")[2].lower() if token[:1].isupper() else token  # RefEvent.PR is "pr"
            found = {"true": True, "false": False, "undefined": None}.get(token, named)
        if self.tokens and self.tokens[0][1] == "as":
            self.take(), self.take()
        return found

    def items(self, end: str, *, opened: bool = False) -> Iterator[Any]:
        if opened:
            self.take()
        while self.tokens[0][1] != end:
            yield self.value()
            self.comma()
        self.take()

    def comma(self) -> None:
        if self.tokens[0][1] == ",":
            self.take()


def tables(path: Path) -> Iterator[tuple[str, list[Any]]]:
    """List the tables of cases of a file, each with the name it has there."""
    for found in TABLE.finditer(path.read_text()):
        yield found[1], Literal(found[2]).value()


@dataclass
class Result:
    case: str
    outcome: str  # "agree", "differ", "not applicable"
    why: str = ""


def read_event(fixtures: Path, name: str, *, head: bool) -> Event:
    """Turn what a run's environment and its event say into what Drydock is told of it."""
    lines = (line.partition("=") for line in (fixtures / name).read_text().splitlines())
    known = {key: value for key, _, value in lines}
    path = fixtures / Path(known.get("GITHUB_EVENT_PATH", "")).name
    payload = json.loads(path.read_text()) if path.is_file() else {}
    event, ref = known.get("GITHUB_EVENT_NAME", ""), known.get("GITHUB_REF", "")
    revision = known.get("GITHUB_SHA", "")
    pull = payload.get("pull_request", {})
    if event == "pull_request_target":
        ref = f"refs/pull/{payload['number']}/merge"
    if head and "pull_request" in event:
        revision = pull["head"]["sha"]
    return Event(
        name=event,
        ref=ref,
        default_branch=payload.get("repository", {}).get("default_branch", ""),
        base_ref=payload.get("base_ref") or pull.get("base", {}).get("ref", ""),
        revision=revision,
        committed=NOW,
        now=NOW,
    )


def run_names(root: Path, table: str, row: list[Any]) -> Result:
    """Compare the names of one case."""
    case, env, inputs = f"{table}/{row[0]}", row[1], row[2]
    expected = names_expected(table, row)
    if expected is None:
        return Result(case, "not applicable", "it is about another output than tags")
    event = read_event(root / "__tests__/fixtures", env, head=table == "pr-head-sha")
    if event.name not in ACCEPTED:
        return Result(case, "not applicable", f"the event {event.name or 'none'}")
    try:
        rules = [parse_rule(rule) for rule in inputs.get("tags") or THEIR_DEFAULT]
        names = names_of(rules, parse_flavor(inputs.get("flavor", [])), event)
    except RuleError as error:
        return Result(case, "differ", f"refused: {error}")
    if list(names.tags) != expected:
        return Result(case, "differ", f"theirs {expected}, ours {list(names.tags)}")
    return Result(case, "agree")


def names_expected(table: str, row: list[Any]) -> list[str] | None:
    """Find the names in what a case expects, each once and without the image."""
    inputs, want = row[2], row[3]
    if table == "json":
        return [*want["tag-names"]]
    if table == "sepTags":
        want = want.split(inputs["sepTags"])
    elif table.startswith("bakeFile"):
        if "tags" not in (want[0] if isinstance(want, list) else want).get("target", {}).get(
            inputs.get("bakeTarget", "docker-metadata-action"), {}
        ):
            return None
        want = want["target"][inputs.get("bakeTarget", "docker-metadata-action")]["tags"]
    else:
        want = row[4]
    return list(dict.fromkeys(tag.rpartition(":")[2] for tag in want))


def run_flavor(row: list[Any]) -> Result:
    """Compare one case of a flavor: what it says, or that it is refused."""
    inputs, want, invalid = row
    case = f"flavor/{inputs}"
    try:
        found = parse_flavor(inputs)
    except RuleError as error:
        return Result(case, "agree" if invalid else "differ", str(error))
    if invalid:
        return Result(case, "differ", "theirs refuses it")
    same = found == Flavor(
        latest=parse_flavor([f"latest={want['latest']}"]).latest,
        prefix=parse_flavor([f"prefix={want['prefix']}"]).prefix,
        suffix=parse_flavor([f"suffix={want['suffix']}"]).suffix,
        prefix_latest=want["prefixLatest"],
        suffix_latest=want["suffixLatest"],
    )
    return Result(case, "agree" if same else "differ", "" if same else f"theirs {want}, ours {found}")


def run_rule(text: str, want: dict[str, Any], *, invalid: bool) -> Result:
    """Compare one rule: what it is read as, or that it is refused."""
    case = f"tag/{text}"
    try:
        rule = parse_rule(text)
    except RuleError as error:
        return Result(case, "agree" if invalid else "differ", str(error))
    if invalid:
        return Result(case, "differ", "theirs refuses it")
    attributes = want["attrs"]
    found = {
        "priority": f"{rule.priority:g}",
        "group": str(rule.group),
        "event": rule.choice,
        "format": rule.choice,
        "match": rule.pattern.text if rule.pattern else "",
        **{name: template.fixed for name, template in rule.templates.items()},
    }
    if rule.kind == "match" and rule.pattern:
        found["pattern"] = rule.pattern.text
    wrong = {
        key: (value, found.get(key))
        for key, value in attributes.items()
        if found.get(key, "true" if key == "enable" else "") != value and "{{" not in value
    }
    if wrong or rule.kind != want["type"]:
        return Result(case, "differ", f"theirs and ours: {wrong or (want['type'], rule.kind)}")
    return Result(case, "agree")


def results(root: Path) -> Iterator[Result]:
    """Run all cases of the checkout."""
    for table, rows in tables(root / "__tests__/meta.test.ts"):
        for row in rows:
            if table == "isRawStatement":
                yield Result(f"{table}/{row[0]}", "not applicable", "it is about a function inside")
            else:
                yield run_names(root, table, row)
    for _, rows in tables(root / "__tests__/flavor.test.ts"):
        yield from map(run_flavor, rows)
    for table, rows in tables(root / "__tests__/tag.test.ts"):
        for row in rows:
            if table == "parse":
                yield run_rule(row[0], row[1], invalid=row[2])
                continue
            order = sorted((parse_rule(text) for text in row[0]), key=lambda rule: -rule.priority)
            kinds = [each["type"] for each in row[1]]
            same = [rule.kind for rule in order] == kinds
            yield Result("tag/transform", "agree" if same else "differ", "" if same else f"theirs {kinds}")
    yield from (
        Result(f"image/{row[0]}", "not applicable", "it is about the names of images")
        for _, rows in tables(root / "__tests__/image.test.ts")
        for row in rows
    )


def main() -> int:
    """Print the comparison; 1 where a case differs."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    found = list(results(Path(sys.argv[1])))
    counts = Counter(result.outcome for result in found)
    for why, number in Counter(result.why for result in found if result.outcome == "not applicable").items():
        print(f"not applicable: {number:3} {why}")
    for result in found:
        if result.outcome == "differ":
            print(f"DIFFERS: {result.case}: {ON_PURPOSE.get(result.case, result.why)}")
    applicable = counts["agree"] + counts["differ"]
    print(
        f"{len(found)} cases: {counts['agree']} of the {applicable} that apply agree, {counts['differ']} differ, "
        f"{counts['not applicable']} do not apply"
    )
    wrong = any(result.outcome == "differ" and result.case not in ON_PURPOSE for result in found)
    return int(wrong or not counts["agree"])


if __name__ == "__main__":
    sys.exit(main())
