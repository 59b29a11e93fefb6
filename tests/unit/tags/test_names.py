"""Which names the rules give, event by event."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ci.tags import Event, Names, RuleError, names_of, parse_flavor, parse_rule
from ci.tags.dates import format_date

COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
NOW = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)
COMMITTED = datetime(2026, 2, 28, 23, 30, tzinfo=timezone(timedelta(hours=-5)))


def names(*rules: str, on: Event, flavor: tuple[str, ...] = ()) -> Names:
    return names_of([parse_rule(rule) for rule in rules], parse_flavor(flavor), on)


def push(ref: str, **more: str) -> Event:
    known = {"default_branch": "trunk", "name": "push", **more}
    return Event(
        name=known["name"],
        ref=ref,
        default_branch=known["default_branch"],
        base_ref=known.get("base_ref", ""),
        revision=COMMIT,
        committed=COMMITTED,
        now=NOW,
    )


def tag(name: str) -> Event:
    return push(f"refs/tags/{name}")


def branch(name: str, event: str = "push") -> Event:
    return push(f"refs/heads/{name}", name=event)


PULL = push("refs/pull/12/merge", name="pull_request", base_ref="trunk")


@pytest.mark.parametrize(
    ("git", "rule", "named"),
    [
        ("v4.5.6", "type=semver,pattern={{version}}", ("4.5.6", "latest")),
        ("4.5.6", "type=semver,pattern=v{{major}}.{{minor}}", ("v4.5", "latest")),
        ("v4.5.6", "type=semver,pattern={{raw}}", ("v4.5.6", "latest")),
        ("v4.5.6-beta.2", "type=semver,pattern={{major}}", ("4.5.6-beta.2",)),
        ("v4.5.6-beta.2", "type=semver,pattern=v{{version}}", ("4.5.6-beta.2",)),
        ("v4.5.6-beta.2", "type=semver,pattern={{ raw }}", ("v4.5.6-beta.2",)),
        ("v4.5.6+exp.sha", "type=semver,pattern={{version}}", ("4.5.6", "latest")),
        ("v4.5.6+exp.sha", "type=semver,pattern={{raw}}", ("v4.5.6-exp.sha", "latest")),
        ("cli/v4.5.6", r"type=semver,pattern={{version}},match=/v(\d+\.\d+\.\d+)$", ("4.5.6", "latest")),
        ("v4.5", "type=semver,pattern={{version}}", ()),
        ("04.5.6", "type=semver,pattern={{version}}", ()),
        ("v4.5", "type=pep440,pattern={{version}}", ("4.5", "latest")),
        ("4.5", "type=pep440,pattern={{major}}.{{minor}}.{{patch}}", ("4.5.0", "latest")),
        ("4.5rc1", "type=pep440,pattern={{major}}", ("4.5rc1",)),
        ("4.5.post1", "type=pep440,pattern={{major}}", ("4.5.post1",)),
        ("4.5-RC1", "type=pep440,pattern={{raw}}", ("4.5-RC1",)),
        ("release-2026", r"type=match,pattern=\d{4}", ("2026", "latest")),
        ("release-2026", r"type=match,pattern=^release-(?<year>\d+)$,group=1", ("2026", "latest")),
        ("RELEASE-2026", r"type=match,pattern=/^release-(\d+)$/i,group=1", ("2026", "latest")),
        ("a1b2", r"type=match,pattern=/\d/g,group=1", ("2", "latest")),
        ("a1", r"type=match,pattern=/\d/g,group=1", ()),
        ("release-2026", "type=match,pattern=^v", ()),
        ("stable", "type=ref,event=tag", ("stable", "latest")),
        ("stable", "type=ref,event=branch", ()),
        ("stable", "type=schedule", ()),
        ("stable", "type=edge", ()),
        ("stable", "type=sha", ("sha-fedcba9",)),
        ("stable", "type=sha,format=long,prefix=", (COMMIT,)),
        ("stable", "type=raw,value={{tag}}-{{sha}}", ("stable-fedcba9",)),
        ("stable", "type=semver,pattern={{version}},value=7.0.0", ("7.0.0", "latest")),
    ],
)
def test_what_a_git_tag_is_named(git: str, rule: str, named: tuple[str, ...]) -> None:
    assert names(rule, on=tag(git)).tags == named


@pytest.mark.parametrize(
    ("event", "rule", "named"),
    [
        (branch("trunk"), "type=edge", ("edge",)),
        (branch("other"), "type=edge", ()),
        (branch("other"), "type=edge,branch=other,suffix=-x", ("edge-x",)),
        (branch("feat/one two"), "type=ref,event=branch", ("feat-one-two",)),
        (branch("trunk"), "type=ref,event=tag", ()),
        (branch("trunk"), "type=semver,pattern={{version}}", ()),
        (branch("trunk", "schedule"), "type=schedule", ("nightly",)),
        (branch("trunk", "schedule"), "type=schedule,pattern={{date 'YYYYMMDD'}}", ("20260301",)),
        (branch("trunk"), "type=schedule", ()),
        (branch("trunk"), "type=raw,now,enable={{is_default_branch}}", ("now",)),
        (branch("other"), "type=raw,now,enable={{is_default_branch}}", ()),
        (branch("other"), "type=raw,now,enable={{is_not_default_branch}}", ("now",)),
        (branch("old", "schedule"), "type=raw,now,enable={{is_default_branch}}", ("now",)),
        (branch("trunk"), "type=raw,value={{date 'YYYY-MM-DD' tz='Pacific/Auckland'}}", ("2026-03-01",)),
        (branch("trunk"), "type=raw,value={{commit_date 'YYYYMMDD-HHmm'}}", ("20260301-0430",)),
        (branch("trunk"), "type=raw,value={{commit_date 'HH' tz='America/New_York'}}", ("23",)),
        (branch("trunk"), "type=raw,value=x{{tag}}", ("x",)),
        (branch("a=b"), "type=raw,value={{branch}}", ("a-x3D-b",)),
        (branch("a=b"), "type=raw,value={{{branch}}}", ("a-b",)),
        (PULL, "type=ref,event=pr", ("pr-12",)),
        (
            PULL,
            "type=raw,for-{{base_ref}}",
            ("for-trunk",),
        ),
        (push("refs/tags/v1", base_ref="refs/heads/old"), "type=raw,value={{base_ref}}", ("old",)),
        (branch("trunk"), "type=raw,value={{base_ref}}", ()),
    ],
)
def test_what_other_events_are_named(event: Event, rule: str, named: tuple[str, ...]) -> None:
    assert names(rule, on=event).tags == named


@pytest.mark.parametrize(
    ("expression", "on", "holds"),
    [
        ("github.ref == 'refs/heads/trunk'", branch("trunk"), True),
        ("github.ref == 'refs/heads/TRUNK'", branch("trunk"), True),
        ("github.ref != 'refs/heads/trunk'", branch("trunk"), False),
        ("!startsWith(github.ref, 'refs/tags/v0.')", tag("v0.1.0"), False),
        ("startsWith(github.ref, 'refs/tags/v4') && !contains(github.ref, '-rc')", tag("v4.0.0"), True),
        ("startsWith(github.ref, 'refs/tags/v4') && !contains(github.ref, '-rc')", tag("v4.0.0-rc.1"), False),
        ("github.event_name == 'push' || github.event_name == 'schedule'", branch("trunk", "release"), False),
        ("(github.ref_type == 'tag' || true) && github.ref_name == 'trunk'", branch("trunk"), True),
        ("github.ref == format('refs/heads/{0}', github.event.repository.default_branch)", branch("trunk"), True),
        ("endsWith(github.ref, 'nk') == true", branch("trunk"), True),
        ("github.event.release.prerelease", branch("trunk"), False),
        ("!github.event.release.prerelease", branch("trunk"), True),
        ("github.base_ref == false", branch("trunk"), True),
        ("github.ref_name == 'it''s'", branch("it's"), True),
    ],
)
def test_an_expression_of_a_workflow_that_asks_about_the_event_is_answered(
    expression: str, on: Event, holds: bool
) -> None:
    assert names(f"type=raw,value=x,enable=${{{{ {expression} }}}}", on=on).tags == (("x",) if holds else ())


def test_an_expression_of_a_workflow_may_be_a_value_or_a_flavor() -> None:
    rule = "type=semver,pattern={{version}},value=${{ github.event.release.tag_name }}"
    assert names(rule, on=push("refs/tags/v2.0.0", name="release")).tags == ("2.0.0", "latest")
    flavor = ("latest=${{ github.ref == 'refs/heads/trunk' }}",)
    assert names("type=sha", on=branch("trunk"), flavor=flavor).tags == ("sha-fedcba9", "latest")
    assert names("type=sha", on=branch("other"), flavor=flavor).tags == ("sha-fedcba9",)


def test_the_highest_priority_decides_on_latest() -> None:
    rules = ("type=sha", "type=semver,pattern={{version}}")
    assert names(*rules, on=tag("v1.0.0")).tags == ("1.0.0", "sha-fedcba9", "latest")
    assert names("type=sha,priority=1000", rules[1], on=tag("v1.0.0")).tags == ("sha-fedcba9", "1.0.0")


@pytest.mark.parametrize(
    ("flavor", "named"),
    [
        (("latest=true",), ("trunk", "latest")),
        (("latest=auto",), ("trunk",)),
        (("suffix=-alpine",), ("trunk-alpine",)),
        (("latest=true", "suffix=-alpine"), ("trunk-alpine", "latest")),
        (("latest=true", "prefix=a-,onlatest=true", "suffix=-z,onlatest=true"), ("a-trunk-z", "a-latest-z")),
    ],
)
def test_a_flavor_is_around_every_name(flavor: tuple[str, ...], named: tuple[str, ...]) -> None:
    assert names("type=ref,event=branch", on=branch("trunk"), flavor=flavor).tags == named


def test_a_rule_that_says_an_affix_has_it_in_place_of_the_flavors() -> None:
    rule = "type=ref,event=branch,suffix=,prefix=own-"
    assert names(rule, on=branch("trunk"), flavor=("prefix=a-", "suffix=-z")).tags == ("own-trunk",)


def test_a_name_is_given_once() -> None:
    assert names("x", "x", "type=raw,value=latest", on=branch("trunk"), flavor=("latest=true",)).tags == ("x", "latest")


@pytest.mark.parametrize(
    ("on", "rules", "version"),
    [
        (tag("v1.2.3"), ("type=semver,pattern={{major}}", "type=semver,pattern={{version}}"), "1.2.3"),
        (tag("v1.2.3"), ("type=semver,pattern={{version}},prefix=x-,suffix=-y",), "1.2.3"),
        (tag("v1.2.3+b"), ("type=semver,pattern={{version}}",), "1.2.3+b"),
        (tag("v1.2.3"), ("type=ref,event=tag",), "1.2.3"),
        (tag("v1.2.3"), ("type=sha,priority=2000", "type=ref,event=tag"), "1.2.3"),
        (tag("cli/v1.2.3"), (r"type=match,pattern=v(.*),group=1",), "1.2.3"),
        (tag("v1.2.3"), ("type=raw,value=x", "type=sha"), None),
        (branch("trunk"), ("type=ref,event=branch", "type=edge"), None),
        (branch("trunk"), ("type=semver,pattern={{version}},value=3.0.0",), "3.0.0"),
    ],
)
def test_the_version_is_what_a_tag_says_and_no_branch(on: Event, rules: tuple[str, ...], version: str | None) -> None:
    assert names(*rules, on=on).version == version


def test_what_comes_of_an_expression_is_checked() -> None:
    with pytest.raises(RuleError, match="enable= comes to 'trunk'; accepted: true, false"):
        names("x,enable={{branch}}", on=branch("trunk"))
    with pytest.raises(RuleError, match="latest= comes to 'refs/heads/trunk'; accepted: auto, true, false"):
        names("x", on=branch("trunk"), flavor=("latest=${{ github.ref }}",))


def test_a_rule_that_gives_no_name_says_why() -> None:
    found = names("type=semver,pattern={{version}}", "type=match,pattern=^v", on=tag("next"))
    assert found.notes == (
        "type=semver,pattern={{version}}: 'next' is no version by Semantic Versioning",
        "type=match,pattern=^v: the pattern does not match 'next'",
    )


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("YYYY.MM.DD", "2026.03.01"),
        ("YY M D", "26 3 1"),
        ("MMM MMMM Mo Do", "Mar March 3rd 1st"),
        ("d do dd ddd dddd e E", "0 0th Su Sun Sunday 0 7"),
        ("DDD DDDo DDDD Q Qo", "60 60th 060 1 1st"),
        ("w wo ww gg gggg", "10 10th 10 26 2026"),
        ("W Wo WW GG GGGG", "9 9th 09 26 2026"),
        ("H HH h hh k kk m mm s ss", "4 04 4 04 4 04 5 05 6 06"),
        ("A a SSS X x", "AM am 000 1772337906 1772337906000"),
        ("Z ZZ z", "+00:00 +0000 UTC"),
        ("[YYYY at] YYYY", "YYYY at 2026"),
        ("LLLL", "Sunday, March 1, 2026 4:05 AM"),
        ("L LT LTS l", "03/01/2026 4:05 AM 4:05:06 AM 3/1/2026"),
        (None, "2026-03-01T04:05:06Z"),
    ],
)
def test_a_date_is_written_as_moment_does(form: str | None, text: str) -> None:
    assert format_date(NOW, form, "UTC") == text


@pytest.mark.parametrize(("day", "text"), [(2, "2nd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")])
def test_an_ordinal(day: int, text: str) -> None:
    assert format_date(NOW.replace(day=day), "Do", "UTC") == text


def test_a_date_in_another_zone() -> None:
    assert format_date(NOW, "YYYYMMDD-HHmm Z z", "Asia/Kolkata") == "20260301-0935 +05:30 IST"
    assert format_date(NOW, None, "America/Caracas") == "2026-03-01T00:05:06-04:00"
