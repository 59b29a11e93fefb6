"""How rules for tags are read, and what is said of those that cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.tags import RuleError, parse_flavor, parse_rule, split_lines
from ci.tags.rules import Flavor


def test_a_text_has_a_rule_on_each_line() -> None:
    text = "# of a release\n  type=semver,pattern={{version}}  \n\n  type=sha # not a comment\n"
    assert split_lines(text) == ("type=semver,pattern={{version}}", "type=sha # not a comment")


@pytest.mark.parametrize(
    ("text", "kind", "priority"),
    [
        ("type=schedule", "schedule", 1000),
        ("TYPE = semver , pattern={{raw}}", "semver", 900),
        ("type=pep440,pattern={{version}}", "pep440", 900),
        ("type=match,pattern=x", "match", 800),
        ("type=edge", "edge", 700),
        ("type=ref,event=pr", "ref", 600),
        ("type=raw,value=x", "raw", 200),
        ("x", "raw", 200),
        ("value=x", "raw", 200),
        ("type=sha", "sha", 100),
        ("type=sha,priority=1.5", "sha", 1.5),
        ("type=sha,priority=-3", "sha", -3),
    ],
)
def test_a_rule_has_a_type_and_a_priority(text: str, kind: str, priority: float) -> None:
    rule = parse_rule(text)
    assert (rule.kind, rule.priority) == (kind, priority)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"value=a,b"', "a,b"),
        ('"a ""b"""', 'a "b"'),
        ("type=raw,x=", "x="),
        ("=x", "=x"),
        ("value=a=b", "a=b"),
        ("a,b", "b"),
    ],
)
def test_a_field_may_be_quoted(text: str, value: str) -> None:
    if value == "x=":
        with pytest.raises(RuleError, match="'x' is nothing that type=raw knows"):
            parse_rule(text)
        return
    assert parse_rule(text).templates["value"].fixed == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type=semvr,pattern={{version}}", "the type 'semvr' is not known; .*did you mean 'semver'"),
        ("type=semver", "pattern= is missing; accepted: type=semver with pattern="),
        ("type=ref", "event= is missing"),
        ("type=ref,event=tags", "event=tags is not known; accepted: branch, tag, pr; did you mean 'tag'"),
        ("type=sha,format=full", "format=full is not known; accepted: short, long"),
        ("type=sha,prefx=", "'prefx' is nothing that type=sha knows; .*did you mean 'prefix'"),
        ("type=edge,pattern=x", "'pattern' is nothing that type=edge knows; accepted: branch, enable"),
        ("type=raw", "value= is missing"),
        ("type=", "the type '' is not known"),
        ("type=sha,priority=high", "priority=high is no number"),
        ("type=sha,enable=yes", "enable=yes is given; accepted: true, false, {{is_default_branch}}"),
        ("type=match,pattern=v(.*),group=x", "group=x is no number"),
        ("type=match,pattern=v(.*),group=2", "has no group 2; accepted: 0 to 1"),
        ("type=match,pattern=v(", "cannot be read: missing"),
        ("type=match,pattern=/v/y", "the flag 'y' of .* accepted: i, m, s, u, g"),
        ("type=semver,pattern={{version}},match=v.*", "match=v.* has no group"),
        ("type=semver,pattern={{versoin}}", "{{versoin}} is not known here; .*did you mean 'version'"),
        ("type=semver,pattern={{branch}}", "{{branch}} is not known here; accepted: {{version}}, {{major}}"),
        ("type=raw,value={{version}}", "{{version}} is not known here; accepted: {{branch}}"),
        ("type=raw,value={{#if tag}}x{{/if}}", "{{#if tag}} is not known; accepted: {{branch}}"),
        ("type=raw,value={{tag", "opens braces that nothing closes"),
        ("type=raw,value={{date}}", "{{date}} has no format; accepted: {{date 'YYYYMMDD'}}"),
        ("type=raw,value={{branch 'x'}}", "takes nothing behind branch"),
        ("type=raw,value={{date 'YYYY' tz='Mars/Base'}}", "the time zone 'Mars/Base' is not known"),
        ('type=raw,value="a"', 'a quote stands inside of a field; accepted: quotes around all of it: "value=a,b"'),
        ("value=${{ steps.x.outputs.tag }}", r"steps.x.outputs.tag is the workflow's own: write its value"),
        ("value=${{ github.actor }}", "github.actor is not known"),
        ("enable=${{ github.ref == }},x", "it ends too early"),
        ("enable=${{ startWith(github.ref, 'x') }},x", r"the function 'startWith' is not known.*'startsWith'\?$"),
        ("enable=${{ contains(github.ref) }},x", "contains takes 2 values"),
        ("enable=${{ (github.ref }},x", r"'\)' is missing"),
        ("enable=${{ github.ref github.ref }},x", "nothing can follow"),
        ("enable=${{ github.ref + 1 }},x", r"'\+ 1' is no part of one"),
        ("enable=${{ github.ref,x", "is opened and not closed"),
        ("type=ref,event=${{ github.ref_type }}", "event= takes no"),
        ("type=match,pattern=${{ github.ref }}", "pattern= takes no"),
        ("enable=${{ " + "!" * 200 + "true }},x", "more than 100"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named_with_what_is_accepted(text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said) as raised:
        parse_rule(text)
    assert text in str(raised.value) or "the rule" in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ((), ("auto", "", "", False, False)),
        (("latest=true",), ("true", "", "", False, False)),
        (("latest=false", "prefix=a-,onlatest=true", "suffix=-b"), ("false", "a-", "-b", True, False)),
        (("suffix=-b,onlatest=true,latest=false",), ("false", "", "-b", False, True)),
        (("suffix=-b", "suffix=-c,onlatest=true"), ("auto", "", "-c", False, True)),
    ],
)
def test_a_flavor_holds_for_all_rules(lines: tuple[str, ...], wanted: tuple[str, str, str, bool, bool]) -> None:
    found = parse_flavor(lines)
    texts = (found.latest.fixed, found.prefix.fixed, found.suffix.fixed)
    assert (*texts, found.prefix_latest, found.suffix_latest) == wanted
    assert parse_flavor([]) == Flavor()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("latest=sometimes", "accepted: latest=auto, latest=true, latest=false"),
        ("latest", "'latest' is not known"),
        ("sufix=-x", "'sufix' is not known; accepted: latest=, prefix=, suffix=, onlatest="),
        ("onlatest=true", "onlatest= cannot be read"),
        ("prefix=x,onlatest=1", "onlatest= cannot be read"),
    ],
)
def test_a_flavor_that_cannot_be_read_is_named(line: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        parse_flavor([line])


WORDS = st.sampled_from(
    "type= semver match raw sha , = {{ }} ${{ ' \" ( ) pattern= value= enable= date version tz= github.ref && ! "
    "1 x [ \\ + / \ue000 \ue001".split()
)


@given(st.lists(WORDS, max_size=25).map("".join))
def test_any_text_is_a_rule_or_is_refused_with_a_reason(text: str) -> None:
    texts = []
    for parse in (parse_rule, lambda line: parse_flavor([line])):
        try:
            parse(text)
        except RuleError as error:
            texts.append(str(error))
    assert all(texts)
