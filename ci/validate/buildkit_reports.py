"""Turns what BuildKit says of Dockerfiles into findings."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci.core.buildkit import UNFETCHED, place_of, sentence_of
from ci.core.findings import Finding, Severity, error, note
from ci.core.model import TARGET_CONTEXT
from ci.core.text import show
from ci.dockerfile import TOO_LONG, find_line
from ci.validate.buildkit_script import Request, Subject, list_requests
from ci.validate.dockerfile import MISSING

REFUSED = "buildkit/refused"  # the rule that a build does not get past
_ANSWER = re.compile(r"^(\d+) (\d+) ([A-Za-z0-9+/=]*) ([A-Za-z0-9+/=]*)$", re.MULTILINE)
_WARNING = re.compile(r"^WARNING: (?P<rule>\w+)(?: - (?P<url>\S+))?\n(?P<detail>.*)", re.MULTILINE)
_VIOLATED = re.compile(r"lint violation found for rules: (.*)")
# What is only known with the configuration of the base image.
_OF_BASES = ("UndefinedVar", "InvalidBaseImagePlatform")
_GONE = ("not found", "denied", "does not exist")
_MAX_SENTENCE = 600
_REMEDIES = {
    "--from": "Give the image a stage of its own, FROM $IMAGE AS tools, and write --from=tools.",
    TOO_LONG: "End a part of the line with a backslash and go on below, or copy a script in and run that.",
    "should not be blank": "Give the ARG in it a value: under build-args:, or a default before the first FROM.",
    "target stage": "Name a stage of the Dockerfile, or delete the key: then it is the last one.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    request: Request
    warnings: str  # that lint printed
    refusal: str  # why there is no outline, in BuildKit's words; "" where there is one
    line: int | None  # which it names


def read_answers(subjects: Sequence[Subject], text: str, *, config: str, bases: bool) -> list[Finding]:
    """Read what the script printed.

    Args:
        subjects: those that the script was written for.
        text: the answers.
        config: the path of the configuration, for what is wrong there.
        bases: whether registries were asked about base images.

    """
    answers = list(_read(subjects, text))
    findings: list[Finding] = []
    for answer in answers:
        subject = answer.request.subject
        if answer.warnings:
            mine = [other.refusal for other in answers if other.request.subject is subject]
            fatal = {rule for each in mine if (v := _VIOLATED.match(each)) for rule in v[1].split(", ")}
            findings += _warnings(subject, answer.warnings, fatal, bases=bases)
        elif answer.refusal and UNFETCHED not in answer.refusal and not _VIOLATED.match(answer.refusal):
            findings.append(_refusal(answer, config))
    if not bases:
        message = "BuildKit took base images for empty ones: what depends on them, it could not check"
        findings.append(note(config, 1, "buildkit-bases", message, f"That is {' and '.join(_OF_BASES)}."))
    return findings


def read_unfetched(subjects: Sequence[Subject], text: str) -> list[Finding]:
    """Read why base images could not be fetched, from what the script printed before it ended with NO_BASES."""
    findings: list[Finding] = []
    for answer in _read(subjects, text):
        file, line = answer.request.subject.file, _line(answer)
        if any(word in answer.refusal for word in _GONE):
            message = f"the base image does not exist, or may not be pulled: {answer.refusal}"
            findings.append(error(file, line, "base-missing", message, MISSING))
        else:
            message = f"BuildKit could not look at the base image: {answer.refusal}"
            findings.append(note(file, line, "base-unresolved", message, "Try again, or ask nobody by --offline."))
    return findings


def read_unanswered(subjects: Sequence[Subject]) -> list[Finding]:
    """Find what can be found in Dockerfiles that BuildKit's own frontend does not read."""
    return [
        finding
        for subject in subjects
        for finding in (
            *subject.dockerfile.faults,
            note(
                subject.file,
                1,
                "buildkit-frontend",
                f"it is built by the frontend {show(subject.syntax)}: BuildKit's own did not check it",
                "docker/dockerfile:1 is BuildKit's own, if it needs no other.",
            ),
        )
    ]


def _read(subjects: Sequence[Subject], text: str) -> Iterator[_Answer]:
    requests = list_requests(subjects)
    found = {int(n): (int(code), _decoded(out), _decoded(err)) for n, code, out, err in _ANSWER.findall(text)}
    for number, (code, out, err) in sorted(found.items()):
        request = requests[number]
        yield _Answer(
            request=request,
            warnings=out if request.name == "lint" else "",
            refusal=" ".join(sentence_of(err).split())[:_MAX_SENTENCE] if code else "",
            line=place_of(err),
        )


def _decoded(text: str) -> str:
    return b64decode(text).decode(errors="replace")


def _warnings(subject: Subject, text: str, fatal: set[str], *, bases: bool) -> Iterator[Finding]:
    """Read the warnings about a Dockerfile; those that it says are fatal fail its build."""
    whole = bases and not any(value.startswith(TARGET_CONTEXT) for value in subject.image.contexts.values())
    starts = [*_WARNING.finditer(text)]
    ends = [*(found.start() for found in starts[1:]), len(text)]
    for found, end in zip(starts, ends, strict=True):
        rule, url = found["rule"], found["url"]
        if whole or rule not in _OF_BASES:
            yield Finding(
                severity=Severity.ERROR if rule in fatal else Severity.WARNING,
                file=subject.file,
                line=place_of(text[found.start() : end]) or 1,
                rule=f"buildkit/{rule}",
                message=found["detail"],
                remedy=f"See {url}; to accept it: # check=skip={rule} as the Dockerfile's first line.",
            )


def _refusal(answer: _Answer, config: str) -> Finding:
    """Say why there is no outline, and so no build."""
    subject, why = answer.request.subject, answer.refusal
    remedy = next((text for part, text in _REMEDIES.items() if part in why), "Mend it; no build gets past this.")
    if why.startswith("target stage"):
        return error(config, subject.lines.get("target", 1), REFUSED, f"{subject.file}: {why}", remedy)
    return error(subject.file, _line(answer), REFUSED, why, remedy)


def _line(answer: _Answer) -> int:
    """Find the line that a refusal is about; the first where it is about none."""
    subject = answer.request.subject
    found = find_line(
        answer.refusal,
        answer.line,
        text=subject.text,
        dockerfile=subject.dockerfile,
        arguments=subject.image.arguments(answer.request.platform),
        platform=answer.request.platform,
    )
    return found or 1
