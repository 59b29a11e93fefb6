"""Patterns of Go: what Go's own regexp package said of each text, version 1.26, is what Python says of what is made."""

import re

import pytest

from ci.config.go_regex import translate

# a pattern, texts that it is found in, texts that it is not found in
FOUND = [
    ("foo$", ["foo", "a foo"], ["foo\n", "foo\nbar"]),
    ("^foo$", ["foo"], ["foo\n", "a\nfoo"]),
    ("(?m)^foo$", ["foo", "foo\n", "a\nfoo\nb"], ["a foo"]),
    ("(?m:^b$)", ["x\nb\ny"], ["ab"]),
    ("(?:(?m:a$)\nb$)", ["a\nb"], ["a\nb\n"]),
    ("(?i)FOO", ["foo", "Foo"], ["fo"]),
    ("a(?i:B)c", ["aBc", "abc"], ["ABC"]),
    ("(?s)a.b", ["a\nb", "a.b"], ["ab"]),
    ("(?i-s)A.b", ["a.b"], ["a\nb"]),
    ("(?-i)a", ["a"], ["A"]),
    ("a.b", ["a.b"], ["a\nb"]),
    ("a{2}", ["aa", "aaa"], ["ab"]),
    ("a{,2}", ["a{,2}"], ["aa"]),
    ("{", ["{"], ["a"]),
    ("^a??$", ["", "a"], ["\n", "aa"]),
    ("(?P<n>a)b", ["ab"], ["b"]),
    ("(?<n>a)b", ["ab"], ["b"]),
    ("^[[:alpha:]]+$", ["aBc"], ["aa1", "é"]),
    ("[^[:space:]]", ["foo"], [" ", "\t", "\v"]),
    ("[]a]", ["]", "a"], ["["]),
    ("[[]", ["["], ["]"]),
    ("[a-]", ["-", "a"], ["b"]),
    ("[--/]", ["-", "/"], ["_"]),
    ("[a-z&&b]", ["b", "foo"], ["1"]),
    (r"[\]]", ["]"], ["["]),
    (r"[\\]", ["\\"], ["/"]),
    (r"[\^a]", ["^", "a"], ["b"]),
    (r"[\d\.]+", ["1", "a.b"], ["foo"]),
    (r"\Qa.b\E+", ["a.b"], ["a\nb", "aab"]),
    (r"\Qa.b", ["a.b"], ["ab"]),
    (r"foo\z", ["foo"], ["foo\n"]),
    (r"\d", ["1"], ["\u0661"]),
    (r"\w", ["a", "_"], ["é", "-"]),
    (r"\141\x61\x{61}", ["aaa"], ["aa"]),
    (r"\/\-\_", ["/-_"], ["/"]),
    (r"\.", ["a.b"], ["ab"]),
    ("#x y", ["#x y"], ["#xy"]),
    ("é", ["é"], ["e"]),
    ("", ["", "a"], []),
    (r'DPkg::Pre-Install-Pkgs "";', ['DPkg::Pre-Install-Pkgs "";'], []),
    (r"[a-z]+-2\.1\.*", ["z-2.1."], ["z-2-1"]),
]
REFUSED = [
    ("(", "missing )"),
    (")", "unbalanced"),
    ("[a", "no ] ends what [ begins"),
    ("a**", "repeats a repetition"),
    ("a*+", "repeats a repetition"),
    ("a{2}{3}", "repeats a repetition"),
    ("{2}", "nothing to repeat"),
    ("(?=a)", "Go has no group that begins with (?"),
    ("(?!a)", "Go has no group"),
    ("a(?i)b", "(?i) does not stand at the beginning; write (?i:...)"),
    ("(?U)a", "the flag U is not supported"),
    (r"(a)\1", r"Go has no escape \1"),
    (r"foo\Z", r"Go has no escape \Z"),
    ("\\", "Go has no escape"),
    (r"\é", "Go has no escape"),
    (r"\pL", "list the characters"),
    ("[[:^alpha:]]", "list the characters"),
    (r"\x{110000}", "110000 is no character"),
    ("[b-a]", "bad character range"),
]


@pytest.mark.parametrize(("pattern", "yes", "no"), FOUND)
def test_python_finds_what_go_finds(pattern: str, yes: list[str], no: list[str]) -> None:
    made = translate(pattern)
    assert [text for text in yes if not re.search(made, text)] == []
    assert [text for text in no if re.search(made, text)] == []


@pytest.mark.parametrize(("pattern", "reason"), REFUSED)
def test_what_go_refuses_or_python_lacks_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        translate(pattern)
