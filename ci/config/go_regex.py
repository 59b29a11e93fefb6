r"""Writes a regular expression of Go's as one of Python's that finds the same, or says why there is none.

They differ where tests meet it: Go's `$` is the end of the text alone, Python's also the place before a last newline;
and Go's `\d`, `\w` and `\b` know ASCII alone. Source: the documentation of Go's regexp/syntax.
"""

from __future__ import annotations

import re
import warnings

_TOKEN = re.compile(
    r"""
    \\x (?: \{ (?P<wide> [0-9A-Fa-f]{1,6} ) \} | (?P<hex> [0-9A-Fa-f]{2} ) )
    | \\ (?P<octal> 0[0-7]{0,2} | [1-7][0-7]{1,2} )
    | \\Q (?P<literal> .*? ) (?: \\E | \Z )
    | \\ (?P<escape> .? )
    | \[ (?P<class> \^? \]? (?: \[:\^?[a-z]+:\] | \\. | [^\]\\] )* ) \]
    | \(\? (?P<flags> [imsU]* (?:-[imsU]+)? ) (?P<end> [:)] )
    | \(\?P?< (?P<name> [A-Za-z_][A-Za-z0-9_]* ) >
    | (?P<open> \( ) (?P<unknown> \? )?
    | (?P<close> \) )
    | (?P<repeat> (?: [*+?] | \{[0-9]+(?:,[0-9]*)?\} ) \?? ) (?P<again> [*+?] | \{[0-9]+(?:,[0-9]*)?\} )?
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_CLASS = re.compile(
    r"""
    \[: (?P<posix> \^?[a-z]+ ) :\]
    | \\x (?: \{ (?P<wide> [0-9A-Fa-f]{1,6} ) \} | (?P<hex> [0-9A-Fa-f]{2} ) )
    | \\ (?P<octal> 0[0-7]{0,2} | [1-7][0-7]{1,2} )
    | \\ (?P<escape> .? )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_SAME = frozenset("afnrtvdDwWsS")  # escapes that Python has too, in a class or out of it
_PLACES = {"A": r"\A", "b": r"\b", "B": r"\B", "z": r"\Z"}
_LARGEST = 0x10FFFF


def translate(pattern: str) -> str:
    """Write a pattern of Go's for Python's `re.search`.

    Raises:
        ValueError: it is no pattern of Go's, or none that Python has as well; the text says why.

    """
    written: list[str] = []
    head = ""
    lines = [False]  # of each open group: whether its ^ and $ are of lines
    for token in _TOKEN.finditer(pattern):
        if token.start() == 0 and token["end"] == ")":
            head = _flags(token).partition("-")[0]  # nothing is on yet that could be turned off
            lines = ["m" in head]
        else:
            written.append(_write(token, lines))
    text = f"(?a{head}){''.join(written)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(str(error) or type(error).__name__) from None
    return text


def _write(token: re.Match[str], lines: list[bool]) -> str:
    """Write one token; `lines` is changed where a group begins or ends."""
    written = token[0]
    if token["open"] or token["name"] or token["end"]:
        lines.append(_of_lines(token, lines[-1]))
        if token["name"]:
            written = f"(?P<{token['name']}>"
    elif token["close"]:
        if len(lines) > 1:  # re.compile says what is wrong with the others
            lines.pop()
    elif token["repeat"]:
        if token["again"]:
            raise ValueError(f"{token[0]} repeats a repetition")
    elif token["class"] is not None:
        written = f"[{_class(token['class'])}]"
    elif token["literal"] is not None:
        written = re.escape(token["literal"])
    elif token["sign"] is not None:
        written = _sign(token["sign"], lines=lines[-1])
    else:
        written = _PLACES.get(token["escape"] or "", "") or _character(token)
    return written


def _sign(sign: str, *, lines: bool) -> str:
    if sign == "[":
        raise ValueError("no ] ends what [ begins")
    if sign == "$":
        return "$" if lines else r"\Z"
    return sign if sign in ".^|" else re.escape(sign)


def _of_lines(token: re.Match[str], outside: bool) -> bool:
    """Tell whether ^ and $ are of lines in the group that begins."""
    if token["unknown"]:
        raise ValueError(f"Go has no group that begins with {token[0]}")
    if token["end"] is None:
        return outside
    if token["end"] == ")":
        raise ValueError(f"{token[0]} does not stand at the beginning; write {token[0][:-1]}:...)")
    on, _, off = _flags(token).partition("-")
    return "m" in on or (outside and "m" not in off)


def _flags(token: re.Match[str]) -> str:
    if "U" in token["flags"]:
        raise ValueError("the flag U is not supported")
    return token["flags"]


def _class(inside: str) -> str:
    """Write what stands between the brackets of a class."""
    written = []
    for token in _IN_CLASS.finditer(inside):
        first = token.start() == 0
        if token["posix"]:
            if token["posix"] not in _POSIX:
                raise ValueError(f"{token[0]} is not supported; list the characters")
            written.append(_POSIX[token["posix"]])
        elif token["sign"] is None:
            written.append(_character(token))
        elif (first and token["sign"] == "^") or (token["sign"] == "-" and inside[token.end() :][:1] != "-"):
            written.append(token["sign"])
        else:
            # Python reads two of a sign as something to come.
            written.append(re.escape(token["sign"]))
    return "".join(written)


def _character(token: re.Match[str]) -> str:
    """Write an escape that stands for characters."""
    if code := token["wide"] or token["hex"]:
        return _code(int(code, 16))
    if token["octal"]:
        return _code(int(token["octal"], 8))
    sign = token["escape"]
    if sign in _SAME:
        return f"\\{sign}"
    if sign in ("p", "P"):
        raise ValueError(f"\\{sign} is not supported; list the characters")
    if not sign or sign.isalnum() or not sign.isascii():
        raise ValueError(f"Go has no escape \\{sign}")
    return re.escape(sign)


def _code(code: int) -> str:
    if code > _LARGEST:
        raise ValueError(f"{code:x} is no character")
    return re.escape(chr(code))
