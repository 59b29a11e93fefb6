"""Reads a file of container-structure-test as smoke checks that mean the same.

Source of what each key means: that project's README and pkg/types/v2, schema 2.0.0, with its `docker` driver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ci.config.checks import ENV_NAME, LINE
from ci.config.cursor import Cursor, take
from ci.config.go_regex import translate
from ci.config.paths import Source, read_file
from ci.config.yaml import read_tree
from ci.core.checks import Check, FileCheck, MetadataCheck, RunCheck, Setting, SmokeCheck, TextMatch
from ci.core.errors import ConfigError
from ci.core.text import show

T = TypeVar("T")

DEADLINE = 600.0  # seconds for each command; structure tests know none
VERSION = "2.0.0"
_TESTS = ("commandTests", "fileContentTests", "fileExistenceTests", "metadataTest")
_NO_LICENSES = "licenseTests"
_REQUIRED = {"schemaVersion": f'"{VERSION}"'}
_OPTIONAL = ("globalEnvVars", *_TESTS, _NO_LICENSES, "containerRunOptions")
_OUTPUTS = ("expectedOutput", "excludedOutput", "expectedError", "excludedError")
_COMMAND = {"name": "the name of the test", "command": "a program"}
_COMMAND_KEYS = ("setup", "teardown", "envVars", "exitCode", "args", *_OUTPUTS)
_FILE = {"name": "the name of the test", "path": "a path in the image"}
_EXISTENCE_KEYS = ("shouldExist", "permissions", "uid", "gid", "isExecutableBy")
_CONTENT_KEYS = ("expectedContents", "excludedContents")
_PAIR = {"key": "a name", "value": "a text"}
_METADATA_KEYS = (
    *("envVars", "unboundEnvVars", "labels", "entrypoint", "cmd", "workdir", "user"),
    *("exposedPorts", "unexposedPorts", "volumes", "unmountedVolumes"),
)
_OPTIONS = ("user", "privileged", "allocateTty", "envFile", "envVars", "capabilities", "bindMounts")
_BY = ("owner", "group", "other", "any")
# As fs.FileMode of Go writes them: setuid is u, setgid is g, sticky is t, before the nine.
_PERMISSIONS = re.compile("(?:-|[dalTLDpSugct?]{1,5})(?:[r-][w-][x-]){3}")
_SOME = re.compile(r"[\s\S]+")
_MOST_ID = 2**32 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Test:
    """One test of a file: what it is called there, what it checks, and in which environment."""

    name: str
    check: Check
    env: Mapping[str, str] = field(default_factory=dict)
    expands: Mapping[str, str] | None = None


def read_structure_tests(
    cursor: Cursor,
    source: Source,
    *,
    name: str,
    suffix: str,
    platforms: tuple[str, ...],
    services: tuple[str, ...],
    deadline: float,
) -> Sequence[SmokeCheck]:
    """Read the file that a check names, as one check for each of its tests.

    Where nobody looked into the source, it is one check that compares nothing.

    Args:
        cursor: the path of the file.
        source: what is known of the source.
        name: what the tests' names begin with; empty: the path.
        suffix: what they end with.
        platforms: where they run.
        services: what is beside the image.
        deadline: seconds that each command may take.

    """
    path = read_file(cursor, source.kinds, "a file of container-structure-test")
    if source.texts is None:
        return (SmokeCheck(name=f"{name or path}{suffix}", check=MetadataCheck(), platforms=platforms),)
    if path not in source.texts:
        return ()  # it has been said that it is not there
    checks: dict[str, SmokeCheck] = {}
    for test in _read(cursor, source.texts[path], path, deadline):
        first = known = f"{name or path}: {test.name}{suffix}"
        number = 1
        while known in checks:  # there, two tests may have one name
            number += 1
            known = f"{first} ({number})"
        checks[known] = SmokeCheck(
            name=known,
            check=test.check,
            platforms=platforms,
            env=test.env,
            services=services if isinstance(test.check, RunCheck) else (),
            expands=test.expands,
        )
    return tuple(checks.values())


def _read(cursor: Cursor, text: str, path: str, deadline: float) -> Iterator[_Test]:
    try:
        root = replace(read_tree(text, file=path), findings=cursor.findings)
    except ConfigError as error:
        cursor.findings.extend(error.findings)
        return
    before = len(cursor.findings)
    fields = _given(root.record(_REQUIRED, _OPTIONAL))
    if (version := fields.get("schemaVersion")) and version.raw() != VERSION:
        version.report(f"the schema {version.shown} is not supported", accepted=f'"{VERSION}"')
    if _NO_LICENSES in fields:
        message = "tests of licences are not supported: their list of words is made for one company"
        fields[_NO_LICENSES].report(message, accepted="no such key; a run check can look for words of your own")
    user = take(fields, "containerRunOptions", _user, None)
    known = take(fields, "globalEnvVars", _variables, {})
    tests = [
        *(_command(item, known, user, deadline) for item in _items(fields, "commandTests")),
        *(_content(item) for item in _items(fields, "fileContentTests")),
        *(_existence(item, known) for item in _items(fields, "fileExistenceTests")),
        *([_metadata(fields["metadataTest"])] if "metadataTest" in fields else ()),
    ]
    if not tests and len(cursor.findings) == before:
        root.report("the file has no test", accepted=f"at least one of {', '.join(_TESTS)}")
    yield from tests


def _command(cursor: Cursor, known: Mapping[str, str], user: str | None, deadline: float) -> _Test:
    fields = _given(cursor.record(_COMMAND, _COMMAND_KEYS))
    for words in _items(fields, "teardown"):
        _words(words)  # they are not run there either: each test has a container of its own
    return _Test(
        name=f"command {_name(fields)}",
        check=RunCheck(
            argv=(_some(fields, "command"), *take(fields, "args", _texts, ())),
            exit_code=take(fields, "exitCode", lambda c: c.integer(0, 255), 0),
            stdout=_match(fields, "expectedOutput", "excludedOutput"),
            stderr=_match(fields, "expectedError", "excludedError"),
            deadline=deadline,
            setup=tuple(_words(words) for words in _items(fields, "setup")),
            user=user,
        ),
        env=take(fields, "envVars", _variables, {}),
        expands=known,
    )


def _content(cursor: Cursor) -> _Test:
    fields = _given(cursor.record(_FILE, _CONTENT_KEYS))
    content = _match(fields, *_CONTENT_KEYS) or TextMatch()
    return _Test(name=f"file content {_name(fields)}", check=FileCheck(path=_path(fields), content=content))


def _existence(cursor: Cursor, known: Mapping[str, str]) -> _Test:
    fields = _given(cursor.record(_FILE, _EXISTENCE_KEYS))
    exists = take(fields, "shouldExist", Cursor.boolean, default=True)
    owner: Callable[[Cursor], int] = lambda c: c.integer(0, _MOST_ID)  # noqa: E731
    found = FileCheck(
        path=_path(fields),
        permissions=take(fields, "permissions", _permissions, None),
        uid=take(fields, "uid", owner, None),
        gid=take(fields, "gid", owner, None),
        executable_by=take(fields, "isExecutableBy", lambda c: c.choice(_BY), None),
        follow=False,
    )
    # There, what must not exist is asked for nothing else.
    check = found if exists else FileCheck(path=found.path, exists=False, follow=False)
    return _Test(name=f"file existence {_name(fields)}", check=check, expands=known)


def _metadata(cursor: Cursor) -> _Test:
    fields = _given(cursor.record({}, _METADATA_KEYS))
    check = MetadataCheck(
        env=tuple(_setting(item) for item in _items(fields, "envVars")),
        env_unset=tuple(_key(item) for item in _items(fields, "unboundEnvVars")),
        labels=tuple(_setting(item) for item in _items(fields, "labels")),
        entrypoint=take(fields, "entrypoint", _texts, None),
        cmd=take(fields, "cmd", _texts, None),
        workdir=take(fields, "workdir", Cursor.raw, None) or None,
        user=take(fields, "user", Cursor.raw, None) or None,
        ports=take(fields, "exposedPorts", _texts, ()),
        ports_unset=take(fields, "unexposedPorts", _texts, ()),
        volumes=take(fields, "volumes", _texts, ()),
        volumes_unset=take(fields, "unmountedVolumes", _texts, ()),
    )
    return _Test(name="metadata", check=check)


def _given(fields: dict[str, Cursor]) -> dict[str, Cursor]:
    """Leave out keys without a value, which mean nothing there."""
    return {key: value for key, value in fields.items() if value.kind != "null"}


def _items(fields: Mapping[str, Cursor], key: str) -> tuple[Cursor, ...]:
    """Read a list, which may be empty or missing."""
    return _list(fields[key]) if key in fields else ()


def _list(cursor: Cursor) -> tuple[Cursor, ...]:
    empty = cursor.kind == "seq" and not cursor.node.value
    return () if empty else cursor.items()


def _texts(cursor: Cursor) -> tuple[str, ...]:
    return tuple(item.raw() for item in _list(cursor))


def _words(cursor: Cursor) -> tuple[str, ...]:
    return tuple(item.raw() for item in cursor.items())


def _name(fields: Mapping[str, Cursor]) -> str:
    return take(fields, "name", lambda c: c.matching(LINE, "text on one line"), "")


def _some(fields: Mapping[str, Cursor], key: str) -> str:
    return take(fields, key, lambda c: c.matching(_SOME, "text that is not empty"), "")


def _path(fields: Mapping[str, Cursor]) -> str:
    path = _some(fields, "path")
    return path if path.startswith(("/", "$")) else f"/{path}"


def _match(fields: Mapping[str, Cursor], expected: str, excluded: str) -> TextMatch | None:
    matches = tuple(_regex(item) for item in _items(fields, expected))
    rejects = tuple(_regex(item) for item in _items(fields, excluded))
    return TextMatch(matches=matches, rejects=rejects) if matches or rejects else None


def _regex(cursor: Cursor) -> str:
    written = cursor.raw()
    try:
        return translate(written)
    except ValueError as error:
        cursor.report(f"{show(written)} is no pattern that can be used: {error}", accepted="Go's syntax")
        return ""


def _variables(cursor: Cursor) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in _list(cursor):
        fields = item.record(_PAIR, ("isRegex",))
        found[_key(item, fields)] = take(fields, "value", Cursor.raw, "")
    return found


def _setting(cursor: Cursor) -> Setting:
    fields = cursor.record(_PAIR, ("isRegex",))
    pattern = take(fields, "isRegex", Cursor.boolean, default=False)
    read = _regex if pattern else Cursor.raw
    return Setting(name=_key(cursor, fields, any_name=True), value=take(fields, "value", read, ""), pattern=pattern)


def _key(cursor: Cursor, fields: Mapping[str, Cursor] | None = None, *, any_name: bool = False) -> str:
    """Read the name of a variable or, with `any_name`, of a label."""
    if fields is None:
        fields = cursor.record({"key": _PAIR["key"]}, ("value", "isRegex"))
    pattern = LINE if any_name else ENV_NAME
    return take(fields, "key", lambda c: c.matching(pattern, "a name"), "")


def _permissions(cursor: Cursor) -> str | None:
    written = cursor.raw()
    if written and not _PERMISSIONS.fullmatch(written):
        cursor.report(
            f"{show(written)} is never what a file has",
            accepted="-rwxr-xr-x, drwxr-xr-x and the like; u, g and t before the nine are setuid, setgid and sticky",
        )
    return written or None


def _user(cursor: Cursor) -> str | None:
    """Read the one option that a check can have: who runs the commands."""
    fields = _given(cursor.record({}, _OPTIONS))
    for key, value in fields.items():
        off = value.kind == "bool" and value.shown == "false"
        if key != "user" and not off and (value.kind != "seq" or value.node.value):
            message = f"{key} is not supported: a check has no more rights, and sees no more, than the image alone"
            value.report(message, accepted="no such key")
    return take(fields, "user", Cursor.raw, None) or None
