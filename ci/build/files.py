"""Holds an image's files, and its configuration, against checks: facts in, sentences out."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from ci.build.look import Facts
from ci.build.probe import Match, compare
from ci.core.checks import ConfigCheck, FileCheck, MetadataCheck, Setting, TextMatch
from ci.core.oci import ImageConfig

_EXECUTABLE = {"owner": 0o100, "group": 0o010, "other": 0o001, "any": 0o111}
# What fs.FileMode of Go writes before the nine, in its order (io/fs, FileMode.String); a regular file has none.
_KINDS = (
    (stat.S_ISDIR, "d"),
    (stat.S_ISLNK, "L"),
    (stat.S_ISBLK, "D"),
    (stat.S_ISFIFO, "p"),
    (stat.S_ISSOCK, "S"),
)


def match_of(match: TextMatch | None) -> Match:
    """Write a match as the programs beside an image take it."""
    return Match(**asdict(match)) if match else Match()


def judge_file(check: FileCheck, facts: Facts) -> list[str]:
    """Say what of a file is not as it has to be."""
    if facts.exists != check.exists:
        wanted, found = ("to exist", "does not") if check.exists else ("not to exist", "does")
        return [f"expected {check.path} {wanted}, and it {found}"]
    if facts.fault:
        return [f"{check.path} could not be looked at: {facts.fault}"]
    return list(_file(check, facts)) if check.exists else []


def _file(check: FileCheck, facts: Facts) -> Iterator[str]:
    mode = stat.S_IMODE(facts.mode)
    if check.mode is not None and mode != check.mode:
        yield f"expected {check.path} to have mode {check.mode:04o}, it has {mode:04o}"
    if check.permissions is not None and (written := permissions(facts.mode)) != check.permissions:
        yield f"expected {check.path} to have permissions {check.permissions}, it has {written}"
    if check.executable_by and not mode & _EXECUTABLE[check.executable_by]:
        yield f"expected {check.path} to be executable by {check.executable_by}, it has mode {mode:04o}"
    for what, wanted, found in (("uid", check.uid, facts.uid), ("gid", check.gid, facts.gid)):
        if wanted is not None and wanted != found:
            yield f"expected {check.path} to have {what} {wanted}, it has {found}"
    if check.content is not None:
        yield from compare(facts.text, match_of(check.content), check.path)


def permissions(mode: int) -> str:
    """Write a mode as Go does: `-rwxr-xr-x`, `urwxr-xr-x` with setuid, `dtrwxrwxrwx` with sticky."""
    head = "".join(sign for is_kind, sign in _KINDS if is_kind(mode))
    head += "u" if mode & stat.S_ISUID else ""
    head += "g" if mode & stat.S_ISGID else ""
    head += "Dc" if stat.S_ISCHR(mode) else ""
    head += "t" if mode & stat.S_ISVTX else ""
    nine = "".join(sign if mode & (1 << (8 - place)) else "-" for place, sign in enumerate("rwxrwxrwx"))
    return (head or "-") + nine


def judge_config(check: ConfigCheck, config: ImageConfig) -> list[str]:
    """Say what of an image's configuration, as its archive or its registry has it, is not as it has to be."""
    problems: list[str] = []

    def expect(what: str, expected: object, actual: object) -> None:
        if expected != actual:
            problems.append(f"expected {what} {expected!r}, got {actual!r}")

    if check.user is not None:
        expect("user", check.user, config.user)
    if check.entrypoint is not None:
        expect("entrypoint", list(check.entrypoint), list(config.entrypoint))
    for name, value in check.env.items():
        expect(f"env {name}", value, config.env.get(name))
    for name, value in check.labels.items():
        expect(f"label {name}", value, config.labels.get(name))
    if check.ports is not None:
        expect("exposed ports", sorted(check.ports), sorted(config.ports))
    if check.healthcheck is not None:
        expect("a declared healthcheck", check.healthcheck, config.healthcheck)
    if check.architecture is not None:
        expect("architecture", check.architecture, config.architecture)
    return problems


def judge_metadata(check: MetadataCheck, config: ImageConfig) -> list[str]:
    """Say what of an image's configuration is not as a structure test wants it."""
    return list(_metadata(check, config))


def _metadata(check: MetadataCheck, config: ImageConfig) -> Iterator[str]:
    for setting in check.env:
        yield from _setting("env", setting, config.env.get(setting.name))
    yield from (f"expected no env {name}, got {config.env[name]!r}" for name in check.env_unset if name in config.env)
    for setting in check.labels:
        yield from _setting("label", setting, config.labels.get(setting.name))
    for what, wanted, found in (
        ("entrypoint", check.entrypoint, config.entrypoint),
        ("cmd", check.cmd, config.cmd),
        ("workdir", check.workdir, config.workdir),
        ("user", check.user, config.user),
    ):
        if wanted is not None and wanted != found:
            yield f"expected {what} {_plain(wanted)!r}, got {_plain(found)!r}"
    ports = tuple(port.partition("/")[0] for port in config.ports)
    yield from _listed("exposed port", check.ports, check.ports_unset, ports)
    yield from _listed("volume", check.volumes, check.volumes_unset, config.volumes)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _setting(what: str, setting: Setting, found: str | None) -> Iterator[str]:
    held = found is not None and (re.search(setting.value, found) if setting.pattern else setting.value == found)
    if not held:
        verb = "to match " if setting.pattern else ""
        yield f"expected {what} {setting.name} {verb}{setting.value!r}, got {found!r}"


def _listed(what: str, wanted: Sequence[str], unwanted: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    shown = ", ".join(found) or "none"
    yield from (f"expected {what} {each}, got {shown}" for each in wanted if each not in found)
    yield from (f"expected no {what} {each}, got {shown}" for each in unwanted if each in found)
